"""What is known of a synthetic scan, kept beside it under ``sourcedata/truth``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.bids.sidecar import write_json
from mriderived.phantom.deformation import Deformation, field_affine
from mriderived.phantom.head import Head, HeadOptions

TISSUES = ('GM', 'WM', 'CSF')
#: The bias field is smooth: every 4th voxel is enough.
BIAS_STEP = 4


@dataclass(frozen=True)
class Truth:
    """The truth of one scan; volumes in mm3, images on the grid of the T1w.

    ``hemisphere_mm3`` splits the tissues at the midline of template space: ``L`` and ``R`` are
    the sides of the participant. ``t1w`` is the scan itself.
    """

    participant: str
    t1w: Path
    volumes_mm3: dict[str, float]
    tiv_mm3: float
    hemisphere_mm3: dict[str, dict[str, float]]
    zoom: float
    is_flipped: bool
    noise_sigma: float
    gm_probseg: Path
    wm_probseg: Path
    csf_probseg: Path
    brain_mask: Path
    bias: Path
    field: Path
    matrix: tuple[tuple[float, ...], ...]

    @property
    def deformation(self) -> Deformation:
        """The way from the scanner's to template space."""
        field = np.asarray(nib.load(self.field).dataobj, dtype=np.float32)
        return Deformation(np.array(self.matrix), np.ascontiguousarray(np.moveaxis(field, 3, 0)))

    def load_probsegs(self) -> NDArray[np.float32]:
        """Return the partial volumes of GM, WM and CSF, first axis."""
        paths = (self.gm_probseg, self.wm_probseg, self.csf_probseg)
        return np.stack([np.asarray(nib.load(path).dataobj, dtype=np.float32) for path in paths])

    def label_volumes(self, atlas: Path, tissue: str = 'GM') -> dict[int, float]:
        """Return the true volume (mm3) of a tissue in every label of an atlas.

        The atlas is in the space of the template; a voxel takes the label at its centre.
        """
        image = nib.load(self.t1w)
        share = self.load_probsegs()[TISSUES.index(tissue)]
        where = np.argwhere(share > 0)
        points = self.deformation.to_template(apply_affine(image.affine, where))
        labels = nib.load(atlas)
        voxels = apply_affine(np.linalg.inv(labels.affine), points).T
        found = ndimage.map_coordinates(np.asarray(labels.dataobj), voxels, order=0)
        weights = share[share > 0] * abs(np.linalg.det(image.affine[:3, :3]))
        sums = np.bincount(found.astype(int), weights)
        return {int(label): float(sums[label]) for label in np.flatnonzero(sums) if label}


def write_truth(folder: Path, t1w: Path, head: Head, options: HeadOptions) -> Truth:
    """Write the truth of ``t1w``, a file of the dataset in ``folder``."""
    below = folder / 'sourcedata' / 'truth' / t1w.relative_to(folder).parent
    stem = t1w.name.partition('.')[0].removesuffix('T1w')
    below.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {
        'gm_probseg': _save_share(below / f'{stem}label-GM_probseg.nii.gz', head, 0),
        'wm_probseg': _save_share(below / f'{stem}label-WM_probseg.nii.gz', head, 1),
        'csf_probseg': _save_share(below / f'{stem}label-CSF_probseg.nii.gz', head, 2),
        'brain_mask': save_image(
            below / f'{stem}mask.nii.gz', head.brain_mask.astype('u1'), head.affine
        ),
        'bias': _save_bias(below / f'{stem}bias.nii.gz', head),
        'field': save_image(
            below / f'{stem}warp.nii.gz', np.moveaxis(head.deformation.field, 0, 3), field_affine()
        ),
    }
    left, right = _hemispheres(head)
    truth = Truth(
        participant=t1w.name.partition('_')[0].removeprefix('sub-'),
        t1w=t1w,
        volumes_mm3=_add(left, right),
        tiv_mm3=sum(left.values()) + sum(right.values()),
        hemisphere_mm3={'L': left, 'R': right},
        zoom=options.zoom,
        is_flipped=options.flip,
        noise_sigma=options.noise,
        matrix=tuple(tuple(map(float, row)) for row in head.deformation.matrix),
        **paths,
    )
    write_json(_file(folder, t1w), relative_paths(truth, folder))
    return truth


def read_truth(folder: Path, t1w: Path) -> Truth:
    """Read the truth of a scan of the dataset in ``folder``."""
    content = json.loads(_file(folder, t1w).read_text())
    for name in ('t1w', 'gm_probseg', 'wm_probseg', 'csf_probseg', 'brain_mask', 'bias', 'field'):
        content[name] = folder / content[name]
    content['matrix'] = tuple(tuple(row) for row in content['matrix'])
    return Truth(**content)


def _file(folder: Path, t1w: Path) -> Path:
    below = folder / 'sourcedata' / 'truth' / t1w.relative_to(folder)
    return below.with_name(t1w.name.partition('.')[0] + '.json')


def relative_paths(truth: Any, folder: Path) -> dict[str, Any]:
    """Return the fields of a dataclass, with paths relative to the folder."""
    return {
        name: value.relative_to(folder) if isinstance(value, Path) else value
        for name, value in asdict(truth).items()
    }


def _hemispheres(head: Head) -> tuple[dict[str, float], dict[str, float]]:
    """Return the volumes on the participant's left and right."""
    cell = abs(float(np.linalg.det(head.affine[:3, :3]))) / head.cells
    is_left = _is_left(head)
    left, right = (
        [cell * float(part[side].sum(dtype=np.int64)) for part in head.counts]
        for side in (is_left, ~is_left)
    )
    return dict(zip(TISSUES, left, strict=True)), dict(zip(TISSUES, right, strict=True))


def _add(left: dict[str, float], right: dict[str, float]) -> dict[str, float]:
    return {name: left[name] + right[name] for name in TISSUES}


def _is_left(head: Head) -> NDArray[np.bool_]:
    """Voxels on the participant's left, by where they came from in the (mirrored) template."""
    inside = head.counts.any(axis=0)
    points = apply_affine(head.affine, np.argwhere(inside))
    is_mirrored = np.linalg.det(head.deformation.matrix[:3, :3]) < 0
    is_left = np.zeros(inside.shape, dtype=bool)
    is_left[inside] = (head.deformation.to_template(points)[:, 0] < 0) ^ is_mirrored
    return is_left


def save_image(path: Path, data: NDArray[Any], affine: NDArray[Any]) -> Path:
    """Write an image whose affine is in mm."""
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units('mm')
    image.to_filename(path)
    return path


def _save_share(path: Path, head: Head, tissue: int) -> Path:
    """Store counts of cells as bytes: with the slope they are the exact shares."""
    image = nib.Nifti1Image(head.counts[tissue], head.affine)
    image.header.set_xyzt_units('mm')
    image.header.set_slope_inter(1 / head.cells, 0)
    image.to_filename(path)
    return path


def _save_bias(path: Path, head: Head) -> Path:
    affine = head.affine @ np.diag([BIAS_STEP, BIAS_STEP, BIAS_STEP, 1.0])
    return save_image(path, head.bias[::BIAS_STEP, ::BIAS_STEP, ::BIAS_STEP], affine)
