"""How units are written for readers; the tables keep theirs."""

from __future__ import annotations

from typing import NamedTuple

#: Units as readers know them.
READABLE = {'1': '', 'mm2': 'mm²', 'mm3': 'mm³', 'mm^2': 'mm²', 'mm^3': 'mm³'}
#: What the volume of the whole brain or of a tissue is usually told in; 1000 mm³ are 1 mL.
MILLILITRE = 'mL'


class Shown(NamedTuple):
    """The unit that readers see, and what a number of the table is multiplied with for it."""

    unit: str
    factor: float = 1.0


def write_unit(unit: str) -> str:
    """Write a unit of a table for reading; pure numbers have none.

    >>> write_unit('mm3'), write_unit('1'), write_unit('voxels')
    ('mm³', '', 'voxels')
    """
    return READABLE.get(unit, unit)


def choose_unit(unit: str, is_region: bool) -> Shown:
    """Choose the unit to show: volumes of a whole image are told in mL, those of regions are not.

    >>> choose_unit('mm3', is_region=False)
    Shown(unit='mL', factor=0.001)
    >>> choose_unit('mm3', is_region=True)
    Shown(unit='mm³', factor=1.0)
    """
    written = write_unit(unit)
    if written == 'mm³' and not is_region:
        return Shown(MILLILITRE, 1e-3)
    return Shown(written)
