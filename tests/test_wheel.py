"""The wheel holds what the app reads at run time."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytest.importorskip('hatchling')


def test_the_wheel_is_complete(tmp_path: Path) -> None:
    command = [sys.executable, '-m', 'hatchling', 'build', '-t', 'wheel', '-d', str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob('*.whl'))).namelist())
    for folder, inside in (
        ('templates', 'mriderived/_templates'),
        ('bids_validator_config', 'mriderived/_bids_validator_config'),
        ('src/mriderived/spaces/data', 'mriderived/spaces/data'),
    ):
        files = [path for path in (ROOT / folder).rglob('*') if path.is_file()]
        assert len(files) > 2
        for path in files:
            if '__pycache__' not in path.parts:
                assert f'{inside}/{path.relative_to(ROOT / folder).as_posix()}' in names
    assert 'mriderived/py.typed' in names
