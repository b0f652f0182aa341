"""Names of measures on the command line: known, misspelt, left out, only where named."""

from __future__ import annotations

from pathlib import Path

from command_lines import (
    PLACES,
    accept,
    only,
)

from mriderived.app.arguments import build_parser
from mriderived.app.checks import check_measures


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
