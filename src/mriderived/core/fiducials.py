"""Landmarks as text: the list of points that 3D Slicer reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: Coordinate system 0 is RAS in this version of the format; later ones name it, and default to
#: LPS. Readers of both kinds understand the number.
HEADER = (
    '# Markups fiducial file version = 4.6\n'
    '# CoordinateSystem = 0\n'
    '# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n'
)


class Fiducial(NamedTuple):
    """A point in mm RAS; ``label`` is a number or a short name, ``description`` the full one."""

    label: str
    description: str
    x: float
    y: float
    z: float


def write_fcsv(fiducials: Sequence[Fiducial]) -> str:
    r"""Return the text of an ``.fcsv`` file in RAS.

    Parameters
    ----------
    fiducials : sequence of Fiducial

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a label or a description holds a comma or the end of a line, or a label comes twice.

    Examples
    --------
    >>> text = write_fcsv([Fiducial('1', 'AC', -0.205, 2.723, -4.881)])
    >>> text.splitlines()[-1]
    'vtkMRMLMarkupsFiducialNode_1,-0.205,2.723,-4.881,0,0,0,1,1,1,0,1,AC,'
    """
    lines = []
    for number, each in enumerate(fiducials, 1):
        if any(sign in each.label + each.description for sign in ',\n\r'):
            raise ValueError(
                f'a comma or the end of a line in {each.label!r}, {each.description!r}'
            )
        place = ','.join(f'{value:.3f}' for value in (each.x, each.y, each.z))
        lines.append(
            f'vtkMRMLMarkupsFiducialNode_{number},{place},0,0,0,1,1,1,0,'
            f'{each.label},{each.description},\n'
        )
    if len({each.label for each in fiducials}) < len(fiducials):
        raise ValueError('a label comes twice')
    return HEADER + ''.join(lines)
