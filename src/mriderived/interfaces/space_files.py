"""Read a brain template onto the grid that registration works on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.core.affine import Brain, coarsen
from mriderived.core.filters import smooth
from mriderived.core.registration import Template
from mriderived.core.sampling import resample
from mriderived.interfaces.volumes import load_ras, voxel_size

Volume = NDArray[np.float32]

#: The grid where the space has no tissue maps, whose grid would be used.
STEP_MM = 1.5
#: Order of the tissues in ``space_tissues``.
TISSUES = ('gm', 'wm', 'csf')


def load_template(space_brain: Path, space_tissues: Path | None, threads: int) -> Template:
    """Return the brain, and grey and white matter if known, on one grid in RAS orientation."""
    brain = Brain(*load_ras(space_brain))
    if space_tissues is None:
        if voxel_size(brain.affine).max() < STEP_MM:
            brain = coarsen(brain, STEP_MM, threads)
        return Template(brain.data, brain.affine)
    tissues = load_tissues(space_tissues, ('gm', 'wm'))
    affine = _load_4d(space_tissues)[1]
    ratio = voxel_size(affine) / voxel_size(brain.affine)
    sigma = 0.4 * np.sqrt(np.maximum(ratio**2 - 1, 0))
    matrix = np.linalg.inv(brain.affine) @ affine
    data = resample(smooth(brain.data, sigma, threads), matrix, tissues.shape[1:], threads)
    return Template(data, affine, tissues)


def load_tissues(space_tissues: Path, names: Sequence[str]) -> Volume:
    """Return tissue probabilities of shape (tissue, x, y, z) in RAS orientation."""
    data, _ = _load_4d(space_tissues)
    return np.stack([np.ascontiguousarray(data[..., TISSUES.index(name)]) for name in names])


def _load_4d(path: Path) -> tuple[Volume, NDArray[np.float64]]:
    image = nb.as_closest_canonical(nb.load(path))
    data = np.asarray(image.dataobj, dtype=np.float32)
    if data.ndim != 4 or data.shape[3] < len(TISSUES):
        raise ValueError(f'{path} is no 4D image of grey matter, white matter and CSF')
    return data, np.asarray(image.affine, np.float64)
