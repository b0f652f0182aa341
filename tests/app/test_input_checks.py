"""What is refused before anything is written, and what is only a warning."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mriderived import cli
from mriderived.app import input_checks, stages
from mriderived.app.exit_codes import ExitCode
from mriderived.bids import validate
from mriderived.bids.description import write_description
from mriderived.bids.status import UnitRecord, write_record
from mriderived.bids.validate import Issue, ValidationResult
from mriderived.config import Config

Skeleton = Callable[[str], Path]
UNIT = UnitRecord('01', None, 'sub-01/anat/sub-01_T1w.nii.gz', 'brain', None, 'done')


@pytest.fixture
def bids_dir(skeleton: Skeleton) -> Path:
    return skeleton('single')


@pytest.fixture
def out_dir(tmp_path: Path) -> Path:
    return tmp_path / 'out'


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let stubs answer for what computes, and note that they were called."""
    called: list[str] = []

    def run(config: Config, labels: Any, progress: Any) -> tuple[UnitRecord, ...]:
        called.append('participant')
        return (UNIT,)

    def group(config: Config) -> ExitCode:
        called.append('group')
        return ExitCode.OK

    def reports(config: Config) -> ExitCode:
        called.append('reports')
        return ExitCode.OK

    monkeypatch.setattr(stages, 'run_participants', run)
    monkeypatch.setattr(stages, 'process_group', group)
    monkeypatch.setattr(stages, 'rewrite_reports', reports)
    return called


def run(bids_dir: Path, out_dir: Path, *options: str, level: str = 'participant') -> int:
    return cli.main([str(bids_dir), str(out_dir), level, *options])


def judge_with(monkeypatch: pytest.MonkeyPatch, *errors: Issue) -> None:
    verdict = ValidationResult(16 if errors else 0, errors, ())
    monkeypatch.setattr(input_checks, 'validate_dataset', lambda root, kind: verdict)


# The validator --------------------------------------------------------------------------------


def test_an_invalid_dataset_is_refused(
    bids_dir: Path, out_dir: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], calls: list[str],
) -> None:  # fmt: skip
    judge_with(monkeypatch, *(Issue('CODE', f'/sub-{number}', 'bad') for number in range(12)))
    assert run(bids_dir, out_dir) == ExitCode.INVALID_BIDS
    err = capsys.readouterr().err
    assert 'is not valid BIDS (12 errors):' in err
    assert '/sub-9: CODE bad\n  and 2 more\n' in err
    assert '--skip-bids-validation' in err
    assert calls == []
    assert not out_dir.exists()
    assert run(bids_dir, out_dir, '--skip-bids-validation') == ExitCode.OK


def test_without_validator_a_warning_names_the_extra(
    bids_dir: Path, out_dir: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(validate, '_EXECUTABLE', 'no-such-validator')
    assert run(bids_dir, out_dir) == ExitCode.OK
    (line,) = [line for line in capsys.readouterr().err.splitlines() if 'WARNING' in line]
    assert 'single was not validated: no-such-validator is not installed' in line
    assert "pip install 'mriderived[validator]'" in line
    assert '--skip-bids-validation' in line


@pytest.mark.parametrize(('script', 'said'), [
    ('#!/bin/sh\necho first >&2; echo out of memory >&2; exit 3', '(exit code 3); it said: first'),
    ('#!/bin/sh\nkill -9 $$', '(exit code -9); it said: nothing'),
    ('#!/nonexistent/deno', 'cannot be started: No such file or directory'),
])  # fmt: skip
def test_a_validator_that_crashes_is_a_warning_that_stays_in_the_log(
    script: str, said: str, bids_dir: Path, out_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], calls: list[str],
) -> None:  # fmt: skip
    tool = tmp_path / 'validator'
    tool.write_text(script + '\n')
    tool.chmod(0o755)
    monkeypatch.setattr(validate, 'find_validator', lambda: tool)
    assert run(bids_dir, out_dir) == ExitCode.OK
    assert calls == ['participant']
    err = capsys.readouterr().err
    (log,) = out_dir.glob('logs/*.log')
    for text in (err, log.read_text()):
        assert 'WARNING' in text
        assert 'single was not validated: ' in text
        assert said in text
        assert 'To do without, give --skip-bids-validation' in text
    assert ('out of memory' in err) == ('memory' in script)
    assert log.read_text().count('was not validated') == 1


