"""Series: what is written volume by volume is read again, packed or not."""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.series import (
    load_masked,
    open_series,
    read_volumes,
    repetition_time,
    save_masked,
    save_series,
    spread,
)

SHAPE, LENGTH, TR = (5, 6, 4), 7, 0.735
AFFINE = np.array([[-2.0, 0.1, 0, 30], [0.1, 2.1, -0.3, -40], [0, 0.3, 3.0, 10], [0, 0, 0, 1]])


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.chdir(tmp_path)
    return np.random.default_rng(0).normal(500, 20, (*SHAPE, LENGTH)).astype(np.float32)


def save(series: np.ndarray, name: str = 'bold.nii.gz') -> Path:
    volumes = (series[..., t] for t in range(series.shape[3]))
    return save_series(volumes, AFFINE, SHAPE, series.shape[3], TR, name)


def test_what_is_written_is_read_again(series: np.ndarray) -> None:
    path = save(series)
    image = nb.load(path)
    np.testing.assert_array_equal(np.asarray(image.dataobj), series)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
    assert image.get_data_dtype() == np.float32
    assert image.header.get_xyzt_units() == ('mm', 'sec')
    assert repetition_time(path) == pytest.approx(TR, abs=1e-6)


@pytest.mark.parametrize('name', ['plain.nii', 'packed.nii.gz'])
def test_single_volumes_are_read_in_any_order(series: np.ndarray, name: str) -> None:
    image = nb.Nifti1Image((series * 10).astype(np.int16), AFFINE)
    image.header.set_slope_inter(0.1, 3)
    image.to_filename(name)
    with open_series(Path(name)) as opened:
        assert opened.shape == series.shape
        for t in (6, 0, 3):
            np.testing.assert_allclose(opened[..., t], series[..., t] + 3, atol=0.11)
    assert [path.name for path in Path.cwd().iterdir()] == [name]


def test_the_first_volumes_alone_are_read(series: np.ndarray) -> None:
    path = save(series)
    volumes = list(read_volumes(path, 3))
    assert len(volumes) == 3
    np.testing.assert_array_equal(volumes[2], series[..., 2])
    assert len(list(read_volumes(path))) == LENGTH


def test_voxels_of_a_mask_come_in_its_order(series: np.ndarray) -> None:
    mask = np.random.default_rng(1).random(SHAPE) > 0.5
    found = load_masked(save(series), mask)
    np.testing.assert_array_equal(found, series[mask])
    again = load_masked(save_masked(found, mask, AFFINE, TR, 'again.nii.gz'), mask)
    np.testing.assert_array_equal(again, found)
    outside = load_masked(Path('again.nii.gz'), ~mask)
    assert not outside.any()


def test_one_value_goes_to_each_voxel_of_a_mask() -> None:
    mask = np.array([[[True, False], [False, True]]])
    assert spread([3, 4], mask).ravel().tolist() == [3, 0, 0, 4]


@pytest.mark.parametrize('length', [LENGTH - 1, LENGTH + 1])
def test_a_wrong_number_of_volumes_is_an_error(series: np.ndarray, length: int) -> None:
    volumes = (series[..., t] for t in range(LENGTH))
    with pytest.raises(ValueError, match=f'7 volumes were made, but {length} were expected'):
        save_series(volumes, AFFINE, SHAPE, length, TR, 'wrong.nii.gz')
