"""The table of all runs of BOLD: one row per run, with the columns of the wide cohort table.

It lies at the root and not in ``phenotype/``, where BIDS wants one row per participant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from mriderived.bids.names import split_name
from mriderived.bids.sidecar import sidecar_path, write_sidecar
from mriderived.core.strategies import WITH_TISSUES
from mriderived.group.blocks import MISSING, Block, build_block
from mriderived.group.dictionary import describe_run_reasons, describe_runs, mark_sloppy
from mriderived.group.records import Cohort, Row
from mriderived.group.sheets import read_sidecar
from mriderived.group.writing import write_lines
from mriderived.measures.base import Column

RUNS, RUNS_REASONS = PurePosixPath('group_bold.tsv'), PurePosixPath('group_bold_reasons.tsv')
DENOISING = 'bold_denoising'
#: Column → entity of the name of the run.
_ENTITIES = {'task': 'task', 'acquisition': 'acq', 'reconstruction': 'rec', 'direction': 'dir',
             'run': 'run'}  # fmt: skip
#: What stands in front of the measures.
ABOUT = (
    Column('bids_name', 'Name of the raw run, without folder and extension.', ''),
    Column('participant_id', 'Participant, as in the raw dataset.', ''),
    Column('session_id', 'Session, as in the raw dataset.', ''),
    *(Column(name, f'The entity {entity} of the run.', '') for name, entity in _ENTITIES.items()),
    Column(
        'reference',
        'Whether mriderived.tsv has the values of this run: yes, no, or some (of measures that '
        'have a reference run of their own).',
        '',
    ),
    Column('denoising', 'Strategy by which confounds were taken off this run.', ''),
)
#: Runs that a warning names.
_MOST_NAMED = 5


class _Run(NamedTuple):
    row: Row
    about: tuple[str, ...]


def write_runs(
    out_dir: Path, cohort: Cohort, blocks: Sequence[Block], is_sloppy: bool = False
) -> tuple[PurePosixPath, ...]:
    """Write the values of every run and why they lack, and return where; none without runs.

    ``blocks`` are those of the wide table, whose columns these are.
    """
    rows = sorted({row for units in cohort.runs.values() for row in units})
    if not rows:
        return ()
    strategies = {row: _read_strategy(out_dir, cohort, row) for row in rows}
    runs = [_Run(row, _describe(cohort, row, strategies[row])) for row in rows]
    _warn_of_strategies(cohort, strategies)
    of_runs = Cohort(tuple(rows), cohort.runs, faults=cohort.faults, warnings=cohort.warnings)
    found = [
        build_block(block.columns[0].source, of_runs, out_dir, columns=block.columns)
        for block in blocks
        if block.columns[0].source.measure.source == 'bold'
    ]
    columns = [column for block in found for column in block.columns]
    mark = mark_sloppy if is_sloppy else dict
    for path, cells, dictionary in (
        (RUNS, [block.values for block in found], describe_runs(ABOUT, columns)),
        (RUNS_REASONS, [block.reasons for block in found], describe_run_reasons(ABOUT, columns)),
    ):
        names = [column.name for column in columns]
        write_lines(out_dir / path, _lines(runs, names, cells))
        write_sidecar(out_dir / path, mark(dictionary))
    return RUNS, RUNS_REASONS


def _lines(
    runs: Sequence[_Run], names: Sequence[str], cells: Sequence[Sequence[str]]
) -> Iterator[str]:
    yield '\t'.join((*(column.name for column in ABOUT), *names))
    for place, run in enumerate(runs):
        yield '\t'.join((*run.about, *(part[place] for part in cells)))


def _describe(cohort: Cohort, row: Row, strategy: str) -> tuple[str, ...]:
    name = split_name(row.image)
    bids_name = PurePosixPath(row.image).name.partition('.')[0]
    if 'echo' in name.entities:  # its echoes were joined
        bids_name = bids_name.replace(f'_echo-{name.entities["echo"]}', '')
    flags = {units[row].is_reference for units in cohort.runs.values() if row in units}
    return (
        bids_name,
        f'sub-{row.participant}',
        f'ses-{row.session}' if row.session else MISSING,
        *(name.entities.get(entity, MISSING) for entity in _ENTITIES.values()),
        'some' if len(flags) > 1 else 'yes' if True in flags else 'no',
        strategy,
    )


def _read_strategy(out_dir: Path, cohort: Cohort, row: Row) -> str:
    unit = cohort.runs.get((DENOISING, None), {}).get(row)
    if unit is None or unit.status != 'done' or not unit.outputs:
        return MISSING
    said: Mapping[str, Any] = read_sidecar(sidecar_path(out_dir / unit.outputs[0]))
    return str(said.get('DenoisingStrategy', MISSING))


def _warn_of_strategies(cohort: Cohort, strategies: Mapping[Row, str]) -> None:
    """Say so where runs were not all denoised alike: their values do not compare."""
    by_strategy: dict[str, list[str]] = {}
    for row, strategy in strategies.items():
        if strategy != MISSING:
            by_strategy.setdefault(strategy, []).append(f'sub-{row.participant}')
    if len(by_strategy) < 2:
        return
    usual, *others = sorted(
        by_strategy, key=lambda name: (-len(by_strategy[name]), WITH_TISSUES not in name, name)
    )
    count = len(by_strategy[usual])
    parts = [f'{count} run{"s" if count > 1 else ""} with {usual}']
    for name in others:
        labels = list(dict.fromkeys(by_strategy[name]))
        rest = len(labels) - _MOST_NAMED
        more = f' and {rest} more' if rest > 0 else ''
        parts.append(f'{", ".join(labels[:_MOST_NAMED])}{more} with {name}')
    cohort.warnings.append(
        f'not all runs of BOLD were denoised alike: {"; ".join(parts)}. Connectivity, ReHo and '
        f'ALFF of different strategies do not compare; {RUNS} tells them apart (column denoising)'
    )
