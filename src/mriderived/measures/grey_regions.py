"""The regions of an atlas in which streamlines may end."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.connectivity import TISSUES
from mriderived.measures.missing_regions import read_labels


class GreyRegions(NamedTuple):
    """Regions of grey matter: label table, label image (x, y, z; 0 elsewhere) and its affine."""

    labels: pd.DataFrame
    dseg: NDArray[np.int32]
    affine: NDArray[np.float64]


def load_grey_regions(dseg: Path, labels: Path) -> GreyRegions:
    """Load an atlas without its white matter, fluid and vessels.

    Streamlines end at the border of grey matter, often in a voxel that the atlas labels as white
    matter: an end finds the region beside it only where that voxel has no label.
    """
    table = read_labels(labels)
    table = table[table['tissue'].isin(TISSUES)].reset_index(drop=True)
    regions = load(dseg, np.int32)
    regions[~np.isin(regions, table['index'].to_numpy(np.int64))] = 0
    return GreyRegions(table, regions, load_affine(dseg))
