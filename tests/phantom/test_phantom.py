"""The phantom's truth must be true: it is checked against the image or by counting."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy import ndimage

from mriderived.bids.image_checks import check_image, load_clean
from mriderived.phantom.__main__ import main
from mriderived.phantom.anatomy import load_anatomy
from mriderived.phantom.dataset import truth, write_dataset
from mriderived.phantom.deformation import ASYMMETRY, draw_field, smallest_jacobian
from mriderived.phantom.head import MEANS, SCALE, Head, HeadOptions, draw_head
from mriderived.phantom.truth import TISSUES, Truth, read_truth

COARSE = HeadOptions(voxel_mm=(3.0, 3.0, 3.0))


@pytest.fixture(scope='module')
def head() -> Head:
    return draw_head(COARSE, threads=2)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('phantom')
    write_dataset(folder, participants=2, seed=3, voxel_mm=3.0, threads=2)
    return folder


@pytest.fixture(scope='module')
def first(dataset: Path) -> Truth:
    return truth(dataset, '01')


def _shares(head: Head) -> np.ndarray:
    return head.counts.astype(np.float32) / head.cells


def _volumes(head: Head) -> np.ndarray:
    cell = abs(np.linalg.det(head.affine[:3, :3])) / head.cells
    return head.counts.sum(axis=(1, 2, 3), dtype=np.int64) * cell


def test_volumes_are_sums_of_the_maps(first: Truth) -> None:
    voxel = abs(np.linalg.det(nib.load(first.t1w).affine[:3, :3]))
    sums = first.load_probsegs().sum(axis=(1, 2, 3), dtype=np.float64) * voxel
    for tissue, total in zip(TISSUES, sums, strict=True):
        assert first.volumes_mm3[tissue] == pytest.approx(total, rel=1e-6)
        halves = sum(first.hemisphere_mm3[side][tissue] for side in 'LR')
        assert halves == pytest.approx(first.volumes_mm3[tissue], rel=1e-12)
    assert first.tiv_mm3 == pytest.approx(sums.sum(), rel=1e-6)


def test_shares_fill_the_brain_and_the_mask_is_its_half(first: Truth) -> None:
    total = first.load_probsegs().sum(axis=0)
    mask = np.asarray(nib.load(first.brain_mask).dataobj) > 0
    assert total.min() == 0
    assert total.max() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(mask, total >= 0.5 - 1e-6)
    assert ndimage.label(mask)[1] == 1
    assert mask.sum() * 27 == pytest.approx(first.tiv_mm3, rel=0.01)


def test_volumes_are_those_of_an_adult(first: Truth) -> None:
    gm, wm, csf = (first.volumes_mm3[tissue] / 1e3 for tissue in TISSUES)
    assert 600 < gm < 780
    assert 450 < wm < 650
    assert 170 < csf < 300


def test_image_is_the_mean_of_its_tissues_times_the_bias() -> None:
    head = draw_head(replace(COARSE, noise=0.0, bias=0.3), threads=2)
    shares = _shares(head)
    expected = np.tensordot(np.array(MEANS), shares, axes=1)
    # deep grey matter is brighter by design, so compare white matter, fluid and their mixtures
    inside = (shares.sum(axis=0) == 1) & (shares[0] == 0)
    measured = head.t1w / (SCALE * head.bias)
    assert inside.sum() > 5_000
    np.testing.assert_allclose(measured[inside], expected[inside], atol=0.2)
    assert head.bias[shares.sum(axis=0) > 0].mean() == pytest.approx(1, abs=1e-4)
    assert 0.05 < np.std(head.bias[head.brain_mask]) < 0.3


def test_background_is_rayleigh_noise(head: Head) -> None:
    corner = head.t1w[:10, :10, -10:].astype(float) / SCALE
    sigma = COARSE.noise * MEANS[1]
    assert corner.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.03)
    assert corner.std() == pytest.approx(sigma * np.sqrt(2 - np.pi / 2), rel=0.05)


def test_same_seed_and_any_thread_count_give_the_same_bits(head: Head) -> None:
    again = draw_head(COARSE, threads=1)
    np.testing.assert_array_equal(again.t1w, head.t1w)
    np.testing.assert_array_equal(again.counts, head.counts)


def test_scan_and_anatomy_have_seeds_of_their_own(head: Head) -> None:
    rescan = draw_head(replace(COARSE, scan=(2,)), threads=2)
    assert not np.array_equal(rescan.t1w, head.t1w)
    np.testing.assert_array_equal(rescan.deformation.field, head.deformation.field)
    np.testing.assert_allclose(_volumes(rescan), _volumes(head), rtol=2e-3)
    other = draw_head(replace(COARSE, anatomy=(2,)), threads=2)
    assert np.abs(_volumes(other) / _volumes(head) - 1).max() > 0.005


def test_zoom_cubes_the_volumes(head: Head) -> None:
    small = draw_head(replace(COARSE, zoom=0.8), threads=2)
    ratio = (0.8 / COARSE.zoom) ** 3
    np.testing.assert_allclose(_volumes(small), ratio * _volumes(head), rtol=2e-3)


def test_finer_voxels_hold_the_same_volumes(head: Head) -> None:
    fine = draw_head(replace(COARSE, voxel_mm=(2.0, 2.0, 2.0)), threads=2)
    np.testing.assert_allclose(_volumes(fine), _volumes(head), rtol=3e-3)


def _capsule(head: Head) -> np.ndarray:
    """Centre (mm) of what is bright where the capsule should be, which is in the air."""
    template = np.array(load_anatomy().shells.capsule)
    bright = np.argwhere(head.t1w > 0.9 * SCALE * MEANS[1])
    points = apply_affine(head.affine, bright)
    mapped = head.deformation.to_template(points)
    near = np.linalg.norm(mapped - template, axis=1) < 6
    assert near.sum() > 12
    return points[near].mean(axis=0)


def test_capsule_marks_the_left_and_flips_with_the_head(head: Head) -> None:
    flipped = draw_head(replace(COARSE, flip=True), threads=2)
    assert _capsule(head)[0] < -60
    assert _capsule(flipped)[0] > 60
    np.testing.assert_allclose(_volumes(flipped), _volumes(head), rtol=2e-3)


def test_temporal_lobe_is_larger_on_the_left(first: Truth) -> None:
    lobe = np.zeros((60, 60, 60), np.uint8)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = -120
    centres = apply_affine(affine, np.argwhere(lobe == 0)).reshape(*lobe.shape, 3)
    for label, side in ((1, -1), (2, 1)):
        lobe[np.linalg.norm(centres - [side * 45, -12, -18], axis=-1) < 18] = label
    atlas = first.t1w.parent / 'lobes.nii.gz'
    nib.save(nib.Nifti1Image(lobe, affine), atlas)
    volumes = first.label_volumes(atlas)
    atlas.unlink()
    assert set(volumes) == {1, 2}
    # the stretch is 1 / (1 - a) per axis in the middle, less further out
    stretch = ((1 + ASYMMETRY) / (1 - ASYMMETRY)) ** 3
    assert 1.25 < volumes[1] / volumes[2] < stretch * 1.1


def test_flip_swaps_the_world_but_not_the_participants_sides(tmp_path: Path) -> None:
    plain = write_dataset(tmp_path / 'a', participants=1, voxel_mm=4.0, options=COARSE)[0]
    flipped = write_dataset(
        tmp_path / 'b', participants=1, voxel_mm=4.0, options=replace(COARSE, flip=True)
    )[0]
    assert flipped.is_flipped
    for side, other in (('L', 'R'), ('R', 'L')):
        assert flipped.hemisphere_mm3[side]['GM'] == pytest.approx(
            plain.hemisphere_mm3[other]['GM'], rel=0.01
        )


@pytest.mark.parametrize('axes', ['LPI', 'SLA'])
def test_orientation_changes_the_storage_only(tmp_path: Path, head: Head, axes: str) -> None:
    turned = draw_head(replace(COARSE, orientation=axes), threads=2)
    assert ''.join(nib.aff2axcodes(turned.affine)) == axes
    path = tmp_path / 'a.nii.gz'
    nib.save(nib.Nifti1Image(turned.t1w, turned.affine), path)
    data, affine = load_clean(path)
    np.testing.assert_array_equal(data, head.t1w)
    np.testing.assert_allclose(affine, head.affine)
    np.testing.assert_array_equal(
        turned.counts.sum(axis=(1, 2, 3)), head.counts.sum(axis=(1, 2, 3))
    )


def test_deformation_explains_the_tissue(head: Head) -> None:
    """A voxel of pure white matter comes from where the template has white matter."""
    anatomy = load_anatomy()
    pure = np.argwhere(head.counts[1] == head.cells)
    points = head.deformation.to_template(apply_affine(head.affine, pure))
    voxels = ((points - anatomy.origin) / anatomy.spacing).T
    gm, wm, csf = (
        ndimage.map_coordinates(anatomy.brain[..., channel], voxels, order=1)
        for channel in (1, 2, 3)
    )
    assert (wm > np.maximum(gm, csf)).mean() > 0.999


def test_warps_do_not_fold_and_are_refused_where_they_would() -> None:
    for seed in range(5):
        assert smallest_jacobian(draw_field(np.random.default_rng(seed))) > 0.2
    with pytest.raises(ValueError, match='folds'):
        draw_field(np.random.default_rng(0), strength=20)


def test_truth_is_read_back(dataset: Path, first: Truth) -> None:
    written = json.loads((dataset / 'sourcedata/truth/sub-01/anat/sub-01_T1w.json').read_text())
    assert written['volumes_mm3'] == first.volumes_mm3
    assert not Path(written['gm_probseg']).is_absolute()
    head = draw_head(
        HeadOptions(anatomy=(3, 0), scan=(3, 0, 0), voxel_mm=(3.0, 3.0, 3.0), zoom=first.zoom),
        threads=2,
    )
    np.testing.assert_array_equal(nib.load(first.t1w).get_fdata(), head.t1w)
    np.testing.assert_array_equal(first.deformation.field, head.deformation.field)
    np.testing.assert_array_equal(first.deformation.matrix, head.deformation.matrix)
    step = nib.load(first.bias).get_fdata()
    np.testing.assert_allclose(step, head.bias[::4, ::4, ::4], rtol=1e-6)


def test_dataset_is_valid_bids(dataset: Path) -> None:
    validator = shutil.which('bids-validator-deno', path=_path_with_environment())
    if validator is None:
        pytest.skip('bids-validator-deno is not installed')
    done = subprocess.run([validator, str(dataset)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def _path_with_environment() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get('PATH', '')])


def test_scans_pass_the_guards(dataset: Path) -> None:
    for path in sorted(dataset.glob('sub-*/anat/*_T1w.nii.gz')):
        assert dict(check_image(path).flags) == {'low_resolution': 3.0}


def test_participants_have_age_and_sex_and_two_sizes(dataset: Path) -> None:
    lines = (dataset / 'participants.tsv').read_text().splitlines()
    assert lines[0].split('\t') == ['participant_id', 'age', 'sex']
    assert [line.split('\t')[0] for line in lines[1:]] == ['sub-01', 'sub-02']
    assert truth(dataset, '01').tiv_mm3 < 0.95 * truth(dataset, '02').tiv_mm3


def test_command_writes_sessions_and_runs_and_keeps_off_full_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / 'data'
    arguments = [str(folder), '--participants', '1', '--voxel', '4', '--sessions', 'a', 'b']
    assert main([*arguments, '--runs', '2', '--threads', '2']) == 0
    names = sorted(p.relative_to(folder).as_posix() for p in folder.glob('sub-*/**/*.nii.gz'))
    assert names == [
        f'sub-01/ses-{session}/anat/sub-01_ses-{session}_run-{run}_T1w.nii.gz'
        for session in 'ab'
        for run in '12'
    ]
    assert len(capsys.readouterr().out.splitlines()) == 4
    scan = truth(folder, '01', ses='b', run='2')
    assert scan.t1w == folder / names[-1]
    assert main(arguments) == 73


@pytest.mark.slow
def test_brain_extraction_finds_the_true_mask() -> None:
    from mriderived.interfaces.brain_extraction import extract_brain

    head = draw_head(replace(COARSE, voxel_mm=(1.5, 1.5, 1.5)), threads=2)
    found = extract_brain(head.t1w.astype(np.float32), 'cpu', 2)
    both = (found & head.brain_mask).sum()
    assert 2 * both / (found.sum() + head.brain_mask.sum()) > 0.975
    assert found.sum() == pytest.approx(head.brain_mask.sum(), rel=0.02)


def test_a_cavity_is_fluid_of_known_volume(tmp_path: Path) -> None:
    ball = (-32.0, 30.0, 26.0, 14.0)
    sound = write_dataset(tmp_path / 'a', participants=1, voxel_mm=2.0, zoom=0.93)[0]
    hurt = write_dataset(tmp_path / 'b', participants=1, voxel_mm=2.0, zoom=0.93,
                         options=HeadOptions(cavity=ball))[0]  # fmt: skip
    assert sound.cavity is None and sound.cavity_mm3 == 0
    assert hurt.cavity_mm3 == pytest.approx(4 / 3 * np.pi * 14**3)
    assert hurt.tiv_mm3 == pytest.approx(sound.tiv_mm3, rel=1e-3)
    before, after = sound.load_probsegs(), hurt.load_probsegs()
    new = (after[2] - before[2]).clip(0).sum() * 8
    old = before[2][after[2] == 1].sum() * 8
    assert new < hurt.cavity_mm3 < new + old
    assert hurt.cavity is not None
    affine = nib.load(hurt.t1w).affine
    i, j, k = np.rint(np.linalg.inv(affine) @ [*hurt.cavity[:3], 1])[:3].astype(int)
    assert after[2][i, j, k] == 1
    point = hurt.deformation.to_template(np.array([hurt.cavity[:3]]))[0]
    assert point == pytest.approx(ball[:3], abs=0.01)
    assert read_truth(tmp_path / 'b', hurt.t1w) == hurt
