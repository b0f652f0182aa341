"""Why a quality metric has no value: which column needs what."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mriderived.core.quality import Summary

TISSUES = ('csf', 'gm', 'wm')
NAMES = {'csf': 'cerebrospinal fluid', 'gm': 'grey matter', 'wm': 'white matter'}
STATISTICS = Summary._fields
#: Columns that need air around the head.
AIR_COLUMNS = (
    'cnr',
    *(f'snrd_{name}' for name in (*TISSUES, 'total')),
    'fber',
    'qi_1',
    'qi_2',
    *(f'summary_bg_{name}' for name in STATISTICS if name != 'n'),
)
#: Columns that need the shape of the distribution of noise.
NOISE_COLUMNS = (*(f'snrd_{name}' for name in (*TISSUES, 'total')), 'qi_2')
#: Columns that need the head around the brain.
HEAD_COLUMNS = ('efc', 'wm2max')
#: Statistics of fewer voxels of pure tissue are not given.
MIN_TISSUE = 100

NO_AIR = 'the image holds a brain and nothing around it'
NO_TISSUE_MAPS = 'the space has no tissue maps'
COARSE = 'intensities are rounded in steps as large as the noise in air'
UNDEFINED = 'undefined: a part of the image is constant or empty'


def explain(
    values: Mapping[str, float],
    counts: Mapping[str, int],
    no_air: str | None = None,
    coarse: bool = False,
) -> dict[str, str]:
    """Return the reason of every column that has no value.

    Parameters
    ----------
    values : mapping
        Value by column; NaN where the formula gave none.
    counts : mapping
        Voxels of pure tissue, by tissue.
    no_air : str or None
        Why there is no air to measure, if so.
    coarse : bool
        Whether rounding has taken the shape of the noise.

    Returns
    -------
    dict
        Reason by column, in the order of ``values``. Columns that need what is not there have
        a reason even if a formula gave a number.

    Examples
    --------
    >>> explain({'fber': 3.0, 'cjv': 0.4}, {'wm': 500, 'gm': 500, 'csf': 500}, NO_AIR)
    {'fber': 'the image holds a brain and nothing around it'}
    """
    reasons: dict[str, str] = {}
    if no_air:
        reasons.update(dict.fromkeys(AIR_COLUMNS, no_air))
    if no_air == NO_AIR:
        reasons.update(dict.fromkeys(HEAD_COLUMNS, no_air))
    if coarse:
        for column in NOISE_COLUMNS:
            reasons.setdefault(column, COARSE)
    for tissue in ('wm', 'gm', 'csf'):
        if counts[tissue] < MIN_TISSUE:
            reason = f'only {counts[tissue]} voxels are pure {NAMES[tissue]}'
            for column in _columns_that_need(tissue):
                reasons.setdefault(column, reason)
    for column, value in values.items():
        if not np.isfinite(value):
            overlap = column.startswith('tpm_overlap')
            reasons.setdefault(column, NO_TISSUE_MAPS if overlap else UNDEFINED)
    return {column: reasons[column] for column in values if column in reasons}


def _columns_that_need(tissue: str) -> tuple[str, ...]:
    own = (*_statistics_of(tissue), f'snr_{tissue}', f'snrd_{tissue}', 'snr_total', 'snrd_total')
    if tissue == 'csf':
        return own
    if tissue == 'gm':
        return (*own, 'cjv', 'cnr')
    # white matter sets the unit of every intensity
    others = sum((_statistics_of(name) for name in ('bg', 'csf', 'gm')), ())
    return (*own, 'cjv', 'cnr', 'wm2max', *others)


def _statistics_of(region: str) -> tuple[str, ...]:
    return tuple(f'summary_{region}_{name}' for name in STATISTICS if name != 'n')
