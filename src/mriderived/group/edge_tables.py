"""The table of how the edges of each participant lie, beside the cohort tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mriderived import __version__
from mriderived.bids.names import phenotype_path
from mriderived.bids.sidecar import write_sidecar
from mriderived.group.records import Row
from mriderived.group.writing import write_lines

NO_MOTION = 'the mean framewise displacement of the run is not known'


class EdgeRow(NamedTuple):
    """Mean and spread of Fisher's z over the edges of one participant, and their number."""

    row: Row
    mean: float
    spread: float
    edges: int


def write_edge_table(
    out_dir: Path,
    atlas: str,
    session: str,
    rows: Sequence[Row],
    motion: Mapping[Row, float],
    reasons: Mapping[Row, str],
    kinds: Mapping[str, Sequence[EdgeRow]],
) -> PurePosixPath:
    """Write one row per participant of a session and return the path below ``out_dir``."""
    path = phenotype_path('edges', re.sub('[^A-Za-z0-9]', '', atlas) or None, session or None)
    write_lines(out_dir / path, _lines(rows, motion, reasons, kinds))
    write_sidecar(out_dir / path, _dictionary(atlas, kinds))
    return path


def _lines(
    rows: Sequence[Row],
    motion: Mapping[Row, float],
    reasons: Mapping[Row, str],
    kinds: Mapping[str, Sequence[EdgeRow]],
) -> Iterator[str]:
    names = [f'{kind}_{what}' for kind in kinds for what in ('mean', 'sd', 'edges')]
    yield '\t'.join(('participant_id', 'mean_fd', *names, 'reason'))
    found = {kind: {item.row: item for item in items} for kind, items in kinds.items()}
    for row in rows:
        moved = motion.get(row, np.nan)
        cells = ['n/a' if np.isnan(moved) else f'{moved:.6g}']
        for items in found.values():
            item = items.get(row)
            cells += (
                ['n/a'] * 3 if item is None
                else [f'{item.mean:.6g}', f'{item.spread:.6g}', str(item.edges)]
            )  # fmt: skip
        reason = reasons.get(row) or (NO_MOTION if np.isnan(moved) else 'n/a')
        yield '\t'.join((f'sub-{row.participant}', *cells, ' '.join(reason.split())))


def _dictionary(atlas: str, kinds: Mapping[str, object]) -> dict[str, object]:
    text = f'MRIderived {__version__}: edges of connectivity ({atlas}) and motion, by participant.'
    entries: dict[str, object] = {
        'mean_fd': {'Description': 'Mean framewise displacement.', 'Units': 'mm'}
    }
    for kind in kinds:
        entries |= {
            f'{kind}_mean': {'Description': f"Mean Fisher's z of all edges, {kind}."},
            f'{kind}_sd': {'Description': f"Standard deviation of Fisher's z, {kind}."},
            f'{kind}_edges': {'Description': f'Number of edges that have a value, {kind}.'},
        }
    return {
        'Description': text,
        'MeasurementToolMetadata': {'Description': text},
        'participant_id': {'Description': 'Participant, as in the raw dataset.'},
        **{name: {**entry, 'Derivative': True} for name, entry in entries.items()},  # type: ignore[dict-item]
        'reason': {'Description': 'Why a value is missing; n/a where none is.'},
    }
