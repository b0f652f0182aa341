"""Transmit fields from every kind of images, and phase in any unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.interfaces.qmri_images import as_radians
from mriderived.interfaces.transmit_maps import FieldMap, compute_field

SHAPE = (20, 20, 12)
AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])
HEAD = np.zeros(SHAPE, bool)
HEAD[3:17, 3:17, 2:10] = True
TRUTH = (0.8 + 0.4 * np.indices(SHAPE)[0] / 19).astype(np.float32)


def save(folder: Path, **images: NDArray[Any]) -> dict[str, str]:
    files = {}
    for role, data in images.items():
        path = folder / f'{role}.nii.gz'
        nb.Nifti1Image(np.asarray(data, np.float32), AFFINE).to_filename(path)
        files[role] = str(path)
    return files


def check(found: FieldMap) -> None:
    inner = np.zeros(SHAPE, bool)
    inner[5:15, 5:15, 4:8] = True
    assert np.abs(found.values / TRUTH - 1)[inner].max() < 1e-4
    np.testing.assert_allclose(found.affine, AFFINE)


@pytest.mark.parametrize(
    ('scale', 'flip_angle', 'unit'),
    [(100.0, None, 'percent'), (1.0, None, 'ratio'), (1000.0, None, 'per mille'),
     (60.0, 60.0, 'degrees'), (600.0, 60.0, 'tenths of degrees')],
)  # fmt: skip
def test_a_given_map_is_read_in_its_unit(
    tmp_path: Path, scale: float, flip_angle: float | None, unit: str
) -> None:
    files = save(tmp_path, map=scale * TRUTH * HEAD)
    found = compute_field(
        {'kind': 'TB1map', 'files': files, 'flip_angle': flip_angle, 'metadata': {}}
    )
    check(found)
    assert found.algorithm == f'as given, in {unit}'
    assert np.isnan(found.values[0, 0, 0])


def test_units_of_the_sidecar_decide(tmp_path: Path) -> None:
    files = save(tmp_path, map=90 * TRUTH * HEAD)
    field = {'kind': 'TB1map', 'files': files, 'flip_angle': 90.0}
    assert compute_field({**field, 'metadata': {'units': 'degrees'}}).algorithm.endswith('degrees')
    found = compute_field({**field, 'metadata': {'units': 'percent'}})
    assert found.algorithm == 'as given, in percent'
    assert found.notes == ()
    with pytest.raises(ValueError, match=r'map.nii.gz are degrees, and its FlipAngle is missing'):
        compute_field({**field, 'flip_angle': None, 'metadata': {'units': 'degrees'}})


@pytest.mark.parametrize(
    ('scale', 'flip_angle', 'unit', 'other'),
    [
        (80.0, 80.0, 'degrees', 'percent'),
        (90.0, 90.0, 'degrees', 'percent'),
        (800.0, 80.0, 'tenths of degrees', 'per mille'),
        (100.0, 80.0, 'percent', 'degrees'),
        (97.0, 97.0, 'percent', 'degrees'),
        (970.0, 97.0, 'tenths of degrees', 'per mille'),
    ],
)
def test_the_unit_nearest_to_1_is_taken_and_doubt_told(
    tmp_path: Path, scale: float, flip_angle: float, unit: str, other: str
) -> None:
    files = save(tmp_path, map=scale * TRUTH * HEAD)
    found = compute_field(
        {'kind': 'TB1map', 'files': files, 'flip_angle': flip_angle, 'metadata': {}}
    )
    assert found.algorithm == f'as given, in {unit}'
    assert found.notes == (
        f'map.nii.gz was read in {unit}, but its values may be in {other} as well: write Units '
        'into its sidecar.',
    )


def test_a_map_in_no_unit_is_refused(tmp_path: Path) -> None:
    files = save(tmp_path, map=12 * TRUTH * HEAD)
    with pytest.raises(ValueError, match=r'the median of map.nii.gz is 12, which is no transmit'):
        compute_field({'kind': 'TB1map', 'files': files, 'flip_angle': None, 'metadata': {}})


def test_two_angles(tmp_path: Path) -> None:
    signals = [1000 * np.sin(np.radians(n * 60 * TRUTH)) * HEAD for n in (1, 2)]
    files = save(tmp_path, small=signals[0], large=signals[1])
    check(compute_field({'kind': 'TB1DAM', 'files': files, 'flip_angle': 60.0}))


def test_two_delays(tmp_path: Path) -> None:
    cosine = np.cos(np.radians(60 * TRUTH))
    files = save(tmp_path, first=1000 * HEAD, second=1000 * HEAD * (1 + 5 * cosine) / (5 + cosine))
    field = {'kind': 'TB1AFI', 'files': files, 'flip_angle': 60.0, 'repetition_times': [0.02, 0.1]}
    check(compute_field(field))


@pytest.mark.parametrize('scale', [1.0, 10.0])
def test_maps_of_angles(tmp_path: Path, scale: float) -> None:
    files = save(tmp_path, angles=scale * 80 * TRUTH, anatomy=1000 * HEAD)
    found = compute_field({'kind': 'TB1TFL', 'files': files, 'flip_angle': 80.0})
    check(found)
    assert np.isnan(found.values[0, 0, 0])  # noise outside of the head is no field
    with pytest.raises(ValueError, match='neither degrees nor tenths of degrees'):
        compute_field({'kind': 'TB1TFL', 'files': files, 'flip_angle': 28.0 * scale})


@pytest.mark.parametrize(
    ('scale', 'shift'),
    [(1.0, 0.0), (4096 / np.pi, 0.0), (2048 / np.pi, 2048.0), (1000.0, 0.0), (180 / np.pi, 0.0)],
    ids=['rad', 'signed', 'unsigned', 'thousandths', 'degrees'],
)
def test_phase_is_scaled_to_radians(scale: float, shift: float) -> None:
    phase = np.linspace(-np.pi, np.pi * 0.999, 2001)
    stored = phase * scale + shift
    stored = stored if scale == 1 else np.rint(stored)
    found = as_radians(stored.astype(np.float32))
    assert np.abs(found - phase).max() < (2e-3 if scale != 180 / np.pi else 0.01)


def test_a_value_below_zero_makes_no_signed_phase() -> None:
    stored = np.r_[-1.0, np.arange(4096)].astype(np.float32)
    assert as_radians(stored)[1:] == pytest.approx(
        np.arange(4096) * np.pi / 2048 - np.pi, abs=1e-5
    )


@pytest.mark.parametrize('ends', [(-800.0, 700.0), (0.0, 1500.0), (-300.0, 300.0)])
def test_a_phase_that_fills_no_turn_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r'is a turn neither in rad.*store it in rad'):
        as_radians(np.linspace(*ends, 100).astype(np.float32))
