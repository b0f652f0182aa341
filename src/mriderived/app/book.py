"""The records of the units of one participant, kept while they run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from mriderived.app.events import Counted, Event, Finished, Key, Started
from mriderived.bids.status import UnitRecord, shorten_paths, write_record, write_text
from mriderived.config import Config
from mriderived.workflows.participant import Assembly
from mriderived.workflows.plan import WHOLE, ParticipantPlan, Unit
from mriderived.workflows.runner import UnitResult, root_causes


class RecordBook:
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
        self.records = kept_records(config, plan)
        running = {unit.key for unit in assembly.units.values()}
        self.emit(Counted(len(running)))
        for unit in plan.units:
            if unit.key not in running:
                self.records[unit.key] = _settled(unit, plan, assembly)
            else:
                self.records[unit.key] = _record(unit, 'skipped', 'the run was interrupted')

    def started(self, name: str) -> None:
        """Tell that a unit begins."""
        unit = self.assembly.units[name]
        self.emit(Started(unit.title, unit.key))

    def finished(self, name: str, result: UnitResult) -> None:
        """Judge a unit that has ended, and record and tell it."""
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


def kept_records(config: Config, plan: ParticipantPlan) -> dict[Key, UnitRecord]:
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
