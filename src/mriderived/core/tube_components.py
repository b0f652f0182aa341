"""Which tubes are perivascular spaces: rules for length, width and straightness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]

_TOUCHING = np.ones((3, 3, 3), bool)
COLUMNS = (
    'index', 'voxels', 'volume_mm3', 'length_mm', 'diameter_mm', 'linearity', 'x', 'y', 'z',
    'region',
)  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What a perivascular space is like: long, straight, and seldom wider than 3 mm."""

    least_length_mm: float = 3.0
    most_diameter_mm: float = 4.0
    #: Share of the spread of its voxels that lies along one line.
    least_linearity: float = 0.8
    least_voxels: int = 3


class Spaces(NamedTuple):
    """``labels`` numbers the objects from 1, the largest first; ``table`` has a row for each."""

    labels: Labels
    table: pd.DataFrame


def keep_spaces(
    mask: Mask,
    spacing: Sequence[float],
    regions: Labels | None = None,
    rules: Rules | None = None,
) -> Spaces:
    """Keep the connected parts of a mask that are shaped like perivascular spaces.

    Parameters
    ----------
    mask : array of bool, shape (x, y, z)
    spacing : three floats
        Voxel size in mm.
    regions : array of int32, shape (x, y, z), optional
        An object belongs to the region that holds most of it.
    rules : Rules, optional

    Returns
    -------
    Spaces
        Columns of the table: ``index``, ``voxels``, ``volume_mm3``, ``length_mm`` (extent along
        the main axis), ``diameter_mm`` (of the cylinder of that volume and length),
        ``linearity`` (0 to 1), ``x``, ``y``, ``z`` (centre in voxels), ``region`` (0: none).

    Examples
    --------
    >>> mask = np.zeros((12, 12, 12), bool)
    >>> mask[2:9, 5, 5] = True; mask[3:6, 8:11, 8:11] = True
    >>> found = keep_spaces(mask, (1, 1, 1))
    >>> found.table[['voxels', 'length_mm', 'diameter_mm']].round(2).values.tolist()
    [[7.0, 7.0, 1.13]]
    """
    rules = rules or Rules()
    size = np.asarray(spacing, float)
    parts, _ = ndimage.label(mask, _TOUCHING)
    rows: list[list[float]] = []
    numbers: list[int] = []
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        where = np.argwhere(parts[box] == number) + [part.start for part in box]
        shape = _describe(where, size)
        if _is_space(shape, rules):
            inside = 0 if regions is None else _commonest(regions[tuple(where.T)])
            rows.append([*shape, *where.mean(axis=0), inside])
            numbers.append(number)
    order = sorted(range(len(rows)), key=lambda position: -rows[position][0])
    labels = np.zeros(mask.shape, np.int32)
    renumbered = np.zeros(int(parts.max()) + 1, np.int32)
    for rank, position in enumerate(order, 1):
        renumbered[numbers[position]] = rank
    labels[:] = renumbered[parts]
    table = pd.DataFrame(
        [[rank, *rows[position]] for rank, position in enumerate(order, 1)], columns=list(COLUMNS)
    )
    return Spaces(labels, table.astype({'index': int, 'voxels': int, 'region': int}))


def sum_regions(table: pd.DataFrame, index: Sequence[int]) -> pd.DataFrame:
    """Return ``count``, ``volume_mm3`` and ``length_mm`` of the objects in each region.

    Examples
    --------
    >>> rows = {'region': [7, 7], 'volume_mm3': [5.0, 6.0], 'length_mm': [4.0, 3.0]}
    >>> sum_regions(pd.DataFrame(rows), [7, 8]).values.tolist()
    [[7.0, 2.0, 11.0, 7.0], [8.0, 0.0, 0.0, 0.0]]
    """
    groups = table.groupby('region')
    summed = groups[['volume_mm3', 'length_mm']].sum().reindex(list(index), fill_value=0.0)
    summed.insert(0, 'count', groups.size().reindex(list(index), fill_value=0))
    return summed.rename_axis('index').reset_index()


def _describe(where: NDArray[np.int64], size: NDArray[np.float64]) -> tuple[float, ...]:
    """Return voxels, volume, length, diameter and linearity of an object."""
    points = (where - where.mean(axis=0)) * size
    # a voxel has an extent itself: a single one is no line
    spread = points.T @ points / len(points) + np.diag(size**2 / 12)
    values, axes = np.linalg.eigh(spread)
    along = points @ axes[:, -1]
    length = float(along.max() - along.min() + np.abs(axes[:, -1]) @ size)
    volume = float(len(points) * size.prod())
    diameter = 2 * (volume / (np.pi * length)) ** 0.5
    return len(points), volume, length, diameter, float(values[-1] / values.sum())


def _is_space(shape: tuple[float, ...], rules: Rules) -> bool:
    voxels, _, length, diameter, linearity = shape
    return (
        voxels >= rules.least_voxels
        and length >= rules.least_length_mm
        and diameter <= rules.most_diameter_mm
        and linearity >= rules.least_linearity
    )


def _commonest(values: NDArray[np.int32]) -> int:
    return int(np.bincount(values[values >= 0]).argmax()) if (values >= 0).any() else 0
