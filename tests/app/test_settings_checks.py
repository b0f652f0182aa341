"""What folders, labels and files say to the settings: every complaint and its code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_lines import PLACES, accept, only

from mriderived.app.arguments import POSITIONALS
from mriderived.app.checks import check_settings
from mriderived.app.exit_codes import ExitCode, Problem
from mriderived.app.settings import build_config
from mriderived.bids.status import write_record


@pytest.fixture
def bids_dir(tmp_path: Path) -> Path:
    root = tmp_path / 'bids'
    for name in ('sub-01/ses-a', 'sub-02/ses-b', 'derivatives'):
        (root / name).mkdir(parents=True)
    describe(root)
    return root


Check = Callable[..., list[Problem]]


@pytest.fixture
def check(bids_dir: Path, tmp_path: Path) -> Check:
    def run(out_dir: object = tmp_path / 'out', *options: object, level: str = 'participant'):  # type: ignore[no-untyped-def]
        return check_settings(accept(bids_dir, out_dir, level, *options))

    return run


def describe(bids_dir: Path) -> None:
    content = {'Name': 'none', 'BIDSVersion': '1.10.0'}
    (bids_dir / 'dataset_description.json').write_text(json.dumps(content))


def test_good_folders(check: Check, bids_dir: Path, tmp_path: Path) -> None:
    assert check() == []
    assert check(bids_dir / 'derivatives' / 'mriderived') == []
    assert check(tmp_path / 'out', '-w', tmp_path / 'scratch', '-p', '01', '02') == []


def test_bids_dir_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / 'file'
    file.touch()
    empty = tmp_path / 'empty'
    empty.mkdir()
    for path in (tmp_path / 'absent', file, empty):
        problem = only(check_settings(accept(path, tmp_path / 'out', 'participant')))
        assert problem.code is ExitCode.NO_INPUT
        assert str(path) in problem.message


def test_out_dir_amid_the_raw_data(check: Check, bids_dir: Path) -> None:
    assert 'out_dir is bids_dir' in only(check(bids_dir)).message
    problem = only(check(bids_dir / 'results'))
    assert 'inside bids_dir' in problem.message
    assert 'derivatives/mriderived' in problem.remedy


def test_work_dir(check: Check, bids_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    assert 'inside bids_dir' in only(check(out, '-w', bids_dir / 'work')).message
    for holder in (out, tmp_path):
        assert 'holds bids_dir or out_dir' in only(check(out, '-w', holder)).message


def test_out_dir_that_cannot_be_made(check: Check, tmp_path: Path) -> None:
    file = tmp_path / 'file'
    file.touch()
    problem = only(check(file / 'out'))
    assert problem.code is ExitCode.CANNOT_WRITE
    assert check(file / 'out', '--dry-run') == []


def test_out_dir_without_permission(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('os.access', lambda path, mode: Path(path) != tmp_path)
    problem = only(check(tmp_path / 'out'))
    assert problem.code is ExitCode.CANNOT_WRITE
    assert 'no permission' in problem.message


def test_export_is_for_the_group_level(check: Check, tmp_path: Path) -> None:
    write_record(tmp_path / 'out', '01', ())
    assert check(tmp_path / 'out', '--export', 'enigma', level='group') == []
    assert check(tmp_path / 'out', '--export', 'none') == []
    problem = only(check(tmp_path / 'out', '--export', 'enigma'))
    assert problem.code is ExitCode.USAGE
    assert problem.message == '--export enigma is an option of the group level.'
    problem = only(check(tmp_path / 'out', '--export', 'enigma', '--reports-only', level='group'))
    assert '--export enigma and --reports-only exclude each other' in problem.message


@pytest.mark.parametrize(('name', 'text', 'remedy'), [
    ('tracking_seeds', '10', 'from 1000 to 2000000'),
    ('tracking_seeds', 'many', 'from 1000 to 2000000'),
    ('tracking_algorithm', 'eudx', 'one of: probabilistic, deterministic'),
])  # fmt: skip
def test_settings_of_tracking(name: str, text: str, remedy: str) -> None:
    problem = only(build_config({name: text, 'bids_dir': '/b', 'out_dir': '/o',
                                 'level': 'participant'})[1])  # fmt: skip
    assert problem.message == f'--{name.replace("_", "-")} cannot be {text!r}.'
    assert remedy in problem.remedy


@pytest.mark.parametrize('option', ['--tangent', '--ica-components 20'])
def test_functional_options_are_for_the_group_level(
    check: Check, tmp_path: Path, option: str
) -> None:
    write_record(tmp_path / 'out', '01', ())
    words = option.split()
    assert check(tmp_path / 'out', *words, level='group') == []
    assert check(tmp_path / 'out', '--ica-components', '0') == []
    problem = only(check(tmp_path / 'out', *words))
    assert problem.message == f'{option} is an option of the group level.'
    problem = only(check(tmp_path / 'out', *words, '--reports-only', level='group'))
    assert f'{option} and --reports-only exclude each other' in problem.message


@pytest.mark.parametrize('number', ['1', '201', '-3', 'many', ''])
def test_numbers_of_components_that_cannot_be(number: str) -> None:
    texts = dict(zip(POSITIONALS, (*PLACES[:2], 'group'), strict=True))
    problems = build_config({**texts, 'ica_components': number})[1]
    assert 'from 2 to 200, or 0 for none' in only(problems).remedy


def test_labels_that_match_nothing(check: Check, tmp_path: Path) -> None:
    problems = check(tmp_path / 'out', '-p', '01', '1', '77', '--session-label', 'c')
    assert [problem.code for problem in problems] == [ExitCode.NO_MATCH] * 3
    assert "There is no participant '1'. Did you mean 01?" in str(problems[0])
    assert 'Known: a, b.' in str(problems[2])


def test_sessions_of_data_without_sessions_match_nothing(tmp_path: Path) -> None:
    bids_dir = tmp_path / 'bids'
    (bids_dir / 'sub-01' / 'anat').mkdir(parents=True)
    describe(bids_dir)
    config = accept(bids_dir, tmp_path / 'out', 'participant', '--session-label', 'c', 'd')
    problem = only(check_settings(config))
    assert problem.code is ExitCode.NO_MATCH
    assert problem.message == f'--session-label c d: no participant of {bids_dir} has a session.'


@pytest.mark.parametrize(('content', 'message'), [
    (None, 'is missing; a BIDS dataset must have it'), ('{', 'is not valid JSON'),
    ('[]', 'holds a list'), ('{"Name": "x"}', 'has no BIDSVersion'),
    ('{"Name": "x", "BIDSVersion": "1.9.0", "DatasetType": "derivative"}', 'is derivative'),
])  # fmt: skip
def test_description_of_the_dataset(
    content: str | None, message: str, check: Check, bids_dir: Path
) -> None:
    path = bids_dir / 'dataset_description.json'
    path.unlink()
    if content is not None:
        path.write_text(content)
    problem = only(check())
    assert problem.code is ExitCode.INVALID_BIDS
    assert problem.message.startswith(str(path))
    assert message in problem.message


def test_too_many_threads(check: Check, tmp_path: Path) -> None:
    problem = only(check(tmp_path / 'out', '--nprocs', '2', '--omp-nthreads', '4'))
    assert '--omp-nthreads 4' in problem.message


@pytest.mark.parametrize(('content', 'code'), [
    (None, ExitCode.NO_INPUT), ('{', ExitCode.BAD_DATA), ('[1]', ExitCode.BAD_DATA),
    ('{"t1w": 3}', ExitCode.BAD_DATA),
])  # fmt: skip
def test_filter_file(content: str | None, code: ExitCode, check: Check, tmp_path: Path) -> None:
    path = tmp_path / 'filter.json'
    if content is not None:
        path.write_text(content)
    assert only(check(tmp_path / 'out', '--bids-filter-file', path)).code is code
    path.write_text(json.dumps({'t1w': {'acquisition': 'mprage'}}))
    assert check(tmp_path / 'out', '--bids-filter-file', path) == []


def test_group_without_results(check: Check, tmp_path: Path) -> None:
    problem = only(check(tmp_path / 'out', level='group'))
    assert problem.code is ExitCode.NO_INPUT
    record = tmp_path / 'out' / 'logs' / 'sub-01' / 'units.json'
    record.parent.mkdir(parents=True)
    record.write_text('[]')
    assert check(tmp_path / 'out', level='group') == []
    assert check(tmp_path / 'out', '--reports-only', '-p', '02')[0].code is ExitCode.NO_MATCH