# Nothing is written ---------------------------------------------------------------------------


@pytest.mark.parametrize(('options', 'code'), [
    (['--measures', 'nothing'], ExitCode.USAGE),
    (['--atlases', 'NoSuchAtlas'], ExitCode.NO_INPUT),
    (['-p', '77'], ExitCode.NO_MATCH),
    (['--session-label', 'a'], ExitCode.NO_MATCH),
    (['--bids-filter-file', 'absent.json'], ExitCode.NO_INPUT),
])  # fmt: skip
def test_a_run_that_is_refused_leaves_nothing(
    options: list[str], code: ExitCode, bids_dir: Path, out_dir: Path, tmp_path: Path,
    calls: list[str],
) -> None:  # fmt: skip
    before = sorted(tmp_path.rglob('*'))
    assert run(bids_dir, out_dir, *options, '-w', str(tmp_path / 'work')) == code
    assert sorted(tmp_path.rglob('*')) == before
    assert calls == []


@pytest.mark.parametrize('options', [[], ['--dry-run']])
def test_a_filter_that_matches_nothing_is_refused(
    options: list[str], bids_dir: Path, out_dir: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], calls: list[str],
) -> None:  # fmt: skip
    path = tmp_path / 'filter.json'
    path.write_text('{"t1w": {"acquisition": "none"}}')
    before = sorted(tmp_path.rglob('*'))
    words = ['--bids-filter-file', str(path), '--skip-bids-validation', *options]
    assert run(bids_dir, out_dir, *words) == ExitCode.NO_MATCH
    assert sorted(tmp_path.rglob('*')) == before
    assert calls == []
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f'mriderived: --bids-filter-file {path}: no T1w')
    assert 'image of 1 participant in ' in line
    path.write_text('{"t1w": {"acquisition": null}}')
    assert run(bids_dir, out_dir, *words) == ExitCode.OK


