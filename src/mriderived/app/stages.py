"""What a command line can ask for: a preview, the participant level, the group level, reports.

Imported after the input is checked (:mod:`mriderived.app.input_checks`) and the environment is
prepared, unlike everything that :mod:`mriderived.cli` starts with.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mriderived import __version__
from mriderived.app.child import report_measures, write_report
from mriderived.app.exit_codes import ExitCode
from mriderived.app.preview import print_group_preview, print_preview
from mriderived.app.progress import choose_progress
from mriderived.app.recorded import planned_units
from mriderived.app.run import count_workers, run_participants
from mriderived.app.run_log import name_run, start_log
from mriderived.bids.dataset import select_participants
from mriderived.bids.description import write_description
from mriderived.bids.status import UnitRecord, recorded_participants
from mriderived.bids.wording import count
from mriderived.config import Config
from mriderived.group.records import read_cohort
from mriderived.group.stage import check_cohort, run_group
from mriderived.reports.group import write_group_report
from mriderived.workflows.plan import unasked_measures
from mriderived.workflows.plan_preview import plan_participants

LOGGER = logging.getLogger(__name__)
#: More failures than these are counted, not listed.
_MOST_LISTED = 10


def preview(config: Config) -> ExitCode:
    """Print what would run, and write nothing."""
    if config.level == 'group':
        if config.export != 'none' or config.ica_components or config.tangent:
            check_cohort(config, read_cohort(config, planned_units(config.out_dir)))
        print_group_preview(config)
        return ExitCode.OK
    labels = select_participants(config.bids_dir, config.participant_labels)
    units = plan_participants(config, labels)
    print_preview(
        units,
        count_workers(config, len(labels)),
        config.participant_gb,
        unasked_measures(config) if config.asks_for_default else (),
    )
    return _judge_images(config, (unit.image for unit in units))


def process_participants(config: Config) -> ExitCode:
    """Run the participant level, and say what came of it."""
    labels = select_participants(config.bids_dir, config.participant_labels)
    write_description(config.out_dir, config.bids_dir, config)
    log_file = start_log(config, name_run())
    LOGGER.info('mriderived %s, participants %s', __version__, ' '.join(labels))
    workers = count_workers(config, len(labels))
    sys.stderr.write(
        f'MRIderived {__version__}: {count(len(labels), "participant")} of {config.bids_dir}, '
        f'{workers} at a time, {count(config.nprocs, "processor")}, {config.mem_gb:g} GiB\n'
    )
    progress = choose_progress(sys.stderr, verbose=config.verbose)
    try:
        records = run_participants(config, labels, progress)
    finally:
        progress.stop()  # whatever happened, give the terminal back
    _tell_results(config, records, log_file)
    return judge(config, records)


def process_group(config: Config) -> ExitCode:
    """Run the group level."""
    if not (config.out_dir / 'dataset_description.json').exists():
        write_description(config.out_dir, config.bids_dir, config)  # results of others alone
    log_file = start_log(config, name_run())
    result = run_group(config, report_measures(config.out_dir), planned_units(config.out_dir))
    write_group_report(config.out_dir)
    wide = [path for path in result.tables if path.name.startswith(('mriderived', 'group_'))]
    _tell(
        f'{count(result.participants, "participant")}, {count(result.columns, "column")}, '
        f'{count(len(result.tables), "table")} in {config.out_dir}',
        *(f'Table   {config.out_dir / path}' for path in wide),
        *(f'Export  {config.out_dir / path}' for path in result.exports),
        *(f'File    {config.out_dir / path}' for path in result.files),
        f'Report  {config.out_dir / "group.html"}',
        *(f'Refused {reason}' for reason in result.refused),
        f'Log     {log_file}',
    )
    return ExitCode.UNIT_FAILED if result.refused else ExitCode.OK


def rewrite_reports(config: Config) -> ExitCode:
    """Write the reports of a level again, from what is in the output folder."""
    if config.level == 'group':
        write_group_report(config.out_dir)
        _tell(f'Report  {config.out_dir / "group.html"}')
        return ExitCode.OK
    labels = config.participant_labels or recorded_participants(config.out_dir)
    for label in labels:
        write_report(config, label)
    _tell(f'Reports {config.out_dir / "sub-*.html"} ({len(labels)})')
    return ExitCode.OK


def judge(config: Config, records: Sequence[UnitRecord]) -> ExitCode:
    """Return the code that follows from the records, and from nothing else."""
    if any(record.status == 'failed' for record in records):
        return ExitCode.UNIT_FAILED
    return _judge_images(config, (record.image for record in records))


def _judge_images(config: Config, images: Iterable[str]) -> ExitCode:
    """Return the code of units that have not failed, by whether there is an image at all."""
    if any(image != 'n/a' for image in images):
        return ExitCode.OK
    is_filtered = bool(config.session_labels or config.bids_filter_file)
    return ExitCode.NO_MATCH if is_filtered else ExitCode.NO_INPUT


def _tell_results(config: Config, records: Sequence[UnitRecord], log_file: Path) -> None:
    counts: dict[str, int] = {}
    for record in records:
        counts[record.status] = counts.get(record.status, 0) + 1
    told = ', '.join(f'{number} {status.replace("_", " ")}' for status, number in counts.items())
    participants = count(len({record.participant for record in records}), 'participant')
    failed = [record for record in records if record.status == 'failed']
    _tell(
        f'{participants}, {count(len(records), "unit")} of work: {told or "none"}',
        *(f'  failed: {_describe(record)}' for record in failed[:_MOST_LISTED]),
        *([f'  and {len(failed) - _MOST_LISTED} more'] if len(failed) > _MOST_LISTED else []),
        f'Status  {config.out_dir / "status.tsv"}',
        f'Reports {config.out_dir / "sub-*.html"}',
        f'Log     {log_file}',
        f'Next    mriderived {config.bids_dir} {config.out_dir} group',
    )


def _describe(record: UnitRecord) -> str:
    variant = f' [{record.variant}]' if record.variant else ''
    image = f'sub-{record.participant}' if record.image == 'n/a' else record.image
    return f'{image} {record.measure}{variant}: {record.reason}'


def _tell(*lines: str) -> None:
    sys.stdout.write('\n'.join(lines) + '\n')
    LOGGER.info('%s', ' | '.join(lines))
