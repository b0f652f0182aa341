"""A small brain as a FLAIR shows it: white matter, cortex, two ventricles, and planted lesions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from mriderived.core.hyperintensities import Scan
from mriderived.core.partial_volume import Fractions
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.volumes import save

SHAPE = (72, 80, 64)
WHITE, GREY, FLUID = 80.0, 92.0, 15.0
Ball = tuple[float, float, float, float]


class Phantom(NamedTuple):
    scan: Scan
    truth: np.ndarray


def draw(
    balls: Sequence[Ball] = (),
    contrast: float = 0.45,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    noise: float = 4.0,
    scale: float = 1.0,
    extra: np.ndarray | None = None,
    seed: int = 0,
) -> Phantom:
    """``balls`` hold centre and radius in mm from the middle; truth is their share of voxels."""
    fine = np.array([max(1, round(2 * size)) for size in spacing])
    shape = tuple(int(n / size) for n, size in zip(SHAPE, spacing, strict=True))
    grid = [
        (np.arange(n * f) + 0.5) * size / f - n * size / 2
        for n, f, size in zip(shape, fine, spacing, strict=True)
    ]
    x, y, z = np.meshgrid(*grid, indexing='ij', sparse=True)
    depth = np.sqrt((x / 30) ** 2 + (y / 34) ** 2 + (z / 27) ** 2)
    ventricles = (np.abs(np.abs(x) - 5) < 3) & (np.abs(y) < 12) & (np.abs(z) < 5)
    fluid = ((depth > 0.96) & (depth < 1)) | ventricles
    grey = (depth <= 0.96) & (depth > 0.86)
    white = (depth <= 0.86) & ~ventricles
    lesions = np.zeros(depth.shape, bool)
    for a, b, c, radius in balls:
        lesions |= (x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 < radius**2
    lesions &= white

    def coarse(part: np.ndarray) -> np.ndarray:
        (a, b, c), (i, j, k) = shape, fine
        return part.reshape(a, i, b, j, c, k).mean(axis=(1, 3, 5), dtype=np.float32)

    rng = np.random.default_rng(seed)
    parts = [coarse(part) for part in (fluid, grey, white)]
    truth = coarse(lesions)
    image = sum(m * part for m, part in zip((FLUID, GREY, WHITE), parts, strict=True))
    image = ndimage.gaussian_filter(image + contrast * WHITE * truth, 0.6 / np.array(spacing))
    if extra is not None:
        image = image + extra
    flair = scale * (image + rng.normal(0, noise, shape) * (sum(parts) > 0))
    # the template knows tissue to about 2 mm
    priors = [ndimage.gaussian_filter(part, 1.5 / np.array(spacing)) for part in parts]
    scan = Scan(
        flair.astype(np.float32),
        sum(parts) > 0.5,
        np.stack(priors).astype(np.float32),
        coarse(ventricles) > 0.5,
        spacing,
        Fractions(gm=parts[1], wm=parts[2], csf=parts[0]),
    )
    return Phantom(scan, truth)


def write_files(folder: Path, phantom: Phantom, tissues: bool = False) -> dict[str, Path]:
    """Write the scan; all before y = 0 is frontal, the rest occipital."""
    scan = phantom.scan
    affine = np.diag([*scan.spacing, 1.0])
    affine[:3, 3] = -np.array(scan.flair.shape) * scan.spacing / 2 + np.array(scan.spacing) / 2
    y = affine[1, 1] * np.arange(scan.flair.shape[1]) + affine[1, 3]
    lobes = np.where(scan.brain & (y > 0)[:, None], 1, np.where(scan.brain, 4, 0))
    arrays = {
        'flair': scan.flair,
        'flair_mask': scan.brain.astype(np.uint8),
        'flair_priors': np.moveaxis(scan.priors, 0, -1),
        'flair_structures': np.where(scan.ventricles, 4, 0).astype(np.int32),
        'flair_lobes': lobes.astype(np.int32),
    }
    if tissues and scan.tissues is not None:
        for name in ('gm', 'wm', 'csf'):
            arrays[f'{name}_probseg'] = getattr(scan.tissues, name)
    files = {name: save(data, affine, f'{name}.nii.gz') for name, data in arrays.items()}
    if tissues:
        files['xfm_flair_to_t1w'] = save_rigid(np.eye(4), 'rigid.h5')
    return files
