"""The report of one participant: one self-contained page, made from what is on disk."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mriderived.bids.names import report_path
from mriderived.bids.status import UnitRecord, write_text
from mriderived.measures.base import Measure
from mriderived.measures.lesion_cover import SUSPECTED
from mriderived.reports.loader import (
    ImageView,
    ParticipantView,
    load_participant,
)
from mriderived.reports.methods import write_methods
from mriderived.reports.rendering import render
from mriderived.reports.tables import Table, Value, read_mapping

#: Status → sign and words; the sign carries the meaning where colours do not.
STATUS_WORDS = {
    'done': ('✓', 'done'),
    'failed': ('✕', 'failed'),
    'not_available': ('○', 'not available'),
    'skipped': ('–', 'skipped'),
}


class Banner(NamedTuple):
    """The state of all units in one line."""

    status: str
    headline: str
    detail: str


class Line(NamedTuple):
    """One measure in the summary: its unit of every image, ``None`` where there is none."""

    title: str
    variant: str
    units: tuple[UnitRecord | None, ...]


class ReasonGroup(NamedTuple):
    """Units that are not done for the same reason."""

    number: int
    reason: str
    status: str
    units: tuple[UnitRecord, ...]


class QualityLine(NamedTuple):
    """One quality metric and its value of every image."""

    about: Value
    values: tuple[Value | None, ...]


def write_participant_report(
    out_dir: Path,
    participant: str,
    *,
    measures: Sequence[Measure] = (),
    bids_dir: Path | None = None,
    settings: Mapping[str, object] | None = None,
) -> Path:
    """Write ``sub-<participant>.html`` into ``out_dir`` and return its path.

    Everything is read from ``out_dir``; ``settings`` overrides those in the provenance, and
    ``bids_dir`` only serves to name the dataset. It works after any failure.
    """
    participant = participant.removeprefix('sub-')
    view = load_participant(out_dir, participant, measures)
    values = describe(view, measures, settings or {})
    values['dataset'] = _dataset_name(bids_dir)
    path = out_dir / report_path(participant)
    write_text(path, render('individual.html.j2', values))
    return path


def describe(
    view: ParticipantView, measures: Sequence[Measure], settings: Mapping[str, object]
) -> dict[str, Any]:
    """Return everything that the template needs."""
    done = {unit.measure for unit in view.units if unit.status == 'done'}
    methods = write_methods([m for m in measures if m.name in done], view.provenance)
    given = view.provenance.get('settings')
    settings = {**(given if isinstance(given, dict) else {}), **settings}
    steps, lines = summarise(view, measures)
    return {
        'participant': view.participant,
        'images': view.images,
        'labels': {image.path: image.label for image in view.images},
        'inspected': _inspected(view.images),
        'banner': make_banner(view.units),
        'is_sloppy': _is_true(view.provenance.get('sloppy', settings.get('sloppy'))),
        'status_words': STATUS_WORDS,
        'counts': Counter(unit.status for unit in view.units),
        'steps': steps,
        'lines': lines,
        'titles': {measure.name: measure.title for measure in measures},
        'reason_groups': group_reasons(view.units),
        'noted_units': [unit for unit in view.units if unit.notes],
        'problems': view.problems,
        'facts': _facts(view.provenance),
        'failures': [unit for unit in view.units if unit.status == 'failed'],
        'quality': list_quality(view.images),
        'measures_data': pack_measures(view.images),
        'methods': methods,
        'provenance': _plain_rows(view.provenance, without=('packages', 'settings', 'sloppy')),
        'packages': _plain_rows(view.provenance.get('packages')),
        'settings': _plain_rows(settings),
    }


def make_banner(units: Sequence[UnitRecord]) -> Banner:
    """Say in one line what became of all units."""
    if not units:
        return Banner('skipped', 'Nothing is recorded', 'No unit of work has been started yet.')
    counts = Counter(unit.status for unit in units)
    total = f'of {len(units)} units of work'
    rest = ', '.join(
        f'{counts[status]} {STATUS_WORDS[status][1]}'
        for status in ('failed', 'not_available', 'skipped')
        if counts[status]
    )
    detail = f'{counts["done"]} {total} done' + (f', {rest}.' if rest else '.')
    suspected = _find_suspected(units)
    if suspected:
        detail = f'{" ".join(suspected)} {detail}'
    if counts['failed']:
        return Banner('failed', 'Not everything worked', detail)
    if suspected:
        return Banner('suspected', 'Look at this brain: a large lesion is suspected', detail)
    if counts['not_available']:
        return Banner('not_available', 'Some measures are not available', detail)
    return Banner('done', 'Complete', detail)


def _find_suspected(units: Sequence[UnitRecord]) -> list[str]:
    """Return the first clause of every note on a suspected lesion."""
    notes = (note for unit in units for note in unit.notes if note.startswith(SUSPECTED))
    return [f'{note.partition(":")[0]}.' for note in dict.fromkeys(notes)]


def summarise(
    view: ParticipantView, measures: Sequence[Measure]
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Return the lines of the summary: preprocessing steps, then measures."""
    known = {measure.name: measure for measure in measures}
    ranks = {name: rank for rank, name in enumerate(known)}
    keys = dict.fromkeys((unit.measure, unit.variant) for unit in view.units)
    found: dict[tuple[str, str, str | None], UnitRecord] = {
        (unit.image, unit.measure, unit.variant): unit for unit in view.units
    }
    steps: list[Line] = []
    others: list[Line] = []
    for name, variant in sorted(keys, key=lambda key: ranks.get(key[0], len(ranks))):
        measure = known.get(name)
        title = measure.title if measure else name
        line = Line(
            title,
            variant or '',
            tuple(found.get((image.path, name, variant)) for image in view.images),
        )
        (steps if measure and measure.is_preprocessing else others).append(line)
    return tuple(steps), tuple(others)


