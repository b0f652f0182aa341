"""Process one participant in a process of its own, and record every unit as it ends."""

from __future__ import annotations

import dataclasses
import fcntl
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from mriderived.app.book import RecordBook
from mriderived.app.events import Event, Key
from mriderived.app.provenance import provenance_file, write_inputs, write_provenance
from mriderived.bids.description import read_settings
from mriderived.bids.status import UnitRecord
from mriderived.config import Config
from mriderived.interfaces.sink import remove_partial_files
from mriderived.measures.base import Measure
from mriderived.reports.individual import write_participant_report
from mriderived.workflows.asked import measures_of_folder
from mriderived.workflows.participant import Assembly, init_participant_wf, work_folder
from mriderived.workflows.plan import Unit, plan_participant
from mriderived.workflows.runner import UnitPlugin
from mriderived.workflows.steps import preprocessing_steps


def process_participant(
    config: Config, participant: str, killed: Mapping[Key, str], emit: Callable[[Event], None]
) -> tuple[UnitRecord, ...]:
    """Run what is missing of one participant.

    ``killed`` holds the units that took an earlier process down, with the reason; they are
    recorded as failed and not tried again. Another process on the same participant is waited for.
    """
    lock_file = config.out_dir / 'logs' / f'sub-{participant}' / '.lock'
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open('w') as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        return _process(config, participant, killed, emit)


def _process(
    config: Config, participant: str, killed: Mapping[Key, str], emit: Callable[[Event], None]
) -> tuple[UnitRecord, ...]:
    remove_partial_files(config.out_dir / f'sub-{participant}')
    plan = plan_participant(config, participant)
    plan = dataclasses.replace(plan, units=tuple(_without_killed(u, killed) for u in plan.units))
    write_inputs(config, plan)
    if plan.files:
        plan.files.save()
    is_idle = all(unit.state != 'to run' for unit in plan.units)
    if not (is_idle and provenance_file(config, participant).exists()):
        write_provenance(config, plan, is_idle=is_idle)
    assembly = init_participant_wf(config, plan)
    book = RecordBook(config, plan, assembly, emit)
    book.write()
    if assembly.units:
        _run(config, assembly, book)
    write_report(config, participant)
    failed = any(record.status == 'failed' for record in book.records.values())
    if config.clean_workdir and not failed:
        shutil.rmtree(work_folder(config, participant), ignore_errors=True)
    return tuple(book.records.values())


def _without_killed(unit: Unit, killed: Mapping[Key, str]) -> Unit:
    if unit.key not in killed:
        return unit
    return dataclasses.replace(unit, state='killed', reason=killed[unit.key])


def _run(config: Config, assembly: Assembly, book: RecordBook) -> None:
    def unit_of(fullname: str) -> tuple[str, bool]:
        part = fullname.split('.')[1]
        name, _, figure = part.partition('_draw_')
        return name, bool(figure)

    plugin = UnitPlugin(
        assembly.units,
        unit_of,
        book.started,
        book.finished,
        stop_on_first_failure=config.stop_on_first_failure,
    )
    if config.write_graph:
        folder = config.out_dir / 'logs' / f'sub-{next(iter(assembly.units.values())).participant}'
        assembly.workflow.write_hierarchical_dotfile(str(folder / 'graph.dot'))
    assembly.workflow.run(plugin=plugin)


def write_report(config: Config, participant: str) -> None:
    """Write the report of one participant from what is on disk."""
    measures = report_measures(config.out_dir)
    write_participant_report(config.out_dir, participant, measures=measures)


def report_measures(out_dir: Path) -> tuple[Measure, ...]:
    """Return every step and measure that a report of ``out_dir`` may have to describe.

    The steps are those that made the results: a run that only reads need not name them again.
    """
    settings = read_settings(out_dir)
    steps = preprocessing_steps(
        settings.get('anat_backend', 'builtin'), settings.get('use_syn_sdc', False)
    )
    return (*steps, *measures_of_folder(out_dir))
