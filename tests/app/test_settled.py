"""Participants of whom nothing is left to do need no process of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mriderived.app import run, settled
from mriderived.app.provenance import provenance_file, write_inputs
from mriderived.app.settled import is_settled
from mriderived.bids.image_checks import ImageCheck
from mriderived.bids.status import UnitRecord, read_record, record_file, write_record
from mriderived.config import Config, replace
from mriderived.workflows import contrast_source
from mriderived.workflows.participant import work_folder
from mriderived.workflows.plan import plan_participant

Skeleton = Callable[[str], Path]


@pytest.fixture
def config(skeleton: Skeleton, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A participant of whom everything is done."""
    monkeypatch.setattr(
        contrast_source, 'check_image', lambda path, *_: ImageCheck(path, (), {}, ())
    )
    out_dir = tmp_path / 'out'
    config = Config(skeleton('single'), out_dir, tmp_path / 'work', measures=('tissue_volume',))
    plan = plan_participant(config, '01')
    records = []
    for unit in plan.units:
        outputs = tuple(unit.outputs.values())
        for path in outputs:
            (out_dir / path).parent.mkdir(parents=True, exist_ok=True)
            (out_dir / path).touch()
        records.append(UnitRecord('01', None, unit.image, unit.measure.name, None, 'done',
                                  fingerprint=unit.fingerprint, outputs=outputs))  # fmt: skip
    write_inputs(config, plan)
    provenance_file(config, '01').write_text('{}')
    write_record(out_dir, '01', records)
    (out_dir / 'sub-01.html').touch()
    return config


def test_all_is_done(config: Config) -> None:
    assert is_settled(config, '01')
    assert is_settled(replace(config, clean_workdir=True), '01')
    assert not is_settled(config, '02')


def _report_gone(config: Config) -> None:
    (config.out_dir / 'sub-01.html').unlink()


def _report_old(config: Config) -> None:
    before = record_file(config.out_dir, '01').stat().st_mtime_ns - 1
    os.utime(config.out_dir / 'sub-01.html', ns=(before, before))


def _output_gone(config: Config) -> None:
    (config.out_dir / read_record(config.out_dir, '01')[-1].outputs[0]).unlink()


def _image_other(config: Config) -> None:
    (config.bids_dir / 'sub-01/anat/sub-01_T1w.nii.gz').write_bytes(b'other')


def _image_gone(config: Config) -> None:
    """Its record goes, though another image has all that is asked for."""
    records = list(read_record(config.out_dir, '01'))
    gone = UnitRecord('01', None, 'sub-01/anat/sub-01_run-9_T1w.nii.gz', 'vbm', None, 'done')
    write_record(config.out_dir, '01', [*records, gone])
    (config.out_dir / 'sub-01.html').touch()


def _unit_failed(config: Config) -> None:
    first, *rest = read_record(config.out_dir, '01')
    write_record(config.out_dir, '01', [UnitRecord(**{**vars(first), 'status': 'failed'}), *rest])
    (config.out_dir / 'sub-01.html').touch()


def _notes_gone(config: Config) -> None:
    provenance_file(config, '01').unlink()


@pytest.mark.parametrize('change', [
    _report_gone, _report_old, _output_gone, _image_other, _image_gone, _unit_failed, _notes_gone,
])  # fmt: skip
def test_something_is_left(config: Config, change: Callable[[Config], None]) -> None:
    change(config)
    assert not is_settled(config, '01')


def test_more_is_asked_for(config: Config) -> None:
    assert not is_settled(replace(config, measures=('tissue_volume', 'vbm')), '01')


def test_a_work_folder_is_to_be_removed(config: Config) -> None:
    work_folder(config, '01').mkdir(parents=True)
    assert is_settled(config, '01')
    assert not is_settled(replace(config, clean_workdir=True), '01')


def test_the_values_of_an_image_were_never_read(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(path: Path, look: Callable[[Path], object], content: str) -> ImageCheck:
        look(path)
        return ImageCheck(path, (), {}, ())

    monkeypatch.setattr(contrast_source, 'check_image', check)
    monkeypatch.setattr('mriderived.bids.known_files.looks_whole', lambda path: True)
    assert not is_settled(config, '01')


def test_a_plan_that_fails_is_left_to_the_participant(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError('no such table')

    monkeypatch.setattr(settled, 'plan_participant', broken)
    assert not is_settled(config, '01')
    assert 'sub-01 could not be planned: no such table' in caplog.text


def test_no_process_is_started(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        finished: tuple[str, ...] = ()

        def start(self, participants: int, units: int) -> None:
            """Nobody looks."""

        def stop(self) -> None:
            """Nobody looks."""

        def participant_finished(self, participant: str) -> None:
            self.finished += (participant,)

    monkeypatch.setattr(run, '_launch', lambda *arguments: pytest.fail('started'))
    progress = Silent()
    records = run.run_participants(config, ['01'], progress)  # type: ignore[arg-type]
    assert {record.status for record in records} == {'done'}
    assert progress.finished == ('01',)
    assert 'tissue_volume' in (config.out_dir / 'status.tsv').read_text()
