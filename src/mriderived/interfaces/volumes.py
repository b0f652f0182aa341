"""Load and save three-dimensional images with the conventions that all native outputs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def load_ras(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Load a volume as float32 with its axes permuted and flipped to RAS, and its affine."""
    image = nb.as_closest_canonical(nb.load(path))
    data = np.asarray(image.dataobj, dtype=np.float32)
    if data.ndim > 3:
        if data.size != np.prod(data.shape[:3]):
            raise ValueError(f'{path} has {data.shape[3:]} volumes; split it and keep one')
        data = data.reshape(data.shape[:3])
    return np.ascontiguousarray(data), np.asarray(image.affine, dtype=np.float64)


def load(path: Path, dtype: type = np.float32) -> Array:
    """Load the data of an image as a contiguous array."""
    image = nb.load(path)
    return np.ascontiguousarray(np.asarray(image.dataobj), dtype=dtype)


def load_affine(path: Path) -> NDArray[np.float64]:
    """Return the affine of an image."""
    return np.asarray(nb.load(path).affine, dtype=np.float64)


def save(data: Array, affine: NDArray[np.float64], name: str) -> Path:
    """Save an array as NIfTI under ``name`` in the current folder."""
    image = nb.Nifti1Image(data, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units('mm', 'sec')
    path = Path.cwd() / name
    image.to_filename(path)
    return path


def voxel_size(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edge lengths of a voxel in mm."""
    return np.asarray(np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))
