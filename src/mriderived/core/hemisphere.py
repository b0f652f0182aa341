"""The tissue map of one hemisphere of the cerebrum on a fine grid of cubic voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.cortical_boundary import GREY, PIAL, WHITE
from mriderived.core.filters import smooth
from mriderived.core.masks import find_box, keep_largest
from mriderived.core.sampling import resample

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: FreeSurfer's numbers of what each hemisphere holds.
LEFT = (2, 3, 4, 5, 10, 11, 12, 13, 17, 18, 26, 28, 31)
RIGHT = (41, 42, 43, 44, 49, 50, 51, 52, 53, 54, 58, 60, 63)
#: Cerebellum, 4th ventricle and brain stem.
BELOW = (7, 8, 15, 16, 46, 47)
#: What the white boundary of the cortex encloses beside white matter: nuclei, hippocampus,
#: amygdala, ventricles, choroid plexus, and the corpus callosum.
FILLED = (4, 5, 10, 11, 12, 13, 14, 17, 18, 26, 28, 31, 43, 44, 49, 50, 51, 52, 53, 54, 58, 60, 63,
          251, 252, 253, 254, 255)  # fmt: skip
#: What the medial wall borders on, and how near to it, in mm, cortex is not to be told.
WALL = (*FILLED, 16)
WALL_MM = 2.0
#: Edge of the fine voxels in mm, and that of coarse runs.
FINE_MM, COARSE_MM = 0.5, 2.0
#: Space around the hemisphere in mm.
MARGIN_MM = 3.0
#: Softens the steps of masks on the fine grid, in fine voxels.
SOFT = 1.0
#: Strands of grey matter thinner than twice this, in mm, with no white matter inside are vessels
#: and dura: the cortex together with the white matter below it is far thicker everywhere.
STRAND_MM = 0.75
#: The least volume, in mL, of the white matter of a hemisphere that can be measured.
LEAST_WHITE_ML = 20.0


class Hemisphere(NamedTuple):
    """One hemisphere: 1 outside and CSF, 2 grey matter, 3 white matter and what is filled."""

    tissue: Volume
    #: From fine voxels to voxels of the image, shape (4, 4).
    matrix: NDArray[np.float64]
    voxel_mm: float


class Territories(NamedTuple):
    """Where the hemispheres are; arrays of shape (x, y, z)."""

    #: int8: 1 left, 2 right, 0 neither (cerebellum, brain stem, background).
    sides: NDArray[np.int8]
    #: bool: inside a hemisphere, but neither cortex nor white matter.
    filled: Mask


def find_territories(structures: NDArray[np.int32], tissue: Volume) -> Territories:
    """Divide the brain by a segmentation with FreeSurfer's numbers.

    Voxels of the brain without a label, or with one of the midline, belong to the nearest
    structure that is left, right, cerebellum or brain stem.

    Parameters
    ----------
    structures : array of int32, shape (x, y, z)
    tissue : array of float32, shape (x, y, z)
        0 outside the brain.

    Returns
    -------
    Territories

    Examples
    --------
    >>> row = np.int32([[[2, 3, 0, 42, 16, 0]]])
    >>> find_territories(row, np.float32([[[3, 2, 1, 2, 3, 0]]])).sides.tolist()
    [[[1, 1, 1, 2, 0, 0]]]
    """
    owners = np.zeros(structures.shape, np.int8)
    owners[np.isin(structures, LEFT) | (structures // 1000 == 1)] = 1
    owners[np.isin(structures, RIGHT) | (structures // 1000 == 2)] = 2
    owners[np.isin(structures, BELOW)] = 3
    brain = tissue > 0
    if owners.any():
        box = find_box(brain | (owners > 0), (0, 0, 0))
        nearest = ndimage.distance_transform_edt(
            owners[box] == 0, return_distances=False, return_indices=True
        )
        owners[box] = np.where(brain[box], owners[box][tuple(nearest)], 0)
    owners[owners == 3] = 0
    return Territories(owners, np.isin(structures, FILLED) & (owners > 0))


def prepare_hemisphere(
    tissue: Volume,
    territory: Mask,
    filled: Mask,
    spacing: Sequence[float],
    threads: int = 1,
    fine_mm: float = FINE_MM,
) -> Hemisphere:
    """Cut out a hemisphere and refine its grid.

    What is ``filled`` (nuclei, ventricles) becomes white matter, so that the cortex is one closed
    sheet around it; so do holes inside the white matter. Specks of white matter that are not
    connected with the rest become grey matter, thin strands outside the cortex (vessels, dura)
    CSF.

    Parameters
    ----------
    tissue : array of float32, shape (x, y, z)
        0 background, 1 CSF, 2 grey matter, 3 white matter, and what voxels share in between.
    territory : array of bool, shape (x, y, z)
        The hemisphere with what lies inside it, without cerebellum and brain stem.
    filled : array of bool, shape (x, y, z)
        The part of it that is not cortex or white matter.
    spacing : three floats
        Voxel size in mm.
    threads : int
    fine_mm : float
        Edge of the fine voxels in mm; an image that is finer keeps its own.

    Returns
    -------
    Hemisphere

    Raises
    ------
    ValueError
        If the hemisphere has (almost) no white matter.
    """
    step = min(fine_mm, *(float(size) for size in spacing))
    present = territory & (tissue > PIAL)
    if not present.any():
        raise ValueError('the hemisphere is empty')
    box = find_box(present, [int(np.ceil(MARGIN_MM / size)) for size in spacing])
    matrix, shape = _fine_grid(box, spacing, step)
    fine = np.maximum(resample(tissue, matrix, shape, threads), 1)
    inside = _soften(territory, matrix, shape, threads)
    full = _soften(filled & territory, matrix, shape, threads) & inside
    fine = np.where(full, np.float32(3), fine)
    fine = np.where(inside, fine, np.float32(1))
    white = keep_largest(fine >= WHITE)
    volume = np.count_nonzero(white & ~full) * step**3 / 1000
    if volume < LEAST_WHITE_ML:
        raise ValueError(f'the hemisphere has only {volume:.1f} mL of white matter')
    fine[(fine >= WHITE) & ~white] = GREY
    fine[~white & ~keep_largest(~white)] = 3
    fine[_strands(fine, step)] = 1
    return Hemisphere(fine, matrix, step)


def near_wall(structures: NDArray[np.int32], spacing: Sequence[float]) -> Mask:
    """Tell which voxels lie within 2 mm of what the medial wall borders on.

    There the boundaries are those of the cut through the brain, not of cortex.

    Examples
    --------
    >>> near_wall(np.int32([[[10, 2, 3, 3]]]), (1, 1, 1)).tolist()
    [[[True, True, True, False]]]
    """
    wall = np.isin(structures, WALL)
    if not wall.any():
        return wall
    return np.asarray(ndimage.distance_transform_edt(~wall, sampling=spacing) <= WALL_MM)


def to_fine(mask: Mask, hemisphere: Hemisphere, threads: int = 1) -> Mask:
    """Bring a mask of the image to the grid of a hemisphere."""
    return _soften(mask, hemisphere.matrix, hemisphere.tissue.shape, threads)


def gather(
    values: Volume, matrix: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum fine voxels that are not 0 over the voxels of the image, and count them.

    Examples
    --------
    >>> half = np.diag([0.5, 1, 1, 1]); half[0, 3] = -0.25
    >>> total, count = gather(np.float32([[[1]], [[3]], [[0]], [[5]]]), half, (2, 1, 1))
    >>> total.ravel().tolist(), count.ravel().tolist()
    ([4.0, 5.0], [2, 1])
    """
    fine = np.argwhere(values)
    voxels = np.rint(fine @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.int64)
    inside = ((voxels >= 0) & (voxels < np.array(shape))).all(axis=1)
    number = np.ravel_multi_index(tuple(voxels[inside].T), shape)
    size = int(np.prod(shape))
    weights = values[tuple(fine[inside].T)].astype(np.float64)
    total = np.asarray(np.bincount(number, weights, size), dtype=np.float64)
    count = np.asarray(np.bincount(number, minlength=size), dtype=np.int64)
    return total.reshape(shape), count.reshape(shape)


