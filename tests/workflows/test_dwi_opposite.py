"""Parts of opposite phase encoding as one series, on a phantom, against its truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from dwi_datasets import write_root
from mriderived.config import Config
from mriderived.core.sampling import resample
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.dwi_parts import join_parts
from mriderived.interfaces.dwi_sampling import DwiRun, RunFiles, load_run
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.tensor import write_tensor
from mriderived.phantom.deformation import Deformation, draw_field, draw_matrix
from mriderived.phantom.dwi import Dwi, draw_dwi
from mriderived.phantom.dwi_files import save_dwi
from mriderived.phantom.dwi_options import DwiOptions
from mriderived.workflows.dwi_distortion import find_dwi_distortion
from mriderived.workflows.dwi_gradients import check_gradients
from mriderived.workflows.dwi_motion import estimate_dwi_motion
from mriderived.workflows.dwi_series import SeriesFiles, resample_dwi
from mriderived.workflows.func_mask import mask_epi
from mriderived.workflows.sources import find_sources

pytestmark = pytest.mark.slow
OPTIONS = {
    'voxel_mm': (5.0, 5.0, 5.0), 'shells': ((1000.0, 12),), 'b0s': 2, 'motion_mm': 1.0,
    'motion_degrees': 1.0, 'eddy_voxels': 0.5, 'dropouts': 0, 'snr': 60.0, 'bias': 0.25,
    'opposite': 'none', 'field': 1.0,
}  # fmt: skip


class Result(NamedTuple):
    """What the steps make of a series."""

    files: RunFiles
    series: SeriesFiles
    mask: Path
    fa: Path
    run: DwiRun


def draw() -> tuple[Dwi, Dwi]:
    """Draw one head twice: with other noise, directions and motion, at another place."""
    rng = np.random.default_rng(5)
    head = Deformation(draw_matrix(rng, 0.93, flip=False), draw_field(rng))
    pair = (('j-', 1), ('j', 2))
    first, second = (
        draw_dwi(head, 0.93, (seed,), DwiOptions(direction=direction, **OPTIONS))  # type: ignore[arg-type]
        for direction, seed in pair
    )
    # the coil stays where it is
    return first, second._replace(bias=first.bias)


def join(path: Path) -> Path:
    """Write all parts as one series, with their noise: to remove it takes longest."""
    acquisition = read_dwi_acquisition(path)
    series = join_parts(acquisition)
    return save(series, load_affine(acquisition.parts[0].path), 'denoised.nii.gz')


def process(folder: Path, raw: Path) -> Result:
    """Run the steps on the first series of a dataset."""
    config = Config(raw, folder / 'out', folder / 'work')
    source = find_sources(config, '01', ('dwi',), is_hashed=False)[0]
    acquisition = folder / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        denoised = join(acquisition)
        gradients = check_gradients(denoised, acquisition).dwi_gradients
        motion = estimate_dwi_motion(denoised, gradients, acquisition)
        flat = find_dwi_distortion(motion.dwi_distorted, acquisition)
        mask = mask_epi(flat.dwi_reference, what='diffusion').mask
        files = RunFiles(denoised, gradients, *motion, flat.dwi_displacement, acquisition)
        series = resample_dwi(*files, flat.dwi_reference, mask)
        fa = write_tensor(series.dwi_preproc, series.dwi_bval, series.dwi_bvec, mask).tensor_fa
        return Result(files, series, mask, fa, load_run(files))


class Both(NamedTuple):
    """The same data joined and apart, and what was drawn."""

    joined: Result
    alone: Result
    pair: tuple[Dwi, Dwi]


@pytest.fixture(scope='module')
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp('opposite')
    raw = write_root(folder / 'raw')
    pair = draw()
    paths = [save_dwi(raw, {'sub': '01'}, dwi) for dwi in pair]
    results = []
    for name in ('joined', 'alone'):
        (folder / name).mkdir()
        if name == 'alone':
            for number, path in enumerate(paths):
                sidecar = path.with_name(path.name.replace('.nii.gz', '.json'))
                content = json.loads(sidecar.read_text())
                sidecar.write_text(json.dumps({**content, 'MultipartID': str(number)}))
        results.append(process(folder / name, raw))
    return Both(*results, pair)


def remarks(path: Path) -> dict[str, Any]:
    return dict(json.loads(remarks_file(path).read_text()))


def rest_to_reference(result: Result, dwi: Dwi) -> np.ndarray:
    """Return the matrix from mm of the head at rest (of the first part) to the reference."""
    found = result.run.motion.matrices[: len(dwi.b)]
    places = np.flatnonzero(dwi.b == 0)
    seen = np.mean([np.linalg.inv(found[n]) @ dwi.matrices[n] for n in places], axis=0)
    # a constant displacement and a shift of the head look the same
    seen[1, 3] -= OPTIONS['voxel_mm'][1] * constant(result, dwi)
    return np.asarray(seen)


def constant(result: Result, dwi: Dwi) -> float:
    """Return by how many voxels the displacement differs from the truth as a whole."""
    wrong = result.run.shift - dwi.displacement.shift
    return float(np.median(wrong[load(result.mask) > 0]))


def anisotropy_error(result: Result, dwi: Dwi) -> np.ndarray:
    """Return FA less the truth, where one bundle fills voxels of white matter."""
    affine = load_affine(result.fa)
    to_rest = np.linalg.inv(affine) @ np.linalg.inv(rest_to_reference(result, dwi)) @ affine
    xx, xy, xz, yy, yz, zz = np.moveaxis(dwi.maps.tensor.astype(float), -1, 0)
    mean, squares = (xx + yy + zz) / 3, xx**2 + yy**2 + zz**2 + 2 * (xy**2 + xz**2 + yz**2)
    ratio = 1.5 * (squares - 3 * mean**2) / np.maximum(squares, 1e-20)
    truth = np.sqrt(np.clip(ratio, 0, 1)).astype(np.float32)

    def bring(image: np.ndarray) -> np.ndarray:
        return resample(np.ascontiguousarray(image, np.float32), to_rest, truth.shape)

    inside = ndimage.binary_erosion(dwi.brain_mask, iterations=2)
    where = inside & (bring(dwi.maps.shares[..., 1]) > 0.99) & (bring(dwi.maps.share) < 0.01)
    assert where.sum() > 200
    return np.asarray(load(result.fa)[where] - bring(truth)[where])


def test_the_joined_series_holds_the_volumes_of_both(both: Both) -> None:
    count = len(both.pair[0].b)
    assert load(both.joined.series.dwi_preproc).shape[3] == 2 * count
    assert load(both.alone.series.dwi_preproc).shape[3] == count
    np.testing.assert_array_equal(both.joined.run.shares, np.repeat([1.0, -1.0], count))


def test_the_head_is_found_between_the_encodings(both: Both) -> None:
    """In mm, at the centre of the head and 40 mm from it."""
    first, second = both.pair
    count = len(first.b)
    there = second.t1w_to_dwi @ np.linalg.inv(first.t1w_to_dwi)
    apart = rest_to_reference(both.joined, first)
    places = np.array([[0, 0, 0], [40, 0, 0], [0, 40, 0], [0, 0, 40.0]]) + first.centre
    points = np.column_stack([places, np.ones(4)]).T
    wrong = []
    for place in np.flatnonzero(second.b == 0):
        found = both.joined.run.motion.matrices[count + place]
        true = second.matrices[place] @ there @ np.linalg.inv(apart)
        apart_mm = (found @ points - true @ points)[:3]
        apart_mm[1] -= OPTIONS['voxel_mm'][1] * constant(both.joined, first)
        wrong.append(np.linalg.norm(apart_mm, axis=0))
    assert np.max(wrong) < 0.5


def test_joined_parts_make_anisotropy_no_worse_than_one_alone(both: Both) -> None:
    joined, alone = (anisotropy_error(result, both.pair[0]) for result in both[:2])
    assert np.median(np.abs(joined)) <= np.median(np.abs(alone))
    assert np.median(np.abs(joined)) < 0.04


def test_the_first_volume_of_an_encoding_has_no_framewise_displacement(both: Both) -> None:
    table = pd.read_csv(both.joined.files.dwi_motion, sep='\t', na_values='n/a')
    missing = np.flatnonzero(table['framewise_displacement'].isna())
    np.testing.assert_array_equal(missing, [0, len(both.pair[0].b)])


def test_the_inhomogeneity_is_recorded_and_leaves_anisotropy_alone(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    series = both.alone.series
    inside, bias = load(both.alone.mask) > 0, load(series.dwi_bias)
    assert np.log(bias[inside]).mean() == pytest.approx(0, abs=0.02)
    said = remarks(series.dwi_preproc)
    assert said['BiasFieldCorrectionMethod'] == 'N4'
    low, high = np.percentile(bias[inside], [1, 99])
    assert said['BiasFieldRange'] == pytest.approx([low, high], abs=1e-3)
    assert high - low > 0.05
    dark = save(
        load(series.dwi_preproc) * bias[..., None], load_affine(series.dwi_bias), 'dark.nii'
    )
    fa = write_tensor(dark, series.dwi_bval, series.dwi_bvec, both.alone.mask).tensor_fa
    assert np.abs(load(fa) - load(both.alone.fa)).max() < 1e-3
