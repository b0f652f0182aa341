"""Where everybody was scanned, as far as participants.tsv and phenotype/ tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.group.outliers import FEWEST_OF_SITE
from mriderived.group.records import Row


class Sites(NamedTuple):
    """A column, the site of each row (empty where not known), and what the page says of it."""

    column: str
    labels: NDArray[np.str_]
    notes: list[str]
    warnings: list[str]

    @property
    def is_known(self) -> bool:
        """Tell whether the column is there."""
        return not self.warnings


def find_sites(config: Config, rows: Sequence[Row]) -> Sites | None:
    """Return the sites within which outliers are judged; nothing where none are asked for.

    They are those of ``--sites``, or else of ``--harmonise``, if all of it names one column.
    """
    if not (config.sites or config.harmonise):
        return None
    # pandas and formulas take a second to import, and most runs know no sites.
    from mriderived.bids.covariates import CovariateError, read_covariates
    from mriderived.group.model_files import ModelError, read_models

    try:
        named = {model.outcome for model in read_models(config.harmonise)}
        column = config.sites or (named.pop() if len(named) == 1 else '')
        if not column:
            return None
        known = read_covariates(config.bids_dir).of(
            [(row.participant, row.session) for row in rows]
        )
    except (CovariateError, ModelError) as error:
        return _without(config.sites, len(rows), str(error))
    if column not in known:
        return _without(column, len(rows), f'there is no column {column}')
    cells = known[column]
    labels = np.array(['' if is_gap else str(cell) for cell, is_gap in zip(cells, cells.isna(), strict=True)])  # noqa: E501  # fmt: skip
    return Sites(column, labels, _tell(labels), [])


def _without(column: str, count: int, reason: str) -> Sites:
    told = f'outliers are judged among all, and not within sites: {reason}'
    return Sites(column, np.full(count, ''), [], [told])


def _tell(labels: NDArray[np.str_]) -> list[str]:
    counts = Counter(labels.tolist())
    lacking = counts.pop('', 0)
    small = sorted(site for site, count in counts.items() if count < FEWEST_OF_SITE)
    notes = []
    if small:
        told = ', '.join(small[:4]) + (', …' if len(small) > 4 else '')
        notes.append(
            f'{len(small)} of {len(counts)} sites have fewer than {FEWEST_OF_SITE} ({told})'
        )
    if lacking:
        notes.append(f'the site of {lacking} is not known')
    return notes
