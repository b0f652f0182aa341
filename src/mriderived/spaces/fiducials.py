"""The 32 anatomical fiducials (AFIDs) of the default space, as their authors published them.

Coordinates of several raters, averaged; licensed CC BY 4.0. Protocol: Lau et al. 2019,
doi:10.1002/hbm.24693; coordinates: Taha et al. 2023, doi:10.1038/s41597-023-02330-9.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import pandas as pd

from mriderived.spaces.model import DEFAULT_SPACE
from mriderived.spaces.packages import DATA

FILE = DATA / f'{DEFAULT_SPACE}_afids.tsv'
LICENCE = 'CC BY 4.0'
REFERENCE = 'https://doi.org/10.1038/s41597-023-02330-9'


class Afid(NamedTuple):
    """An anatomical fiducial; ``position`` is in mm (RAS) of the default space."""

    number: int
    name: str
    description: str
    position: tuple[float, float, float]


@lru_cache
def load_afids() -> tuple[Afid, ...]:
    """Return the fiducials in the order of their protocol.

    Examples
    --------
    >>> afid = load_afids()[0]
    >>> afid.name, afid.description, afid.position
    ('AC', 'anterior commissure', (-0.205, 2.723, -4.881))
    """
    table = pd.read_csv(FILE, sep='\t')
    return tuple(
        Afid(int(number), name, description, (x, y, z))
        for number, name, description, x, y, z in table.itertuples(index=False)
    )
