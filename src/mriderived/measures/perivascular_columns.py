"""The tables of perivascular spaces: columns, and rows from those of the objects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.perivascular_regions import BASAL_GANGLIA, LOBAR, SIDES
from mriderived.measures.base import Column

Labels = NDArray[np.int32]

#: Parts of the cerebrum by the numbers of the regions that they are made of.
PARTS: dict[str, tuple[int, ...]] = {
    'white_matter_L': (3, *(number for number in LOBAR if number % 10 == 1)),
    'white_matter_R': (4, *(number for number in LOBAR if number % 10 == 2)),
    **{name: (number,) for number, name in BASAL_GANGLIA.items()},
    **{name: (number,) for number, name in LOBAR.items()},
}
NAMES = {**BASAL_GANGLIA, **SIDES, **LOBAR}
WHAT = 'Perivascular spaces (experimental)'


def summary_columns() -> tuple[Column, ...]:
    """Return the columns of the table with one row."""
    return (
        *_quantities('', 'white matter of the cerebrum and basal ganglia', 'PVS'),
        Column(
            'searched_volume',
            'Volume of white matter and basal ganglia in which they were looked for.',
            'mm3',
            'Volume searched for PVS',
        ),
        Column(
            'volume_fraction',
            'Their volume over the volume in which they were looked for.',
            '1',
            'PVS volume fraction',
        ),
        *(
            column
            for name in PARTS
            for column in _quantities(f'{name}_', _say(name), f'PVS, {_say(name)}:')
        ),
    )


def _quantities(prefix: str, where: str, title: str) -> Iterator[Column]:
    yield Column(f'{prefix}count', f'{WHAT}, {where}: number.', '1', f'{title} count')
    yield Column(f'{prefix}volume', f'{WHAT}, {where}: volume.', 'mm3', f'{title} volume')
    yield Column(
        f'{prefix}length', f'{WHAT}, {where}: sum of their lengths.', 'mm', f'{title} length'
    )
    yield Column(
        f'{prefix}diameter',
        f'{WHAT}, {where}: mean of the diameters of the cylinders of their volumes and lengths.',
        'mm',
        f'{title} diameter',
    )


def _say(name: str) -> str:
    """Turn ``frontal_L`` into words."""
    part, side = name[:-2].replace('_', ' '), {'L': 'left', 'R': 'right'}[name[-1]]
    if name[:-2] in ('white_matter', 'basal_ganglia'):
        return f'{side} {part}'
    return f'{side} {part} white matter'


def object_columns() -> tuple[Column, ...]:
    """Return the columns of the table with a row for each space."""
    return (
        Column('index', 'Number of the space, the largest first.'),
        Column('region', 'Region that holds most of it.', unit=''),
        Column('volume', 'Volume.', 'mm3'),
        Column('length', 'Extent along its main axis.', 'mm'),
        Column('diameter', 'Diameter of the cylinder of its volume and length.', 'mm'),
        Column('linearity', 'Share of the spread of its voxels that lies along one line.'),
        *(
            Column(axis, f'Centre in the image, mm to the {side}.', 'mm')
            for axis, side in zip('xyz', ('right', 'front', 'top'), strict=True)
        ),
    )


def make_object_table(objects: pd.DataFrame, affine: NDArray[np.float64]) -> pd.DataFrame:
    """Turn the table of ``keep_spaces`` into that of :func:`object_columns`."""
    voxels = objects[['x', 'y', 'z']].to_numpy(dtype=np.float64)
    centres = (voxels @ affine[:3, :3].T + affine[:3, 3]).reshape(-1, 3).round(2)
    return pd.DataFrame(
        {
            'index': objects['index'],
            'region': [NAMES.get(int(number), 'n/a') for number in objects['region']],
            'volume': objects['volume_mm3'],
            'length': objects['length_mm'],
            'diameter': objects['diameter_mm'],
            'linearity': objects['linearity'],
            **dict(zip('xyz', centres.T, strict=True)),
        }
    )


def make_summary(
    objects: pd.DataFrame, regions: Labels, voxel_mm3: float, *, has_lobes: bool
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the table with one row, and why some of it is missing."""
    searched = float((regions > 0).sum()) * voxel_mm3
    row = _describe(objects, '')
    row |= {'searched_volume': searched, 'volume_fraction': row['volume'] / searched}
    reasons: dict[str, str] = {}
    lobar = set(LOBAR.values())
    for name, numbers in PARTS.items():
        part = _describe(objects[objects['region'].isin(numbers)], f'{name}_')
        if name in lobar and not has_lobes:
            part = dict.fromkeys(part, np.nan)
            reasons |= dict.fromkeys(part, 'lobes need the atlas DesikanKilliany')
        row |= part
    empty = 'there is no perivascular space whose diameter could be measured'
    for name, value in row.items():
        if not np.isfinite(value):
            reasons.setdefault(name, empty)
    return pd.DataFrame([row]), reasons


def _describe(objects: pd.DataFrame, prefix: str) -> dict[str, float]:
    return {
        f'{prefix}count': float(len(objects)),
        f'{prefix}volume': float(objects['volume_mm3'].sum()),
        f'{prefix}length': float(objects['length_mm'].sum()),
        f'{prefix}diameter': float(objects['diameter_mm'].mean()) if len(objects) else np.nan,
    }
