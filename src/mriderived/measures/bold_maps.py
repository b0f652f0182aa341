"""What the maps of BOLD have in common: how they are saved and drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.core.sampling import resample
from mriderived.figures.overlays import map_overlay
from mriderived.interfaces.series import spread
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size

#: Voxels of BOLD are drawn at this size, in mm.
DISPLAY_MM = 2.0


def save_map(
    values: NDArray[Any], mask: NDArray[np.bool_], affine: NDArray[np.float64], name: str
) -> Path:
    """Save one value for each voxel of a mask; 0, as outside, where there is none."""
    return save(spread(np.nan_to_num(values), mask), affine, f'{name}.nii.gz')


def map_figure(
    field: str, label: str, unit: str = '1', symmetric: bool = False
) -> Callable[..., list[Any]]:
    """Return what draws the map ``field`` over the BOLD reference."""
    return partial(_draw, field=field, label=label, unit=unit, symmetric=symmetric)


def _draw(
    *, field: str, label: str, unit: str, symmetric: bool, bold_reference: Path, **maps: Path
) -> list[Any]:
    values, affine = load(maps[field]), load_affine(maps[field])
    scale = np.diag([*(DISPLAY_MM / voxel_size(affine)), 1.0])
    shape = tuple(int(n) for n in np.ceil((np.array(values.shape) - 1) / np.diag(scale)[:3]) + 1)
    inside = resample((values != 0).astype(np.float32), scale, shape)
    fine = resample(values, scale, shape) / np.maximum(inside, 0.5)
    background = resample(load(bold_reference), scale, shape)
    limits: dict[str, Any] = {}
    if symmetric:
        most = float(np.percentile(np.abs(fine[inside > 0.5]), 99)) if inside.any() else 1.0
        limits = {'limits': (-most, most), 'colours': 'RdBu_r'}
    shown = inside > 0.5
    return [
        map_overlay(background, affine @ scale, fine, label=label, unit=unit, mask=shown, **limits)
    ]
