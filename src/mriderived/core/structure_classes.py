"""What competes for a voxel: structures, and the territories that surround them.

Numbers are FreeSurfer's. Cortex and white matter of a hemisphere are one territory, because a
warped atlas does not know the gyri of a participant: which voxel of it is which is told by tissue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.labels import Labels, Mask
from mriderived.core.partial_volume import Fractions


class Kind(Enum):
    """Which voxels a class may have."""

    OUTSIDE = 'fluid outside of all structures'
    FLUID = 'fluid'
    TISSUE = 'grey and white matter'
    ANY = 'all'


@dataclass(frozen=True)
class Class:
    """A structure, or a territory: its numbers for fluid, grey and white matter."""

    kind: Kind
    numbers: tuple[int, int, int]
    #: It goes on where the atlas shows nothing beside it. Beside grey nuclei there is cortex.
    may_grow: bool = False
    #: Fluid and tissue share its voxels, so that it has no brightness of its own.
    is_mixed: bool = False

    @property
    def is_territory(self) -> bool:
        """Whether tissue tells its parts from one another."""
        return len(set(self.numbers)) > 1 or self.kind is Kind.OUTSIDE


OUTSIDE = Class(Kind.OUTSIDE, (0, 0, 0))
#: The fluid between folia is cerebellum, that between gyri is outside of the cerebrum.
TERRITORIES = (
    OUTSIDE,
    Class(Kind.TISSUE, (0, 3, 2), may_grow=True),
    Class(Kind.TISSUE, (0, 42, 41), may_grow=True),
    Class(Kind.ANY, (8, 8, 7), may_grow=True),
    Class(Kind.ANY, (47, 47, 46), may_grow=True),
)
#: Tissue that lies in the ventricles.
CHOROID_PLEXUS = (31, 63)


def find_classes(table: pd.DataFrame) -> tuple[Class, ...]:
    """Return the territories, then a class for every other row of a label table.

    Examples
    --------
    >>> rows = {'index': [3, 11], 'tissue': ['cortex', 'subcortex'], 'composition': ['gm', 'gm']}
    >>> [found.numbers for found in find_classes(pd.DataFrame(rows))[5:]]
    [(11, 11, 11)]
    """
    taken = {number for territory in TERRITORIES for number in territory.numbers}
    structures = []
    for number, tissue, composition in table[['index', 'tissue', 'composition']].itertuples(
        index=False
    ):
        if number in taken:
            continue
        is_deep = tissue in ('subcortex', 'brainstem')
        structures.append(
            Class(
                Kind.FLUID if composition == 'csf' else Kind.TISSUE,
                (number, number, number),
                may_grow=is_deep and composition == 'gm+wm',
                is_mixed=number in CHOROID_PLEXUS,
            )
        )
    return (*TERRITORIES, *structures)


def to_classes(labels: Labels, classes: Sequence[Class]) -> NDArray[np.int16]:
    """Replace numbers by the positions of their classes; what none has is outside."""
    lookup = np.zeros(max(int(labels.max()), *(max(c.numbers) for c in classes)) + 1, np.int16)
    for position, each in enumerate(classes):
        for number in each.numbers:
            if number:
                lookup[number] = position
    return lookup[labels]


def to_numbers(found: NDArray[np.int16], classes: Sequence[Class], tissues: Fractions) -> Labels:
    """Replace positions by numbers, territories by those of the tissue that prevails."""
    most = np.argmax(np.stack([tissues.csf, tissues.gm, tissues.wm]), axis=0)
    lookup = np.array([each.numbers for each in classes], np.int32)
    return np.asarray(lookup[found, most], dtype=np.int32)


def may_have(each: Class, fluid: Mask) -> Mask:
    """Tell which voxels a class may have by their tissue."""
    if each.kind is Kind.ANY:
        return np.ones_like(fluid)
    return ~fluid if each.kind is Kind.TISSUE else fluid


def fill_holes(labels: Labels) -> Labels:
    """Give unlabelled voxels that are enclosed by labels the nearest one.

    An atlas leaves out what has no name, such as hypointensities of white matter.

    Examples
    --------
    >>> ring = np.full((3, 3, 3), 2, np.int32)
    >>> ring[1, 1, 1] = 0
    >>> int(fill_holes(ring)[1, 1, 1])
    2
    """
    parts, count = ndimage.label(labels == 0)
    faces = [np.unique(np.take(parts, place, axis)) for axis in range(3) for place in (0, -1)]
    is_hole = np.ones(count + 1, bool)
    is_hole[0] = False
    is_hole[np.concatenate(faces)] = False
    holes = is_hole[parts]
    if not holes.any():
        return labels
    nearest = ndimage.distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    return np.where(holes, labels[tuple(nearest)], labels).astype(np.int32)


def grow_tissue(
    found: NDArray[np.int16], classes: Sequence[Class], spacing: Sequence[float]
) -> NDArray[np.int16]:
    """Let the tissue of an atlas go on where it shows nothing.

    A brain does not end exactly where the warped atlas does. Tissue just outside belongs to what
    is nearest, grey nuclei apart: beside them there is cortex.
    """
    base = np.array([each.may_grow for each in classes])[found]
    if not base.any():
        return found
    nearest = ndimage.distance_transform_edt(
        ~base, sampling=spacing, return_distances=False, return_indices=True
    )
    return np.where(found == 0, found[tuple(nearest)], found).astype(np.int16)
