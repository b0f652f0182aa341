"""The gradient table of a diffusion series: b-values, directions in world axes, shells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.shells import B0_THRESHOLD, find_shells

#: Axes closer than this, in degrees, are one: repetitions differ by how the head moved. The
#: nearest axes of 300 directions on a shell are 7 degrees apart.
SAME_AXIS = 4.0
#: The length of a direction may differ from 1 by as much; text files round.
_LENGTH_TOLERANCE = 0.02


@dataclass(frozen=True)
class Gradients:
    """A gradient table of n volumes.

    ``b`` (n,) is in s/mm². ``directions`` (n, 3) are unit vectors in world axes (RAS), zeros
    where b is 0. ``shell`` (n,) is 0 for unweighted volumes and counts up with b; ``shells``
    gives the nominal b-value of each, 0.0 first, whether or not there is an unweighted volume.
    """

    b: NDArray[np.float64]
    directions: NDArray[np.float64]
    shell: NDArray[np.intp]
    shells: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.b)


def count_axes(directions: ArrayLike) -> int:
    """Return how many directions there are that are no repetition of another one.

    A direction and its opposite are one axis; so are those less than 4 degrees apart.

    Parameters
    ----------
    directions : array of float, shape (n, 3)
        Unit vectors.

    Examples
    --------
    >>> count_axes([[1, 0, 0], [-1, 0, 0], [0.9999, 0.01, 0], [0, 1, 0]])
    2
    """
    vectors = np.asarray(directions, np.float64)
    alike = np.abs(vectors @ vectors.T) > np.cos(np.radians(SAME_AXIS))
    # each is compared with those that count, so that a chain of close ones is not one axis
    kept: list[int] = []
    for index, near in enumerate(alike):
        if not near[kept].any():
            kept.append(index)
    return len(kept)


def make_gradients(
    b: ArrayLike, directions: ArrayLike, b0_threshold: float = B0_THRESHOLD
) -> Gradients:
    """Make a gradient table, with unit directions and shells.

    Parameters
    ----------
    b : array of float, shape (n,)
        In s/mm².
    directions : array of float, shape (n, 3)
        In world axes. Those of volumes of b = 0 do not count.
    b0_threshold : float
        Up to here a volume counts as unweighted, in s/mm².

    Raises
    ------
    ValueError
        If shapes do not fit, a number is negative or not finite, or the direction of a weighted
        volume is not a unit vector.

    Examples
    --------
    >>> make_gradients([0, 1000], [[0, 0, 0], [0, 0.999, 0]]).directions.tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    values = np.array(b, np.float64)
    vectors = np.array(directions, np.float64)
    if values.ndim != 1 or vectors.shape != (len(values), 3):
        raise ValueError(f'{values.shape} b-values and directions of shape {vectors.shape}')
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError('a b-value is negative or not a number')
    vectors[values == 0] = 0
    length = np.linalg.norm(vectors, axis=1)
    wrong = (values > b0_threshold) & ~(np.abs(length - 1) <= _LENGTH_TOLERANCE)
    if wrong.any():
        raise ValueError(
            f'the directions of volumes {np.flatnonzero(wrong).tolist()} (from 0) are not unit '
            f'vectors: their lengths are {np.round(length[wrong], 3).tolist()}'
        )
    known = np.isfinite(length) & (length > 0)
    vectors[known] /= length[known, None]
    vectors[~known] = 0
    return Gradients(values, vectors, *find_shells(values, b0_threshold))


def select(gradients: Gradients, index: ArrayLike) -> Gradients:
    """Return the table of some volumes (a mask or numbers); shells that are left count anew.

    Examples
    --------
    >>> table = make_gradients([0, 700, 2000], np.eye(3))
    >>> select(table, [0, 2]).shells
    (0.0, 2000.0)
    """
    chosen = np.asarray(index)
    old = gradients.shell[chosen]
    present = np.union1d(0, old)
    return Gradients(
        gradients.b[chosen],
        gradients.directions[chosen],
        np.searchsorted(present, old),
        tuple(gradients.shells[shell] for shell in present),
    )


def rotate(gradients: Gradients, rotations: NDArray[np.float64]) -> Gradients:
    """Return the table with the direction of every volume turned.

    Parameters
    ----------
    gradients : Gradients
    rotations : array of float, shape (n, 3, 3) or (3, 3)
        In world axes; a direction d becomes R d.

    Raises
    ------
    ValueError
        If there are not as many rotations as volumes, or one is not a rotation.
    """
    matrices = np.asarray(rotations, np.float64)
    if matrices.shape not in ((3, 3), (len(gradients), 3, 3)):
        raise ValueError(f'rotations of shape {matrices.shape} for {len(gradients)} volumes')
    products = matrices @ np.swapaxes(matrices, -1, -2)
    if not np.allclose(products, np.eye(3), atol=1e-4) or (np.linalg.det(matrices) < 0).any():
        raise ValueError('a matrix is not a rotation')
    turned = np.einsum('...ij,...j->...i', matrices, gradients.directions)
    return Gradients(gradients.b, turned, gradients.shell, gradients.shells)


def world_from_fsl(bvecs: ArrayLike, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return directions of FSL's convention in world axes.

    FSL gives directions along the axes of the voxel grid, with the first axis reversed where the
    grid is not (where the determinant of the affine is positive).

    Parameters
    ----------
    bvecs : array of float, shape (n, 3)
    affine : array of float, shape (4, 4)
        From voxels to world (RAS), in mm.

    Returns
    -------
    array of float, shape (n, 3)

    Examples
    --------
    >>> world_from_fsl([[1, 0, 0]], np.diag([-2.0, 2, 2, 1])).tolist()
    [[-1.0, 0.0, 0.0]]
    >>> world_from_fsl([[1, 0, 0]], np.diag([2.0, 2, 2, 1])).tolist()
    [[-1.0, 0.0, 0.0]]
    """
    return np.asarray(bvecs, np.float64) @ _fsl_axes(affine).T + 0.0


def fsl_from_world(
    directions: NDArray[np.float64], affine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return directions in world axes in FSL's convention: the inverse of `world_from_fsl`."""
    return np.asarray(directions, np.float64) @ _fsl_axes(affine) + 0.0


def _fsl_axes(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the world directions of FSL's axes, as orthonormal columns."""
    # the nearest orthogonal matrix: sheared affines, too, must give unit vectors
    left, _, right = np.linalg.svd(np.asarray(affine, np.float64)[:3, :3])
    axes = left @ right
    if np.linalg.det(axes) > 0:
        axes[:, 0] *= -1
    return np.asarray(axes)
