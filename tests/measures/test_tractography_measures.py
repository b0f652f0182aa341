"""From signals of a bundle whose course is known to its orientations, streamlines and edges."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mriderived.config import Config
from mriderived.core.fibre_peaks import half_sphere
from mriderived.core.gradient_table import make_gradients
from mriderived.core.streamlines import make_streamlines, measure_lengths
from mriderived.core.tensor import predict_signal
from mriderived.interfaces.gradient_tables import save_fsl
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.spherical_deconvolution import (
    NoResponseError,
    choose_shell,
    estimate_response,
    voxel_axes,
)
from mriderived.interfaces.tractograms import load_trx, save_trx
from mriderived.measures.connectome import connect_by_streamlines, draw_connectome
from mriderived.measures.csd import CsdFiles, draw_fods, write_csd
from mriderived.measures.registry import find_measures
from mriderived.measures.tractography import TRACTOGRAPHY, draw_tractogram, write_tractogram
from mriderived.workflows.asked import asked_measures

SHAPE = (26, 14, 12)
DIRECTIONS = half_sphere(32)
TABLE = make_gradients(
    np.r_[np.zeros(3), np.full(32, 2000.0)], np.vstack([np.zeros((3, 3)), DIRECTIONS])
)


def _affine(kind: str) -> NDArray[np.float64]:
    zooms = np.diag([2.0, 2.5, 2.2, 1.0])
    zooms[:3, 3] = -20, 10, 5
    if kind == 'las':
        return zooms @ np.diag([-1.0, 1, 1, 1])
    turn = np.eye(4)
    if kind == 'oblique':
        turn[:3, :3] = Rotation.from_euler('xyz', [25, -15, 40], degrees=True).as_matrix()
    return turn @ zooms


def _fibre_tensor(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = 0.3e-3 * np.eye(3) + 1.4e-3 * np.outer(direction, direction)
    return matrix[np.triu_indices(3)]


def _write_inputs(folder: Path, affine: NDArray[np.float64], tilt: float = 0.0,
                  crossing: bool = False) -> dict[str, Path]:  # fmt: skip
    """Write a block of white matter along the first axis, between grey matter, within fluid.

    ``tilt`` (degrees) turns the fibres out of the axis of the voxels; with ``crossing`` there are
    others along the second axis.
    """
    white = np.zeros(SHAPE, np.float32)
    white[4:22, 3:11, 3:9] = 1
    grey = np.zeros(SHAPE, np.float32)
    grey[1:4, 3:11, 3:9] = grey[22:25, 3:11, 3:9] = 1
    fluid = 1 - white - grey
    axes = voxel_axes(affine)
    angle = np.radians(tilt)
    along = axes @ [np.cos(angle), np.sin(angle), 0]
    across = axes @ [0.0, 1, 0]
    iso = [np.array([d, 0, 0, d, 0, d]) for d in (0.8e-3, 3e-3)]
    kinds = [predict_signal(tensor[None], np.array([1000.0]), TABLE)[0]
             for tensor in (_fibre_tensor(along), _fibre_tensor(across), *iso)]  # fmt: skip
    fibre = 0.5 * (kinds[0] + kinds[1]) if crossing else kinds[0]
    series = white[..., None] * fibre + grey[..., None] * kinds[2] + fluid[..., None] * kinds[3]
    if crossing:
        # something to take the response from
        series[4:7, 3:11, 3:9] = kinds[0]
    noise = np.random.default_rng(1).normal(0, 8, (2, *series.shape))
    series = np.hypot(series + noise[0], noise[1]).astype(np.float32)
    labels = np.zeros(SHAPE, np.int32)
    labels[:4], labels[22:], labels[10:14, 12:] = 3, 8, 5
    images = {
        'dwi_preproc': series,
        'dwi_mask': np.ones(SHAPE, np.uint8),
        'dwi_gm': grey,
        'dwi_wm': white,
        'dwi_csf': fluid,
        'dwi_atlas_dseg': labels,
        'dwi_reference': series[..., 0],
        'tensor_fa': (0.1 + 0.7 * white).astype(np.float32),
    }
    paths = {}
    for name, data in images.items():
        paths[name] = folder / f'{name}.nii.gz'
        nb.Nifti1Image(data, affine).to_filename(paths[name])
    files = save_fsl(TABLE, affine, 'dwi')
    table = pd.DataFrame({
        'index': [3, 5, 8, 9], 'name': ['near', 'aside', 'far', 'gone'], 'tissue': 'cortex',
        'coverage': [1.0, 1.0, 1.0, 0.0],
    })  # fmt: skip
    table.to_csv(folder / 'labels.tsv', sep='\t', index=False)
    return paths | {'dwi_bval': files.bval, 'dwi_bvec': files.bvec,
                    'dwi_atlas_labels': folder / 'labels.tsv'}  # fmt: skip


def _run_csd(paths: dict[str, Path]) -> CsdFiles:
    names = ('dwi_preproc', 'dwi_bval', 'dwi_bvec', 'dwi_mask', 'dwi_wm')
    return write_csd(**{name: paths[name] for name in names})


def _track(paths: dict[str, Path], csd: CsdFiles, **options: object) -> Path:
    names = ('dwi_gm', 'dwi_wm', 'dwi_csf')
    return write_tractogram(
        csd.csd_fod, csd.csd_peaks, *(paths[name] for name in names), **options
    ).tractogram


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(('kind', 'algorithm'), [
    ('ras', 'probabilistic'), ('las', 'probabilistic'), ('oblique', 'probabilistic'),
    ('oblique', 'deterministic'),
])  # fmt: skip
def test_a_bundle_between_two_regions_gives_that_edge_only(
    kind: str, algorithm: str, tmp_path: Path
) -> None:
    affine = _affine(kind)
    paths = _write_inputs(tmp_path, affine)
    csd = _run_csd(paths)
    white = nb.load(paths['dwi_wm']).get_fdata() > 0
    peaks = nb.load(csd.csd_peaks).get_fdata()[white]
    along = voxel_axes(affine)[:, 0]
    first = peaks[:, :3] / np.linalg.norm(peaks[:, :3], axis=1, keepdims=True)
    assert np.degrees(np.arccos(np.abs(first @ along).clip(0, 1))).max() < 4
    assert (nb.load(csd.csd_nufo).get_fdata()[white] == 1).mean() > 0.98
    # a bundle as in the response
    assert np.median(nb.load(csd.csd_afd).get_fdata()[white]) == pytest.approx(1.1, abs=0.15)
    tractogram = _track(paths, csd, seeds=600, algorithm=algorithm)
    said = json.loads(remarks_file(tractogram).read_text())
    assert (said['TractographyMethod'], said['Seeds']) == (algorithm, 600)
    lines, values = load_trx(tractogram)
    assert len(lines) > 200
    # the white matter is 18 voxels of 2 mm long
    assert np.median(values['length']) == pytest.approx(36, abs=3)
    ends = (lines.points[lines.offsets[1:] - 1] - lines.points[lines.offsets[:-1]]).astype(float)
    ends /= np.linalg.norm(ends, axis=1, keepdims=True)
    assert np.degrees(np.median(np.arccos(np.abs(ends @ along).clip(0, 1)))) < 5
    found = connect_by_streamlines(
        tractogram, paths['dwi_atlas_dseg'], paths['dwi_atlas_labels'], paths['tensor_fa']
    )
    counts = pd.read_csv(found.connectome_count, sep='\t', na_values='n/a')
    assert list(counts.columns) == ['near', 'aside', 'far', 'gone']
    matrix = counts.to_numpy()
    assert matrix[0, 2] == matrix[2, 0] > 0.95 * len(lines)
    others = matrix[:3, :3].copy()
    others[0, 2] = others[2, 0] = 0
    assert not others.any()
    assert np.isnan(matrix[3]).all()
    fa = pd.read_csv(found.connectome_meanfa, sep='\t', na_values='n/a').to_numpy()
    assert fa[0, 2] == pytest.approx(0.79, abs=0.02)
    nodes = pd.read_csv(found.connectome_nodes, sep='\t', na_values='n/a')
    assert nodes['degree'][:3].tolist() == [1, 0, 1]
    remarks = json.loads(remarks_file(found.connectome_nodes).read_text())
    assert remarks['MissingReasons']['strength'] == {'9': 'outside field of view'}
    for figure in (
        draw_fods(csd.csd_fod, csd.csd_peaks, paths['dwi_reference'], paths['dwi_mask']),
        draw_tractogram(tractogram, paths['dwi_reference'], paths['dwi_mask']),
        draw_connectome(found.connectome_count, found.connectome_weight),
    ):
        assert len(figure) == 1


def test_a_deterministic_streamline_that_meets_fluid_is_dropped(tmp_path: Path) -> None:
    paths = _write_inputs(tmp_path, _affine('ras'))
    csd = _run_csd(paths)
    # a slab of fluid across the bundle, and seeds on either side of it
    white, fluid = (nb.load(paths[name]).get_fdata(dtype=np.float32) for name in
                    ('dwi_wm', 'dwi_csf'))  # fmt: skip
    white[12:14], fluid[12:14] = 0, 1
    for name, data in (('dwi_wm', white), ('dwi_csf', fluid)):
        nb.Nifti1Image(data, _affine('ras')).to_filename(paths[name])
    for algorithm in ('probabilistic', 'deterministic'):
        with pytest.raises(ValueError, match='no streamline joins grey matter with grey matter'):
            _track(paths, csd, seeds=300, algorithm=algorithm)


def test_the_settings_of_tracking_are_declared_and_reach_the_node() -> None:
    names = [measure.name for measure in find_measures()]
    found = find_measures(tracking_algorithm='deterministic', tracking_seeds=1_000_000)
    assert [measure.name for measure in found] == names
    assert find_measures()[names.index('tractography')] is TRACTOGRAPHY
    measure = found[names.index('tractography')]
    assert measure.outputs[0].entities['track'] == 'deterministic'
    assert 'deterministically' in measure.methods
    assert 'from 1 000 000 seeds' in measure.methods
    assert 'tracked probabilistically' in TRACTOGRAPHY.methods
    assert 'from 500 000 seeds' in TRACTOGRAPHY.methods
    config = Config(Path('/b'), Path('/o'), Path('/w'), tracking_algorithm='deterministic',
                    tracking_seeds=1_000_000)  # fmt: skip
    assert measure in asked_measures(config)
    inputs = measure.init_wf(config).get_node('write_tractogram').inputs
    assert (inputs.algorithm, inputs.seeds) == ('deterministic', 1_000_000)


def test_fibres_that_cross_are_told_apart(tmp_path: Path) -> None:
    paths = _write_inputs(tmp_path, _affine('oblique'), crossing=True)
    csd = _run_csd(paths)
    inside = (slice(9, 20), slice(4, 10), slice(4, 8))
    peaks = nb.load(csd.csd_peaks).get_fdata()[inside].reshape(-1, 3, 3)
    density = np.linalg.norm(peaks, axis=2)
    assert ((density > 0).sum(axis=1) == 2).mean() > 0.9
    axes = voxel_axes(_affine('oblique'))
    for axis in range(2):
        cosines = np.abs(peaks[:, :2] @ axes[:, axis]) / np.maximum(density[:, :2], 1e-9)
        away = np.degrees(np.arccos(cosines.max(axis=1).clip(0, 1)))
        assert np.median(away) < 5
    np.testing.assert_allclose(np.median(density[:, 1] / density[:, 0]), 1, atol=0.25)


def test_streamlines_follow_fibres_that_are_oblique_to_the_voxels(tmp_path: Path) -> None:
    affine = _affine('las')
    paths = _write_inputs(tmp_path, affine, tilt=8.0)
    lines, _ = load_trx(_track(paths, _run_csd(paths), seeds=500, algorithm='deterministic'))
    assert len(lines) > 100
    ends = lines.points[lines.offsets[1:] - 1] - lines.points[lines.offsets[:-1]]
    ends = ends.astype(float) @ voxel_axes(affine)
    tilts = np.degrees(np.arctan2(ends[:, 1], ends[:, 0]) % np.pi)
    # deterministic tracking goes along one of 362 directions, 8 degrees apart
    assert np.median(tilts) == pytest.approx(8, abs=3)


def test_the_number_of_threads_changes_no_byte(tmp_path: Path) -> None:
    paths = _write_inputs(tmp_path, _affine('ras'))
    csd = _run_csd(paths)
    one = _track(paths, csd, seeds=300, threads=1).read_bytes()
    assert _track(paths, csd, seeds=300, threads=2).read_bytes() == one


def test_tractograms_are_read_by_others(tmp_path: Path) -> None:
    trx = pytest.importorskip('trx.trx_file_memmap')
    rng = np.random.default_rng(1)
    made = make_streamlines([rng.uniform(-60, 60, (n, 3)) for n in (5, 2, 9)])
    path = save_trx(made, _affine('oblique'), SHAPE, 'some.trx', {'weight': np.arange(3.0)})
    read = trx.load(str(path))
    assert len(read.streamlines) == 3
    np.testing.assert_allclose(read.streamlines[2], made.points[7:], atol=0.04)
    np.testing.assert_allclose(np.ravel(read.data_per_streamline['weight']), [0, 1, 2])
    np.testing.assert_allclose(read.header['VOXEL_TO_RASMM'], _affine('oblique'), rtol=1e-5)
    lines, values = load_trx(path)
    np.testing.assert_allclose(measure_lengths(lines), measure_lengths(made), rtol=1e-3)
    assert values['weight'].tolist() == [0, 1, 2]


def test_tables_that_do_not_determine_a_distribution_are_refused() -> None:
    few = make_gradients(
        np.r_[0, np.full(12, 1000.0)], np.vstack([np.zeros((1, 3)), half_sphere(12)])
    )
    with pytest.raises(
        NoResponseError, match='needs a shell of 15 directions; the largest has 12'
    ):
        choose_shell(few)
    none = make_gradients(np.full(32, 1000.0), DIRECTIONS)
    with pytest.raises(NoResponseError, match=r'needs a volume of b = 0'):
        choose_shell(none)
    two = make_gradients(
        np.r_[0, np.full(32, 1000.0), np.full(64, 3000.0)],
        np.vstack([np.zeros((1, 3)), DIRECTIONS, half_sphere(64)]),
    )
    assert two.shells[choose_shell(two)] == 3000
    # 20 directions three times determine no more harmonics than once
    thrice = make_gradients(
        np.r_[0, np.full(60, 1000.0)], np.vstack([np.zeros((1, 3)), *[half_sphere(20)] * 3])
    )
    both = make_gradients(
        np.r_[thrice.b, np.full(30, 700.0)], np.vstack([thrice.directions, half_sphere(30)])
    )
    assert both.shells[choose_shell(both)] == 700
    rng = np.random.default_rng(0)
    fibres = np.tile(_fibre_tensor(np.array([0.0, 0, 1])), (50, 1))
    signals = predict_signal(fibres, np.full(50, 1000.0), thrice)
    signals += rng.normal(0, 5, signals.shape)
    assert estimate_response(signals.astype(np.float32), thrice).order == 4
    flat = predict_signal(np.tile([0.8e-3, 0, 0, 0.8e-3, 0, 0.8e-3], (50, 1)), np.ones(50), TABLE)
    with pytest.raises(NoResponseError, match='only 0 voxels of white matter'):
        estimate_response(flat, TABLE)
