"""Where libraries write and how many threads they take, whoever runs it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from command_lines import run_python

from mriderived.app.environment import describe_environment, scratch_environment


def test_environment_without_home_and_name() -> None:
    variables = describe_environment(Path('/w/cache'), 4, {})
    assert variables['HOME'] == '/w/cache'
    assert variables['USER'] == 'mriderived'
    assert variables['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] == '1'
    assert variables['NO_ET'] == variables['NIPYPE_NO_ET'] == '1'
    assert 'TEMPLATEFLOW_HOME' not in variables


def test_environment_keeps_home_and_a_filled_templateflow(tmp_path: Path) -> None:
    current = {'HOME': str(tmp_path), 'USER': 'me'}
    assert 'TEMPLATEFLOW_HOME' not in describe_environment(Path('/w'), 1, current)
    (tmp_path / '.cache' / 'templateflow').mkdir(parents=True)
    variables = describe_environment(Path('/w'), 1, current)
    assert variables['TEMPLATEFLOW_HOME'] == str(tmp_path / '.cache' / 'templateflow')
    assert not {'HOME', 'USER'} & variables.keys()
    chosen = {**current, 'TEMPLATEFLOW_HOME': '/tf'}
    assert 'TEMPLATEFLOW_HOME' not in describe_environment(Path('/w'), 1, chosen)


def test_fonts_are_listed_once_by_user(tmp_path: Path) -> None:
    current, cache = {'HOME': str(tmp_path)}, Path('/w/cache')
    redirected = str(cache / 'matplotlib')
    assert describe_environment(cache, 1, current)['MPLCONFIGDIR'] == redirected
    known = tmp_path / '.cache' / 'matplotlib'
    known.mkdir(parents=True)
    assert describe_environment(cache, 1, current)['MPLCONFIGDIR'] == redirected
    (known / 'fontlist-v390.json').write_text('{}')
    assert describe_environment(cache, 1, current)['MPLCONFIGDIR'] == str(known)
    chosen = {**current, 'MPLCONFIGDIR': str(tmp_path / 'empty')}
    assert describe_environment(cache, 1, chosen)['MPLCONFIGDIR'] == redirected


def test_temporary_files_go_to_the_work_folder(tmp_path: Path) -> None:
    done = run_python(f"""
        import tempfile
        from pathlib import Path
        tempfile.gettempdir()
        from mriderived.app.environment import prepare_environment
        prepare_environment(Path({str(tmp_path)!r}), 1)
        print(tempfile.gettempdir())
    """)
    assert done.stdout.strip() == str(tmp_path / 'cache' / 'tmp'), done.stderr


def test_scratch_is_removed_after_an_error() -> None:
    with pytest.raises(ValueError, match='x'), scratch_environment(1):
        folder = Path(os.environ['TMPDIR'])
        assert folder.is_dir()
        raise ValueError('x')
    assert not folder.exists()
    assert tempfile.gettempdir() != str(folder)
