"""End to end on series alone: a gradient table with a wrong sign is told, or mended."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.bids.status import UnitRecord, read_record
from mriderived.phantom.dataset import write_dataset
from mriderived.phantom.dwi_options import DwiOptions

pytestmark = pytest.mark.slow
PHANTOM = DwiOptions(
    voxel_mm=(4.0, 4.0, 4.0), shells=((1000.0, 12),), b0s=2, motion_mm=0.5, motion_degrees=0.5,
    dropouts=0, opposite='none', field=0.0, fibres='layers', keeps_clean=False,
)  # fmt: skip
SERIES = '{}_dir-AP_dwi'


def app(bids_dir: Path, out_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'mriderived', bids_dir, out_dir, 'participant',
               '--skip-bids-validation', '--measures', 'tensor', *options]  # fmt: skip
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture(scope='module')
def bids_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Participant 01, and as 02 the same series with a table whose y has the wrong sign."""
    folder = tmp_path_factory.mktemp('app_dwi') / 'bids'
    write_dataset(folder, participants=1, voxel_mm=6.0, dwi=True, dwi_options=PHANTOM)
    shutil.rmtree(folder / 'sub-01' / 'anat')
    shutil.rmtree(folder / 'sourcedata')
    (folder / 'sub-02' / 'dwi').mkdir(parents=True)
    for path in (folder / 'sub-01' / 'dwi').iterdir():
        shutil.copy(path, folder / 'sub-02' / 'dwi' / path.name.replace('sub-01', 'sub-02'))
    table = folder / 'sub-02' / 'dwi' / f'{SERIES.format("sub-02")}.bvec'
    np.savetxt(table, np.loadtxt(table) * [[1], [-1], [1]], fmt='%.6f')
    people = folder / 'participants.tsv'
    header, row = people.read_text().splitlines()[:2]
    people.write_text('\n'.join([header, row, row.replace('sub-01', 'sub-02')]) + '\n')
    return folder


@pytest.fixture(scope='module')
def told(bids_dir: Path) -> Iterator[Path]:
    """A run of both, of which one table is refused."""
    out_dir = bids_dir.parent / 'told'
    process = app(bids_dir, out_dir)
    assert process.returncode == 1, process.stdout + process.stderr
    yield out_dir


@pytest.fixture(scope='module')
def mended(bids_dir: Path) -> Iterator[Path]:
    """A run of the one with the wrong table, with ``--fix-gradients``."""
    out_dir = bids_dir.parent / 'mended'
    process = app(bids_dir, out_dir, '--fix-gradients', '--participant-label', '02')
    assert process.returncode == 0, process.stdout + process.stderr
    yield out_dir


def unit(out_dir: Path, label: str, measure: str) -> UnitRecord:
    (found,) = [r for r in read_record(out_dir, label) if r.measure == measure]
    return found


def load(out_dir: Path, label: str, parameter: str) -> np.ndarray:
    name = f'{SERIES.format(label)[:-4]}_model-tensor_param-{parameter}_dwimap.nii.gz'
    return np.asarray(nb.load(out_dir / label / 'dwi' / name).dataobj)


def test_the_right_table_is_said_to_be_right(told: Path) -> None:
    gradients = unit(told, '01', 'dwi_gradients')
    assert gradients.status == 'done'
    assert any('fibres run on best with this one' in note for note in gradients.notes)
    assert unit(told, '01', 'tensor').status == 'done'


def test_the_wrong_table_fails_its_unit_with_the_right_one(told: Path) -> None:
    gradients = unit(told, '02', 'dwi_gradients')
    assert gradients.status == 'failed'
    assert re.search(
        r'fibres run on better .* where y reversed .*Correct sub-02_dir-AP_dwi\.bvec .*'
        r'--fix-gradients', gradients.reason,
    ), gradients.reason  # fmt: skip
    tensor = unit(told, '02', 'tensor')
    assert tensor.status != 'done'
    assert not list((told / 'sub-02').glob('dwi/*model-tensor*'))
    report = (told / 'sub-02.html').read_text()
    assert 'where y reversed' in report
    assert 'y reversed' in (told / 'status.tsv').read_text()


def test_the_mended_table_gives_what_the_right_one_gives(told: Path, mended: Path) -> None:
    notes = unit(mended, '02', 'dwi_gradients').notes
    assert any(note.endswith('It was taken (--fix-gradients).') for note in notes), notes
    right, fixed = load(told, 'sub-01', 'fa'), load(mended, 'sub-02', 'fa')
    seen = right > 0
    assert ((fixed > 0) == seen).all()
    assert seen.sum() > 10_000
    # the tables differ in the sixth digit, and the course of the head is found by iteration
    np.testing.assert_allclose(fixed[seen], right[seen], atol=1e-3)
    right, fixed = load(told, 'sub-01', 'v1'), load(mended, 'sub-02', 'v1')
    cosine = np.abs((right * fixed).sum(axis=-1))[seen]
    clear = load(told, 'sub-01', 'fa')[seen] > 0.2
    assert cosine[clear].min() > 1 - 1e-4
    # the second component is not small, so that a wrong sign would be seen
    assert np.median(np.abs(right[seen][clear][:, 1])) > 0.3