def group_reasons(units: Sequence[UnitRecord]) -> tuple[ReasonGroup, ...]:
    """Return every reason why something is not there once, with all units that it befell."""
    groups: dict[tuple[str, str, str], list[UnitRecord]] = {}
    for unit in units:
        if unit.status != 'done':
            groups.setdefault((unit.image, unit.status, unit.reason), []).append(unit)
    return tuple(
        ReasonGroup(number, reason, status, tuple(members))
        for number, ((_, status, reason), members) in enumerate(groups.items(), 1)
    )


def list_quality(images: Sequence[ImageView]) -> tuple[QualityLine, ...]:
    """Return every quality metric with its value of every image."""
    columns: dict[str, Value] = {}
    values: list[dict[str, Value]] = []
    for image in images:
        own = {
            value.column: value for table in _tables(image, 'quality') for value in table.values
        }
        values.append(own)
        for name, value in own.items():
            columns.setdefault(name, value)
    return tuple(
        QualityLine(about, tuple(own.get(name) for own in values))
        for name, about in columns.items()
    )


def pack_measures(images: Sequence[ImageView]) -> dict[str, Any]:
    """Return the tables of measures in the compact form that the page's script reads."""
    columns: dict[tuple[str, ...], int] = {}
    sources: list[dict[str, str]] = []
    rows: list[list[Any]] = []
    for image in images:
        for table in sorted(_tables(image, 'measures'), key=lambda table: table.is_regional):
            sources.append({'image': image.label, 'title': table.title, 'file': table.file})
            for value in table.values:
                column = (value.column, value.title, value.unit, value.raw_unit, value.description)
                number = columns.setdefault(column, len(columns))
                row: list[Any] = [len(sources) - 1, value.region, number, value.raw, value.text]
                rows.append([*row, value.reason] if value.reason else row)
    keys = ('name', 'title', 'unit', 'rawUnit', 'description')
    named = [dict(zip(keys, column, strict=True)) for column in columns]
    return {'sources': sources, 'columns': named, 'rows': rows}


def _inspected(images: Sequence[ImageView]) -> list[ImageView]:
    """Return the images with checks and those that were refused before any unit could run."""
    return [
        image
        for image in images
        if image.is_checked
        or (image.path not in ('', 'n/a') and all(u.status != 'done' for u in image.units))
    ]


def _tables(image: ImageView, kind: str) -> list[Table]:
    return [table for table in image.tables if table.kind == kind]


def _is_true(value: object) -> bool:
    return value is True or str(value).lower() == 'true'


def _plain_rows(content: object, without: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Flatten a JSON object into names and text."""
    if not isinstance(content, Mapping):
        return []
    return [
        (str(name).replace('_', ' '), value if isinstance(value, str) else _one_line(value))
        for name, value in content.items()
        if name not in without
    ]


def _one_line(value: object) -> str:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ' '.join(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _facts(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    wanted = {'version': 'MRIderived', 'configuration_hash': 'Configuration', 'date': 'Date'}
    return [(label, str(provenance[key])) for key, label in wanted.items() if key in provenance]


def _dataset_name(bids_dir: Path | None) -> str:
    if bids_dir is None:
        return ''
    description = read_mapping(bids_dir / 'dataset_description.json', [])
    return str(description.get('Name', bids_dir.name))
