"""The estimates of a model as the page lists them: every contrast, the smallest p first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import pandas as pd

from mriderived.group.blocks import MISSING
from mriderived.group.model_figures import f_text, name_table, p_text

#: More estimates than these (about 2 MB) are not put into the page; the file has all.
MOST_ROWS = 20_000
HEADER = ('Contrast', 'Region', 'Estimate', 'Unit', 't', 'F (df)', 'p', 'p corrected', 'd',
          'Partial R²', 'n', '95 %', 'Table')  # fmt: skip


class Listing(NamedTuple):
    """Rows of the page, and a sentence if they are not all."""

    rows: list[Sequence[str]]
    note: str


def list_estimates(table: pd.DataFrame, correction: str, most: int = MOST_ROWS) -> Listing:
    """List every estimate of ``table``, contrast by contrast, each by p.

    Of more than ``most``, every contrast keeps as many, those of the smallest p: what was asked
    must not make way for a covariate with larger effects.
    """
    known = table[table['p'].notna() | table['estimate'].notna()]
    order = known['contrast'].drop_duplicates().tolist()
    share = max(most // max(len(order), 1), 1)
    contrasts = [
        known[known['contrast'] == contrast].sort_values('p', kind='stable') for contrast in order
    ]
    kept = contrasts if len(known) <= most else [one.head(share) for one in contrasts]
    rows = [_row(row, f'p_{correction}') for one in kept for row in one.to_dict('records')]
    note = (
        f'the page lists the {share:,} estimates of the smallest p of each contrast, '
        f'{len(rows):,} of {len(known):,}; the file has all'
    )
    return Listing(rows, note if len(rows) < len(known) else '')


def _row(row: Mapping[str, Any], corrected: str) -> Sequence[str]:
    return (
        row['contrast'], row['region'] or row['variable'], _number(row['estimate'], '.4g'),
        row['unit'], _number(row['t'], '.2f'), f_text(row), p_text(row['p']),
        p_text(row[corrected]), _number(row['cohens_d'], '.3g'),
        _number(row['partial_r2'], '.3f'), str(row['n']),
        MISSING if pd.isna(row['ci_low']) else f'{row["ci_low"]:.3g} to {row["ci_high"]:.3g}',
        name_table(row),
    )  # fmt: skip


def _number(value: float, form: str) -> str:
    return format(value, form) if isfinite(value) else MISSING
