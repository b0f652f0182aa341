"""The parts of an acquisition become one series of one brightness, and the sidecar tells it."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.dwi_acquisition import DwiAcquisition, DwiPart, read_dwi_acquisition
from mriderived.interfaces.dwi_parts import join_parts, join_scaled
from mriderived.interfaces.sink import remarks_file
from mriderived.workflows.dwi_denoising import denoise_dwi

SHAPE = (14, 14, 10)


def write_parts(folder: Path, gains: list[float], b0s: list[int]) -> tuple[Path, list[Path]]:
    """Write parts of one head, each divided by its gain, and their acquisition."""
    rng = np.random.default_rng(0)
    away = np.sqrt(sum((part / n - 0.5) ** 2 for part, n in
                       zip(np.indices(SHAPE), SHAPE, strict=True)))  # fmt: skip
    head = np.where(away < 0.4, 800.0, 0.0)
    parts, paths = [], []
    for number, (gain, count) in enumerate(zip(gains, b0s, strict=True)):
        b = [0.0] * count + [1000.0] * 3
        series = head[..., None] * np.exp(-0.8e-3 * np.array(b)) / gain
        series += np.abs(rng.normal(0, 4 / gain, series.shape))
        path = folder / f'sub-01_run-{number + 1}_dwi.nii.gz'
        nb.Nifti1Image(series.astype(np.float32), np.diag([3.0, 3, 3, 1])).to_filename(path)
        paths.append(path)
        parts.append({
            'path': str(path), 'volumes': list(range(len(b))), 'b': b,
            'directions': [[0.0, 0, 0]] * count + np.eye(3).tolist(),
            'phase_direction': 'j', 'readout_time': 0.05,
        })  # fmt: skip
    acquisition = folder / 'acquisition.json'
    acquisition.write_text(json.dumps({
        'repetition_time': 4.0, 'slice_times': None, 'slice_axis': 2, 'parts': parts,
        'field_map': None, 'notes': [],
    }))  # fmt: skip
    return acquisition, paths


def read_parts(folder: Path, gains: list[float], b0s: list[int]) -> DwiAcquisition:
    return read_dwi_acquisition(write_parts(folder, gains, b0s)[0])


def test_parts_become_as_bright_as_the_first(tmp_path: Path) -> None:
    joined = join_scaled(read_parts(tmp_path, [1.0, 0.5, 1.3], [2, 1, 2]))
    np.testing.assert_allclose(joined.gains, [1, 0.5, 1.3], rtol=0.01)
    first, second, third = (joined.series[7, 7, 5, n] for n in (0, 5, 9))
    np.testing.assert_allclose([second, third], first, rtol=0.03)
    assert joined.series.dtype == np.float32


def test_a_part_without_b0_stays_as_it_is(tmp_path: Path) -> None:
    acquisition = read_parts(tmp_path, [1.0, 0.5], [2, 0])
    joined = join_scaled(acquisition)
    np.testing.assert_array_equal(joined.gains, [1, np.nan])
    raw = nb.load(acquisition.parts[1].path).get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(joined.series[..., 5:], raw)


def test_one_part_is_read_as_it_is(tmp_path: Path) -> None:
    acquisition = read_parts(tmp_path, [0.5], [2])
    raw = nb.load(acquisition.parts[0].path).get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(join_parts(acquisition), raw)


def test_the_sidecar_tells_the_gains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    acquisition, paths = write_parts(tmp_path, [1.0, 0.5, 1.0], [2, 2, 0])
    said = json.loads(remarks_file(denoise_dwi(paths[0], acquisition).dwi_denoised).read_text())
    assert said['PartGains'][0] == 1
    assert said['PartGains'][1] == pytest.approx(0.5, rel=0.01)
    assert said['PartGains'][2] == 'n/a'
    assert any('sub-01_run-2_dwi.nii.gz by 0.5' in note for note in said['Notes'])
    assert any('sub-01_run-3_dwi.nii.gz has the brightness' in note for note in said['Notes'])


GRID = (3, 4, 2)


def write_part(path: Path, data: np.ndarray, volumes: tuple[int, ...], b: float) -> DwiPart:
    nb.Nifti1Image(data, np.eye(4)).to_filename(path)
    return DwiPart(path, volumes, np.full(len(volumes), b), np.eye(len(volumes), 3), None, None)


@pytest.mark.parametrize('end', ['nii', 'nii.gz'])
def test_the_volumes_of_all_parts_in_their_order_without_what_is_no_number(
    end: str, tmp_path: Path
) -> None:
    first = np.random.default_rng(0).uniform(0, 9, (*GRID, 5)).astype(np.float32)
    first[0, 0, 0, 1], first[1, 0, 0, 3], first[2, 0, 0, 3] = np.nan, np.inf, -np.inf
    single = np.full(GRID, 7, np.int16)
    parts = (
        write_part(tmp_path / f'a.{end}', first, (3, 0, 1), 0.0),
        write_part(tmp_path / f'b.{end}', single, (0,), 1000.0),
    )
    joined = join_parts(DwiAcquisition(5.0, None, 2, parts, None, ()))
    expected = np.concatenate([first[..., [3, 0, 1]], single[..., None]], axis=-1)
    expected[~np.isfinite(expected)] = 0
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined, expected)
