"""What the maps of diffusion have in common: their signals, how they are declared and drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients
from mriderived.figures.overlays import map_overlay
from mriderived.interfaces.gradient_tables import load_fsl
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Output

#: What every model of diffusion is fitted to.
SIGNALS = ('dwi_preproc', 'dwi_bval', 'dwi_bvec', 'dwi_mask')


class Signals(NamedTuple):
    """The voxels of the brain: series (N, n), their table, the mask (x, y, z) and its affine."""

    series: NDArray[np.float32]
    gradients: Gradients
    mask: NDArray[np.bool_]
    affine: NDArray[np.float64]


def load_signals(dwi_preproc: Path, dwi_bval: Path, dwi_bvec: Path, dwi_mask: Path) -> Signals:
    """Load the voxels of the brain of a preprocessed series."""
    mask, affine = load(dwi_mask) > 0, load_affine(dwi_preproc)
    gradients = load_fsl(dwi_bval, dwi_bvec, affine)
    return Signals(load_masked(dwi_preproc, mask), gradients, mask, affine)


def spread_map(values: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return values (N, ...) of the voxels of a mask as a volume (x, y, z, ...), 0 elsewhere."""
    volume = np.zeros((*mask.shape, *values.shape[1:]), np.float32)
    volume[mask] = np.nan_to_num(values, posinf=0, neginf=0)
    return volume


def save_dwi_map(values: NDArray[Any], signals: Signals, name: str) -> Path:
    """Save values (N, ...) of the voxels of the brain; 0 where there is none."""
    return save(spread_map(values, signals.mask), signals.affine, f'{name}.nii.gz')


def map_output(
    model: str,
    param: str,
    title: str,
    description: str,
    unit: str = '1',
    *,
    is_summed_up: bool = True,
    zero_counts: bool = False,
    **sidecar: Any,
) -> Output:
    """Declare the map of one parameter of a model.

    ``is_summed_up`` asks for regions and for the map in spaces; with ``zero_counts`` 0 is a value
    like others, so that the map stays on its grid.
    """
    return Output(
        field=f'{model}_{param}',
        datatype='dwi',
        suffix='dwimap',
        entities={'model': model, 'param': param},
        description=description,
        unit=unit,
        title=title,
        regions=is_summed_up,
        in_spaces=is_summed_up and not zero_counts,
        is_zero_missing=not zero_counts,
        sidecar={'SkullStripped': True, **sidecar},
        draft='BEP016',
    )


def dwi_figure(
    field: str, label: str, unit: str = '1', limits: tuple[float, float] | None = None
) -> Callable[..., list[Any]]:
    """Return what draws the map ``field`` over the reference of the series."""
    return partial(_draw, field=field, label=label, unit=unit, limits=limits)


def _draw(
    *,
    field: str,
    label: str,
    unit: str,
    limits: tuple[float, float] | None,
    dwi_reference: Path,
    **maps: Path,
) -> list[Any]:
    values, affine = load(maps[field]), load_affine(maps[field])
    return [
        map_overlay(load(dwi_reference), affine, values, label=label, unit=unit,
                    mask=values != 0, limits=limits, colours='gray' if limits else 'viridis',
                    opacity=1.0)
    ]  # fmt: skip


def load_vectors(path: Path) -> NDArray[np.float32]:
    """Load a map of vectors (x, y, z, 3)."""
    return np.ascontiguousarray(np.asarray(nb.load(path).dataobj), np.float32)
