"""How well fibres run on into their neighbours, under many gradient tables at once (compiled)."""

from __future__ import annotations

from itertools import product
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import world_from_fsl
from mriderived.core.series import Mask
from mriderived.core.slabs import run_slabs

#: Edge of the blocks whose agreement tells a difference from chance, in mm.
BLOCK_MM = 20.0
#: Only voxels above this FA have a direction to follow.
LEAST_FA = 0.15


def sum_coherence(
    v1: NDArray[np.float32],
    fa: NDArray[np.float32],
    mask: Mask,
    affine: NDArray[np.float64],
    transforms: NDArray[np.float64],
    threads: int = 1,
) -> NDArray[np.float64]:
    """Return the numerator and denominator of coherence in each block of a volume.

    See :func:`mriderived.core.gradient_orientation.rank_tables` for the formula.

    Parameters
    ----------
    v1 : array of float, shape (N, 3)
        Main directions of the voxels of the mask, in world axes.
    fa : array of float, shape (N,)
    mask : array of bool, shape (x, y, z)
    affine : array of float, shape (4, 4)
        From voxels to world, in mm.
    transforms : array of float, shape (k, 3, 3)
        Of directions along FSL's axes.
    threads : int

    Returns
    -------
    array of float, shape (blocks, k, 2)
        Each pair of neighbours counts for the block of one of them.
    """
    axes = world_from_fsl(np.eye(3), affine).T
    known = np.isfinite(fa) & np.isfinite(v1).all(axis=1)
    place = np.full(mask.shape, -1, np.int64)
    place[mask] = np.where(known, np.arange(len(fa)), -1)
    steps = np.array([step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)])
    world = steps @ np.asarray(affine, np.float64)[:3, :3].T
    along = world / np.linalg.norm(world, axis=1, keepdims=True) @ axes
    # v turned by a transform meets u as v meets u turned back
    turned = np.einsum('tji,sj->sti', transforms, along)
    block, count = _blocks(mask.shape, affine)
    sums = np.zeros((len(steps), count, len(transforms), 2))
    run_slabs(_add_pairs, len(steps), threads, steps, turned, place, block,
              np.asarray(v1, np.float64) @ axes, np.asarray(fa, np.float64), sums)  # fmt: skip
    return np.asarray(sums.sum(axis=0), np.float64)


def _blocks(shape: tuple[int, ...], affine: NDArray[np.float64]) -> tuple[NDArray[np.int64], int]:
    size = np.linalg.norm(np.asarray(affine)[:3, :3], axis=0)
    numbers = [
        (np.arange(n) * mm // BLOCK_MM).astype(np.int64) for n, mm in zip(shape, size, strict=True)
    ]
    counts = [int(number[-1]) + 1 for number in numbers]
    x, y, z = np.ix_(*numbers)
    block = (x * counts[1] + y) * counts[2] + z
    return np.asarray(block, np.int64), int(np.prod(counts))


@numba.njit(nogil=True, cache=True)
def _add_pairs(
    start: int,
    stop: int,
    steps: Any,
    turned: Any,
    place: Any,
    block: Any,
    v1: Any,
    fa: Any,
    sums: Any,
) -> None:
    """Add every pair of neighbours a step apart to the sums of the blocks of both."""
    for step in range(start, stop):
        dx, dy, dz = steps[step, 0], steps[step, 1], steps[step, 2]
        for x in range(max(0, -dx), place.shape[0] - max(0, dx)):
            for y in range(max(0, -dy), place.shape[1] - max(0, dy)):
                for z in range(max(0, -dz), place.shape[2] - max(0, dz)):
                    one, other = place[x, y, z], place[x + dx, y + dy, z + dz]
                    if one >= 0 and other >= 0:
                        cell = sums[step, block[x, y, z]]
                        _add_pair(v1[one], v1[other], fa[one], fa[other], turned[step], cell)


@numba.njit(nogil=True, cache=True)
def _add_pair(v: Any, w: Any, a: float, b: float, turned: Any, cell: Any) -> None:
    alike = (v[0] * w[0] + v[1] * w[1] + v[2] * w[2]) ** 2
    ahead = a if a > LEAST_FA else 0.0
    behind = b if b > LEAST_FA else 0.0
    if ahead == 0.0 and behind == 0.0:
        return
    for t in range(len(turned)):
        u = turned[t]
        there = ahead * (v[0] * u[0] + v[1] * u[1] + v[2] * u[2]) ** 4
        back = behind * (w[0] * u[0] + w[1] * u[1] + w[2] * u[2]) ** 4
        cell[t, 0] += (there * b + back * a) * alike
        cell[t, 1] += there + back
