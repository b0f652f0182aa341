"""Refine warped structures of the brain by tissue and intensity.

The label of a voxel maximises (smoothed warped label) x (likelihood of its intensity) x (agreement
with its neighbours), by the mean field of a Markov random field (Fischl et al. 2002,
doi:10.1016/S0896-6273(02)00569-X, has the same three terms).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.filters import smooth
from mriderived.core.labels import Labels, Mask, spread_labels
from mriderived.core.partial_volume import Fractions
from mriderived.core.slabs import run_slabs
from mriderived.core.structure_classes import (
    Class,
    Kind,
    fill_holes,
    find_classes,
    grow_tissue,
    may_have,
    to_classes,
    to_numbers,
)
from mriderived.core.structure_field import EMPTY, insert, update
from mriderived.core.structure_likelihood import Scan, score_structure, score_territory

Volume = NDArray[np.float32]
Numbers = NDArray[np.int16]


@dataclass(frozen=True)
class Settings:
    """What steers the refinement; lengths in mm."""

    #: How far a warped border may be off; with ``least_prior``, a band of 3 mm is decided anew.
    prior_sigma: float = 1.25
    least_prior: float = 0.01
    #: Strength of the neighbours, and how often they are asked.
    neighbours: float = 1.0
    sweeps: int = 8
    #: Most structures between which a voxel is decided.
    candidates: int = 5
    #: What no structure is likely for takes the nearest within this distance.
    limit: float = 5.0


class Lists(NamedTuple):
    """The candidates of every voxel with their prior probabilities, in falling order."""

    classes: Numbers
    priors: Volume


def refine_structures(
    labels: Labels,
    table: pd.DataFrame,
    image: Volume,
    tissues: Fractions,
    spacing: Sequence[float],
    settings: Settings | None = None,
    threads: int = 1,
) -> Labels:
    """Fit warped structures to an image.

    Parameters
    ----------
    labels : array of int32, shape (x, y, z)
        FreeSurfer's numbers, warped; cortex is 3 and 42.
    table : DataFrame
        Columns index, tissue and composition.
    image : array of float32, shape (x, y, z)
        T1-weighted, roughly free of bias.
    tissues : Fractions
        0 outside the brain.
    spacing : three floats
        Voxel size in mm.
    settings : Settings, optional
    threads : int
        Any number gives the same bits.

    Returns
    -------
    array of int32, shape (x, y, z)
        0 outside the brain and in the fluid around it.

    Raises
    ------
    ValueError
        If a tissue is missing from the brain.

    Examples
    --------
    >>> x = np.indices((24, 12, 12))[0]
    >>> table = pd.DataFrame({'index': [2, 11], 'tissue': ['white', 'subcortex'],
    ...                       'composition': ['wm', 'gm']})
    >>> gm, csf = (x > 10).astype(np.float32), (x < 4).astype(np.float32)
    >>> tissues = Fractions(gm, 1 - gm - csf, csf)
    >>> noise = np.random.default_rng(0).normal(0, 2, x.shape)
    >>> image = (100 * gm + 150 * tissues.wm + 30 * csf + noise).astype(np.float32)
    >>> warped = np.where(x > 11, 11, 2).astype(np.int32)
    >>> found = refine_structures(warped, table, image, tissues, (1, 1, 1))
    >>> [int(np.sum(each != (x > 10))) for each in (warped == 11, found == 11)]
    [144, 0]
    """
    settings = settings or Settings()
    size = np.asarray(spacing, float)
    classes = find_classes(table)
    brain = (tissues.gm + tissues.wm + tissues.csf) > 0.5
    fluid = tissues.csf > 0.5
    warped = to_classes(fill_holes(labels), classes)
    lists = _list_candidates(warped, classes, fluid, size, settings, threads)
    is_structure = np.array([not each.is_territory for each in classes])
    is_disputed = (lists.classes != EMPTY) & is_structure[lists.classes]
    active = brain & (lists.classes[1] != EMPTY) & is_disputed.any(axis=0)
    current = np.where(brain, lists.classes[0], 0).astype(np.int16)
    lists.classes[:, ~active] = EMPTY
    lists.classes[0][~active] = current[~active]
    # Structures are learnt from where the warp put them: labels learnt from themselves drift.
    scan = Scan.learn(image, np.where(brain, warped, 0), active, tissues, size, threads)
    scores = np.zeros_like(lists.priors)
    for position, each in enumerate(classes):
        do = score_territory if each.is_territory else score_structure
        do(scan, position, each, lists.classes, lists.priors, scores)
    current = _settle(lists, scores, active, current, size, settings, threads)
    current = _fill(current, classes, brain, fluid, spacing, settings.limit)
    return to_numbers(current, classes, tissues)


def _list_candidates(
    warped: Numbers,
    classes: Sequence[Class],
    fluid: Mask,
    size: NDArray[np.float64],
    settings: Settings,
    threads: int,
) -> Lists:
    shape = (settings.candidates, *warped.shape)
    lists = Lists(np.full(shape, EMPTY, np.int16), np.zeros(shape, np.float32))
    width = settings.prior_sigma / size
    margin = np.ceil(3 * width).astype(int)
    maps = (warped, grow_tissue(warped, classes, [float(value) for value in size]))
    boxes = [ndimage.find_objects(each.astype(np.int32) + 1, len(classes)) for each in maps]
    for position, each in enumerate(classes):
        found = boxes[each.kind in (Kind.TISSUE, Kind.ANY)][position]
        if found is None:
            continue
        box = widen(found, margin, warped.shape)
        source = [smooth((each[box] == position).astype(np.float32), width, threads)
                  for each in maps]  # fmt: skip
        prior = np.where(fluid[box], source[0], source[1]) * may_have(each, fluid[box])
        corner = np.array([part.start for part in box])
        least = np.float32(settings.least_prior)
        run_slabs(insert, prior.shape[0], threads,
                  prior.astype(np.float32), corner, position, least, *lists)  # fmt: skip
    return lists


def widen(
    box: tuple[slice, ...], margin: NDArray[np.int_], shape: tuple[int, ...]
) -> tuple[slice, ...]:
    """Return a box with a margin, cut at the end of the image."""
    return tuple(
        slice(max(part.start - int(add), 0), min(part.stop + int(add), end))
        for part, add, end in zip(box, margin, shape, strict=True)
    )


def _settle(
    lists: Lists,
    scores: Volume,
    active: Mask,
    current: Numbers,
    size: NDArray[np.float64],
    settings: Settings,
    threads: int,
) -> Numbers:
    """Return the most probable class of every voxel, given its neighbours."""
    weights = (settings.neighbours * size.min() / size).astype(np.float32)
    before = np.zeros_like(scores)
    before[0][~active] = 1
    after = before.copy()
    for sweep in range(settings.sweeps):
        pull = weights if sweep else np.zeros_like(weights)
        run_slabs(update, active.shape[0], threads,
                  active, lists.classes, scores, pull, before, after)  # fmt: skip
        before, after = after, before
    best = np.take_along_axis(lists.classes, before.argmax(axis=0)[None], 0)[0]
    return np.where(active, best, current).astype(np.int16)


def _fill(
    current: Numbers,
    classes: Sequence[Class],
    brain: Mask,
    fluid: Mask,
    spacing: Sequence[float],
    limit: float,
) -> Numbers:
    """Give voxels for which no class was likely the nearest class of their tissue."""
    todo = brain & (current == EMPTY)
    result = np.where(todo, 0, current)
    fluids = np.array([each.kind in (Kind.OUTSIDE, Kind.FLUID) for each in classes])
    for here, wanted in ((fluid, fluids), (~fluid, ~fluids)):
        known = brain & ~todo & wanted[np.maximum(current, 0)]
        sources = np.where(known, current + 1, 0).astype(np.int32)
        found = spread_labels(sources, known | (todo & here), spacing, limit)
        result = np.where(todo & here, np.maximum(found - 1, 0), result)
    return result.astype(np.int16)
