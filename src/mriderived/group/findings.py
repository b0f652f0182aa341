"""The lines of ``logs/group_summary.tsv`` and ``logs/group_outliers.tsv``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mriderived.group.blocks import Block
from mriderived.group.outliers import Array, Outlier, Summary, find_outliers, summarise
from mriderived.group.records import Row

SUMMARY_COLUMNS = (
    'session_id', 'column', 'n', 'missing', 'minimum', 'lower_quartile', 'median',
    'upper_quartile', 'maximum', 'mad', 'scale', 'outliers',
)  # fmt: skip
OUTLIER_COLUMNS = ('participant_id', 'session_id', 'column', 'value', 'median', 'score')


class Findings:
    """Collects what is usual and who stands apart, session by session."""

    def __init__(self) -> None:
        self.summaries = ['\t'.join(SUMMARY_COLUMNS)]
        self.outliers = ['\t'.join(OUTLIER_COLUMNS)]

    def add(
        self,
        rows: Sequence[Row],
        first: int,
        blocks: Sequence[Block],
        sites: NDArray[np.str_] | None = None,
    ) -> None:
        """Judge the rows of one session, which begin at ``first`` in the blocks, within sites."""
        found: list[tuple[int, str]] = []
        for block in blocks:
            numbers = block.numbers[first : first + len(rows)]
            summary = summarise(numbers)
            apart = find_outliers(numbers, summary, sites)
            self.summaries += _summary_lines(block, summary, apart, rows)
            found += _outlier_lines(block, apart, rows, numbers)
        self.outliers += [line for _, line in sorted(found, key=lambda pair: pair[0])]


def _label(row: Row) -> str:
    return f'ses-{row.session}' if row.session else 'n/a'


def _summary_lines(
    block: Block, summary: Summary, apart: Sequence[Outlier], rows: Sequence[Row]
) -> Iterator[str]:
    counts = np.bincount([item.column for item in apart], minlength=len(block.columns)).tolist()
    fields = zip(*(field.tolist() for field in summary), strict=True)
    for column, (n, *values), outliers in zip(block.columns, fields, counts, strict=True):
        if not column.is_text:
            known = (_label(rows[0]), column.name, str(n), str(len(rows) - n))
            yield '\t'.join((*known, *map(_cell, values), str(outliers)))


def _outlier_lines(
    block: Block,
    apart: Sequence[Outlier],
    rows: Sequence[Row],
    numbers: Array,
) -> Iterator[tuple[int, str]]:
    for row, column, score, median in apart:
        cells = (
            f'sub-{rows[row].participant}',
            _label(rows[row]),
            block.columns[column].name,
            _cell(float(numbers[row, column])),
            _cell(median),
            f'{score:.2f}',
        )
        yield row, '\t'.join(cells)


def _cell(value: float) -> str:
    return 'n/a' if np.isnan(value) else repr(value)
