"""Fit one model to every voxel, and tell by permutations what is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.cluster_enhancement import enhance, list_neighbours
from mriderived.core.map_statistics import MapTest, StreamedModel
from mriderived.core.permutation import (
    corrected_p,
    count_arrangements,
    observe,
    pose_problem,
)
from mriderived.core.tail import fit_tail, tail_p
from mriderived.group.map_engine import Work, engine, run_blocks, run_permutations
from mriderived.group.map_files import MapSet
from mriderived.group.map_voxels import Mask, choose_voxels, load_some, load_voxels, sum_up
from mriderived.group.model_design import Design, build_design, contrast_weights
from mriderived.group.model_files import Model, ModelError
from mriderived.group.records import Row

Matrix = NDArray[np.float64]


class Corrected(NamedTuple):
    """What permutations told of V voxels: p without correction, and over all voxels.

    ``enhanced`` is the statistic after enhancement; ``has_tail`` tells whether small p-values
    come from the fitted tail of t and of the enhanced statistic.
    """

    p: Matrix
    p_fwe: Matrix
    enhanced: NDArray[np.float32]
    p_enhanced_fwe: Matrix
    has_tail: tuple[bool, bool]


class MapModel(NamedTuple):
    """A fitted model: the voxels, and the test of each contrast, corrected where asked."""

    model: Model
    maps: MapSet
    design: Design
    rows: tuple[Row, ...]
    mask: Mask
    weights: dict[str, Matrix]
    tests: dict[str, MapTest]
    corrected: dict[str, Corrected]
    left_out: dict[Row, str]


def fit_maps(
    model: Model,
    maps: MapSet,
    rows: Sequence[Row],
    covariates: pd.DataFrame,
    out_dir: Path,
    fwhm: float = 0.0,
    work: Work | None = None,
) -> MapModel:
    """Fit a model to the maps of a space.

    Parameters
    ----------
    rows
        Those of ``covariates``.
    fwhm
        Width in mm of the smoothing; 0 for none.

    Raises
    ------
    ModelError
        The model does not fit to what is known, sessions repeat, or memory does not do.
    """
    work = work or Work()
    with engine(work):
        return _fit(model, maps, rows, covariates, out_dir, fwhm, work)


def _fit(
    model: Model,
    maps: MapSet,
    rows: Sequence[Row],
    covariates: pd.DataFrame,
    out_dir: Path,
    fwhm: float,
    work: Work,
) -> MapModel:
    there = [place for place, row in enumerate(rows) if row in maps.files]
    first = _require_design(model, covariates.iloc[there])
    # Whoever lacks a covariate has no part in the mask, either.
    modelled = [rows[there[place]] for place in first.rows]
    mask, left_out = choose_voxels(maps, modelled, out_dir)
    there = [place for place in there if rows[place] not in left_out]
    design = build_design(model, covariates.iloc[there])
    chosen = tuple(rows[there[place]] for place in design.rows)
    _require_one_session(model, chosen)
    weights = contrast_weights(model, design.names)
    paths = [out_dir / maps.files[row] for row in chosen]
    streamed = StreamedModel(design.matrix, load_voxels(paths[0], mask, maps.affine, fwhm))
    pairs = list(zip(streamed.basis, paths, strict=True))
    for sums in run_blocks(sum_up, pairs, streamed.level, mask, maps.affine, fwhm):
        streamed.sums.take(sums)
    tests = {title: streamed.test(weight) for title, weight in weights.items()}
    corrected = {}
    if work.permutations:
        values = _load_all(model, maps, paths, mask, fwhm, work)
        corrected = {
            title: _permute(values, design.matrix, weight, mask, work)
            for title, weight in weights.items()
        }
    return MapModel(
        model, maps, design, chosen, mask, weights, tests, corrected, {**maps.reasons, **left_out}
    )


def _require_design(model: Model, covariates: pd.DataFrame) -> Design:
    """Return the design of all, or refuse the model, before any map is read."""
    design = build_design(model, covariates)
    contrast_weights(model, design.names)
    if model.joint:
        raise ModelError(
            f'{model.formula}: contrasts of several rows ({", ".join(model.joint)}) are for '
            'regions only: test each row'
        )
    if model.errors != 'classical':
        raise ModelError(f'{model.formula}: errors: {model.errors} is for regions only')
    return design


def _require_one_session(model: Model, rows: Sequence[Row]) -> None:
    people = {row.participant for row in rows}
    if len(people) < len(rows):
        raise ModelError(
            f'{model.formula}: {len(rows) - len(people)} maps are of further sessions of the same '
            'participants: choose one session with --session-label'
        )


def _load_all(
    model: Model, maps: MapSet, paths: Sequence[Path], mask: Mask, fwhm: float, work: Work
) -> NDArray[np.float32]:
    """Return all maps (n, V): permutations need them at once."""
    voxels = int(mask.sum())
    needed = 3 * 4 * len(paths) * voxels / 2**30
    if needed > work.memory_gb:
        raise ModelError(
            f'{model.formula}: permutations of {len(paths)} maps of {voxels} voxels need '
            f'{needed:.1f} GiB, and --mem allows {work.memory_gb:g}: raise it, take coarser maps, '
            'or leave --permutations out'
        )
    values = np.empty((len(paths), voxels), np.float32)
    rows = iter(values)
    for some in run_blocks(load_some, paths, mask, maps.affine, fwhm):
        for found in some:
            next(rows)[:] = found
    return values


def _permute(
    values: NDArray[np.float32], design: Matrix, weight: Matrix, mask: Mask, work: Work
) -> Corrected:
    problem = pose_problem(values, *split_design(design, weight))
    neighbours = list_neighbours(mask)
    parts = run_permutations(problem, neighbours, work.permutations, work.seed)
    t = observe(problem)
    enhanced = enhance(t, neighbours)
    maxima = np.concatenate([part.maxima for part in parts])
    enhanced_maxima = np.concatenate([part.enhanced_maxima for part in parts])
    exceeded = sum((part.exceeded for part in parts), np.zeros(len(t), np.int64))
    possible = count_arrangements(problem)
    p_t, has_tail = correct(t, maxima, possible, work.seed)
    p_enhanced, has_enhanced_tail = correct(enhanced, enhanced_maxima, possible, work.seed)
    return Corrected(
        exceeded / work.permutations, p_t, enhanced, p_enhanced, (has_tail, has_enhanced_tail)
    )


def correct(
    statistic: NDArray[np.float32], maxima: Matrix, possible: float, seed: int
) -> tuple[Matrix, bool]:
    """Return p over all voxels, and whether small ones come from the fitted tail of the maxima.

    Where ``possible`` arrangements are no more than were drawn, their maxima are the whole law,
    and a tail beyond them would promise what no permutation can give.
    """
    empirical = corrected_p(statistic, maxima)
    tail = fit_tail(maxima, seed) if possible > len(maxima) else None
    if tail is None:
        return np.maximum(empirical, 1 / possible), False
    return np.maximum(tail_p(statistic, tail, empirical), 1 / possible), True


def split_design(design: Matrix, weight: Matrix) -> tuple[Matrix, Matrix]:
    """Return the regressor whose coefficient is a contrast, and the rest of the design.

    The rest spans what the design spans beside it (Ridgway's partition; Winkler et al. 2014,
    doi:10.1016/j.neuroimage.2014.01.060, appendix A).

    >>> tested, rest = split_design(np.array([[1.0, 0], [1, 0], [1, 1], [1, 1]]), np.array([0, 1.0]))
    >>> tested.round(6).tolist(), rest.shape
    ([0.0, 0.0, 1.0, 1.0], (4, 1))
    """  # noqa: E501
    size = float(weight @ weight)
    _, _, rows = np.linalg.svd(weight[None, :])
    others: Matrix = design @ rows[1:].T
    tested: Matrix = design @ weight / size
    return tested, others
