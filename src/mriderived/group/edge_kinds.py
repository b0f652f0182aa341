"""The edges of a cohort: how those of each participant lie, and how they go with motion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.connectivity import fisher_z
from mriderived.core.motion_effect import Effect, MotionCorrelation, summarise_effect
from mriderived.core.region_centres import edge_lengths, region_centres
from mriderived.figures.edges import LIMIT
from mriderived.group.connectivity_files import Matrices, Run, read_values
from mriderived.group.edge_tables import EdgeRow
from mriderived.group.outliers import find_outliers, summarise
from mriderived.group.records import Cohort, Row
from mriderived.group.unreadable import UNREADABLE
from mriderived.interfaces.volumes import load, load_affine

Vector = NDArray[np.float64]
#: The centres of regions are means over so many participants.
FOR_CENTRES = 30
BINS = np.linspace(-LIMIT, LIMIT, 121)


class Effects(NamedTuple):
    """Correlation of each edge with motion, over how many participants, and what that comes to."""

    correlation: Vector
    number: NDArray[np.int64]
    summary: Effect


class Edges(NamedTuple):
    """One kind of edges of a cohort; ``effects`` is ``None`` where participants are too few.

    ``densities`` (participants, bins) are in the order of ``rows``; ``apart`` are the places of
    those whose mean or spread is an outlier.
    """

    rows: list[EdgeRow]
    densities: Vector
    apart: list[int]
    effects: Effects | None


def gather_edges(
    found: Matrices,
    stat: str,
    motion: dict[Row, float],
    lengths: Vector,
    reasons: dict[Row, str],
    out_dir: Path,
) -> Edges:
    """Read the matrices of one kind, one at a time; ``reasons`` grows by those without one."""
    upper = np.triu_indices(len(found.names), 1)
    sums = MotionCorrelation(len(upper[0]))
    rows, densities = [], []
    for run in found.runs:
        try:
            edges = np.asarray(fisher_z(_read_square(out_dir / run.files[stat], found))[upper])
        except UNREADABLE as error:
            reasons[run.row] = f'the matrix {stat} cannot be read ({error}): run it again'
            continue
        finite = edges[np.isfinite(edges)]
        if not finite.size:
            reasons[run.row] = 'no edge has a value'
            continue
        rows.append(EdgeRow(run.row, float(finite.mean()), float(finite.std()), finite.size))
        counts = np.histogram(np.clip(finite, -LIMIT, LIMIT), BINS)[0]
        densities.append(counts / finite.size / (BINS[1] - BINS[0]))
        if np.isfinite(motion[run.row]):
            sums.add(edges, motion[run.row])
    shown = np.array(densities).reshape(len(rows), len(BINS) - 1)
    return Edges(rows, shown, _set_apart(rows), _find_effects(sums, lengths))


def _read_square(path: Path, found: Matrices) -> Vector:
    matrix = read_values(path)
    if matrix.shape != (len(found.names),) * 2:
        raise ValueError(f'it has the shape {matrix.shape}')
    return matrix


def _find_effects(sums: MotionCorrelation, lengths: Vector) -> Effects | None:
    correlation = sums.correlation()
    if not np.isfinite(correlation).any():
        return None
    return Effects(correlation, sums.number, summarise_effect(correlation, sums.number, lengths))


def _set_apart(rows: Sequence[EdgeRow]) -> list[int]:
    values = np.array([(row.mean, row.spread) for row in rows]).reshape(len(rows), 2)
    return sorted({item.row for item in find_outliers(values, summarise(values))})


def measure_lengths(cohort: Cohort, atlas: str, found: Matrices, out_dir: Path) -> Vector:
    """Return the mean length in mm of each edge in the label images of some participants."""
    step = max(1, -(-len(found.runs) // FOR_CENTRES))
    total = np.zeros(len(found.names) * (len(found.names) - 1) // 2)
    number = np.zeros_like(total)
    for run in found.runs[::step]:
        lengths = _own_lengths(cohort, atlas, run, found.names, out_dir)
        if lengths is not None:
            number += np.isfinite(lengths)
            total += np.nan_to_num(lengths)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _own_lengths(
    cohort: Cohort, atlas: str, run: Run, names: Sequence[str], out_dir: Path
) -> Vector | None:
    """Return the lengths in one participant; ``None`` if its files do not tell them."""
    unit = cohort.units.get(('bold_atlas', atlas), {}).get(run.row)
    images = [file for file in unit.outputs if file.endswith('_dseg.nii.gz')] if unit else []
    if unit is None or unit.image != run.image or not images or 'activity' not in run.files:
        return None
    try:
        table = pd.read_csv(out_dir / run.files['activity'], sep='\t', keep_default_na=False,
                            dtype={'name': str})  # fmt: skip
        if tuple(table['name']) != tuple(names):
            return None
        labels, affine = load(out_dir / images[0], np.int32), load_affine(out_dir / images[0])
        return edge_lengths(region_centres(labels, affine, table['index'].to_numpy(np.int64)))
    except UNREADABLE:
        return None  # the regions of another participant lie alike
