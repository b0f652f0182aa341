"""Every fault of a series has a file made for it; messages name the file and the remedy."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from mriderived.bids.bold_checks import BadImageError, check_bold
from mriderived.bids.fieldmap_geometry import check_field_map_geometry
from mriderived.bids.series_reading import iterate_volumes

SHAPE = (40, 44, 32, 12)
METADATA: dict[str, Any] = {'RepetitionTime': 2.0, 'PhaseEncodingDirection': 'j-'}
AFFINE = np.diag([4.0, 4, 4, 1])


def _series(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """A ball of 60 mm radius with texture and noise that differs from volume to volume."""
    centre = (np.array(shape[:3]) - 1) / 2
    grid = np.indices(shape[:3])
    radius = np.sqrt(sum((4 * (grid[a] - centre[a])) ** 2 for a in range(3)))
    still = np.where(radius < 60, 500 + 5 * grid[0], 10)[..., None]
    noise = np.random.default_rng(0).integers(-8, 9, shape)
    return (still + noise).clip(0).astype(np.int16)


def _save(
    path: Path, data: np.ndarray | None = None, time: float = 2.0, unit: str = 'sec'
) -> Path:
    image = nib.Nifti1Image(_series() if data is None else data, AFFINE)
    if image.ndim > 3:
        image.header['pixdim'][4] = time
    image.header.set_xyzt_units('mm', unit)
    nib.save(image, path)
    return path


def _file(tmp_path: Path) -> Path:
    return tmp_path / 'sub-01_task-rest_bold.nii.gz'


def test_a_good_series_passes(tmp_path: Path) -> None:
    times = [0.0, 1.0] * 16
    data = _series((*SHAPE[:3], 70))
    check = check_bold(_save(_file(tmp_path), data), METADATA | {'SliceTiming': times})
    assert (dict(check.flags), check.notes) == ({}, ())
    assert (check.volumes, check.repetition_time) == (70, 2.0)
    assert check.slice_times == tuple(times)
    assert check.phase_direction == 'j-'
    assert ('Duration (min)', '2.3') in check.rows


def test_volumes_come_one_by_one_as_nibabel_reads_them(tmp_path: Path) -> None:
    data = _series()
    image = nib.Nifti1Image(data, AFFINE)
    image.header.set_slope_inter(0.5, 3)
    path = tmp_path / 'scaled.nii.gz'
    nib.save(image, path)
    expected = nib.load(path).get_fdata()
    for number, volume in enumerate(iterate_volumes(path)):
        assert volume.dtype == np.float32
        np.testing.assert_allclose(volume, expected[..., number], rtol=1e-6)
    assert number == SHAPE[3] - 1


Change = Callable[[np.ndarray], np.ndarray]


def _with(index: Any, value: float) -> Change:
    def change(data: np.ndarray) -> np.ndarray:
        data = data.astype(np.float32)
        data[index] = value
        return data

    return change


@pytest.mark.parametrize(
    ('change', 'reason', 'remedy'),
    [
        (lambda d: d[..., 0], 'one volume', 'sbref'),
        (lambda d: d[..., :1], 'one volume', 'sbref'),
        (lambda d: d[..., :3], '3 volumes is too short, 4 are the least', 'whole'),
        (lambda d: d[..., None, :2].repeat(2, 3), 'four dimensions', 'echo'),
        (_with((..., 4), np.nan), '1 of 12 volumes have NaN or infinite values', 'cut'),
        (_with((20, 22, slice(10, 30), 4), np.nan), 'than 0.1% of the head (at most 20 of', 'cut'),
        (_with((..., [0, 11]), np.inf), ' voxels): 1, 12', 'cut'),
        (_with((..., slice(10, None)), 0), 'one value everywhere: 11, 12', 'cut'),
        (_with(..., np.nan), 'all 12 volumes have NaN', 'original source'),
        (_with(..., 7), 'all 12 volumes hold one value', 'original source'),
        (lambda d: d[..., :1].repeat(12, 3), '100% of the head never change', 'original source'),
    ],
)  # fmt: skip
def test_a_series_without_signal_is_refused(
    tmp_path: Path, change: Change, reason: str, remedy: str
) -> None:
    path = _save(_file(tmp_path), change(_series()))
    with pytest.raises(BadImageError) as caught:
        check_bold(path, METADATA)
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ('metadata', 'header', 'reason', 'remedy'),
    [
        ({'RepetitionTime': None}, (2.0, 'sec'), '(the header says 2 s)', 'rest_bold.json'),
        ({'RepetitionTime': None}, (0.0, 'sec'), 'RepetitionTime is missing', 'inherit'),
        (
            {'RepetitionTime': None, 'VolumeTiming': [0, 2, 7]},
            (2.0, 'sec'),
            'not evenly spaced',
            '.bidsignore',
        ),
        ({'RepetitionTime': 2000}, (2.0, 'sec'), 'looks like milliseconds', 'write 2 in'),
        ({'RepetitionTime': 720.0}, (0.72, 'sec'), 'looks like milliseconds', 'write 0.72 in'),
        ({'RepetitionTime': '2.0'}, (2.0, 'sec'), "'2.0', not a number", 'as a number'),
        ({'RepetitionTime': 0}, (2.0, 'sec'), 'of 0 s is impossible', 'Correct it'),
        ({'RepetitionTime': 1e6}, (2.0, 'sec'), 'impossible', 'Correct it'),
        ({'RepetitionTime': 2.5}, (2.0, 'sec'), 'gives a repetition time of 2 s', 'pixdim[4]'),
        ({'RepetitionTime': 2.03}, (2.0, 'sec'), 'the sidecar 2.03 s', 'correct the one'),
        ({'RepetitionTime': 2.0}, (2500, 'msec'), 'of 2.5 s', 'pixdim[4]'),
        ({'RepetitionTime': 2.0}, (1.0, 'sec'), 'of 1 s', 'pixdim[4]'),
    ],
)  # fmt: skip
def test_a_wrong_repetition_time_is_refused(
    tmp_path: Path,
    metadata: dict[str, Any],
    header: tuple[float, str],
    reason: str,
    remedy: str,
) -> None:
    path = _save(_file(tmp_path), None, *header)
    with pytest.raises(BadImageError) as caught:
        check_bold(path, METADATA | metadata)
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ('header', 'flag'),
    [
        ((2.0, 'sec'), None),
        ((2.01, 'sec'), None),
        ((2000.0, 'msec'), None),
        ((2e6, 'usec'), None),
        ((2.0, 'unknown'), None),
        ((2000.0, 'sec'), 'time_units'),
        ((2.0, 'msec'), 'time_units'),
        ((0.0, 'sec'), 'no_header_time'),
        ((1.0, 'unknown'), 'no_header_time'),
    ],
)
def test_units_of_the_header_are_read(
    tmp_path: Path, header: tuple[float, str], flag: str | None
) -> None:
    check = check_bold(_save(_file(tmp_path), None, *header), METADATA)
    assert check.repetition_time == 2.0
    assert set(check.flags) - {'short_series'} == ({flag} if flag else set())


@pytest.mark.parametrize(
    ('timing', 'reason'),
    [
        ([0.0, 1.0] * 15, 'has 30 values for 32 slices'),
        ([0.0, 1000.0] * 16, 'looks like milliseconds'),
        ([0.0, 2.5] * 16, 'reaches 2.5 s but a volume takes 2 s'),
        ([-0.1, 1.0] * 16, 'impossible values'),
        ([0.0, float('nan')] * 16, 'impossible values'),
        ([0.0] * 32, 'are the same'),
        ('interleaved', 'not a list of numbers'),
        ([0.0, None] * 16, 'not a list of numbers'),
    ],
)
def test_wrong_slice_times_are_left_out_with_a_note(
    tmp_path: Path, timing: Any, reason: str
) -> None:
    check = check_bold(_save(_file(tmp_path)), METADATA | {'SliceTiming': timing})
    assert check.slice_times is None
    assert reason in str(check.flags['slice_timing'])
    assert any('Slice times were not corrected' in note for note in check.notes)


def test_slices_that_count_downwards_are_turned(tmp_path: Path) -> None:
    times = [slice_ / 32 for slice_ in range(32)]
    metadata = METADATA | {'SliceTiming': times, 'SliceEncodingDirection': 'k-'}
    assert check_bold(_save(_file(tmp_path)), metadata).slice_times == tuple(times[::-1])


@pytest.mark.parametrize('direction', ['AP', 'y', 'k', 2])
def test_a_wrong_phase_direction_is_a_note(tmp_path: Path, direction: Any) -> None:
    check = check_bold(_save(_file(tmp_path)), METADATA | {'PhaseEncodingDirection': direction})
    assert check.phase_direction is None
    assert f'{direction}' in str(check.flags['phase_encoding'])
    assert any('Distortion cannot be corrected' in note for note in check.notes)


def test_oddities_are_flagged(tmp_path: Path) -> None:
    data = _series().astype(np.float32)
    data[0, 0, 0, 3] = np.nan
    data[18:22, 20:24, 16, :] = 600
    data[..., 7] = data[..., 6]
    check = check_bold(_save(_file(tmp_path), data), METADATA)
    assert check.flags['missing_values'] == 1
    assert check.flags['repeated_volumes'] == 1
    head = 4 / 3 * np.pi * 15**3
    assert check.flags['constant_voxels'] == pytest.approx(16 / head, rel=0.1)
    assert check.flags['short_series'] == 24


def test_a_single_one_is_no_plural(tmp_path: Path) -> None:
    data = _series().astype(np.float32)
    data[0, 0, 0, 3] = np.nan
    data[..., 7] = data[..., 6]
    notes = check_bold(_save(_file(tmp_path), data), METADATA).notes
    assert '1 value without a number (NaN or infinite) became 0.' in notes
    assert 'Exact copies of the one before: 1 volume.' in notes
    assert not any('1 volumes' in note or '1 values' in note for note in notes)


@pytest.mark.parametrize('factor', [1e6, 1e-3])
def test_a_volume_on_another_scale_is_noted(tmp_path: Path, factor: float) -> None:
    data = _series().astype(np.float32)
    data[..., 4] *= factor
    check = check_bold(_save(_file(tmp_path), data), METADATA)
    assert check.flags['extreme_volumes'] == 1
    (note,) = (note for note in check.notes if 'as bright' in note)
    assert '1 volume (5). Look at the series' in note
    data[..., 4] *= 3 / factor  # as a volume before the steady state
    assert 'extreme_volumes' not in check_bold(_save(_file(tmp_path), data), METADATA).flags


def test_a_cut_file_names_the_volume(tmp_path: Path) -> None:
    path = tmp_path / 'cut.nii'
    whole = _save(tmp_path / 'whole.nii').read_bytes()
    volume = int(np.prod(SHAPE[:3])) * 2
    path.write_bytes(whole[: 352 + 4 * volume + 10])
    with pytest.raises(BadImageError, match=r'ends in volume 5 of 12 \(truncated\)'):
        check_bold(path, METADATA)
    packed = tmp_path / 'cut.nii.gz'
    packed.write_bytes(gzip.compress(whole)[:-3000])
    with pytest.raises(BadImageError, match=r'too early in volume 12 of 12 \(truncated\)'):
        check_bold(packed, METADATA)
    packed.write_bytes(gzip.compress(whole)[:-8] + bytes(8))
    with pytest.raises(BadImageError, match='corrupt'):
        check_bold(packed, METADATA)


def test_a_long_series_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    shape = (24, 24, 16, 1200)
    data = np.random.default_rng(0).integers(90, 110, shape).astype(np.int16)
    data[6:18, 6:18, 4:12] += 400
    path = _save(_file(tmp_path), data)
    tracemalloc.start()
    check_bold(path, METADATA)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    volume = int(np.prod(shape[:3])) * 4
    assert peak < 80 * volume < data.nbytes / 5


def _grid(path: Path, shape: tuple[int, ...], move: float = 0.0, turn: float = 0.0) -> Path:
    angle = np.deg2rad(turn)
    affine = AFFINE.copy()
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    affine[:2, :2] = rotation @ affine[:2, :2]
    affine[2, 3] = move
    data = np.zeros(shape, np.int16)
    data[10:20, 10:20, 5:20] = 5
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


@pytest.mark.parametrize(
    ('other', 'reason'),
    [
        ({'shape': (40, 44, 30)}, 'matrix 40 x 44 x 30 is not that of'),
        ({'shape': SHAPE[:3], 'turn': 5.0}, '5.0 degrees and'),
        ({'shape': SHAPE[:3], 'move': 8.0}, '8.0 mm off'),
        ({'shape': (*SHAPE[:3], 2)}, 'this one has 2 volumes'),
    ],
)
def test_a_field_map_of_two_grids_is_refused(
    tmp_path: Path, other: dict[str, Any], reason: str
) -> None:
    run = _grid(tmp_path / 'bold.nii.gz', SHAPE)
    files = {
        'phasediff': _grid(tmp_path / 'phasediff.nii.gz', SHAPE[:3]),
        'magnitude': _grid(tmp_path / 'magnitude1.nii.gz', **other),
    }
    with pytest.raises(BadImageError) as caught:
        check_field_map_geometry(files, run)
    assert reason in caught.value.reason
    assert caught.value.path.name == 'magnitude1.nii.gz'


def test_a_field_map_of_another_place_is_refused_and_a_short_one_noted(tmp_path: Path) -> None:
    run = _grid(tmp_path / 'bold.nii.gz', SHAPE)
    far = {'fieldmap': _grid(tmp_path / 'far.nii.gz', SHAPE[:3], move=100.0)}
    with pytest.raises(BadImageError, match=r'covers \d+% of the field of view of bold.nii.gz'):
        check_field_map_geometry(far, run)
    near = {'fieldmap': _grid(tmp_path / 'near.nii.gz', SHAPE[:3], move=30.0)}
    assert 'beyond, the field is continued' in check_field_map_geometry(near, run)[0]
    assert check_field_map_geometry({'epi1': run}, run) == ()


@pytest.mark.real
@pytest.mark.parametrize(
    ('dataset', 'series', 'time'),
    [
        ('siemens-xa30', 'sub-01/func/sub-01_task-fa_bold.nii.gz', 1.0),
        ('pumi-minitest', 'sub-001/func/sub-001_task-rest_bold.nii.gz', 2.52),
        ('philips-enh', 'sub-01/func/sub-01_task-rest_bold.nii.gz', 1.25923),
    ],
)
def test_real_series_pass(test_data: Path, dataset: str, series: str, time: float) -> None:
    from mriderived.bids.sidecar import read_json, sidecar_path

    path = test_data / dataset / series
    check = check_bold(path, read_json(sidecar_path(path)))
    assert check.repetition_time == time
    assert check.phase_direction == 'j-'
    assert set(check.flags) <= {'short_series', 'left_handed', 'constant_voxels', 'oblique'}
