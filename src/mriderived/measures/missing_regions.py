"""Why a region has no number; 0 would be a lie for what was not seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.interfaces.sink import write_remarks

#: A region of which less lies in the image has no volume: what is missing cannot be told.
MIN_COVERAGE = 0.95
#: The mean of a map needs less of a region; EPI lose their signal in parts of many regions.
MIN_BOLD_COVERAGE = 0.5
#: A region of which a lesion and its rim cover more has no numbers. What is lost is one thing;
#: that regions beside a lesion shift is the other: one that a cavity covered by 1.5 % changed by
#: 8 % in volume and by 13 % in area, those that it did not touch by 0.4 % (docs/validation.md).
MOST_LESION = 0.01
#: A structure with fewer or more of the voxels that the warped atlas has there was not found:
#: it is not there, or the registration failed. Ventricles vary more than that.
AGREEMENT = (0.5, 2.0)
#: What to do about a suspected lesion.
_WAY_OUT = (
    ': look at the report; give its mask if it is one (--lesions mask then takes nothing but '
    'masks), or use --lesions ignore if there is none'
)


def read_labels(path: Path) -> pd.DataFrame:
    """Read a label table of a step; a region may be named NA."""
    table = pd.read_csv(path, sep='\t', keep_default_na=False, dtype={'name': str})
    if 'agreement' in table:
        table['agreement'] = pd.to_numeric(table['agreement'].replace('n/a', np.nan))
    return table


def explain_lesions(labels: pd.DataFrame) -> list[str]:
    """Return which lesion leaves each region without numbers, or ``''``."""
    if 'lesion_share' not in labels:
        return [''] * len(labels)
    return [
        f'{what} covers {100 * share:.0f} % of it' + (_WAY_OUT if 'suspected' in what else '')
        if share > MOST_LESION
        else ''
        for what, share in zip(labels['lesion'], labels['lesion_share'].astype(float), strict=True)
    ]


def explain_coverage(labels: pd.DataFrame, least: float = MIN_COVERAGE) -> list[str]:
    """Return why each region has no number: no field of view there, or a lesion; or ``''``."""
    lesions = explain_lesions(labels)
    if 'coverage' not in labels:
        return lesions
    return [
        _explain(1, float(coverage), np.nan, least, lesion)
        for coverage, lesion in zip(labels['coverage'], lesions, strict=True)
    ]


def explain_missing(n_voxels: NDArray[np.int64], labels: pd.DataFrame) -> list[str]:
    """Return why each region has no volume, or ``''``."""
    coverage = labels['coverage'].to_numpy(dtype=np.float64)
    agreement = np.full(len(labels), np.nan)
    if 'agreement' in labels:
        solid = labels['tissue'] != 'csf'
        agreement = labels['agreement'].where(solid).to_numpy(dtype=np.float64)
    rows = zip(n_voxels, coverage, agreement, explain_lesions(labels), strict=True)
    return [_explain(*row[:3], lesion=row[3]) for row in rows]


def _explain(
    count: int, coverage: float, agreement: float, least: float = MIN_COVERAGE, lesion: str = ''
) -> str:
    if coverage == 0:
        return 'outside field of view'
    if lesion:
        return lesion
    if coverage < least:
        return f'partly outside field of view ({100 * coverage:.0f} % inside)'
    if count == 0:
        return 'no voxel of the image fits this region'
    if not np.isnan(agreement) and not AGREEMENT[0] <= agreement <= AGREEMENT[1]:
        return f'{100 * agreement:.0f} % of the voxels that the warped atlas has there fit it'
    return ''


def remark_missing(
    out_file: Path,
    table: pd.DataFrame,
    reasons: Sequence[str],
    columns: Sequence[str],
    what: str = 'volume',
) -> None:
    """Leave the reasons beside a table."""
    missing = {str(i): why for i, why in zip(table['index'], reasons, strict=True) if why}
    if missing:
        note = f'{len(missing)} of {len(table)} regions have no {what}: see the sidecar.'
        write_remarks(out_file, notes=[note], MissingReasons=dict.fromkeys(columns, missing))
