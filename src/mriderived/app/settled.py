"""Whether anything is left to do for a participant, found out without a process of its own."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from mriderived.app.book import kept_records
from mriderived.app.provenance import inputs_file, provenance_file
from mriderived.bids.names import report_path
from mriderived.bids.status import find_record, record_file
from mriderived.config import Config
from mriderived.workflows.participant import work_folder
from mriderived.workflows.plan import ParticipantPlan, belongs_to_run, plan_participant

LOGGER = logging.getLogger(__name__)


def is_settled(config: Config, participant: str) -> bool:
    """Tell whether a run would leave all that there is of a participant as it is.

    Where in doubt it is not, and the participant's own process says what is the matter.
    """
    asked = [r for r in find_record(config.out_dir, participant) if belongs_to_run(r, config)]
    if not asked or any(record.status != 'done' for record in asked):
        return False
    if not _is_reported(config, participant):
        return False
    if config.clean_workdir and work_folder(config, participant).exists():
        return False
    try:
        plan = plan_participant(config, participant, is_preview=True)
    except Exception as error:  # one participant must never take the others down
        LOGGER.warning('sub-%s could not be planned: %s', participant, error)
        return False
    return _is_as_recorded(config, plan)


def _is_reported(config: Config, participant: str) -> bool:
    """Tell whether the report is there and was written after the last record."""
    report = config.out_dir / report_path(participant)
    files = (report, inputs_file(config, participant), provenance_file(config, participant))
    if not all(path.exists() for path in files):
        return False
    return _changed(report) >= _changed(record_file(config.out_dir, participant))


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns


def _is_as_recorded(config: Config, plan: ParticipantPlan) -> bool:
    if any(unit.state != 'done' for unit in plan.units) or (plan.files and plan.files.unread):
        return False
    records = kept_records(config, plan)
    for unit in plan.units:
        record = plan.previous[unit.key]
        records[unit.key] = dataclasses.replace(record, is_reference=unit.is_reference)
    return records == dict(plan.previous)
