"""Denoising of parts of opposite phase encoding: each among its own volumes, in their order."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from dwi_datasets import spread, write_dwi, write_root
from mriderived.config import Config
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.gradient_tables import load_fsl
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load
from mriderived.workflows.dwi_denoising import denoise_dwi
from mriderived.workflows.sources import find_sources


@pytest.mark.parametrize('count', [12, 6])
def test_parts_are_denoised_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    raw = write_root(tmp_path / 'raw')
    first = write_dwi(raw / 'sub-01/dwi/sub-01_dir-AP_dwi.nii.gz', {1000.0: 14}, b0s=2)
    other = write_dwi(
        raw / 'sub-01/dwi/sub-01_dir-PA_dwi.nii.gz', {1000.0: count}, direction='j', b0s=2
    )
    # the second part is half as bright, and made as bright as the first
    image = nb.load(other)
    nb.Nifti1Image(np.asarray(image.dataobj) / 2, image.affine).to_filename(other)
    config = Config(raw, tmp_path / 'out', tmp_path / 'work')
    (source,) = find_sources(config, '01', ('dwi',), is_hashed=False)
    acquisition = tmp_path / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    monkeypatch.chdir(tmp_path)
    found = denoise_dwi(first, acquisition)
    series = load(found.dwi_denoised)
    assert series.shape[3] == 16 + count + 2
    written = load_fsl(found.dwi_denoised_bval, found.dwi_denoised_bvec, image.affine)
    expected = read_dwi_acquisition(acquisition).gradients
    np.testing.assert_allclose(written.b, expected.b, rtol=1e-5)
    np.testing.assert_allclose(written.directions, expected.directions, atol=1e-6)
    assert not remarks_file(found.dwi_denoised_bval).exists()
    ball = load(first)[..., 0] > 450
    means = series[ball].mean(axis=0)
    assert means[:2] == pytest.approx(900, rel=0.05)
    assert means[16:18] == pytest.approx(900, rel=0.05)
    assert 0 < np.median(load(found.dwi_noise)[ball]) < 4
    joined, gains, *rest = json.loads(remarks_file(found.dwi_denoised).read_text())['Notes']
    assert joined.startswith('sub-01_dir-AP_dwi.nii.gz, sub-01_dir-PA_dwi.nii.gz were joined: ')
    assert gains.startswith('Brightness was multiplied to that of the first: sub-01_dir-PA_dwi')
    assert rest == (
        [] if count == 12
        else ['Noise was not removed: of 8 volumes principal components tell none.']
    )  # fmt: skip


def run_step(folder: Path, image: Path) -> np.ndarray:
    config = Config(folder / 'raw', folder / 'out', folder / 'work')
    (source,) = find_sources(config, '01', ('dwi',), is_hashed=False)
    assert not source.fault, source.fault
    acquisition = folder / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    return np.asarray(load(denoise_dwi(image, acquisition).dwi_denoised), float)


def replace_data(path: Path, series: np.ndarray) -> None:
    affine = nb.load(path).affine
    nb.Nifti1Image(series.astype(np.float32), affine).to_filename(path)


def truncated_box(count: int) -> np.ndarray:
    """Return a box seen with so few frequencies of the second plane that its edges ring."""
    fine = np.zeros((8 * count, 8 * count))
    fine[2 * count + 3 : 6 * count, 2 * count + 5 : 6 * count + 2] = 1
    middle, half = 4 * count, count // 2
    waves = np.fft.fftshift(np.fft.fft2(fine))[middle - half : middle + half,
                                               middle - half : middle + half]  # fmt: skip
    return np.abs(np.fft.ifft2(np.fft.ifftshift(waves))) / 64


def test_ringing_is_removed_within_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shape = (32, 32, 16)
    raw = write_root(tmp_path / 'raw') / 'sub-01/dwi/sub-01_dwi.nii.gz'
    image = write_dwi(raw, {1000.0: 14}, b0s=2, shape=shape)
    box = np.repeat(truncated_box(32)[:, :, None], 16, axis=2)
    decay = np.repeat([1.0, 0.4], [2, 14])
    noise = np.random.default_rng(1).normal(0, 2, (*shape, 16))
    replace_data(image, np.abs(900 * box[..., None] * decay + noise))
    found = run_step(tmp_path, image)
    inner = (slice(11, 21),) * 2
    before, after = 900 * box[inner], found[inner][..., :2].mean(axis=-1)
    for axis in (0, 1):
        ripple = [np.diff(values, axis=axis).std() for values in (before, after)]
        assert ripple[1] < 0.6 * ripple[0], f'along axis {axis}: {ripple}'
    # and what was uniform stays as bright as it was
    assert after.mean() == pytest.approx(900, rel=0.02)


def test_weak_contrast_between_directions_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To shrink components has the least error, but takes anisotropy away."""
    monkeypatch.chdir(tmp_path)
    shape = (14, 14, 10)
    raw = write_root(tmp_path / 'raw') / 'sub-01/dwi/sub-01_dwi.nii.gz'
    image = write_dwi(raw, {1000.0: 22}, b0s=2, shape=shape)
    directions = np.concatenate([np.zeros((2, 3)), spread(22)])
    course = directions[:, 0] ** 2
    course[2:] -= course[2:].mean()
    course /= np.linalg.norm(course)
    place = np.sin(2 * np.pi * np.indices(shape)[0] / 14)
    base = 900 * np.exp(-1e-3 * np.repeat([0.0, 1000.0], [2, 22]))
    noise = np.random.default_rng(0).normal(0, 10, (*shape, 24))
    replace_data(image, base + 40 * place[..., None] * course + noise)
    found = ((run_step(tmp_path, image) - base) @ course * place).sum() / (place**2).sum()
    assert found / 40 == pytest.approx(1, abs=0.05)
