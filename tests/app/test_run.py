"""Participants side by side, with stubs for what computes."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing as mp
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mriderived.app import run
from mriderived.app.events import Counted, Event, Finished, Started
from mriderived.app.progress import LineProgress
from mriderived.bids.status import UnitRecord, read_record, write_record
from mriderived.config import Config, replace
from mriderived.spaces import get_atlas

#: The name of a step, so that the records belong to the run.
STEP = 'brain'


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / 'out' / 'logs').mkdir(parents=True)
    return Config(tmp_path / 'bids', tmp_path / 'out', tmp_path / 'work', nprocs=2, mem_gb=64.0)


def unit(label: str, status: Any, reason: str = '') -> UnitRecord:
    return UnitRecord(label, None, f'sub-{label}/anat/x.nii.gz', STEP, None, status, reason)


def process(
    config: Config, label: str, killed: Mapping[Any, str], emit: Callable[[Event], None]
) -> tuple[UnitRecord, ...]:
    """Fail at once as sub-01, wait half-way through an output as sub-02, succeed as any other."""
    emit(Counted(1))
    pending = unit(label, 'skipped', 'the run was interrupted')
    write_record(config.out_dir, label, [pending])
    emit(Started(STEP, (pending.image, STEP, None)))
    if label == '01':
        while not list(config.out_dir.glob('*.partial')):
            time.sleep(0.01)
    if label == '02':
        (config.out_dir / 'pid').write_text(str(os.getpid()))
        (config.out_dir / '.x.nii.gz.partial').write_text('half')
        time.sleep(60)
    record = unit(label, 'failed' if label == '01' else 'done', 'broken' * (label == '01'))
    write_record(config.out_dir, label, [record])
    emit(Finished(record, STEP))
    return (record,)


@pytest.fixture(autouse=True)
def stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fork, so that the children know the stub."""
    context = mp.get_context('fork')
    monkeypatch.setattr(run.mp, 'get_context', lambda method: context)
    monkeypatch.setattr(run, 'process_participant', process)
    monkeypatch.setattr(run, 'describe_atlases', lambda config, records: None)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


#: The function itself, in whose place :func:`stubs` puts another.
describe = run.describe_atlases


def test_only_atlases_that_have_a_file_are_described(config: Config) -> None:
    describe(config, [unit('01', 'failed', 'broken')])
    assert not list(config.out_dir.glob('atlas-*'))
    label = get_atlas('DesikanKilliany').entities['atlas']
    file = f'sub-01/anat/sub-01_atlas-{label}_dseg.nii.gz'
    describe(config, [dataclasses.replace(unit('01', 'done'), outputs=(file,))])
    (path,) = config.out_dir.glob('atlas-*')
    assert path.name == f'atlas-{label}_description.json'


def test_a_crash_is_told_without_the_path_to_the_dataset(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, 'write_report', lambda config, label: None)
    reason = f'{config.bids_dir}/sub-01/x.json and {config.out_dir}/y cannot be read'
    run._record_crash(config, run._Job('01'), reason)
    (record,) = read_record(config.out_dir, '01')
    assert record.reason == 'sub-01/x.json and y cannot be read'


class _Sink:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is kept."""


def test_the_first_failure_ends_who_runs_and_begins_nobody(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(config, stop_on_first_failure=True)
    with caplog.at_level(logging.WARNING):
        records = run.run_participants(config, ['01', '02', '03'], LineProgress(_Sink()))  # type: ignore[arg-type]
    assert [(r.participant, r.status, r.reason) for r in records] == [
        ('01', 'failed', 'broken'), ('02', 'skipped', 'the run was interrupted'),
    ]  # fmt: skip
    assert read_record(config.out_dir, '03') == ()
    assert 'A unit of sub-01 failed; stopped as asked: 02' in caplog.text
    assert not (config.out_dir / 'x.nii.gz').exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((config.out_dir / 'pid').read_text()), 0)
    table = (config.out_dir / 'status.tsv').read_text()
    assert [row.split('\t')[5] for row in table.splitlines()] == ['status', 'failed', 'skipped']


def test_otherwise_a_failure_stops_nobody(config: Config) -> None:
    config = replace(config, nprocs=1)
    (config.out_dir / '.y.partial').write_text('')  # so that sub-01 does not wait
    records = run.run_participants(config, ['01', '03'], LineProgress(_Sink()))  # type: ignore[arg-type]
    assert [(r.participant, r.status) for r in records] == [('01', 'failed'), ('03', 'done')]


def test_who_does_not_end_when_asked_is_killed(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(*arguments: Any) -> tuple[UnitRecord, ...]:
        if arguments[1] == '02':
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return process(*arguments)

    monkeypatch.setattr(run, 'process_participant', deaf)
    monkeypatch.setattr(run, '_PATIENCE', 0.2)
    config = replace(config, stop_on_first_failure=True)
    run.run_participants(config, ['01', '02'], LineProgress(_Sink()))  # type: ignore[arg-type]
    with pytest.raises(ProcessLookupError):
        os.kill(int((config.out_dir / 'pid').read_text()), 0)
