"""The JSON beside a cohort table: what every column is, in which unit, after whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mriderived import __version__
from mriderived.config import SLOPPY_TEXT, SLOPPY_TITLE
from mriderived.group.columns import CohortColumn
from mriderived.group.uk_biobank import find_field
from mriderived.measures.base import Column, Measure

PARTICIPANT = {'participant_id': {'Description': 'Participant, as in the raw dataset.'}}
WIDE = (
    'Every measure of MRIderived, one row per participant, from the reference image of each: of '
    'several runs of BOLD, rest before other tasks, then the lowest. group_bold.tsv has all runs. '
    'A column is called <measure>[_<atlas or space>][_<region>]_<column>.'
)
RUNS = (
    'Every run of BOLD, one row per run. The columns behind denoising are those of '
    'mriderived.tsv, which has the reference runs only.'
)
LONG = (
    'One row per participant, session and column of mriderived.tsv, in the same order. Sessions '
    'and participants repeat, so it lies outside of phenotype/.'
)
JOINED = (
    'What the raw dataset says of the participants, in front of all measures of MRIderived; one '
    'row per participant and session.'
)
REASONS = 'Why the table beside this one has n/a in a cell; n/a here means that a value is there.'


def mark_sloppy(dictionary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dictionary with the mark of a coarse run, in front of the columns."""
    return {
        'Description': dictionary['Description'],
        'Sloppy': f'{SLOPPY_TITLE}. {SLOPPY_TEXT}',
        **dictionary,
    }


def describe_measure(measure: Measure, columns: Iterable[CohortColumn]) -> dict[str, Any]:
    """Return the dictionary of the table of one measure."""
    tool = {'Description': f'MRIderived {__version__}: {measure.title}.'}
    if measure.reference.startswith('http'):
        tool['TermURL'] = measure.reference
    return _dictionary(tool, {column.name: _entry(column) for column in columns})


def describe_wide(columns: Iterable[CohortColumn]) -> dict[str, Any]:
    """Return the dictionary of the table of all measures."""
    tool = {'Description': f'MRIderived {__version__}. {WIDE}'}
    return _dictionary(tool, {column.name: _entry(column) for column in columns})


def describe_reasons(columns: Iterable[CohortColumn]) -> dict[str, Any]:
    """Return the dictionary of the companion table of reasons."""
    tool = {'Description': f'MRIderived {__version__}. {REASONS}'}
    return _dictionary(tool, _reason_entries(columns))


def describe_runs(about: Sequence[Column], columns: Iterable[CohortColumn]) -> dict[str, Any]:
    """Return the dictionary of the table of all runs."""
    return _of_rows(RUNS, about, {column.name: _entry(column) for column in columns})


def describe_run_reasons(
    about: Sequence[Column], columns: Iterable[CohortColumn]
) -> dict[str, Any]:
    """Return the dictionary of its companion of reasons."""
    return _of_rows(REASONS, about, _reason_entries(columns))


def describe_long(about: Sequence[Column]) -> dict[str, Any]:
    """Return the dictionary of the long table."""
    return _of_rows(LONG, about, {})


def describe_joined(
    about: Sequence[Column],
    covariates: Mapping[str, Mapping[str, Any]],
    columns: Iterable[CohortColumn],
) -> dict[str, Any]:
    """Return the dictionary of measures behind what is known of the participants."""
    measured = {column.name: _entry(column) for column in columns}
    return _of_rows(JOINED, about, {**{k: dict(v) for k, v in covariates.items()}, **measured})


def _of_rows(text: str, about: Sequence[Column], entries: dict[str, Any]) -> dict[str, Any]:
    told = {column.name: {'Description': column.description} for column in about}
    return {'Description': f'MRIderived {__version__}. {text}', **told, **entries}


def _reason_entries(columns: Iterable[CohortColumn]) -> dict[str, dict[str, Any]]:
    return {
        column.name: {
            'Description': f'Reason for a missing value of {column.name}.',
            'Derivative': True,
        }
        for column in columns
    }


def _dictionary(tool: dict[str, str], entries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        'Description': tool['Description'],
        'MeasurementToolMetadata': tool,
        **PARTICIPANT,
        **entries,
    }


def _entry(column: CohortColumn) -> dict[str, Any]:
    source, key = column.source, column.key
    declared = source.describe(key.column)
    where = ', '.join(filter(None, (key.region, source.variant)))
    description = declared.description.rstrip('.')
    entry: dict[str, Any] = {}
    if declared.title:
        entry['LongName'] = f'{declared.title} of {key.region}' if key.region else declared.title
    entry |= {
        'Description': f'{description} ({where}).' if where else f'{description}.',
        'Units': declared.unit,
        'Derivative': True,
        'Reference': source.measure.reference,
        'Measure': source.measure.name,
        'Column': key.column,
    }
    if column.is_text or not declared.unit:
        del entry['Units']  # A column with units must hold numbers, says the validator.
    if source.variant:
        entry['Atlas' if source.measure.over == 'atlas' else 'Space'] = source.variant
    if key.region:
        entry |= {'Region': key.region, 'RegionIndex': key.number}
    counterpart = find_field(source.measure.name, source.variant or '', key.region, key.column)
    if counterpart is not None:
        entry['UKBiobank'] = {'FieldID': counterpart.field, 'Title': counterpart.title}
    return entry