def _fine_grid(
    box: tuple[slice, ...], spacing: Sequence[float], step: float
) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Return the grid that covers a box of voxels: its matrix to them, and its shape."""
    matrix = np.eye(4)
    shape = []
    for axis, (part, size) in enumerate(zip(box, spacing, strict=True)):
        matrix[axis, axis] = step / size
        # fine voxels begin where the first coarse voxel does
        matrix[axis, 3] = part.start - 0.5 + 0.5 * step / size
        shape.append(int(np.ceil((part.stop - part.start) * size / step)))
    return matrix, tuple(shape)


def _soften(mask: Mask, matrix: NDArray[np.float64], shape: tuple[int, ...], threads: int) -> Mask:
    fine = resample(mask.astype(np.float32), matrix, shape, threads)
    return np.asarray(smooth(fine, SOFT, threads) > 0.5)


def _strands(fine: Volume, step: float) -> Mask:
    """Find what an opening takes away of everything that is not CSF."""
    tissue = fine > PIAL
    ball = ndimage.iterate_structure(ndimage.generate_binary_structure(3, 1), 1)
    count = max(1, round(STRAND_MM / step))
    kept = ndimage.binary_erosion(tissue, ball, count)
    kept = ndimage.binary_dilation(kept, ball, count + 1, mask=tissue)
    return np.asarray(tissue & ~kept & (fine < WHITE))
