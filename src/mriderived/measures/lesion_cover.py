"""Note in a label table which regions lesions cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.labels import Labels
from mriderived.core.lesion_regions import cover_regions, label_parts
from mriderived.core.lesions import NUMBERS
from mriderived.measures.base import Column

Lesions = NDArray[np.uint8]
#: How a note on a lesion that nobody has marked begins: the banner of the report looks for it.
SUSPECTED = 'A large lesion is suspected'

COLUMNS = (
    Column('lesion_share', 'Fraction of the region that lies in a large lesion or at its rim.'),
    Column('lesion', 'The lesion that covers most of the region, or n/a.', unit=''),
)


def add_lesions(
    table: pd.DataFrame, lesions: Lesions, maps: Sequence[Labels], spacing: Sequence[float]
) -> pd.DataFrame:
    """Return a label table with the columns that say how much of each region lesions cover.

    ``lesions`` is a part of the image of the step ``lesions``, ``maps`` where the regions of the
    table are in it: expected, and found.
    """
    index = table['index'].to_numpy(dtype=np.int64)
    cover = cover_regions(lesions > 0, maps, index, spacing)
    names = ['n/a', *_name_parts(lesions, float(np.prod(spacing)) / 1000)]
    return table.assign(
        lesion_share=cover['share'].round(4).to_numpy(),
        lesion=[names[part] for part in cover['part']],
    )


def _name_parts(lesions: Lesions, voxel_ml: float) -> list[str]:
    """Return words for every connected part, in the order of their numbers."""
    if not lesions.any():
        return []
    parts = label_parts(lesions > 0)
    volumes = np.bincount(parts.ravel())[1:] * voxel_ml
    given = np.bincount(parts.ravel(), (lesions == NUMBERS['given']).ravel())[1:] * voxel_ml
    return [
        f'{"the lesion mask that was given" if 2 * mine >= volume else "a suspected lesion"} '
        f'({volume:.1f} mL)'
        for volume, mine in zip(volumes, given, strict=True)
    ]
