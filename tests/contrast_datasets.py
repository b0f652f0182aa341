"""A synthetic head as T1w, T2w and FLAIR, each on a grid of its own, with planted lesions."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
from scipy import ndimage

from mriderived.phantom.anatomy import load_anatomy
from mriderived.phantom.head import HeadOptions, draw_head
from mriderived.phantom.rendering import render

#: Intensities of grey matter, white matter and fluid.
T2W, FLAIR = (85.0, 65.0, 220.0), (105.0, 90.0, 15.0)
#: Centre in mm of the template and radius in mm: deep in white matter of both sides.
LESIONS = [(-28.0, -18.0, 30.0, 5.0), (27.0, 12.0, 26.0, 4.5), (29.0, -30.0, 28.0, 4.0)]
CONTRAST = 50.0


def write_contrasts(folder: Path, t1w: bool, t2w: bool, flair: bool, label: str) -> float:
    """Write the images of one participant; return the volume of the lesions in mm3."""
    options = HeadOptions(voxel_mm=(2.0, 2.0, 2.0))
    head = draw_head(options)
    anat = folder / f'sub-{label}' / 'anat'
    anat.mkdir(parents=True)
    (folder / 'dataset_description.json').write_text(
        json.dumps({'Name': 'contrasts', 'BIDSVersion': '1.10.0', 'DatasetType': 'raw'})
    )
    if t1w:
        nb.Nifti1Image(head.t1w, head.affine).to_filename(anat / f'sub-{label}_T1w.nii.gz')
    rng = np.random.default_rng(5)
    total = 0.0
    for name, means, size, is_wanted in (
        ('acq-iso_T2w', T2W, (2.0, 2.0, 2.0), t2w),
        ('acq-2D_FLAIR', FLAIR, (1.5, 1.5, 4.0), flair),
    ):
        if not is_wanted:
            continue
        affine = np.diag([*size, 1.0])
        affine[:3, 3] = head.affine[:3, 3] + 1
        extent = np.array(head.t1w.shape) * 2
        shape = tuple(int(n) for n in np.ceil(extent / size))
        drawn = render(load_anatomy(), head.deformation, affine, shape, means).intensity  # type: ignore[arg-type]
        if name.endswith('FLAIR'):
            share = draw_lesions(head.deformation, affine, shape)
            total = float(share.sum() * np.prod(size))
            drawn = drawn + CONTRAST * share
            drawn = ndimage.gaussian_filter(drawn, 0.5 / np.array(size))
        noisy = np.hypot(drawn + rng.normal(0, 2.0, shape), rng.normal(0, 2.0, shape))
        image = nb.Nifti1Image(np.rint(noisy * 8).astype(np.int16), affine)
        image.to_filename(anat / f'sub-{label}_{name}.nii.gz')
    return total


def draw_lesions(deformation: object, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the share of each voxel that is a lesion."""
    step = np.diag(affine)[:3]
    parts = np.maximum(1, np.round(step / 0.5)).astype(int)
    fine = [
        (np.arange(n * p) + 0.5) / p * s + o - s / 2
        for n, p, s, o in zip(shape, parts, step, affine[:3, 3], strict=True)
    ]
    share = np.zeros(shape, np.float32)
    for *centre, radius in LESIONS:
        middle = deformation.from_template(np.array(centre))  # type: ignore[attr-defined]
        x, y, z = ((axis - c) ** 2 for axis, c in zip(fine, np.ravel(middle), strict=True))
        low = [int(np.searchsorted(axis, c - radius) // p) for axis, c, p in
               zip(fine, np.ravel(middle), parts, strict=True)]  # fmt: skip
        high = [int(np.searchsorted(axis, c + radius) // p) + 1 for axis, c, p in
                zip(fine, np.ravel(middle), parts, strict=True)]  # fmt: skip
        cut = [slice(a * p, b * p) for a, b, p in zip(low, high, parts, strict=True)]
        ball = x[cut[0], None, None] + y[cut[1], None] + z[cut[2]] < radius**2
        size = [b - a for a, b in zip(low, high, strict=True)]
        blocks = ball.reshape(size[0], parts[0], size[1], parts[1], size[2], parts[2])
        here = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        share[here] = np.maximum(share[here], blocks.mean(axis=(1, 3, 5)))
    return share
