"""The picture of the atlas regions, with a short legend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.figures.overlays import Colour, label_overlay, region_colours
from mriderived.interfaces.volumes import load, load_affine
from mriderived.spaces.labels import read_table, strip_side

#: Regions named in the picture, and how far in red, green and blue their colours are apart.
MOST_NAMED, TOLD_APART = 12, 0.3
#: What names of all regions of an atlas begin with, which a legend can do without.
PREFIX = re.compile(r'^(ctx|\d+Networks)[-_]')


def draw_regions(
    t1w: Path,
    atlas_dseg: Path,
    atlas_labels: Path,
    skipped: Sequence[str] = ('white', 'csf'),
) -> list[Any]:
    """Draw the regions over the image and name the largest; both of a pair have one colour."""
    table = read_table(atlas_labels)
    shown = ~table['tissue'].isin(skipped)
    table = table[shown if shown.any() else ~shown]
    rows = zip(table['index'], table['name'], strict=True)
    names = {int(index): strip_side(name) for index, name in rows}
    regions = load(atlas_dseg, np.int32)
    colours = region_colours(names)
    named = name_largest(regions, names, colours)
    n_names = len(set(names.values()))
    title = f'{len(named)} of {n_names} regions are named below' if len(named) < n_names else ''
    return [label_overlay(load(t1w), load_affine(t1w), regions, colours, names=named, title=title)]


def name_largest(
    regions: NDArray[np.int32], names: Mapping[int, str], colours: Mapping[int, Colour]
) -> dict[int, str]:
    """Return a label and the name of the largest regions whose colours can be told apart."""
    voxels = np.bincount(regions[regions > 0], minlength=max(names, default=0) + 1)
    sizes: dict[str, int] = {}
    labels: dict[str, int] = {}
    for index, name in names.items():
        sizes[name] = sizes.get(name, 0) + int(voxels[index])
        labels.setdefault(name, index)
    named: list[str] = []
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        apart = (np.subtract(colours[labels[name]], colours[labels[other]]) for other in named)
        if sizes[name] and all(np.linalg.norm(step) > TOLD_APART for step in apart):
            named.append(name)
    return {labels[name]: PREFIX.sub('', name) for name in named[:MOST_NAMED]}
