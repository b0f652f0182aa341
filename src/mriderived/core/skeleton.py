"""The skeleton of white matter: the crests of fractional anisotropy.

Values on the crests are those of the middle of tracts, wherever these lie exactly: what partial
volume and small errors of registration do to the means of regions, they do less here.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Below it no tract is looked for, as in TBSS.
THRESHOLD = 0.2
#: Where the centre of gravity of a neighbourhood lies nearer than this, in voxels, the direction
#: of the strongest curvature is taken.
_NEAR = 0.1


def _half_of_neighbours() -> NDArray[np.int64]:
    """Return the 13 steps to neighbours, of which the others are the opposites."""
    steps = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing='ij'), -1).reshape(-1, 3)
    return np.asarray(steps[14:])


STEPS = _half_of_neighbours()


def find_skeleton(fa: Volume, mask: Mask, threshold: float = THRESHOLD) -> Mask:
    """Find the voxels that lie on a crest: no less than their neighbours across the tract.

    Across is where the local centre of gravity of anisotropy lies or, close to it, where
    anisotropy bends most; each voxel takes the direction that is most frequent around it.

    Parameters
    ----------
    fa : array of float32, shape (x, y, z)
        Fractional anisotropy. Voxels should be about as long as wide.
    mask : array of bool, shape (x, y, z)
        Where to look.
    threshold : float
        Least anisotropy of the skeleton.

    Returns
    -------
    array of bool, shape (x, y, z)

    References
    ----------
    Smith et al. 2006, https://doi.org/10.1016/j.neuroimage.2006.02.024

    Examples
    --------
    >>> sheet = np.zeros((9, 9, 9), np.float32)
    >>> sheet[:, 3:6] = np.float32([0.4, 0.7, 0.4])[:, None]
    >>> np.unique(np.nonzero(find_skeleton(sheet, sheet > 0))[1]).tolist()
    [4]
    """
    values = np.ascontiguousarray(np.where(mask, fa, 0), np.float32)
    inside = values >= threshold
    inside[[0, -1]] = inside[:, [0, -1]] = inside[:, :, [0, -1]] = False
    across = _find_across(values, inside)
    kept = _keep_crests(values, inside, _smooth_directions(across))
    return np.asarray(kept)


@numba.njit(cache=True)
def _find_across(values: Volume, inside: Mask) -> NDArray[np.int8]:
    """Return for each voxel the number of its step across the tract, -1 where there is none."""
    across = np.full(values.shape, -1, np.int8)
    for x, y, z in np.argwhere(inside):
        total = 0.0
        centre = np.zeros(3)
        for i in range(-1, 2):
            for j in range(-1, 2):
                for k in range(-1, 2):
                    weight = values[x + i, y + j, z + k]
                    total += weight
                    centre[0] += i * weight
                    centre[1] += j * weight
                    centre[2] += k * weight
        centre /= total
        best, chosen = -1.0, -1
        far = np.sqrt((centre**2).sum()) > _NEAR
        for number in range(len(STEPS)):
            i, j, k = STEPS[number]
            length = np.sqrt(i * i + j * j + k * k)
            if far:
                score = abs(centre[0] * i + centre[1] * j + centre[2] * k) / length
            else:
                beside = values[x + i, y + j, z + k] + values[x - i, y - j, z - k]
                score = (2 * values[x, y, z] - beside) / length
            if score > best:
                best, chosen = score, number
        across[x, y, z] = chosen
    return across


@numba.njit(cache=True)
def _smooth_directions(across: NDArray[np.int8]) -> NDArray[np.int8]:
    """Give each voxel the most frequent direction of its neighbourhood; its own where they tie."""
    smooth = across.copy()
    for x, y, z in np.argwhere(across >= 0):
        votes = np.zeros(len(STEPS), np.int64)
        for i in range(x - 1, x + 2):
            for j in range(y - 1, y + 2):
                for k in range(z - 1, z + 2):
                    if across[i, j, k] >= 0:
                        votes[across[i, j, k]] += 1
        if votes.max() > votes[across[x, y, z]]:
            smooth[x, y, z] = votes.argmax()
    return smooth


@numba.njit(cache=True)
def _keep_crests(values: Volume, inside: Mask, across: NDArray[np.int8]) -> Mask:
    kept = np.zeros(values.shape, np.bool_)
    for x, y, z in np.argwhere(inside):
        if across[x, y, z] < 0:
            continue
        i, j, k = STEPS[across[x, y, z]]
        here = values[x, y, z]
        before, after = values[x - i, y - j, z - k], values[x + i, y + j, z + k]
        # of two equal neighbours one is kept: a crest between voxels is one voxel wide
        kept[x, y, z] = here >= before and here > after
    return kept