def test_sessions_of_others_match_nothing(
    skeleton: Skeleton, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bids_dir = skeleton('sessions')
    words = ['--skip-bids-validation', '--session-label', 'b', '-p']
    assert run(bids_dir, out_dir, *words, '03') == ExitCode.NO_MATCH
    assert '--session-label b: no T1w' in capsys.readouterr().err
    assert not out_dir.exists()


@pytest.mark.parametrize('content', ['{', '{"DatasetType": "derivative"}'])
def test_a_bad_description_comes_before_the_validator(
    content: str, bids_dir: Path, out_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_checks, 'check_input', lambda config: pytest.fail('too late'))
    (bids_dir / 'dataset_description.json').write_text(content)
    assert run(bids_dir, out_dir) == ExitCode.INVALID_BIDS
    assert not out_dir.exists()


def test_other_settings_are_refused_before_the_work_folder_is_made(
    bids_dir: Path, out_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_with(monkeypatch)
    assert run(bids_dir, out_dir) == ExitCode.OK
    work = tmp_path / 'elsewhere'
    assert run(bids_dir, out_dir, '--sloppy', '-w', str(work)) == ExitCode.CANNOT_WRITE
    assert not work.exists()


def test_a_folder_that_no_one_can_make(
    bids_dir: Path, capsys: pytest.CaptureFixture[str], calls: list[str]
) -> None:
    out_dir = Path('/proc/mriderived')
    assert run(bids_dir, out_dir, '--skip-bids-validation') == ExitCode.CANNOT_WRITE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('mriderived: out_dir /proc/mriderived cannot be ')
    assert calls == []


def test_without_a_temporary_folder_the_work_folder_must_do(
    bids_dir: Path, out_dir: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    def refuse(threads: int) -> Any:
        raise FileNotFoundError(2, 'No usable temporary directory found')

    monkeypatch.setattr(cli, 'scratch_environment', refuse)
    assert run(bids_dir, out_dir, '--skip-bids-validation') == ExitCode.OK
    assert calls == ['participant']
    assert os.environ['TMPDIR'] == str(out_dir / 'work' / 'cache' / 'tmp')


# Results of others ----------------------------------------------------------------------------


@pytest.fixture
def results(bids_dir: Path, out_dir: Path) -> Path:
    config = Config(bids_dir, out_dir, out_dir / 'work', sloppy=True)
    write_description(out_dir, bids_dir, config)
    write_record(out_dir, '01', [UNIT])
    return out_dir


def edit_generator(out_dir: Path, **fields: object) -> None:
    path = out_dir / 'dataset_description.json'
    content = json.loads(path.read_text())
    content['GeneratedBy'][0].update(fields)
    path.write_text(json.dumps(content))


READING = [('group', []), ('participant', ['--reports-only']), ('group', ['--reports-only'])]


@pytest.mark.parametrize(('level', 'options'), READING)
def test_reading_results_needs_no_settings_again(
    level: str, options: list[str], results: Path, bids_dir: Path, calls: list[str]
) -> None:
    assert run(bids_dir, results, *options, level=level) == ExitCode.OK
    assert run(bids_dir, results, *options, '--sloppy', level=level) == ExitCode.OK
    assert calls == ['reports' if options else 'group'] * 2


@pytest.mark.parametrize(('level', 'options'), [*READING, ('group', ['--dry-run'])])
def test_results_of_another_version_or_maker_are_refused(
    level: str, options: list[str], results: Path, bids_dir: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], calls: list[str],
) -> None:  # fmt: skip
    work = ['-w', str(tmp_path / 'work')]
    seed = ['--random-seed', '7']
    assert run(bids_dir, results, *options, *work, *seed, level=level) == ExitCode.CANNOT_WRITE
    assert 'holds results of random_seed = 42 (now 7)' in capsys.readouterr().err
    edit_generator(results, Version='0.0.9')
    before = sorted(tmp_path.rglob('*'))
    assert run(bids_dir, results, *options, *work, level=level) == ExitCode.CANNOT_WRITE
    assert 'holds results of version 0.0.9 (now ' in capsys.readouterr().err
    edit_generator(results, Name='fMRIPrep')
    assert run(bids_dir, results, *options, *work, level=level) == ExitCode.CANNOT_WRITE
    assert 'made by fMRIPrep' in capsys.readouterr().err
    assert sorted(tmp_path.rglob('*')) == before
    assert calls == []


# Filter files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(('content', 'said', 'code'), [
    (None, 'cannot be read: No such file', ExitCode.NO_INPUT),
    ('{', 'is not valid JSON', ExitCode.BAD_DATA),
    ('[]', 'does not hold filters', ExitCode.BAD_DATA),
    ('{"t1w": {"colour": 1}}', "unknown entity 'colour'", ExitCode.BAD_DATA),
])  # fmt: skip
def test_a_bad_filter_file_is_named_once(
    content: str | None, said: str, code: ExitCode, bids_dir: Path, out_dir: Path,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / 'filter.json'
    if content is not None:
        path.write_text(content)
    assert run(bids_dir, out_dir, '--bids-filter-file', str(path)) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert str(path) in line
    assert 'datalad' not in line


def test_nothing_is_kept_for_a_log_that_is_there(bids_dir: Path, out_dir: Path) -> None:
    before = list(logging.getLogger().handlers)
    assert run(bids_dir, out_dir, '--skip-bids-validation') == ExitCode.OK
    assert logging.getLogger().handlers == before
