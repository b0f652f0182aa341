"""Effects of regions painted where they are: on the cortex of a template, and on slices."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.figures.inflated import Painted, paint_inflated
from mriderived.figures.overlays import map_overlay
from mriderived.group.backgrounds import template_on
from mriderived.group.columns import snake
from mriderived.spaces import UnavailableError, get_atlas, prepare_atlas
from mriderived.spaces.cortex_labels import label_vertices
from mriderived.spaces.fsaverage import Side, load_fsaverage
from mriderived.spaces.labels import read_table
from mriderived.spaces.model import DEFAULT_SPACE

#: Whose structures are called as in FreeSurfer's ``aseg``, where a table names no atlas.
USUAL_ATLAS = 'DesikanKilliany'
COLOURS = {'t': 'RdBu_r', 'f': 'Reds'}
#: The scale ends at the largest |t|, or here where that is smaller.
LEAST_LIMIT = 3.0
#: How much of the colour is left where nothing holds after correction.
FADED = 0.3
SIDES: tuple[Side, Side] = ('L', 'R')


class Drawn(NamedTuple):
    """A figure, and a word for its name."""

    figure: Figure
    kind: str


class _Scale(NamedTuple):
    """What the colours of a figure mean."""

    label: str
    limits: tuple[float, float]
    colours: str


class _Atlas(NamedTuple):
    """An atlas in its space, and the regions of both hemispheres of fsaverage5."""

    space: str
    labels: NDArray[np.int32]
    affine: NDArray[np.float64]
    table: pd.DataFrame
    vertices: dict[Side, NDArray[np.int32]]


def paint_effects(
    family: pd.DataFrame,
    corrected: str,
    alpha: float,
    title: str,
    folder: Path,
    statistic: str = 't',
) -> list[Drawn]:
    """Paint t (or F) of the regions of one family: cortex inflated, all else on slices.

    ``folder`` holds atlases that were brought to their spaces before. Where the atlas of the
    family is not here or has no such regions, there is no figure.
    """
    atlas = _load(str(family['variant'].iloc[0]) or USUAL_ATLAS, folder)
    if atlas is None:
        return []
    names = {snake(name): int(index) for index, name in
             zip(atlas.table['index'], atlas.table['name'], strict=True)}  # fmt: skip
    known = family[family[statistic].notna()]
    t = {names[snake(region)]: float(value)
         for region, value in zip(known['region'], known[statistic], strict=True)
         if snake(region) in names}  # fmt: skip
    if not t:
        return []
    held = known.loc[known[corrected] <= alpha, 'region']
    holds = {names[snake(region)] for region in held if snake(region) in names}
    weights = {index: 1.0 if index in holds else FADED for index in t}
    limit = max(LEAST_LIMIT, *map(abs, t.values()))
    scale = _Scale(
        f'{"F" if statistic == "f" else "t"} of {title}',
        (0.0 if statistic == 'f' else -limit, limit),
        COLOURS[statistic],
    )
    cortex = set(atlas.table.loc[atlas.table['tissue'] == 'cortex', 'index'].astype(int))
    drawn = []
    if cortex & t.keys() and atlas.vertices:
        drawn.append(Drawn(_paint_cortex(atlas, t, weights, scale), 'cortex'))
        deep = t.keys() - cortex
    else:
        deep = set(t)
    if deep:
        drawn.append(Drawn(_paint_slices(atlas, t, weights, deep, scale), 'slices'))
    return drawn


@lru_cache(maxsize=4)
def _load(name: str, folder: Path) -> _Atlas | None:
    try:
        atlas = get_atlas(name)
        folder.mkdir(parents=True, exist_ok=True)
        image = nb.load(prepare_atlas(atlas, folder))
    except (UnavailableError, OSError):
        return None
    labels = np.asarray(image.dataobj).reshape(image.shape[:3]).astype(np.int32)
    table = read_table(atlas.table)
    vertices: dict[Side, NDArray[np.int32]] = {}
    for side in SIDES if atlas.space == DEFAULT_SPACE else ():
        mine = table[(table['tissue'] == 'cortex') & (table['hemisphere'] == side)]
        if len(mine):
            index = mine['index'].to_numpy(np.int32)
            vertices[side] = label_vertices(labels, image.affine, index, side)
    return _Atlas(
        atlas.space, labels, image.affine, table, vertices if len(vertices) == len(SIDES) else {}
    )


def _look_up(labels: NDArray[np.int32], values: dict[int, float]) -> NDArray[np.float32]:
    """Return the value of each label, NaN where it has none."""
    table = np.full(int(max(labels.max(), *values)) + 1, np.nan, np.float32)
    table[list(values)] = list(values.values())
    found: NDArray[np.float32] = np.where(labels > 0, table[np.maximum(labels, 0)], np.nan)
    return found


def _paint_cortex(
    atlas: _Atlas, t: dict[int, float], weights: dict[int, float], scale: _Scale
) -> Figure:
    painted: dict[str, Painted] = {}
    for side in SIDES:
        mesh, labels = load_fsaverage(side), atlas.vertices[side]
        painted[side] = Painted(
            mesh.inflated, mesh.triangles, mesh.sulcal_depth, _look_up(labels, t),
            np.nan_to_num(_look_up(labels, weights)),
        )  # fmt: skip
    return paint_inflated(painted, **scale._asdict())


def _paint_slices(
    atlas: _Atlas,
    t: dict[int, float],
    weights: dict[int, float],
    deep: set[int],
    scale: _Scale,
) -> Figure:
    values = _look_up(atlas.labels, {index: t[index] for index in deep})
    shares = np.nan_to_num(_look_up(atlas.labels, {index: weights[index] for index in deep}))
    background = template_on(atlas.space, atlas.labels != 0, atlas.affine)
    return map_overlay(
        background, atlas.affine, values, unit='', weights=shares, **scale._asdict()
    )  # fmt: skip
