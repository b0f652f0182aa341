"""The files of landmarks: the template as a scan, moved, mirrored, cut."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.core.rigid import rigid_matrix
from mriderived.interfaces.points import move_points
from mriderived.interfaces.rigid_files import load_rigid, save_rigid
from mriderived.measures.landmarks import REFINED, LandmarkFiles, find_landmarks
from mriderived.measures.landmarks_declared import draw_afids, draw_frame
from mriderived.spaces import DEFAULT_SPACE, get_space
from mriderived.spaces.fiducials import load_afids

AC, PC = np.array([-0.205, 2.723, -4.881]), np.array([-0.007, -25.045, -2.211])
BRAIN = get_space(DEFAULT_SPACE).brain
ERROR = np.array([0.6, -0.5, 0.4])
MIRROR = np.diag([-1.0, 1, 1, 1])


def run(
    folder: Path,
    matrix: np.ndarray,
    *,
    error: np.ndarray = ERROR,
    keep: slice = slice(None),
    flip: bool = False,
) -> LandmarkFiles:
    """Find the landmarks of the template, moved by ``matrix``, with a registration that errs.

    A head that was mirrored before is registered as if it were not: brains look alike.
    """
    image = nb.load(BRAIN)
    data = np.asarray(image.dataobj, dtype=np.float32)[:, :, keep]
    shifted = image.affine.copy()
    shifted[:3, 3] += image.affine[:3, 2] * (keep.start or 0)
    affine = matrix @ MIRROR @ shifted if flip else matrix @ shifted
    nb.Nifti1Image(data, affine).to_filename(folder / 't1w.nii.gz')
    nb.Nifti1Image((data > 0).astype(np.uint8), affine).to_filename(folder / 'mask.nii.gz')
    wrong = matrix.copy()
    wrong[:3, 3] += error
    xfm = save_rigid(wrong, 'to_space.h5')
    return find_landmarks(folder / 't1w.nii.gz', folder / 'mask.nii.gz', xfm, BRAIN)


def read(files: LandmarkFiles) -> dict[str, np.ndarray]:
    table = pd.read_csv(files.afids_table, sep='\t')
    return dict(zip(table['name'], table[['x', 'y', 'z']].to_numpy(), strict=True))


@pytest.fixture(scope='module')
def template(tmp_path_factory: pytest.TempPathFactory) -> LandmarkFiles:
    folder = tmp_path_factory.mktemp('template')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run(folder, np.eye(4))


def test_the_template_has_its_published_landmarks(template: LandmarkFiles) -> None:
    found = read(template)
    assert np.linalg.norm(found['AC'] - AC) < 0.1
    assert np.linalg.norm(found['PC'] - PC) < 0.1
    for afid in load_afids():
        miss = np.linalg.norm(found[afid.name] - afid.position)
        expected = 0.15 if afid.name in REFINED else np.linalg.norm(ERROR) + 0.01
        assert miss < expected, afid.name


def test_tables_and_lists(template: LandmarkFiles) -> None:
    table = pd.read_csv(template.afids_table, sep='\t')
    assert set(table.loc[table['refined'] == 'yes', 'name']) == REFINED
    assert (table.loc[table['refined'] == 'yes', 'correlation'] > 0.98).all()
    assert table.loc[table['refined'] == 'no', ['correlation', 'shift']].isna().all(axis=None)
    row = pd.read_csv(template.landmark_distances, sep='\t').iloc[0]
    assert row['ac_pc_distance'] == pytest.approx(27.9, abs=0.1)
    assert row['callosum_length'] == pytest.approx(71.1, abs=1)
    assert row['midsagittal_correlation'] > 0.8
    lines = template.afids_fcsv.read_text().splitlines()
    assert lines[1] == '# CoordinateSystem = 0' and len(lines) == 3 + 32
    remarks = json.loads(
        template.landmark_distances.with_name('distances.remarks.json').read_text()
    )
    assert remarks['Notes'] == []
    assert abs(remarks['MidsagittalPlane']['Normal'][0]) > 0.999


def test_the_frame_of_the_commissures(template: LandmarkFiles) -> None:
    found = read(template)
    ends = np.stack([found['AC'], found['PC']])
    there = np.linalg.inv(load_rigid(template.xfm_t1w_to_acpc))
    ac, pc = ends @ there[:3, :3].T + there[:3, 3]
    assert np.allclose(ac, 0, atol=1e-3)
    assert np.allclose(pc, [0, -np.linalg.norm(ends[0] - ends[1]), 0], atol=1e-3)
    # as other programs apply it to images: a point of the frame comes from the image
    assert np.allclose(
        move_points(np.zeros((1, 3)), template.xfm_t1w_to_acpc), ends[:1], atol=1e-2
    )


MOVE = rigid_matrix(np.array([8.0, -5, 6, 0.2, -0.15, 0.1]), np.zeros(3))


@pytest.mark.parametrize('flip', [False, True])
def test_landmarks_move_with_the_head(
    flip: bool, template: LandmarkFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equivariance: 0.3 mm at most for both commissures, whatever the registration's error."""
    monkeypatch.chdir(tmp_path)
    matrix = MOVE @ MIRROR if flip else MOVE
    moved = read(run(tmp_path, MOVE, error=-ERROR, flip=flip))
    still = read(template)
    for name in ('AC', 'PC'):
        expected = matrix[:3, :3] @ still[name] + matrix[:3, 3]
        assert np.linalg.norm(moved[name] - expected) < 0.3, name


def test_what_the_image_does_not_cover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = run(tmp_path, np.eye(4), error=0 * ERROR, keep=slice(45, 92))
    table = pd.read_csv(files.afids_table, sep='\t').set_index('name')
    row = pd.read_csv(files.landmark_distances, sep='\t').iloc[0]
    assert np.isnan(table.loc['RLVPC', 'x']) and np.isfinite(table.loc['AC', 'x'])
    assert np.isnan(row['ventricle_width_pc'])
    remarks = json.loads((tmp_path / 'distances.remarks.json').read_text())
    reason = remarks['MissingReasons']['ventricle_width_pc']
    assert reason == 'LLVPC and RLVPC outside of the image'
    assert 'LLVPC' not in files.afids_fcsv.read_text()
    with pytest.raises(ValueError, match='the AC is outside of the image'):
        run(tmp_path, np.eye(4), error=0 * ERROR, keep=slice(90, 180))


def test_pictures(template: LandmarkFiles) -> None:
    scan = template.afids_table.with_name('t1w.nii.gz')
    (frame,) = draw_frame(scan, template.afids_table, template.xfm_t1w_to_acpc)
    assert len(frame.axes) == 10
    (every,) = draw_afids(scan, template.afids_table, template.xfm_t1w_to_acpc)
    assert len(every.axes) == 32
