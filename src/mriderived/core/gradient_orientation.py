"""Whether a gradient table has the axes of its images: fibres must run on into their neighbours.

A table whose columns are exchanged or have a wrong sign gives the same FA and wrong directions,
which no number of a single voxel shows. Along a fibre, though, the next voxel is of the same
fibre, and of all 24 tables that differ by signs and order the right one has the fibres that run
on best.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.fibre_coherence import LEAST_FA, sum_coherence
from mriderived.core.gradient_table import Gradients, select, world_from_fsl
from mriderived.core.series import Mask
from mriderived.core.tensor import fit_tensor, tensor_volumes
from mriderived.core.tensor_measures import measure_tensor

Verdict = Literal['right', 'wrong', 'undecided']
#: A table is the best if it is ahead of the next by as many standard errors over blocks, and by
#: this share of its coherence.
LEAST_Z = 3.0
LEAST_MARGIN = 0.005
#: Fewer blocks than this with fibres have no standard error worth the name.
LEAST_BLOCKS = 8
#: Fibres that are seen in a thinner slab look coherent along its plane whatever they are, in mm.
LEAST_EXTENT = 30.0
#: Condition number of a tensor in the directions above which noise, whose directions are then of
#: the table and alike everywhere, looks coherent (evenly spread directions have 1.6).
LARGEST_CONDITION = 8.0
_TIE = 1e-9


class TableRanking(NamedTuple):
    """The 24 tables, the most coherent first.

    ``transforms`` (24, 3, 3) turn a direction of the table, along FSL's axes of the image, into
    that of the candidate. ``coherence`` (24,) is that of the fibres under each, 0 to 1.
    ``margin`` is how far the first is ahead of the second, as a share of its coherence, and ``z``
    the same in standard errors. ``place`` is where the table as it is comes, from 0. ``reason``
    says why nothing is decided.
    """

    verdict: Verdict
    transforms: NDArray[np.float64]
    coherence: NDArray[np.float64]
    margin: float
    z: float
    place: int
    reason: str = ''


def candidate_transforms() -> NDArray[np.float64]:
    """Return the 24 ways to exchange axes and reverse signs; the first changes nothing.

    There are 48, but to reverse all three signs changes no axis of diffusion.

    Examples
    --------
    >>> candidate_transforms().shape
    (24, 3, 3)
    """
    signs = [np.array(sign) for sign in ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))]
    orders = [np.eye(3)[list(order)] for order in permutations(range(3))]
    return np.array([sign[:, None] * order for order in orders for sign in signs]) + 0.0


def describe_transform(transform: NDArray[np.float64]) -> str:
    """Say in words what a transform does to the rows x, y and z of a table.

    Examples
    --------
    >>> describe_transform(np.diag([1.0, -1, 1]))
    'y reversed'
    >>> describe_transform(np.array([[0, 1.0, 0], [1, 0, 0], [0, 0, -1]]))
    'the rows are y, x, -z'
    >>> describe_transform(np.eye(3))
    'as it is'
    """
    names = []
    for row in transform:
        axis = int(np.argmax(np.abs(row)))
        names.append(('-' if row[axis] < 0 else '') + 'xyz'[axis])
    if [name[-1] for name in names] != ['x', 'y', 'z']:
        return f'the rows are {", ".join(names)}'
    reversed_rows = [name[-1] for name in names if name[0] == '-']
    return f'{" and ".join(reversed_rows)} reversed' if reversed_rows else 'as it is'


def apply_transform(
    gradients: Gradients, transform: NDArray[np.float64], affine: NDArray[np.float64]
) -> Gradients:
    """Return the table with exchanged axes and signs, along FSL's axes of the image."""
    axes = world_from_fsl(np.eye(3), affine).T
    turned = gradients.directions @ (axes @ transform @ axes.T).T
    return Gradients(gradients.b, turned, gradients.shell, gradients.shells)


