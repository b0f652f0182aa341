"""End to end on a synthetic head: run, rerun, kill, share a folder, break an image, validate."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import ants
import numpy as np
import pytest

from mriderived.bids.status import read_record
from mriderived.phantom.dataset import write_dataset

pytestmark = pytest.mark.slow
#: Differ between runs by nature: logs, and the reports, which show times.
VOLATILE = ('logs', 'work')
#: In which a run is killed.
STAGES = ('brain', 'registration', 'atlas', 'regional_volume', 'vbm')
FIRST = ('--participant-label', '01')
POINTS = [(x, y, z) for x in (-40, 1, 45) for y in (-60, 2, 30) for z in (-30, 3, 50)]


def app(*arguments: str | Path, wait: bool = True) -> subprocess.Popen[str]:
    command = [sys.executable, '-m', 'mriderived', *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    if wait:
        process.output = process.communicate()[0]  # type: ignore[attr-defined]
    return process


def participant(bids_dir: Path, out_dir: Path, *options: str | Path) -> subprocess.Popen[str]:
    return app(bids_dir, out_dir, 'participant', '--sloppy', '--skip-bids-validation',
               '--atlases', 'DesikanKilliany', *options)  # fmt: skip


def tree(out_dir: Path) -> dict[str, str]:
    """Return the hash of every output but logs and reports."""
    files = (path for path in sorted(out_dir.rglob('*')) if path.is_file())
    return {
        str(path.relative_to(out_dir)): digest(path)
        for path in files
        if path.relative_to(out_dir).parts[0] not in VOLATILE and path.suffix != '.html'
    }


def digest(path: Path) -> str:
    if path.suffix == '.h5':  # HDF5 stores when it was written
        transform = ants.read_transform(str(path))
        moved = [transform.apply_to_point(point) for point in POINTS]
        return np.array(moved).tobytes().hex()
    data = gzip.decompress(path.read_bytes()) if path.suffix == '.gz' else path.read_bytes()
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope='module')
def bids_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('app') / 'bids'
    write_dataset(folder, participants=2, voxel_mm=2.0)
    return folder


@pytest.fixture(scope='module')
def out_dir(bids_dir: Path) -> Iterator[Path]:
    """Uninterrupted runs: everything of the first participant, some of the second."""
    folder = bids_dir.parent / 'out'
    second = ('--participant-label', '02', '--measures', 'tissue_volume', 'regional_volume')
    for options in (FIRST, second):
        process = participant(bids_dir, folder, *options)
        assert process.returncode == 0, process.output  # type: ignore[attr-defined]
    yield folder


def test_every_unit_is_done_and_every_output_there(out_dir: Path) -> None:
    for label in ('01', '02'):
        records = read_record(out_dir, label)
        assert {(r.measure, r.status) for r in records if r.status != 'done'} == set()
        assert len({r.measure for r in records}) >= (18 if label == '01' else 7)
        for record in records:
            assert record.outputs
            for output in record.outputs:
                assert (out_dir / output).stat().st_size > 0
                stem = (out_dir / output).name.split('.')[0]
                assert (out_dir / output).with_name(f'{stem}.json').exists()
            assert not [note for note in record.notes if 'could not be drawn' in note], record
    rows = (out_dir / 'status.tsv').read_text().splitlines()
    assert len(rows) == 1 + sum(len(read_record(out_dir, label)) for label in ('01', '02'))


def test_a_coarse_run_says_so(out_dir: Path) -> None:
    sidecar = next(out_dir.glob('sub-01/anat/*desc-preproc_T1w.json'))
    assert 'Sloppy' in json.loads(sidecar.read_text())
    assert 'not for research' in (out_dir / 'sub-01.html').read_text().lower()


def test_a_rerun_computes_nothing(bids_dir: Path, out_dir: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out_dir.rglob('*.nii.gz')}
    process = participant(bids_dir, out_dir, *FIRST)
    assert process.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in out_dir.rglob('*.nii.gz')} == before


def test_a_deleted_output_comes_back(bids_dir: Path, out_dir: Path) -> None:
    before = tree(out_dir)
    for name in ('desc-tissue_morph.tsv', 'label-GM_probseg.nii.gz'):
        next(out_dir.glob(f'sub-01/anat/sub-01_{name}')).unlink()
    assert participant(bids_dir, out_dir, *FIRST).returncode == 0
    assert tree(out_dir) == before


def test_a_new_atlas_repeats_no_registration(bids_dir: Path, out_dir: Path) -> None:
    folder = out_dir.parent / 'grown'
    shutil.copytree(out_dir, folder, ignore=shutil.ignore_patterns('work'))
    transform = next(folder.glob('sub-01/anat/*_xfm.h5'))
    before = transform.stat().st_mtime_ns
    process = participant(bids_dir, folder, *FIRST, '--atlases', 'AAL3')
    assert process.returncode == 0, process.output  # type: ignore[attr-defined]
    assert transform.stat().st_mtime_ns == before
    new = {r.measure for r in read_record(folder, '01') if r.variant == 'AAL3'}
    assert new == {'atlas', 'regional_volume', 'thickness_regions', 'surface_regions'}
    old = {(r.measure, r.variant): r.status for r in read_record(folder, '01')}
    assert old['regional_volume', 'DesikanKilliany'] == 'done'
    assert 'DesikanKilliany' in (folder / 'status.tsv').read_text()
    assert not (folder / 'work' / 'registration').exists()


@pytest.mark.long
def test_killed_again_and_again_the_next_run_ends_with_the_same_files(
    bids_dir: Path, out_dir: Path
) -> None:
    """Steps of the preprocessing early and late, and measures: a table, and maps."""
    folder = out_dir.parent / 'killed'
    measures = ('--measures', 'regional_volume', 'vbm')
    for stage in STAGES:
        _kill_in_stage(bids_dir, folder, stage, *measures)
    process = participant(bids_dir, folder, *FIRST, *measures)
    assert process.returncode == 0, process.output  # type: ignore[attr-defined]
    found, whole = tree(folder), tree(out_dir)
    images = [name for name in found if name.startswith('sub-01')]
    assert len(images) > 40
    assert {name: found[name] for name in images} == {name: whole[name] for name in images}


def _kill_in_stage(bids_dir: Path, folder: Path, stage: str, *options: str) -> None:
    """Run until the first node of ``stage`` has its folder, then kill every process."""
    process = app(bids_dir, folder, 'participant', '--sloppy', '--skip-bids-validation',
                  '--atlases', 'DesikanKilliany', *FIRST, *options, wait=False)  # fmt: skip
    deadline = time.monotonic() + 180
    while not list((folder / 'work').glob(f'*/sub_01_wf/T1w_{stage}*/*')):
        assert process.poll() is None, f'the run ended before {stage} began'
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    for path in folder.glob('sub-*/**/*.nii.gz'):
        gzip.decompress(path.read_bytes())  # raises if half-written


def test_two_processes_share_one_folder(bids_dir: Path, out_dir: Path) -> None:
    folder = out_dir.parent / 'shared'
    options = ('--sloppy', '--skip-bids-validation', '--atlases', 'DesikanKilliany',
               '--measures', 'tissue_volume')  # fmt: skip
    both = [
        app(
            bids_dir,
            folder,
            'participant',
            *options,
            '--participant-label',
            label,
            '--work-dir',
            out_dir.parent / f'work-{label}',
            wait=False,
        )
        for label in ('01', '02')
    ]
    for process in both:
        output = process.communicate()[0]
        assert process.returncode == 0, output
    found, whole = tree(folder), tree(out_dir)
    images = [name for name in found if name.startswith('sub-')]
    assert len(images) > 20
    assert {name: found[name] for name in images} == {name: whole[name] for name in images}
    rows = (folder / 'status.tsv').read_text().splitlines()
    assert len(rows) == 1 + sum(len(read_record(folder, label)) for label in ('01', '02'))


def test_one_bad_image_takes_nothing_else_down(bids_dir: Path, out_dir: Path) -> None:
    broken = out_dir.parent / 'broken-bids'
    shutil.copytree(bids_dir, broken, ignore=shutil.ignore_patterns('derivatives', 'sourcedata'))
    image = broken / 'sub-02' / 'anat' / 'sub-02_T1w.nii.gz'
    image.write_bytes(image.read_bytes()[:20000])
    folder = out_dir.parent / 'broken'
    process = participant(broken, folder, '--measures', 'tissue_volume')
    assert process.returncode == 1
    assert 'sub-02_T1w.nii.gz' in process.output  # type: ignore[attr-defined]
    assert {r.status for r in read_record(folder, '01')} == {'done'}
    bad = read_record(folder, '02')
    assert [r.status for r in bad].count('failed') == 1
    assert {r.status for r in bad} == {'failed', 'skipped'}
    assert all('sub-02_T1w.nii.gz' in r.reason for r in bad)
    assert 'sub-02_T1w.nii.gz' in (folder / 'sub-02.html').read_text()
    assert app(broken, folder, 'group').returncode == 0
    rows = (folder / 'phenotype' / 'mriderived.tsv').read_text().splitlines()
    assert [row.split('\t')[0] for row in rows] == ['participant_id', 'sub-01', 'sub-02']
    assert set(rows[2].split('\t')[1:]) == {'n/a'}


def test_other_settings_are_refused(bids_dir: Path, out_dir: Path) -> None:
    process = app(bids_dir, out_dir, 'participant', '--skip-bids-validation')
    assert process.returncode == 73, process.output  # type: ignore[attr-defined]
    assert 'sloppy' in process.output  # type: ignore[attr-defined]


def test_reports_only_writes_reports_only(bids_dir: Path, out_dir: Path) -> None:
    report = out_dir / 'sub-01.html'
    report.unlink()
    before = tree(out_dir)
    assert participant(bids_dir, out_dir, '--reports-only').returncode == 0
    assert report.stat().st_size > 10_000
    assert tree(out_dir) == before


def test_a_dry_run_writes_nothing(bids_dir: Path, tmp_path: Path) -> None:
    process = participant(bids_dir, tmp_path / 'never', '--dry-run')
    assert process.returncode == 0
    assert 'registration' in process.output  # type: ignore[attr-defined]
    assert not (tmp_path / 'never').exists()


def test_the_outputs_are_valid_in_both_ways(bids_dir: Path, out_dir: Path) -> None:
    validate = pytest.importorskip('mriderived.bids.validate')
    assert app(bids_dir, out_dir, 'group').returncode == 0
    try:
        released = validate.validate_dataset(out_dir, kind='derivatives', strict=False)
    except validate.ValidatorMissingError:
        pytest.skip('no validator here')
    assert released.exit_code == 0, released.errors
    strict = validate.validate_dataset(out_dir, kind='derivatives', strict=True)
    assert strict.exit_code == 0, strict.errors
    mutated = out_dir.parent / 'mutated'
    shutil.copytree(out_dir, mutated, ignore=shutil.ignore_patterns('work'))
    name = next(mutated.glob('sub-01/anat/*_desc-tissue_morph.tsv'))
    name.rename(name.with_name(name.name.replace('desc-tissue_morph', 'desc-tissue_morphs')))
    assert validate.validate_dataset(mutated, kind='derivatives', strict=True).exit_code == 16
