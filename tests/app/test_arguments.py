"""Options to settings: every rule of the command line, and every complaint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_lines import (
    PLACES,
    accept,
    complaints,
    parse,
)

from mriderived.app import settings
from mriderived.app.arguments import build_parser
from mriderived.app.exit_codes import ExitCode, UsageError, combine_codes
from mriderived.app.settings import share_threads
from mriderived.config import Config


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
        '--alff-definition', 'deviation', '--reho-neighbours', '19', '--task-model', '/m.json',
        '--ica-components', '20', '--tangent', '--random-seed', '7', '--use-syn-sdc',
        '--fix-gradients', '--tracking-algorithm', 'deterministic', '--tracking-seeds', '1000000',
        '--sloppy', '--wmh-model', '/n.pt', '--t1t2-calibration', 'csf-wm',
        '--dry-run', '--reports-only', '--write-graph', '--stop-on-first-failure',
        '--skip-bids-validation', '-vv',
    )  # fmt: skip
    assert config == Config(
        bids_dir=Path('/b'), out_dir=Path('/o'), work_dir=Path('/w'), participant_labels=('01',),
        session_labels=('a',), measures=('x',), skip_measures=('y',), atlases=('A',),
        output_spaces=('S',), skull_strip='skip', nprocs=3, omp_nthreads=2, mem_gb=8.0,
        clean_workdir=True, device='cpu', anat_backend='deepmriprep', export='enigma',
        alff_definition='deviation', reho_neighbours='19', task_model=Path('/m.json'),
        ica_components=20, tangent=True, random_seed=7, use_syn_sdc=True,
        fix_gradients=True, tracking_algorithm='deterministic', tracking_seeds=1_000_000,
        sloppy=True, wmh_model=Path('/n.pt'), t1t2_calibration='csf-wm',
        dry_run=True, reports_only=True, write_graph=True, stop_on_first_failure=True,
        skip_bids_validation=True, verbose=2,
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