def rank_tables(
    signals: NDArray[np.float32],
    mask: Mask,
    gradients: Gradients,
    affine: NDArray[np.float64],
    threads: int = 1,
) -> TableRanking:
    r"""Rank the tables that exchanged axes and signs give, by the coherence of their fibres.

    One tensor fit serves all: to exchange axes of the table exchanges those of the tensor. With
    the main direction :math:`v` and the anisotropy a of a voxel i and its neighbour j (of 26),
    and the unit vector u from one to the other,

    .. math::

        C = \frac{\sum_{ij} w_{ij}\, a_j (v_i \cdot v_j)^2}{\sum_{ij} w_{ij}},\quad
        w_{ij} = a_i\, (v_i \cdot u_{ij})^4\ \text{where } a_i > 0.15,

    which is how much of the same fibre there is where a fibre points to. Only w depends on the
    table. The idea is that of the fibre coherence index and of fibre continuity; the formula is
    our own, which mask edges and oblong voxels do not pull towards an axis.

    Whether the first is ahead of the second by more than chance is told by leaving out one block
    of 20 mm at a time.

    Parameters
    ----------
    signals : array of float32, shape (N, n)
        Of the voxels of the mask, in its order.
    mask : array of bool, shape (x, y, z)
    gradients : Gradients
    affine : array of float, shape (4, 4)
        From voxels to world, in mm.
    threads : int

    Returns
    -------
    TableRanking
        ``undecided`` where the first is not ahead enough, the directions are poorly spread, or
        there are too few fibres; one slice cannot tell z from -z.

    Raises
    ------
    ValueError
        If the table does not determine a tensor or shapes differ.

    References
    ----------
    Schilling et al. 2019, https://doi.org/10.1016/j.mri.2019.01.018 (coherence index);
    Aganj 2018, https://doi.org/10.1038/s41598-018-34940-4
    """
    if signals.shape != (int(mask.sum()), len(gradients)):
        raise ValueError(
            f'signals of shape {signals.shape} for {int(mask.sum())} voxels and '
            f'{len(gradients)} volumes'
        )
    volumes = tensor_volumes(gradients).volumes
    fit = fit_tensor(signals[:, volumes], select(gradients, volumes), 0, threads)
    measures = measure_tensor(fit.tensor)
    ranking = rank_directions(measures.v1, measures.fa, mask, affine, threads)
    condition = _condition(gradients.directions[volumes & (gradients.shell > 0)])
    if condition > LARGEST_CONDITION:
        reason = f'the directions are poorly spread (condition number {condition:.3g})'
        return ranking._replace(verdict='undecided', reason=reason)
    return ranking


def _condition(directions: NDArray[np.float64]) -> float:
    x, y, z = directions.T
    columns = [x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z]
    return float(np.linalg.cond(np.column_stack(columns)))


def rank_directions(
    v1: NDArray[np.float32],
    fa: NDArray[np.float32],
    mask: Mask,
    affine: NDArray[np.float64],
    threads: int = 1,
) -> TableRanking:
    """Rank the tables by main directions (N, 3) and anisotropies (N,); see :func:`rank_tables`."""
    transforms = candidate_transforms()
    sums = sum_coherence(v1, fa, mask, affine, transforms, threads)
    seen = np.zeros(mask.shape, np.bool_)
    seen[mask] = np.isfinite(fa)
    ranking = _rank(transforms, sums)
    return ranking._replace(**_decide(ranking, _extent(seen, affine), bool((fa > LEAST_FA).any())))


def _extent(inside: Mask, affine: NDArray[np.float64]) -> float:
    """Return the least extent of a mask along the axes of the grid, in mm."""
    size = np.linalg.norm(np.asarray(affine, float)[:3, :3], axis=0)
    planes = [inside.any(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    return float(min(mm * np.count_nonzero(seen) for mm, seen in zip(size, planes, strict=True)))


def _decide(ranking: TableRanking, extent: float, has_fibres: bool) -> dict[str, Any]:
    reason = ''
    if extent < LEAST_EXTENT:
        reason = f'the brain is seen over {extent:.0f} mm along one axis'
    elif not has_fibres or ranking.z == 0:
        reason = 'there are too few fibres'
    elif ranking.z < LEAST_Z or ranking.margin < LEAST_MARGIN:
        reason = 'the best two tables are as good as each other'
    if reason:
        return {'verdict': 'undecided', 'reason': reason}
    return {'verdict': 'right' if ranking.place == 0 else 'wrong'}


def _rank(transforms: NDArray[np.float64], sums: NDArray[np.float64]) -> TableRanking:
    """``sums`` (blocks, 24, 2): the numerator and the denominator of the coherence."""
    sums = sums[sums[:, :, 1].sum(axis=1) > 0]
    blocks = len(sums)
    total = sums.sum(axis=0)
    coherence = total[:, 0] / np.maximum(total[:, 1], np.finfo(float).tiny)
    order = np.argsort(-coherence, kind='stable')
    first, second = order[:2]
    ahead = float(coherence[first] - coherence[second])
    margin = ahead / max(float(coherence[first]), np.finfo(float).tiny)
    place = int(np.flatnonzero(order == 0)[0])
    z = 0.0
    if blocks >= LEAST_BLOCKS:
        without = total - sums
        without = without[:, :, 0] / np.maximum(without[:, :, 1], np.finfo(float).tiny)
        left = without[:, first] - without[:, second]
        error = float(np.sqrt((blocks - 1) / blocks * ((left - left.mean()) ** 2).sum()))
        z = ahead / error if ahead > _TIE * coherence[first] and error > 0 else 0.0
    return TableRanking('undecided', transforms[order], coherence[order], margin, z, place)
