"""The structures of the brain that FreeSurfer's aseg names, and the atlas that they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.spaces.labels import read_table

#: The bundled atlas whose regions are gyri and FreeSurfer's structures.
ATLAS = 'DesikanKilliany'
#: Where the numbers of gyri begin, and the numbers of the cortex that they are parts of.
LEFT_GYRI, RIGHT_GYRI = 1000, 2000
LEFT_CORTEX, RIGHT_CORTEX = 3, 42


def read_structures(path: Path) -> pd.DataFrame:
    """Return the rows of the structures of a label table, with one cortex per hemisphere."""
    table = read_table(path)
    table = table[table['index'] < LEFT_GYRI]
    cortex = pd.DataFrame(
        {
            'index': [LEFT_CORTEX, RIGHT_CORTEX],
            'name': ['Left-Cerebral-Cortex', 'Right-Cerebral-Cortex'],
            'hemisphere': ['L', 'R'],
            'tissue': 'cortex',
            'composition': 'gm',
            'abbreviation': 'n/a',
        }
    )
    return pd.concat([table, cortex]).sort_values('index').reset_index(drop=True)


def merge_gyri(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Replace the numbers of gyri by those of the cortex of their hemisphere.

    Examples
    --------
    >>> merge_gyri(np.array([17, 1035, 2001, 0], np.int32)).tolist()
    [17, 3, 42, 0]
    """
    left = (labels >= LEFT_GYRI) & (labels < RIGHT_GYRI)
    merged = np.where(left, LEFT_CORTEX, np.where(labels >= RIGHT_GYRI, RIGHT_CORTEX, labels))
    return np.asarray(np.maximum(merged, 0), dtype=np.int32)


def has_structures(table: pd.DataFrame, structures: pd.DataFrame) -> bool:
    """Tell whether all regions of an atlas but its gyri are these structures by name."""
    known = set(zip(structures['index'], structures['name'], strict=True))
    others = table[table['tissue'] != 'cortex']
    return len(others) > 0 and set(zip(others['index'], others['name'], strict=True)) <= known
