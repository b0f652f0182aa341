"""Write ``group.html``: every measure of the cohort on one page that needs nothing else.

It is made from the tables and records in the output folder alone, so it can be written again at
any time. It holds nothing from ``participants.tsv``: a reader may open that file in the page,
which keeps it in the browser.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mriderived.bids.names import InvalidNameError, report_path
from mriderived.bids.status import write_text
from mriderived.reports.group_chapters import prepare_chapter, script_json
from mriderived.reports.group_status import count_states, grid_json, read_grid
from mriderived.reports.group_tables import SessionTable, read_listing, read_sessions
from mriderived.reports.methods import cite_texts
from mriderived.reports.rendering import render
from mriderived.reports.units import choose_unit

_NUMBERS = (
    'n', 'missing', 'minimum', 'lower_quartile', 'median', 'upper_quartile', 'maximum', 'mad',
    'scale', 'outliers',
)  # fmt: skip
#: Keys of a column's dictionary that the page shows.
_TEXTS = ('Measure', 'Atlas', 'Space', 'Region', 'Column')
_LONG_TEXTS = ('Description', 'Reference')


def write_group_report(out_dir: Path) -> Path:
    """Write ``group.html`` from the outputs of the group level and return where it is."""
    listing = read_listing(out_dir)
    sessions = read_sessions(out_dir, listing)
    grid = read_grid(out_dir)
    data = {
        'threshold': listing['threshold'],
        'fewest': listing['fewest'],
        'sessions': [_session_json(out_dir, session) for session in sessions],
        'status': grid_json(grid),
    }
    values = {
        'listing': listing,
        'dataset': _read_dataset(out_dir),
        'facts': _count_facts(listing, sessions),
        'states': count_states(grid),
        'downloads': _list_downloads(out_dir, listing),
        'chapters': [prepare_chapter(out_dir, chapter) for chapter in listing.get('chapters', ())],
        'methods': cite_texts(listing.get('methods', ())),
        'data': script_json(data),
        'values': [Markup(f'[{",".join(session.values)}]') for session in sessions],
    }
    path = out_dir / report_path()
    write_text(path, render('group.html.j2', values))
    return path


def _session_json(out_dir: Path, session: SessionTable) -> dict[str, Any]:
    descriptions: dict[str, int] = {}
    columns = [_column_json(column, descriptions) for column in session.columns]
    return {
        'label': session.label,
        'participants': session.participants,
        'links': [_find_report(out_dir, label) for label in session.participants],
        'columns': columns,
        'texts': list(descriptions),
        'outliers': session.outliers,
        'thinned': session.is_thinned,
        'reasons': session.reasons,
        'missing': session.missing,
        'totals': session.totals,
    }


def _column_json(column: Mapping[str, Any], texts: dict[str, int]) -> list[Any]:
    """Return a column as a list; long texts are told once, by their place in ``texts``."""
    numbers = [None if column[name] == 'n/a' else _shorten(column[name]) for name in _NUMBERS]
    shown = choose_unit(str(column.get('Units', '')), is_region='Region' in column)
    words = [str(column.get(name, '')) for name in _TEXTS]
    words += [_title(column), shown.unit, *(str(column.get(name, '')) for name in _LONG_TEXTS)]
    places = [texts.setdefault(text, len(texts)) for text in words]
    return [column['column'], *places, shown.factor, *numbers]


def _title(column: Mapping[str, Any]) -> str:
    """Return what a reader calls the column, without the region that stands beside it."""
    title = str(column.get('LongName', '')).removesuffix(f' of {column.get("Region")}')
    return title or str(column.get('Column', column['column'])).replace('_', ' ')


def _shorten(cell: str) -> float:
    return float(f'{float(cell):.6g}')


def _find_report(out_dir: Path, participant: str) -> str:
    """Return the link to a participant's report, nothing if there is none."""
    try:
        path = report_path(participant)
    except InvalidNameError:
        return ''
    return str(path) if (out_dir / path).exists() else ''


def _read_dataset(out_dir: Path) -> dict[str, Any]:
    """Return name, settings and origin of the outputs, as far as they are told."""
    try:
        content = json.loads((out_dir / 'dataset_description.json').read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        content = {}
    generator = (content.get('GeneratedBy') or [{}])[0]
    settings = generator.get('Configuration') or {}
    return {
        'name': content.get('Name', out_dir.name),
        'sloppy': bool(settings.get('sloppy')),
        'generator': {key: value for key, value in generator.items() if key != 'Configuration'},
        'settings': settings,
        'sources': content.get('SourceDatasets') or [],
    }


def _count_facts(listing: Mapping[str, Any], sessions: Sequence[SessionTable]) -> dict[str, Any]:
    n = sum(int(column['n']) for session in sessions for column in session.columns)
    missing = sum(int(column['missing']) for session in sessions for column in session.columns)
    return {
        'participants': listing['participants'],
        'sessions': len(listing['sessions']) if listing['sessions'] != [''] else 0,
        'columns': max(len(session.columns) for session in sessions),
        # Rounded down: 100 % is every value.
        'share': math.floor(1000 * n / (n + missing)) / 10 if n + missing else None,
        'outliers': sum(len(session.outliers) for session in sessions),
        'marked': len({
            session.participants[row] for session in sessions for row, _, _ in session.outliers
        }),
    }  # fmt: skip


def _list_downloads(out_dir: Path, listing: Mapping[str, Any]) -> dict[str, list[str]]:
    tables = list(listing['tables'])
    wide = [name for name in tables if name.startswith('phenotype/mriderived')]
    logs = ['status.tsv', 'logs/group_summary.tsv', 'logs/group_outliers.tsv']
    logs = [name for name in logs if (out_dir / name).exists()]
    return {
        'wide': wide,
        'measures': [name for name in tables if name not in wide],
        'logs': logs,
        'exports': list(listing.get('exports', ())),
        'maps': [name for chapter in listing.get('chapters', ()) for name in chapter['files']],
    }
