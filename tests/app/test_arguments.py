"""Options to settings: every rule of the command line, and every complaint."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mriderived.app import settings
from mriderived.app.arguments import build_parser, read_command_line
from mriderived.app.checks import check_measures, check_settings
from mriderived.app.exit_codes import ExitCode, Problem, UsageError, combine_codes
from mriderived.app.settings import build_config, share_threads
from mriderived.bids.status import write_record
from mriderived.config import Config


def parse(*words: object) -> tuple[Config | None, list[Problem]]:
    texts, problems = read_command_line([str(word) for word in words])
    config, more = build_config(texts)
    return config, problems + more


def accept(*words: object) -> Config:
    config, problems = parse(*words)
    assert problems == []
    assert config is not None
    return config


def complaints(*words: object) -> str:
    return '\n'.join(map(str, parse(*words)[1]))


PLACES = ('/b', '/o', 'participant')


def test_defaults() -> None:
    config = accept(*PLACES)
    assert (config.bids_dir, config.out_dir, config.work_dir) == (
        Path('/b'), Path('/o'), Path('/o/work'))  # fmt: skip
    assert config.level == 'participant'
    assert config.nprocs >= config.omp_nthreads >= 1
    assert config.mem_gb > 0.1
    assert config.atlases == ('DesikanKilliany', 'Schaefer200')
    assert not config.dry_run


def test_defaults_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, 'available_cpus', lambda: 12)
    monkeypatch.setattr(settings, 'available_memory', lambda: 20.0)
    config = accept(*PLACES, '-p', '01 02')
    assert (config.nprocs, config.omp_nthreads, config.mem_gb) == (12, 6, 18.0)


@pytest.mark.parametrize(('nprocs', 'mem_gb', 'participants', 'threads'), [
    (2, 20.0, 6, 1), (2, 8.0, 6, 2), (2, 20.0, 1, 2), (64, 500.0, 1, 8), (1, 1.0, 0, 1),
])  # fmt: skip
def test_threads_are_shared(nprocs: int, mem_gb: float, participants: int, threads: int) -> None:
    assert share_threads(nprocs, mem_gb, participants) == threads


def test_all_options() -> None:
    config = accept(
        *PLACES, '--participant-label', '01', '--session-label', 'a', '--measures', 'x',
        '--skip-measures', 'y', '--atlases', 'A', '--output-spaces', 'S', '--skull-strip', 'skip',
        '--nprocs', '3', '--omp-nthreads', '2', '--mem', '8G', '-w', '/w', '--clean-workdir',
        '--device', 'cpu', '--anat-backend', 'deepmriprep', '--export', 'enigma',
        '--alff-definition', 'deviation', '--task-model', '/m.json',
        '--random-seed', '7', '--use-syn-sdc', '--sloppy', '--dry-run', '--reports-only',
        '--write-graph', '--stop-on-first-failure', '--skip-bids-validation', '-vv',
    )  # fmt: skip
    assert config == Config(
        bids_dir=Path('/b'), out_dir=Path('/o'), work_dir=Path('/w'), participant_labels=('01',),
        session_labels=('a',), measures=('x',), skip_measures=('y',), atlases=('A',),
        output_spaces=('S',), skull_strip='skip', nprocs=3, omp_nthreads=2, mem_gb=8.0,
        clean_workdir=True, device='cpu', anat_backend='deepmriprep', export='enigma',
        alff_definition='deviation', task_model=Path('/m.json'),
        random_seed=7, use_syn_sdc=True, sloppy=True, dry_run=True, reports_only=True,
        write_graph=True, stop_on_first_failure=True, skip_bids_validation=True, verbose=2,
    )  # fmt: skip


def test_every_long_option_is_in_the_help_and_documented() -> None:
    text = build_parser().format_help()
    page = (Path(__file__).parents[2] / 'docs' / 'usage.md').read_text()
    for flag in build_parser()._option_string_actions:
        assert flag in text
        assert f'`{flag}' in page or f', `{flag}' in page, flag


@pytest.mark.parametrize('words', [
    ('--participant-label', '01', '02'),
    ('--participant_label', '01', '02'),
    ('--participant_label=01', '--participant-label=02'),
    ('-p', '01', '-p', '02'),
    ('--participant-label', 'sub-01,sub-02'),
    ('--participant-label', '01 02'),
    ('--participant-label', 'sub-01', '01', '02', '02'),
])  # fmt: skip
def test_labels(words: tuple[str, ...]) -> None:
    assert accept(*PLACES, *words).participant_labels == ('01', '02')


def test_values_keep_their_underscores() -> None:
    assert accept(*PLACES, '--work_dir=/tmp/a_b').work_dir == Path('/tmp/a_b')
    assert accept(*PLACES, '--measures=tissue_volumes').measures == ('tissue_volumes',)


def test_file_of_labels(tmp_path: Path) -> None:
    path = tmp_path / 'some participants.txt'
    path.write_text('\ufeffsub-01\n\n# a comment\n02   \nsub-03 # left handed\n', encoding='utf-8')
    assert accept(*PLACES, '-p', path, '09').participant_labels == ('01', '02', '03', '09')


def test_participants_table_as_file_of_labels(tmp_path: Path) -> None:
    path = tmp_path / 'participants.tsv'
    path.write_text('participant_id\tage\nsub-01\t30\nsub-02\tn/a\n')
    assert accept(*PLACES, '-p', path).participant_labels == ('01', '02')


def test_missing_file_of_labels() -> None:
    (problem,) = parse(*PLACES, '-p', '/nowhere/labels.txt')[1]
    assert problem.code is ExitCode.NO_INPUT
    assert '/nowhere/labels.txt' in problem.message


@pytest.mark.parametrize('text', ['8', '0.5T8', 'G', '-8G', '', '8 000M', '500K'])
def test_bad_memory(text: str) -> None:
    assert '--mem' in complaints(*PLACES, f'--mem={text}')


@pytest.mark.parametrize(('text', 'size'), [
    ('8G', 8.0), ('8g', 8.0), ('8GB', 8.0), ('8GiB', 8.0), ('8 G', 8.0), ('8192M', 8.0),
    ('1.5T', 1536.0), ('4194304K', 4.0),
])  # fmt: skip
def test_memory(text: str, size: float) -> None:
    assert accept(*PLACES, '--mem', text).mem_gb == size


def test_memory_without_unit_gets_its_own_remedy() -> None:
    assert complaints(*PLACES, '--mem', '8') == '--mem 8 has no unit. Write --mem 8G for GiB.'


@pytest.mark.parametrize(('flag', 'value'), [
    ('--nprocs', '0'), ('--nprocs', 'two'), ('--nprocs', '2.5'), ('--omp-nthreads', '-1'),
    ('--random-seed', '-1'), ('--random-seed', '4294967296'), ('--skull-strip', 'yes'),
    ('--device', 'gpu'), ('--anat-backend', 'ants'),
])  # fmt: skip
def test_bad_values(flag: str, value: str) -> None:
    text = complaints(*PLACES, flag, value)
    assert text.startswith(f"{flag} cannot be '{value}'.")


@pytest.mark.parametrize('flag', [
    '--mem', '--nprocs', '--measures', '--participant-label', '--work-dir', '--config-file',
    '--bids-filter-file', '--device',
])  # fmt: skip
def test_options_without_value(flag: str) -> None:
    assert complaints(*PLACES, flag).startswith(f'{flag} has no value.')


def test_unknown_options_are_all_named() -> None:
    text = complaints(*PLACES, '--participants', '01', '--foo=3', '--ski', '-z')
    assert 'Unknown option --participants. Did you mean --participant-label?' in text
    assert 'Unknown option --foo.' in text
    assert 'Unknown option --ski.' in text  # no abbreviations: they change meaning with time
    assert 'Unknown option -z.' in text
    assert 'Unexpected' not in text


@pytest.mark.parametrize(('word', 'meant'), [
    ('--partic', '--participant-label'),
    ('--particpant', '--participant-label'),
    ('--participnat_label', '--participant-label'),
    ('--atlas', '--atlases'),
    ('--sesion', '--session-label'),
    ('--nthreads', '--omp-nthreads'),
    ('--dryrun', '--dry-run'),
    ('--skip', '--skip-bids-validation or --skip-measures'),
])  # fmt: skip
def test_an_abbreviated_or_misspelled_option_is_answered(word: str, meant: str) -> None:
    assert f'. Did you mean {meant}?' in complaints(*PLACES, word)


@pytest.mark.parametrize('word', ['--foo', '-z', '--xyz=1'])
def test_an_option_like_none_gets_no_suggestion(word: str) -> None:
    assert complaints(*PLACES, word).endswith('. See --help.')


def test_every_exit_code_is_in_the_help_and_documented() -> None:
    _, codes = build_parser().format_help().split('Exit codes:')
    page = (Path(__file__).parents[2] / 'docs' / 'usage.md').read_text()
    section = page.partition('## Exit codes')[2].partition('\n## ')[0]
    for code in ExitCode:
        assert re.search(rf'(^|[ ;\n]){int(code)} ', codes), code
        assert re.search(rf'^\| (\d+, )?{int(code)}(, \d+)? \|', section, re.MULTILINE), code


def test_surplus_argument() -> None:
    assert "Unexpected argument 'group'" in complaints(*PLACES, 'group')


def test_a_value_for_a_switch() -> None:
    with pytest.raises(UsageError, match='--sloppy'):
        parse(*PLACES, '--sloppy=3')


def test_unknown_level() -> None:
    config, problems = parse('/b', '/o', 'session', '--mem', '8')
    assert config is not None
    assert {problem.code for problem in problems} == {ExitCode.LEVEL, ExitCode.USAGE}
    assert combine_codes(problems) is ExitCode.LEVEL


def test_nothing_at_all() -> None:
    config, problems = parse()
    assert config is None
    assert combine_codes(problems) is ExitCode.USAGE
    assert 'Missing: bids_dir, out_dir, level' in str(problems[0])


def test_a_list_that_took_the_positional_arguments() -> None:
    text = complaints('--participant-label', '01', '/b', '/o', 'participant')
    assert 'A list took them' in text


def test_options_first_when_no_list_takes_them() -> None:
    config = accept('--nprocs', '2', '/b', '--participant-label=01', '/o', 'participant')
    assert (config.nprocs, config.out_dir) == (2, Path('/o'))


@pytest.mark.parametrize('label', ['a_b', '0/1', 'sub-', 'é'])
def test_labels_that_are_none(label: str, tmp_path: Path) -> None:
    path = tmp_path / 'labels.txt'
    path.write_text(label, encoding='utf-8')
    assert 'is not a BIDS label' in complaints(*PLACES, '-p', path)


def test_config_file_and_command_line(tmp_path: Path) -> None:
    path = tmp_path / 'run.toml'
    path.write_text(
        'version = "0.0.1"\nbids_dir = "/fb"\nout_dir = "/fo"\nlevel = "group"\nnprocs = 3\n'
        'participant_labels = ["sub-07"]\nmem_gb = 4\nmeasures = ["x", "y"]\nsloppy = true\n'
    )
    alone = accept('--config-file', path)
    assert (alone.bids_dir, alone.level, alone.nprocs) == (Path('/fb'), 'group', 3)
    assert alone.participant_labels == ('07',)
    both = accept(*PLACES, '--config-file', path, '--nprocs', '2', '--measures', 'z')
    assert (both.bids_dir, both.level, both.nprocs) == (Path('/b'), 'participant', 2)
    assert (both.measures, both.sloppy, both.mem_gb) == (('z',), True, 4.0)


@pytest.mark.parametrize(('content', 'expected', 'code'), [
    ('nprocs = 0', '--nprocs', ExitCode.USAGE),
    ('mem_gb = 0.2', '--mem', ExitCode.USAGE),
    ('n_procs = 2', 'n_procs is not a setting', ExitCode.BAD_DATA),
    ('= 2', 'is not valid TOML', ExitCode.BAD_DATA),
    (None, 'cannot be read', ExitCode.NO_INPUT),
])  # fmt: skip
def test_bad_config_file(
    content: str | None, expected: str, code: ExitCode, tmp_path: Path
) -> None:
    path = tmp_path / 'run.toml'
    if content is not None:
        path.write_text(content)
    (problem,) = parse(*PLACES, '--config-file', path)[1]
    assert expected in str(problem)
    assert problem.code is code


# What the folders say -------------------------------------------------------------------------


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


def only(problems: list[Problem]) -> Problem:
    (problem,) = problems
    return problem


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


def test_names_of_measures() -> None:
    known, steps = ('tissue_volumes', 'vbm'), ('brain', 'tissue')
    config = accept(*PLACES, '--measures', 'tissue_volume', 'brain', 'vbm', '--skip-measures', 'q')
    texts = [str(problem) for problem in check_measures(config, known, steps)]
    assert texts == [
        '--measures tissue_volume: there is no such measure. Did you mean tissue_volumes?',
        '--measures brain is a step of the preprocessing. It runs when needed.',
        '--skip-measures q: there is no such measure. Known: tissue_volumes, vbm.',
    ]


def test_measures_are_spelt_with_either_dash(tmp_path: Path) -> None:
    config = accept(*PLACES, '--measures', 'default,thickness-laplace', 'thickness_laplace',
                    '--skip-measures', 'tissue-volume')  # fmt: skip
    assert config.measures == ('default', 'thickness_laplace')
    assert config.skip_measures == ('tissue_volume',)
    assert config.asks_for_default
    (tmp_path / 'c.toml').write_text('measures = ["thickness-laplace", "a_b"]\n')
    config = accept(*PLACES, '--config-file', tmp_path / 'c.toml')
    assert config.measures == ('thickness_laplace', 'a_b')
    assert not config.asks_for_default
    assert accept(*PLACES).asks_for_default


def test_default_is_no_measure_to_skip() -> None:
    config = accept(*PLACES, '--measures', 'default', 'x', '--skip-measures', 'default')
    (problem,) = check_measures(config, ('vbm', 'x'), (), ('x',))
    assert str(problem).startswith('--skip-measures default: there is no such measure.')


def test_what_is_left_does_not_count_what_runs_only_where_named() -> None:
    known, opt_in = ('vbm', 'x'), ('x',)
    for words, problems in (
        (('--skip-measures', 'vbm'), 1),
        (('--measures', 'default', '--skip-measures', 'vbm'), 1),
        (('--measures', 'default', 'x', '--skip-measures', 'vbm'), 0),
        (('--measures', 'x'), 0),
    ):
        assert len(check_measures(accept(*PLACES, *words), known, (), opt_in)) == problems


def test_help_tells_how_to_add_a_measure_that_runs_only_where_named() -> None:
    text = ' '.join(build_parser().format_help().split())
    assert 'only where named, as in: default thickness_laplace (default: default)' in text


def test_nothing_left_to_measure() -> None:
    config = accept(*PLACES, '--measures', 'vbm', '--skip-measures', 'vbm')
    assert 'No measure is left' in str(only(check_measures(config, ('vbm', 'x'), ())))
