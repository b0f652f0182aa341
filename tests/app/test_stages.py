"""What each level does around the computation, with stubs for the computation."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from mriderived import cli
from mriderived.app import run_log, stages
from mriderived.app.exit_codes import ExitCode
from mriderived.app.preview import estimate, print_preview
from mriderived.bids.status import NoInputError, UnitRecord, write_record
from mriderived.config import Config, read_config, replace
from mriderived.spaces import bundled_atlases
from mriderived.workflows.plan import PlannedUnit

Skeleton = Callable[[str], Path]


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    tempfile.tempdir = None


@pytest.fixture
def config(skeleton: Skeleton, tmp_path: Path) -> Config:
    out_dir = tmp_path / 'out'
    return Config(skeleton('single'), out_dir, out_dir / 'work', skip_bids_validation=True)


def record(status: Any = 'done', **changes: Any) -> UnitRecord:
    values = {'participant': '01', 'session': None, 'image': 'sub-01/anat/sub-01_T1w.nii.gz',
              'measure': 'brain', 'variant': None, 'status': status, **changes}  # fmt: skip
    return UnitRecord(**values)


def answer_with(
    monkeypatch: pytest.MonkeyPatch, *records: UnitRecord
) -> list[tuple[Config, tuple[str, ...]]]:
    """Let a stub answer with these records, and return its calls."""
    calls = []

    def run(config: Config, labels: Sequence[str], progress: Any) -> tuple[UnitRecord, ...]:
        calls.append((config, tuple(labels)))
        progress.stop()
        return records

    monkeypatch.setattr(stages, 'run_participants', run)
    return calls


def test_participants(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = 'image is constant'
    calls = answer_with(
        monkeypatch, record(), record(), record('failed', reason=reason, variant='A'),
        record('not_available'),
    )  # fmt: skip
    assert stages.process_participants(config) is ExitCode.UNIT_FAILED
    assert calls == [(config, ('01',))]
    out = capsys.readouterr().out
    assert '1 participant, 4 units of work: 2 done, 1 failed, 1 not available' in out
    assert f'failed: sub-01/anat/sub-01_T1w.nii.gz brain [A]: {reason}' in out
    for name in ('status.tsv', 'sub-*.html', 'logs'):
        assert str(config.out_dir / name) in out
    assert (config.out_dir / 'dataset_description.json').exists()


def test_settings_and_log_are_kept(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, record())
    run_log.show_log(0)
    try:
        stages.process_participants(config)
        logging.getLogger('somelibrary').info('chatter')
    finally:
        run_log.stop_log()
    (settings,) = config.out_dir.glob('logs/*.toml')
    assert Config(**read_config(settings)) == config
    (log,) = config.out_dir.glob('logs/*.log')
    assert log.stem == settings.stem
    assert 'chatter' in log.read_text()


@pytest.mark.parametrize(('records', 'changes', 'code'), [
    ([record(), record('skipped'), record('not_available')], {}, ExitCode.OK),
    ([record(), record('failed')], {}, ExitCode.UNIT_FAILED),
    ([record('not_available', image='n/a')], {}, ExitCode.NO_INPUT),
    ([record('not_available', image='n/a')], {'session_labels': ('a',)}, ExitCode.NO_MATCH),
    ([record('not_available', image='n/a'), record()], {}, ExitCode.OK),
    ([record('failed', image='n/a')], {}, ExitCode.UNIT_FAILED),
])  # fmt: skip
def test_code_follows_from_the_records(
    records: list[UnitRecord], changes: dict[str, Any], code: ExitCode, config: Config
) -> None:
    assert stages.judge(replace(config, **changes), records) is code


def test_output_folder_of_other_settings_is_refused(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_with(monkeypatch, record())
    words = [str(config.bids_dir), str(config.out_dir), 'participant', '--skip-bids-validation']
    assert cli.main(words) == 0
    assert cli.main([*words, '--random-seed', '43']) == ExitCode.CANNOT_WRITE
    assert 'random_seed = 42 (now 43)' in capsys.readouterr().err


def test_group(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = (PurePosixPath('phenotype/brain.tsv'), PurePosixPath('phenotype/mriderived.tsv'))
    exports = (PurePosixPath('exports/enigma/LandRvolumes.csv'),)
    result = SimpleNamespace(
        tables=tables, participants=3, columns=70, warnings=(), exports=exports, maps=()
    )
    reported: list[Path] = []
    asked: list[tuple[str, str | None]] = []

    def run_group(config: Config, measures: object, planned: Iterable[Any]) -> SimpleNamespace:
        asked.extend(planned)
        return result

    leave = replace(config, measures=('regional_volume',), atlases=('AAL3',))
    (config.out_dir / 'logs').mkdir(parents=True, exist_ok=True)
    (config.out_dir / 'logs' / 'earlier.toml').write_text(leave.to_toml())
    monkeypatch.setattr(stages, 'run_group', run_group)
    monkeypatch.setattr(stages, 'write_group_report', reported.append)
    assert stages.process_group(replace(config, level='group')) is ExitCode.OK
    # What earlier runs asked for has its columns.
    assert asked == [('regional_volume', 'AAL3')]
    assert reported == [config.out_dir]
    out = capsys.readouterr().out
    assert '3 participants, 70 columns' in out
    assert str(config.out_dir / 'phenotype' / 'mriderived.tsv') in out
    assert f'Export  {config.out_dir / exports[0]}' in out
    assert str(config.out_dir / 'group.html') in out


def test_dry_run_of_an_export_tells_what_it_lacks(config: Config) -> None:
    write_record(config.out_dir, '01', [record()])
    group = replace(config, level='group', dry_run=True)
    assert stages.preview(group) is ExitCode.OK
    with pytest.raises(NoInputError, match='--export enigma needs surface_regions'):
        stages.preview(replace(group, export='enigma'))


def test_reports_only(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for label in ('01', '02'):
        write_record(config.out_dir, label, [record(participant=label)])
    written: list[str] = []
    monkeypatch.setattr(stages, 'write_report', lambda config, label: written.append(label))
    stages.rewrite_reports(config)
    stages.rewrite_reports(replace(config, participant_labels=('02',)))
    assert written == ['01', '02', '02']


# Dry run --------------------------------------------------------------------------------------


def planned(participant: str, state: Any = 'to run', minutes: float = 1.0) -> PlannedUnit:
    image = f'sub-{participant}/anat/x_T1w.nii.gz'
    reason = 'no [left]' if state == 'not available' else ''
    return PlannedUnit(participant, None, image, 'tissue', None, state, reason, minutes)


def test_preview(capsys: pytest.CaptureFixture[str]) -> None:
    units = [planned('01'), planned('01', 'done', 0), planned('02', 'not available', 0)]
    print_preview(units, workers=2, each_gb=5.0)
    out = capsys.readouterr().out
    assert re.search(r'sub-01 *\n.*\n *x_T1w.nii.gz +tissue +to run +1\.0', out)
    assert re.search(r'not available +no \[left\]', out)
    assert '2 participants, 3 units: 1 to run, 1 done, 1 not available' in out
    assert 'about 1 min and 5 GiB with 1 participant at a time' in out
    assert 'Nothing was written.' in out
    assert 'Only where named' not in out
    print_preview(units, workers=2, each_gb=5.0, unasked=('b', 'b_regions'))
    assert 'Only where named: --measures default b b_regions\n' in capsys.readouterr().out


def test_a_bad_image_is_blamed_once(capsys: pytest.CaptureFixture[str]) -> None:
    bad = dataclasses.replace(planned('01', 'bad input', 0), reason='it is cut off')
    other = dataclasses.replace(bad, image='sub-01/anat/y_T1w.nii.gz')
    print_preview([bad, bad, bad, other, other], workers=1, each_gb=5.0)
    out = capsys.readouterr().out
    assert out.count('bad input') == 5 + 1  # the sums
    assert out.count('it is cut off') == 2


def test_estimate() -> None:
    units = [planned('01'), planned('01'), planned('02'), planned('03'), planned('04', 'done', 0)]
    assert estimate(units, 1) == (4.0, 1)
    assert estimate(units, 2) == (2.0, 2)
    assert estimate(units, 8) == (2.0, 3)  # no shorter than the longest participant
    assert estimate([planned('01', 'done', 0)], 2) == (0.0, 0)


def test_one_is_no_plural(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    print_preview([planned('01')], workers=1, each_gb=2.5)
    out = capsys.readouterr().out
    assert '1 participant, 1 unit: 1 to run' in out
    assert 'about 1 min and 2.5 GiB with 1 participant at a time' in out
    write_record(config.out_dir, '01', [record()])
    stages.preview(replace(config, level='group', dry_run=True))
    assert '1 participant with results in ' in capsys.readouterr().out


@pytest.mark.parametrize(('is_filtered', 'code'), [
    (True, ExitCode.NO_MATCH), (False, ExitCode.NO_INPUT),
])  # fmt: skip
def test_dry_run_of_no_image_has_the_code_of_the_run(
    is_filtered: bool, code: ExitCode, config: Config
) -> None:
    for image in config.bids_dir.rglob('*_T1w.nii.gz'):
        image.unlink()
    changes = {'session_labels': ('a',)} if is_filtered else {}
    assert stages.preview(replace(config, dry_run=True, **changes)) is code


def test_dry_run_of_a_dataset_writes_nothing(
    skeleton: Skeleton, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bids_dir = skeleton('single')
    before = sorted(tmp_path.rglob('*'))
    words = [str(bids_dir), str(tmp_path / 'out'), 'participant', '--dry-run',
             '--skip-bids-validation']  # fmt: skip
    assert cli.main(words) == 0
    assert sorted(tmp_path.rglob('*')) == before
    out = capsys.readouterr().out
    assert 'sub-01' in out
    assert 'Nothing was written.' in out
    opt_in = ['thickness_laplace', 'thickness_laplace_regions']
    assert f'Only where named: --measures default {" ".join(opt_in)}\n' in out
    assert out.count('thickness_laplace') == 2
    assert cli.main([*words, '--measures', 'default', 'thickness-laplace']) == 0
    more = capsys.readouterr().out
    assert re.search(r'T1w.nii.gz +thickness_laplace +bad input', more)
    assert re.search(r'T1w.nii.gz +tissue_volume +bad input', more)
    assert f'Only where named: --measures default {opt_in[1]}\n' in more


def test_unknown_names_of_a_real_run(
    skeleton: Skeleton, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(skeleton('single')), str(tmp_path / 'out'), 'participant', '--dry-run',
             '--measures', 'tissue_volumes', '--atlases', 'NoSuchAtlas', '--mem', '9']  # fmt: skip
    assert cli.main(words) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert '--measures tissue_volumes: there is no such measure.' in err
    assert '--atlases NoSuchAtlas' in err
    assert f'Shipped are: {", ".join(bundled_atlases())}.' in err
    assert err.count('NoSuchAtlas: ') == 1
    assert '--mem 9 has no unit.' in err


# Logging --------------------------------------------------------------------------------------


@pytest.mark.parametrize(('verbose', 'shown'), [
    (0, ['our warning']), (1, ['our info', 'our warning']),
    (2, ['our debug', 'our info', 'our warning', 'their warning']),
])  # fmt: skip
def test_what_the_terminal_shows(
    verbose: int, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger('nipype').addHandler(logging.StreamHandler(sys.stdout))  # as nipype does
    run_log.show_log(verbose)
    try:
        ours, theirs = logging.getLogger('mriderived.x'), logging.getLogger('nipype.workflow')
        ours.debug('our debug')
        ours.info('our info')
        ours.warning('our warning')
        theirs.warning('their warning')
    finally:
        run_log.stop_log()
    captured = capsys.readouterr()
    assert [line.split(': ')[1] for line in captured.err.splitlines()] == shown
    assert captured.out == ''


def test_a_child_process_writes_to_the_log_of_the_run(config: Config) -> None:
    try:
        path = run_log.start_log(config, 'run')
        root = logging.getLogger()
        for handler in [h for h in root.handlers if isinstance(h, logging.FileHandler)]:
            root.removeHandler(handler)  # as in a process that has just begun
        run_log.follow_log()
        logging.getLogger('nipype.workflow').warning('from the child')
    finally:
        run_log.stop_log()
    assert 'from the child' in path.read_text()


@pytest.mark.parametrize('has_gpu', [True, False])
def test_cuda_is_checked_before_the_run(
    has_gpu: bool,
    skeleton: Skeleton,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr('torch.cuda.is_available', lambda: has_gpu)
    calls = answer_with(monkeypatch, record())
    words = [str(skeleton('single')), str(tmp_path / 'out'), 'participant', '--device', 'cuda',
             '--skip-bids-validation']  # fmt: skip
    assert cli.main(words) == (ExitCode.OK if has_gpu else ExitCode.USAGE)
    assert len(calls) == has_gpu
    assert ('--device cuda: no usable GPU' in capsys.readouterr().err) != has_gpu
