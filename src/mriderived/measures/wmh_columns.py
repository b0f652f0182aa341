"""The tables of white-matter hyperintensities: columns, and rows from arrays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.hyperintensity_lobes import LOBES
from mriderived.core.hyperintensity_measures import LOG_OFFSET_ML, PERIVENTRICULAR_MM
from mriderived.measures.base import Column

#: Volumes of core are in mL, those of tables in mm3.
MM3_PER_ML = 1000.0
NEAR = f'periventricular (within {PERIVENTRICULAR_MM:.0f} mm of a ventricle)'
#: Parts of the total: name in columns, in words, and the key of ``sum_volumes``.
PARTS = {
    'periventricular': NEAR,
    'deep': f'deep (farther than {PERIVENTRICULAR_MM:.0f} mm from the ventricles)',
    **{name: f'of the {name} lobe' for name in LOBES.values() if name != 'infratentorial'},
    'infratentorial': 'infratentorial (brain stem and cerebellum)',
}
#: What is not known where no ventricle is.
BY_DISTANCE = ('periventricular', 'deep')


def summary_columns() -> tuple[Column, ...]:
    """Return the columns of the table with one row."""
    what = 'white-matter hyperintensities'
    return (
        Column('volume', f'Volume of {what}.', 'mm3', 'WMH volume'),
        Column('count', f'Number of {what}: connected parts (corners count).', '1', 'WMH count'),
        Column(
            'log_volume',
            f'Natural logarithm of the volume in mL plus {LOG_OFFSET_ML:g} mL, for statistics.',
            '1',
            'Logarithm of WMH volume',
        ),
        *(column for name, words in PARTS.items() for column in _part(name, words)),
    )


def _part(name: str, words: str) -> Iterator[Column]:
    shown = name.capitalize()
    yield Column(
        f'{name}_volume', f'Volume of hyperintensities, {words}.', 'mm3', f'{shown} WMH volume'
    )
    rule = 'those that reach there' if name in BY_DISTANCE else 'those that lie mostly there'
    if name == 'deep':
        rule = 'those that lie wholly there'
    yield Column(
        f'{name}_count',
        f'Number of hyperintensities, {words}: {rule}.',
        '1',
        f'{shown} WMH count',
    )


def component_columns() -> tuple[Column, ...]:
    """Return the columns of the table with a row for each hyperintensity."""
    return (
        Column('index', 'Number of the hyperintensity, the largest first.'),
        Column('volume', 'Volume.', 'mm3', 'Volume'),
        Column('probability', 'Mean probability.', '1', 'Probability'),
        Column('ventricle_distance', 'Least distance from the ventricles.', 'mm', 'Distance'),
        Column('place', f'periventricular or deep: {NEAR}, or not.', ''),
        Column('lobe', 'Lobe that holds most of it.', ''),
        *(
            Column(axis, f'Centre in the FLAIR image, mm to the {side}.', 'mm')
            for axis, side in zip('xyz', ('right', 'front', 'top'), strict=True)
        ),
    )


def make_component_table(components: pd.DataFrame, affine: NDArray[np.float64]) -> pd.DataFrame:
    """Turn the table of ``list_components`` into that of :func:`component_columns`."""
    voxels = components[['x', 'y', 'z']].to_numpy(dtype=np.float64)
    centres = voxels @ affine[:3, :3].T + affine[:3, 3]
    return pd.DataFrame(
        {
            'index': components['index'],
            'volume': MM3_PER_ML * components['volume_ml'],
            'probability': components['probability'],
            'ventricle_distance': components['ventricle_mm'].replace(np.inf, np.nan),
            'place': components['place'],
            'lobe': [LOBES.get(int(lobe), 'n/a') for lobe in components['lobe']],
            **dict(zip('xyz', centres.T, strict=True)),
        }
    )


def make_summary(volumes: dict[str, float], components: pd.DataFrame) -> pd.DataFrame:
    """Turn what ``sum_volumes`` and :func:`make_component_table` say into one row."""
    row = {
        'volume': MM3_PER_ML * volumes['volume_ml'],
        'count': volumes['count'],
        'log_volume': volumes['log_volume'],
    }
    for name in PARTS:
        row[f'{name}_volume'] = MM3_PER_ML * volumes[f'{name}_ml']
        column = 'place' if name in BY_DISTANCE else 'lobe'
        known = np.isfinite(row[f'{name}_volume'])
        row[f'{name}_count'] = float((components[column] == name).sum()) if known else np.nan
    return pd.DataFrame([row])
