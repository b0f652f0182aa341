"""What each level does around the computation, with stubs for the computation."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from command_lines import record

from mriderived import cli
from mriderived.app import run_log, stages
from mriderived.app.exit_codes import ExitCode
from mriderived.bids.status import NoInputError, UnitRecord, write_record
from mriderived.config import Config, read_config, replace
from mriderived.group.stage import GroupResult

Skeleton = Callable[[str], Path]


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
    files = (PurePosixPath('tpl-X/func/tpl-X_desc-canica_components.nii.gz'),)
    result = GroupResult(tables, 3, 70, (), exports, files)
    reported: list[Path] = []
    asked: list[tuple[str, str | None]] = []

    def run_group(config: Config, measures: object, planned: Iterable[Any]) -> GroupResult:
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
    assert f'File    {config.out_dir / files[0]}' in out
    assert str(config.out_dir / 'group.html') in out


def test_a_refused_model_shows_in_the_exit_code(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = GroupResult((), 3, 70, (), refused=('gm ~ shoe: shoe is no column',))
    monkeypatch.setattr(stages, 'run_group', lambda *_: result)
    monkeypatch.setattr(stages, 'write_group_report', lambda _: None)
    asked = replace(config, level='group', models=('gm ~ shoe',))
    assert stages.process_group(asked) is ExitCode.UNIT_FAILED
    assert 'Refused gm ~ shoe: shoe is no column' in capsys.readouterr().out


def test_dry_run_of_an_export_tells_what_it_lacks(config: Config) -> None:
    write_record(config.out_dir, '01', [record()])
    group = replace(config, level='group', dry_run=True)
    assert stages.preview(group) is ExitCode.OK
    with pytest.raises(NoInputError, match='--export enigma needs surface_regions'):
        stages.preview(replace(group, export='enigma'))
    with pytest.raises(NoInputError, match='--tangent needs connectivity of two participants'):
        stages.preview(replace(group, tangent=True))
    with pytest.raises(NoInputError, match='--ica-components needs denoised_in_space of two'):
        stages.preview(replace(group, ica_components=9))


def test_reports_only(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for label in ('01', '02'):
        write_record(config.out_dir, label, [record(participant=label)])
    written: list[str] = []
    monkeypatch.setattr(stages, 'write_report', lambda config, label: written.append(label))
    stages.rewrite_reports(config)
    stages.rewrite_reports(replace(config, participant_labels=('02',)))
    assert written == ['01', '02', '02']


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
