"""Run participants, each in a process of its own, and survive the death of any of them."""

from __future__ import annotations

import logging
import multiprocessing as mp
import os
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

from mriderived.app.child import process_participant, write_report
from mriderived.app.events import Counted, Crashed, Event, Finished, Key, Started
from mriderived.app.progress import Progress
from mriderived.app.run_log import follow_log
from mriderived.app.settled import is_settled
from mriderived.app.status_table import StatusTable
from mriderived.bids.description import write_atlas_description
from mriderived.bids.status import UnitRecord, find_record, shorten_paths, write_record
from mriderived.config import Config
from mriderived.spaces import get_atlas
from mriderived.workflows.plan import WHOLE, belongs_to_run
from mriderived.workflows.runner import explain

LOGGER = logging.getLogger(__name__)
#: Seconds that a process has to end when it is asked to.
_PATIENCE = 10.0


@dataclass
class _Job:
    """One participant, its process and what it was doing when last heard of."""

    participant: str
    process: Any = None
    pipe: Connection | None = None
    running: Started | None = None
    crash: str = ''
    deaths: dict[Key, int] = field(default_factory=dict)
    killed: dict[Key, str] = field(default_factory=dict)


def run_participants(
    config: Config, labels: Sequence[str], progress: Progress
) -> tuple[UnitRecord, ...]:
    """Process the participants and return the record of every unit."""
    waiting = [_Job(label) for label in labels]
    active: list[_Job] = []
    table = StatusTable(config.out_dir)
    progress.start(len(labels), 0)
    try:
        while waiting or active:
            while waiting and len(active) < count_workers(config, len(labels)):
                job = waiting.pop(0)
                if job.deaths or not is_settled(config, job.participant):
                    active.append(_launch(config, job))
                else:
                    _tell_end(config, job, progress)
            failed = ''
            for job in _listen(active, progress):
                active.remove(job)
                if _must_retry(config, job, progress):
                    waiting.insert(0, job)
                    continue
                _tell_end(config, job, progress)
                table.renew()
                if config.stop_on_first_failure and _has_failed(config, job.participant):
                    failed = job.participant
            if failed:
                _stop(active, failed)
                break
    finally:
        _end(active)
        progress.stop()
    table.write()
    return tuple(
        record
        for label in labels
        for record in find_record(config.out_dir, label)
        if belongs_to_run(record, config)
    )


def _tell_end(config: Config, job: _Job, progress: Progress) -> None:
    describe_atlases(config, find_record(config.out_dir, job.participant))
    progress.participant_finished(job.participant)


def describe_atlases(config: Config, records: Iterable[UnitRecord]) -> None:
    """Say at the root of the outputs what each atlas is and under which licence.

    Only of atlases that have a file: a description of nothing is not valid BIDS.
    """
    files = [Path(path).name for record in records for path in record.outputs]
    for atlas in map(get_atlas, config.atlases):
        label = atlas.entities['atlas']
        if not any(f'_atlas-{label}_' in name for name in files):
            continue
        write_atlas_description(
            config.out_dir,
            label,
            name=atlas.title,
            licence=atlas.licence,
            description=atlas.source,
            references=(atlas.reference,),
        )


def count_workers(config: Config, participants: int) -> int:
    """Return how many participants run at a time within the processors and the memory."""
    by_cpu = config.nprocs // config.omp_nthreads
    by_memory = int(config.mem_gb // config.participant_gb)
    return max(1, min(participants, by_cpu, by_memory))


def _stop(jobs: Sequence[_Job], failed: str) -> None:
    """End what still runs as an interruption does: the next run goes on from there."""
    if jobs:
        labels = ' '.join(job.participant for job in jobs)
        LOGGER.warning('A unit of sub-%s failed; stopped as asked: %s', failed, labels)
    _end(jobs)


def _end(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.process.terminate()
    for job in jobs:
        job.process.join(_PATIENCE)
        if job.process.exitcode is None:
            job.process.kill()
            job.process.join()


def _has_failed(config: Config, participant: str) -> bool:
    records = find_record(config.out_dir, participant)
    return any(r.status == 'failed' and belongs_to_run(r, config) for r in records)


def _launch(config: Config, job: _Job) -> _Job:
    # Spawned, not forked: the threads of ITK, torch and numba do not survive a fork.
    context = mp.get_context('spawn')
    job.pipe, theirs = context.Pipe(duplex=False)
    job.process = context.Process(
        target=_child_main, args=(config, job.participant, dict(job.killed), theirs)
    )
    job.running = None
    job.process.start()
    theirs.close()
    return job


def _child_main(
    config: Config, participant: str, killed: dict[Key, str], pipe: Connection
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides, and then terminates us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    follow_log()
    try:
        process_participant(config, participant, killed, pipe.send)
    except Exception as error:  # one participant must never take the others down
        reason, details = explain(error)
        LOGGER.error('sub-%s could not be processed: %s', participant, details)
        pipe.send(Crashed(reason, details))
    pipe.close()


def _end_with_parent() -> None:
    """Do not go on as an orphan: the next run would work in the same folder."""
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _listen(active: Sequence[_Job], progress: Progress) -> list[_Job]:
    """Pass events on until something has ended; return the jobs that did."""
    pipes = {job.pipe: job for job in active if job.pipe is not None}
    ended = []
    for ready in wait(list(pipes), timeout=1.0) if pipes else ():
        pipe = cast('Connection', ready)
        try:
            _pass_on(pipes[pipe], pipe.recv(), progress)
        except (EOFError, OSError):  # the end, or a message cut off by it
            pipes[pipe].process.join()
            ended.append(pipes[pipe])
    return ended


def _pass_on(job: _Job, event: Event, progress: Progress) -> None:
    if isinstance(event, Started):
        job.running = event
        progress.unit_started(job.participant, event.title)
    elif isinstance(event, Finished):
        job.running = None
        record = event.record
        progress.unit_finished(
            job.participant, event.title, record.status, record.seconds, record.reason
        )
    elif isinstance(event, Counted):
        progress.start(0, event.units)
    elif isinstance(event, Crashed):
        job.crash = event.reason


def _must_retry(config: Config, job: _Job, progress: Progress) -> bool:
    """Judge how a process ended; a unit that takes it down twice is given up."""
    code = job.process.exitcode
    if code == 0 and not job.crash:
        return False
    if job.crash or job.running is None:
        _record_crash(config, job, job.crash or f'its process ended with {_cause(code)}')
        return False
    LOGGER.warning('The process of sub-%s ended with %s.', job.participant, _cause(code))
    key = job.running.key
    job.deaths[key] = job.deaths.get(key, 0) + 1
    if job.deaths[key] > 1:
        hint = '; probably out of memory: give it more, or fewer --nprocs' if code == -9 else ''
        job.killed[key] = f'its process ended twice with {_cause(code)}{hint}'
        progress.unit_finished(job.participant, job.running.title, 'failed', 0.0, job.killed[key])
    time.sleep(1.0)  # let the memory of the dead process come back
    return True


def _cause(code: int) -> str:
    return f'signal {-code} ({signal.Signals(-code).name})' if code < 0 else f'exit code {code}'


def _record_crash(config: Config, job: _Job, reason: str) -> None:
    """Record that a participant as a whole failed; what had ended before stays recorded."""
    reason = shorten_paths(reason, config.bids_dir, config.out_dir)
    records = [r for r in find_record(config.out_dir, job.participant) if r.measure != WHOLE]
    records.append(UnitRecord(job.participant, None, 'n/a', WHOLE, None, 'failed', reason))
    write_record(config.out_dir, job.participant, records)
    write_report(config, job.participant)
