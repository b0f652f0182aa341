"""Lesion masks that somebody gave, and images that do not do, through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from contrast_datasets import write_contrasts
from mriderived.bids.status import UnitRecord, read_record
from mriderived.phantom.head import MEANS, SCALE, HeadOptions, draw_head

pytestmark = [pytest.mark.slow, pytest.mark.long]
#: Centre in mm of the template, and radius in mm: white matter beside the left ventricle.
CENTRE, RADIUS = (-28.0, -20.0, 30.0), 7.0
OPTIONS = ('--sloppy', '--skip-bids-validation', '--atlases', 'DesikanKilliany', '--measures',
           'tissue_volume', 'wmh', 't1w_t2w')  # fmt: skip


def write_t1w(
    bids_dir: Path, label: str, session: str = ''
) -> tuple[Path, np.ndarray, np.ndarray]:
    """Write a head with a grey ball in its white matter; return its file, affine and the ball."""
    head = draw_head(HeadOptions(voxel_mm=(2.0, 2.0, 2.0)))
    centre = np.ravel(head.deformation.from_template(np.array(CENTRE)))
    voxels = np.indices(head.t1w.shape).reshape(3, -1)
    points = head.affine[:3, :3] @ voxels + head.affine[:3, 3:]
    ball = (((points.T - centre) ** 2).sum(axis=1) < RADIUS**2).reshape(head.t1w.shape)
    image = np.where(ball, 0.95 * MEANS[0] * SCALE, head.t1w).astype(np.int16)
    folder = bids_dir / f'sub-{label}' / session / 'anat'
    folder.mkdir(parents=True)
    path = folder / f'{"_".join(filter(None, (f"sub-{label}", session)))}_T1w.nii.gz'
    nb.Nifti1Image(image, head.affine).to_filename(path)
    return path, head.affine, ball


def write_mask(image: Path, values: np.ndarray, affine: np.ndarray) -> None:
    name = image.name.replace('.nii.gz', '_label-lesion_roi.nii.gz')
    nb.Nifti1Image(values.astype(np.uint8), affine).to_filename(image.with_name(name))


@pytest.fixture(scope='module')
def out_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Process participants of one kind each: see the tests."""
    folder = tmp_path_factory.mktemp('lesion_masks')
    bids_dir = folder / 'bids'
    write_contrasts(bids_dir, False, False, True, 'flair')
    path, affine, ball = write_t1w(bids_dir, 'given')
    write_mask(path, ball, affine)
    write_t1w(bids_dir, 'without')
    path, affine, ball = write_t1w(bids_dir, 'empty')
    write_mask(path, 0 * ball, affine)
    path, affine, ball = write_t1w(bids_dir, 'elsewhere', 'ses-a')
    moved = affine.copy()
    moved[:3, 3] += 900
    write_mask(path, ball, moved)
    other = bids_dir / 'sub-elsewhere' / 'ses-b' / 'anat' / 'sub-elsewhere_ses-b_T2w.nii.gz'
    other.parent.mkdir(parents=True)
    other.write_bytes(path.read_bytes())
    flair = bids_dir / 'sub-flair' / 'anat' / 'sub-flair_acq-2D_FLAIR.nii.gz'
    image = nb.load(flair)
    marked = np.zeros(image.shape, np.uint8)
    x, y, z = (n // 2 for n in image.shape)
    marked[x : x + 6, y : y + 6, z : z + 2] = 1
    write_mask(flair, marked, image.affine)
    command = [sys.executable, '-m', 'mriderived', str(bids_dir), str(folder / 'out')]
    process = subprocess.run(
        [*command, 'participant', *OPTIONS], check=False, capture_output=True, text=True
    )
    assert process.returncode == 1, process.stdout + process.stderr
    return folder / 'out'


def states(out_dir: Path, label: str) -> dict[str, UnitRecord]:
    return {unit.measure: unit for unit in read_record(out_dir, label)}


def read_json(out_dir: Path, label: str, ending: str) -> dict[str, object]:
    path = out_dir / f'sub-{label}' / 'anat' / f'sub-{label}_{ending}.json'
    return json.loads(path.read_text())


def test_a_mask_is_measured_and_fills_white_matter(out_dir: Path) -> None:
    units = states(out_dir, 'given')
    assert {name for name, unit in units.items() if unit.status == 'failed'} == set()
    truth = 4 / 3 * np.pi * RADIUS**3
    (lesion,) = read_json(out_dir, 'given', 'desc-lesion_dseg')['Lesions']  # type: ignore[misc]
    assert lesion['Kind'] == 'given'
    assert 1000 * lesion['Volume'] == pytest.approx(truth, rel=0.1)
    filled = read_json(out_dir, 'given', 'tissuemap')['FilledLesionVolume']
    assert filled == pytest.approx(truth, rel=0.2)
    notes = [note for unit in units.values() for note in unit.notes]
    assert [note for note in notes if 'of the lesion mask lie in white matter' in note]
    # without a mask the ball is grey matter, with it white
    white = []
    for label in ('given', 'without'):
        stem = out_dir / f'sub-{label}' / 'anat' / f'sub-{label}'
        image = nb.load(f'{stem}_label-WM_probseg.nii.gz')
        mask = np.asarray(nb.load(
            out_dir / 'sub-given' / 'anat' / 'sub-given_desc-lesion_dseg.nii.gz'
        ).dataobj) == 4  # fmt: skip
        white.append(float(np.asarray(image.dataobj)[mask].mean()))
    assert white[0] > 0.8
    assert white[0] - white[1] > 0.2


def test_a_mask_of_a_flair_alone_is_what_is_measured(out_dir: Path) -> None:
    stem = out_dir / 'sub-flair' / 'anat' / 'sub-flair_acq-2D'
    row = pd.read_csv(f'{stem}_desc-wmh_morph.tsv', sep='\t').iloc[0]
    assert row['volume'] == pytest.approx(6 * 6 * 2 * 1.5 * 1.5 * 4.0, rel=1e-3)
    assert row['count'] == 1
    sidecar = json.loads(Path(f'{stem}_space-FLAIR_label-WMH_mask.json').read_text())
    assert sidecar['SegmentationSource'] == 'mask that was given'
    assert states(out_dir, 'flair')['wmh'].status == 'done'


@pytest.mark.parametrize(('label', 'reason'), [
    ('empty', 'sub-empty_T1w_label-lesion_roi.nii.gz is empty: correct it, remove it, or use'),
    ('elsewhere', 'lies outside of its T1w image, by the affines of both: correct it, remove it'),
])  # fmt: skip
def test_a_mask_that_does_not_do_is_named(out_dir: Path, label: str, reason: str) -> None:
    units = states(out_dir, label)
    failed = [unit for unit in units.values() if unit.status == 'failed']
    assert failed and any(reason in unit.reason for unit in failed)
    volume = units['tissue_volume']
    assert volume.status == 'skipped'
    assert reason in volume.reason


def test_a_t2w_of_another_session_is_not_divided_by(out_dir: Path) -> None:
    unit = states(out_dir, 'elsewhere')['t1w_t2w']
    assert unit.status == 'not_available'
    assert unit.reason == 'the T1w image is of another session than this T2w'
