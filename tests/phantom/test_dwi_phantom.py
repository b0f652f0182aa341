"""The truth of synthetic DWI runs must be true: known values, checked against the images."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.gradient_table import make_gradients, world_from_fsl
from mriderived.phantom.__main__ import main
from mriderived.phantom.dataset import dwi_truth, write_dataset
from mriderived.phantom.deformation import Deformation, draw_field, draw_matrix
from mriderived.phantom.dwi import (
    Dwi,
    draw_dwi,
    eddy_of_voxels,
    take_clean,
    take_dwi,
    take_opposite_dwi,
)
from mriderived.phantom.dwi_fibres import lay_fibres, lay_template_fibres
from mriderived.phantom.dwi_options import DwiOptions
from mriderived.phantom.dwi_table import draw_eddy, draw_table
from mriderived.phantom.dwi_truth import DwiTruth

QUIET = DwiOptions(
    voxel_mm=(3.0, 3.0, 3.0),
    shells=((1000.0, 12),),
    b0s=2,
    motion_mm=0.0,
    motion_degrees=0.0,
    eddy_voxels=0.0,
    dropouts=0,
    bias=0.0,
    field=0.0,
    snr=1e6,
    crop=(32, 32, 20),
)
SMALL = replace(
    QUIET, motion_mm=2.0, motion_degrees=2.0, eddy_voxels=1.0, dropouts=3, bias=0.1, field=1.0,
    snr=30.0, opposite='dwi',
)  # fmt: skip


def _head() -> Deformation:
    rng = np.random.default_rng(5)
    return Deformation(draw_matrix(rng, 0.93, flip=False), draw_field(rng))


def _draw(options: DwiOptions) -> Dwi:
    return draw_dwi(_head(), 0.93, (1,), options)


@pytest.fixture(scope='module')
def quiet() -> Dwi:
    return _draw(QUIET)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('dwi')
    write_dataset(folder, participants=1, seed=3, voxel_mm=4.0, dwi=True, dwi_options=SMALL)
    return folder


@pytest.fixture(scope='module')
def truth(dataset: Path) -> DwiTruth:
    return dwi_truth(dataset, '01')


def _fit(series: NDArray[Any], b: NDArray[Any], g: NDArray[Any]) -> tuple[Any, Any]:
    """Return eigenvalues and eigenvectors, ascending, of a series (n, volumes)."""
    rows, columns = np.triu_indices(3)
    products = g[:, rows] * g[:, columns] * np.where(rows == columns, 1, 2)
    design = np.column_stack([np.ones(len(b)), -b[:, None] * products])
    found = np.linalg.lstsq(design, np.log(np.maximum(series, 1)).T, rcond=None)[0][1:]
    tensors = np.zeros((series.shape[0], 3, 3))
    tensors[:, rows, columns] = found.T
    tensors[:, columns, rows] = found.T
    return np.linalg.eigh(tensors)


def _anisotropy(values: NDArray[Any]) -> NDArray[Any]:
    away = values - values.mean(axis=1, keepdims=True)
    return np.asarray(np.sqrt(1.5 * (away**2).sum(axis=1) / (values**2).sum(axis=1)))


def test_shells_have_unit_vectors_that_cover_the_sphere() -> None:
    options = replace(QUIET, shells=((1000.0, 30), (2000.0, 60)), b0s=6)
    b, g = draw_table(np.random.default_rng(1), options)
    assert b[0] == 0
    assert [(b == value).sum() for value in (0, 1000, 2000)] == [6, 30, 60]
    np.testing.assert_allclose(np.linalg.norm(g[b > 0], axis=1), 1)
    assert not g[b == 0].any()
    for value in (1000, 2000):
        # evenly spread axes: the mean of g g' is a third of the identity
        outer = np.einsum('ni,nj->ij', g[b == value], g[b == value]) / (b == value).sum()
        np.testing.assert_allclose(outer, np.eye(3) / 3, atol=0.03)
    assert np.diff(np.flatnonzero(b == 0)).max() <= 17


def test_eddy_currents_reach_what_was_asked_for_and_follow_the_gradient() -> None:
    b, g = draw_table(np.random.default_rng(1), replace(QUIET, shells=((500.0, 20), (2000.0, 20))))
    found = draw_eddy(np.random.default_rng(2), b, g, 1.5, 1.0)
    assert not found[b == 0].any()
    size = np.abs(found[:, 0]) + np.linalg.norm(found[:, 1:] * [68, 86, 62], axis=1)
    assert size.max() == pytest.approx(1.5)
    strength = g * np.sqrt(b / 2000)[:, None]
    answer = np.linalg.lstsq(strength, found, rcond=None)[0]
    np.testing.assert_allclose(strength @ answer, found, atol=1e-12)


def test_fibres_run_as_in_a_brain() -> None:
    points = np.array([[0, -5, 25], [0, -30, -45], [45, -15, 20], [24, -18, 8]], float)
    found = lay_template_fibres(points)
    assert np.abs(found.first[0]) @ [1, 0, 0] > 0.99  # corpus callosum
    assert np.abs(found.first[1]) @ [0, 0, 1] > 0.9  # brainstem
    assert np.abs(found.first[2]) @ [0, 1, 0] > 0.95  # association
    assert found.share[:3].tolist() == [0, 0, 0]
    assert 0.3 <= found.share[3] <= 0.5
    assert np.abs((found.first[3] * found.second[3]).sum()) < 0.8
    turned = lay_fibres(_head().from_template(points[0])[None], _head())
    assert np.abs(turned.first[0]) @ [1, 0, 0] > 0.98
    line = np.stack([np.linspace(-60, 60, 241), np.full(241, -20.0), np.full(241, 30.0)], axis=1)
    along = lay_template_fibres(line).first
    cosines = np.abs((along[1:] * along[:-1]).sum(axis=1))
    # half a millimetre apart: smooth but where another population becomes the larger one
    assert (cosines < np.cos(np.radians(6))).sum() <= 4


def test_noise_free_tensors_are_those_of_the_truth(quiet: Dwi) -> None:
    clean = np.stack(list(take_clean(quiet)), axis=-1)
    white = ndimage.minimum_filter(quiet.maps.shares[..., 1], 3) > 0.99
    inside = white & (ndimage.maximum_filter(quiet.maps.share, 3) == 0)
    assert inside.sum() >= 5
    values, vectors = _fit(clean[inside], quiet.b, quiet.directions)
    # fibres fan out within a voxel, which costs a little of the anisotropy
    np.testing.assert_allclose(_anisotropy(values), 0.799, atol=0.006)
    np.testing.assert_allclose(values.mean(axis=1), 0.767e-3, rtol=0.005)
    cosines = np.abs((vectors[..., 2] * quiet.maps.peaks[inside][:, :3]).sum(axis=1))
    assert np.degrees(np.arccos(cosines.clip(0, 1))).max() < 4
    fluid = ndimage.minimum_filter(quiet.maps.shares[..., 2], 3) > 0.98
    values, _ = _fit(clean[fluid], quiet.b, quiet.directions)
    np.testing.assert_allclose(values.mean(axis=1), 3e-3, rtol=0.03)


def test_a_still_run_without_noise_is_the_clean_series(quiet: Dwi) -> None:
    clean = np.stack(list(take_clean(quiet)), axis=-1)
    taken = np.stack(list(take_dwi(quiet)), axis=-1)
    np.testing.assert_allclose(taken, clean, atol=0.51)


def test_gradients_do_not_turn_with_the_head(quiet: Dwi) -> None:
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    centre = quiet.affine[:3, :3] @ (np.array([31, 31, 0]) / 2) + quiet.affine[:3, 3]
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = quarter, centre - quarter @ centre
    turned = quiet._replace(
        matrices=np.stack([matrix] * len(quiet.b)), directions=quiet.directions @ quarter.T
    )
    there = np.stack(list(take_dwi(turned)), axis=-1)
    here = np.stack(list(take_clean(quiet)), axis=-1)
    inner = (slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(np.rot90(there, -1)[inner], here[inner], atol=1)


def test_a_constant_eddy_current_shifts_and_a_linear_one_stretches(quiet: Dwi) -> None:
    eddy = np.zeros((len(quiet.b), 4))
    eddy[:, 0] = 2
    clean = next(iter(take_clean(quiet)))
    shifted = next(iter(take_dwi(quiet._replace(eddy=eddy))))
    np.testing.assert_allclose(shifted[:, 4:-2], clean[:, 2:-4], atol=0.51)
    eddy[:, 0], eddy[:, 2] = 0, 0.02
    stretched = next(iter(take_dwi(quiet._replace(eddy=eddy))))
    middle = quiet.affine[1, 1] * np.arange(32) + quiet.affine[1, 3] - quiet.centre[1]
    place = np.arange(32) + 0.02 * middle
    expected = ndimage.map_coordinates(
        clean,
        np.meshgrid(np.arange(32), np.interp(np.arange(32), place, np.arange(32)), np.arange(20),
                    indexing='ij'),
        order=3,
    ) / 1.06  # fmt: skip
    away = np.abs(stretched - expected)[:, 3:-3]
    # cubic interpolation of voxels instead of the fine grid
    assert np.median(away) < 8
    assert np.corrcoef(stretched[:, 3:-3].ravel(), expected[:, 3:-3].ravel())[0, 1] > 0.998


def test_distortion_motion_and_eddy_currents_are_undone_by_the_truth() -> None:
    dwi = _draw(
        replace(SMALL, dropouts=0, snr=1e6, bias=0.0, eddy_voxels=2.0, echo_spacing=0.0009)
    )
    index = int(np.argmax(np.abs(dwi.eddy).sum(axis=1)))
    seen = list(take_dwi(dwi))[index].astype(float)
    eddy = eddy_of_voxels(dwi.eddy, dwi.affine, dwi.centre)[index]
    move = np.linalg.inv(dwi.affine) @ dwi.matrices[index] @ dwi.affine
    grid = np.indices(dwi.hz.shape).reshape(3, -1)
    true = move[:3, :3] @ grid + move[:3, 3:]
    shift = dwi.displacement.shift.ravel() + eddy[0] + eddy[1:] @ true
    slope = dwi.displacement.slope + eddy[2]
    true[1] += shift
    found = ndimage.map_coordinates(seen, true, order=3).reshape(dwi.hz.shape) * (1 + slope)
    turned = dwi._replace(directions=dwi.directions @ dwi.matrices[index][:3, :3])
    clean = list(take_clean(turned))[index]
    inner = (slice(5, -5),) * 3
    brain = dwi.brain_mask[inner]
    assert np.abs(shift).max() > 1
    apart, raw = (
        np.sqrt(np.mean((image[inner][brain] - clean[inner][brain]) ** 2))
        for image in (found, seen)
    )
    # what is left is the interpolation of voxels
    assert apart < 0.25 * raw, (apart, raw)


def test_slices_that_drop_out_are_those_of_the_list() -> None:
    dwi = _draw(replace(QUIET, dropouts=3))
    assert len(dwi.dropouts) == 3
    taken, clean = (np.stack(list(take(dwi)), axis=-1) for take in (take_dwi, take_clean))
    ratio = taken.sum(axis=(0, 1)) / clean.sum(axis=(0, 1))
    for volume, place, left in dwi.dropouts:
        assert dwi.b[volume] > 0
        assert ratio[place, volume] == pytest.approx(left, rel=0.01)
        ratio[place, volume] = 1
    np.testing.assert_allclose(ratio, 1, atol=0.005)


def test_noise_is_that_of_a_magnitude() -> None:
    dwi = _draw(replace(QUIET, snr=20.0))
    assert dwi.sigma == pytest.approx(32)
    noise = np.stack(list(take_dwi(dwi))) - np.stack(list(take_clean(dwi)))
    bright = np.stack(list(take_clean(dwi))) > 10 * dwi.sigma
    assert noise[bright].std() == pytest.approx(32, rel=0.02)
    # the mean of a Rician magnitude is above the signal by sigma² / 2 signal
    assert 0.3 < noise[bright].mean() < 1.6


def test_opposite_images_are_distorted_the_other_way() -> None:
    dwi = _draw(replace(QUIET, field=1.0))
    forth, back = (next(iter(take(dwi))).astype(float) for take in (take_dwi, take_opposite_dwi))
    clean = next(iter(take_clean(dwi)))
    shift = dwi.displacement.shift
    grid = np.indices(shift.shape, dtype=float)
    undone = []
    for image, sign in ((forth, 1), (back, -1)):
        places = grid.copy()
        places[1] += sign * shift
        image = ndimage.map_coordinates(image, places, order=3)
        undone.append(image * (1 + sign * dwi.displacement.slope))
    inner = (slice(3, -3),) * 3
    for image in undone:
        assert np.corrcoef(image[inner].ravel(), clean[inner].ravel())[0, 1] > 0.98
    assert np.abs(shift).max() > 0.5


def test_compartments_bend_the_decay_and_keep_the_tensor() -> None:
    options = replace(QUIET, shells=((100.0, 12), (3000.0, 12)), has_compartments=True)
    dwi = _draw(options)
    clean = np.stack(list(take_clean(dwi)), axis=-1)
    white = ndimage.minimum_filter(dwi.maps.shares[..., 1], 3) > 0.99
    inside = white & (ndimage.maximum_filter(dwi.maps.share, 3) == 0)
    low, high = dwi.b < 200, (dwi.b > 200) | (dwi.b == 0)
    values, _ = _fit(clean[inside][:, low], dwi.b[low], dwi.directions[low])
    np.testing.assert_allclose(_anisotropy(values), 0.799, atol=0.012)
    other, _ = _fit(clean[inside][:, high], dwi.b[high], dwi.directions[high])
    assert np.median(other.mean(axis=1) / values.mean(axis=1)) < 0.95


def test_files_are_those_of_fsl_and_bids(dataset: Path, truth: DwiTruth) -> None:
    image = nib.load(truth.dwi)
    assert image.shape == (32, 32, 20, 14)
    b = np.loadtxt(dataset / 'sub-01/dwi/sub-01_dir-AP_dwi.bval')
    vectors = np.loadtxt(dataset / 'sub-01/dwi/sub-01_dir-AP_dwi.bvec')
    assert vectors.shape == (3, 14)
    table = truth.load_table()
    gradients = make_gradients(b, world_from_fsl(vectors.T, image.affine))
    np.testing.assert_allclose(gradients.b, table['b'])
    np.testing.assert_allclose(gradients.directions, table[['x', 'y', 'z']], atol=1e-5)
    for label, direction in (('AP', 'j-'), ('PA', 'j')):
        text = (dataset / f'sub-01/dwi/sub-01_dir-{label}_dwi.json').read_text()
        sidecar = json.loads(text)
        assert sidecar['PhaseEncodingDirection'] == direction
        assert sidecar['TotalReadoutTime'] == pytest.approx(31 * 0.00045)
        assert sidecar['B0FieldIdentifier'] == sidecar['B0FieldSource']
    assert nib.load(dataset / 'sub-01/dwi/sub-01_dir-PA_dwi.nii.gz').shape[3] == 3


def test_truth_is_read_back(truth: DwiTruth) -> None:
    parameters, matrices = truth.load_motion()
    assert np.abs(parameters[:, :3]).max() == pytest.approx(2)
    assert matrices.shape == (14, 4, 4)
    assert truth.load_outliers(20).sum() == 3
    shift = truth.load('field') * -truth.readout_time
    np.testing.assert_allclose(truth.load('displacement'), shift, atol=1e-5)
    assert truth.load('clean').shape == (32, 32, 20, 14)
    eddy = truth.load_eddy()
    affine = nib.load(truth.tensor).affine
    voxel = np.linalg.solve(affine, [*truth.centre, 1])[:3]
    np.testing.assert_allclose(eddy[:, 0] + eddy[:, 1:] @ voxel, truth.load_table()['eddy'])
    tissue, fa = truth.load('tissue'), truth.load('fa')
    assert np.abs(fa[tissue[..., 2] > 0.99]).max() < 0.05
    with pytest.raises(FileNotFoundError, match='keeps_clean'):
        replace(truth, clean=None).load('clean')


def test_the_same_seed_gives_the_same_bits_with_more_threads(
    dataset: Path, tmp_path: Path
) -> None:
    write_dataset(tmp_path, participants=1, seed=3, voxel_mm=4.0, dwi=True, dwi_options=SMALL,
                  threads=2)  # fmt: skip
    for path in ('dwi/sub-01_dir-AP_dwi.nii.gz', 'dwi/sub-01_dir-PA_dwi.nii.gz'):
        assert (tmp_path / 'sub-01' / path).read_bytes() == (
            dataset / 'sub-01' / path
        ).read_bytes()


def test_dataset_with_dwi_is_valid_bids(dataset: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get('PATH', '')])
    validator = shutil.which('bids-validator-deno', path=path)
    if validator is None:
        pytest.skip('bids-validator-deno is not installed')
    done = subprocess.run([validator, str(dataset)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'opposite': 'both'}, 'is not epi, dwi or none'),
        ({'b0s': 0}, 'take at least one'),
        ({'shells': ((0.0, 6),)}, 'a b above 0'),
        ({'shells': (), 'dropouts': 1}, 'there are none'),
        ({'direction': 'y'}, 'PhaseEncodingDirection'),
    ],
)
def test_options_that_make_no_sense_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DwiOptions(**change)


@pytest.mark.slow
def test_command_adds_a_run_to_every_scan(tmp_path: Path) -> None:
    arguments = ['--participants', '1', '--voxel', '4', '--dwi', '--shells', '700:4']
    assert main([str(tmp_path), *arguments]) == 0
    assert dwi_truth(tmp_path, '01').dwi.is_file()
    assert (tmp_path / 'sub-01/fmap/sub-01_acq-dwi_dir-PA_epi.nii.gz').is_file()
