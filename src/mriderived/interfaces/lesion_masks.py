"""The lesion mask that somebody drew for an image, on the grid of the latter."""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from mriderived.core.sampling import resample
from mriderived.interfaces.volumes import load, load_affine, load_ras

Mask = NDArray[np.bool_]

#: Voxel edges that differ by less, in mm, are the same grid.
SAME_MM = 1e-3
_REMEDY = 'correct it, remove it, or use --lesions ignore'


def read_lesion_mask(
    lesion_file: Path,
    image: Path,
    brain_mask: Path,
    *,
    contrast: str = 'T1w',
    may_be_empty: bool = False,
) -> Mask:
    """Return where the lesion is on the grid of ``image``, of which ``brain_mask`` is the brain.

    A mask on another grid is brought there by the affines of both, nearest voxel. One that
    ``may_be_empty`` says of no voxel that it is a lesion. ``contrast`` names the image.

    Raises
    ------
    ValueError
        If the mask is empty and must not be, lies outside the image or the brain, or is no mask.
    """
    try:
        data, affine = load_ras(lesion_file)
    except (OSError, ValueError, EOFError, ImageFileError) as error:
        raise ValueError(
            f'the lesion mask {lesion_file} cannot be read ({error}): {_REMEDY}'
        ) from error
    marked = np.nan_to_num(data) > 0
    grid, shape = load_affine(image), nb.loadsave.load(image).shape[:3]
    if not marked.any():
        if may_be_empty:
            return np.zeros(shape, bool)
        raise ValueError(f'the lesion mask {lesion_file} is empty: {_REMEDY}')
    if marked.shape != shape or not np.allclose(affine, grid, atol=SAME_MM):
        marked = _nearest(marked, affine, grid, shape)
        if not marked.any():
            raise ValueError(
                f'the lesion mask {lesion_file} lies outside of its {contrast} image, by the '
                f'affines of both: {_REMEDY}'
            )
    if marked.all():
        raise ValueError(f'the lesion mask {lesion_file} marks every voxel: {_REMEDY}')
    if not (marked & _surrounded(load(brain_mask) > 0)).any():
        raise ValueError(f'the lesion mask {lesion_file} lies outside of the brain: {_REMEDY}')
    return marked


def _nearest(
    marked: Mask, affine: NDArray[np.float64], grid: NDArray[np.float64], shape: tuple[int, ...]
) -> Mask:
    # half and more of the linear value is what the nearest voxels say
    matrix = np.linalg.inv(affine) @ grid
    return np.asarray(resample(marked.astype(np.float32), matrix, shape) >= 0.5)


def _surrounded(brain: Mask) -> Mask:
    """Return the box of the brain: a resection may lie outside of its mask, but not of that."""
    box = np.zeros_like(brain)
    where = np.argwhere(brain)
    if len(where):
        low, high = where.min(axis=0), where.max(axis=0) + 1
        box[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return box
