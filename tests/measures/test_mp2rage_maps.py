"""T1 of MP2RAGE as files: values, what its sidecars tell of the sequence, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qmri_signals import (
    AFFINE,
    COUNT,
    DEAD,
    MASK,
    SHAPE,
    acquisition,
    inside,
    said,
    setting,
    tile,
    volume,
    write,
    write_field,
)

from mriderived.core.mp2rage_signal import Protocol, simulate
from mriderived.interfaces.volumes import load, save
from mriderived.measures.mp2rage import MP2RAGE, write_mp2rage
from mriderived.measures.mp2rage_protocol import count_shots

#: Fields of the voxels, over the nominal one.
FIELDS = np.resize([0.8, 1.0, 1.2], COUNT)
ALIVE = np.delete(FIELDS, DEAD)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


PROTOCOL = Protocol(5.0, (0.7, 2.5), (4.0, 5.0), 0.007, 80, 80)


def pair(shots: Any = 160, **more: Any) -> dict[str, Any]:
    images = [
        setting(
            inversion_time=time, flip_angle=angle, repetition_time=0.007, preparation_time=5.0,
            metadata={'NumberShots': shots}, phase='phase.nii.gz',
        )
        for time, angle in zip(PROTOCOL.inversion_times, PROTOCOL.flip_angles, strict=True)
    ]  # fmt: skip
    return acquisition('MP2RAGE', images, transmit_field={'kind': 'TB1TFL'}, **more)


@pytest.mark.parametrize('shots', [160, [80, 80]])
def test_t1_of_mp2rage_at_three_fields_and_an_snr_of_50(shots: Any) -> None:
    first, second = simulate(1.0, PROTOCOL, FIELDS)
    signals = 1000 * np.stack([first, second], axis=1) * np.exp(0.7j)
    rng, noise = np.random.default_rng(0), np.abs(signals).max() / 50
    signals += noise * (rng.standard_normal((COUNT, 2)) + 1j * rng.standard_normal((COUNT, 2)))
    files = write(pair(shots), np.abs(signals))
    phase = save(volume(np.angle(signals)), AFFINE, 'phase.nii.gz')
    found = write_mp2rage(*files, qmri_phase=phase, qmri_b1=write_field(FIELDS))
    values = inside(found.mp2rage_t1)
    assert abs(values.mean() - 1) < 0.01
    for field in (0.8, 1.0, 1.2):
        assert abs(np.median(values[field == ALIVE]) - 1) < 0.02
    assert np.nanmax(np.abs(load(found.mp2rage_unit1))) <= 0.5
    remarks = said(found.mp2rage_t1)
    assert remarks['TransmitFieldMethod'] == 'TB1TFL' and remarks['NumberShots'] == [80, 80]
    # without the field, T1 is off where it is not nominal
    without = write_mp2rage(*files, qmri_phase=phase)
    assert abs(np.median(inside(without.mp2rage_t1)[ALIVE == 0.8]) - 1) > 0.03
    assert 'no map of the transmit field' in said(without.mp2rage_t1)['Notes'][0]


def test_the_uniform_image_of_the_scanner_does_without_phase() -> None:
    first, second = simulate(1.0, PROTOCOL)
    value = first * second / (first**2 + second**2)
    unit1 = save(volume(np.full(COUNT, round(4095 * (value + 0.5)))), AFFINE, 'unit1.nii.gz')
    content = pair(unit1=str(unit1))
    for image in content['images']:
        image['phase'] = None
    found = write_mp2rage(*write(content, np.abs(tile([first, second]))))
    assert inside(found.mp2rage_t1) == pytest.approx(1.0, rel=2e-3)
    assert said(found.mp2rage_unit1)['MadeFrom'] == 'UNIT1 as given'


@pytest.mark.parametrize('is_given', [False, True])
def test_a_uniform_image_has_no_value_where_there_is_no_signal(is_given: bool) -> None:
    """0 is a value of the uniform image, and no mark of what is missing."""
    first, second = simulate(1.0, PROTOCOL)
    middle = np.where(np.arange(COUNT) == 3, 0, first)  # a signal in one image alone: 0
    content = pair()
    if is_given:
        value = np.where(middle == 0, 0.0, first * second / (first**2 + second**2))
        content = pair(unit1=str(save(volume(value), AFFINE, 'unit1.nii.gz')))
        for image in content['images']:
            image['phase'] = None
    rows = np.stack([middle, np.full(COUNT, second)], axis=1)
    files = write(content, np.abs(rows))
    phase = None if is_given else save(volume(np.pi * (rows < 0)), AFFINE, 'phase.nii.gz')
    found = write_mp2rage(*files, qmri_phase=phase)
    values = load(found.mp2rage_unit1)
    assert np.isnan(values[MASK][DEAD]) and values[MASK][3] == 0
    assert np.isnan(values[~MASK]).all()  # beyond the ball nothing was seen
    assert np.isfinite(values[MASK]).sum() == COUNT - 1
    assert said(found.mp2rage_unit1)['VoxelsNoSignal'] == 1


def test_what_mp2rage_needs_is_told() -> None:
    obstacle = MP2RAGE.scope.obstacle
    assert obstacle is not None
    assert obstacle(pair()) == ''
    assert 'NumberShots' in obstacle(pair(None))
    assert 'do not fit' in obstacle(pair(400))
    bare = pair()
    bare['images'][0]['phase'] = None
    assert 'do not tell the sign' in obstacle(bare)


def with_metadata(**metadata: Any) -> dict[str, Any]:
    content = pair()
    for image in content['images']:
        image['metadata'] = {'NumberShots': 160, **metadata}
    return content


def test_an_inversion_of_all_is_a_whole_number() -> None:
    first, second = simulate(1.0, PROTOCOL._replace(efficiency=1.0))
    phase = save(volume(np.angle(tile([first, second]) + 0j)), AFFINE, 'phase.nii.gz')
    files = write(with_metadata(InversionEfficiency=1), np.abs(tile([first, second])))
    found = write_mp2rage(*files, qmri_phase=phase)
    assert inside(found.mp2rage_t1) == pytest.approx(1.0, rel=1e-3)
    assert said(found.mp2rage_t1)['InversionEfficiency'] == 1.0


@pytest.mark.parametrize('value', [96, 0, True, '0.96'])
def test_an_impossible_share_of_inversion_is_refused(value: Any) -> None:
    assert MP2RAGE.scope.obstacle is not None
    reason = MP2RAGE.scope.obstacle(with_metadata(InversionEfficiency=value))
    assert f'InversionEfficiency is {value!r}' in reason


@pytest.mark.parametrize('field', ['PartialFourier', 'PartialFourierSlice'])
def test_partial_fourier_shifts_the_centre_of_a_train(field: str) -> None:
    protocol = PROTOCOL._replace(before=40, after=80)
    first, second = simulate(1.0, protocol)
    phase = save(volume(np.angle(tile([first, second]) + 0j)), AFFINE, 'phase.nii.gz')
    files = write(with_metadata(**{field: 0.75}), np.abs(tile([first, second])))
    found = write_mp2rage(*files, qmri_phase=phase)
    assert inside(found.mp2rage_t1) == pytest.approx(1.0, rel=1e-3)
    remarks = said(found.mp2rage_t1)
    assert remarks['NumberShots'] == [40, 80] and remarks['PartialFourier'] == 0.75
    assert any('40 shots were taken to lie before' in note for note in remarks['Notes'])


def test_partial_fourier_counts_through_slices_of_one_number_alone() -> None:
    in_plane = {'PartialFourier': 0.75, 'PartialFourierDirection': 'PHASE'}
    assert count_shots({'NumberShots': 160, **in_plane}) == (80, 80, 1.0)
    assert count_shots({'NumberShots': [40, 80], 'PartialFourier': 0.75}) == (40, 80, 1.0)
    assert count_shots({'NumberShots': 160, 'PartialFourier': 1}) == (80, 80, 1.0)
    with pytest.raises(ValueError, match="PartialFourier is '6/8'"):
        count_shots({'NumberShots': 160, 'PartialFourier': '6/8'})


def test_a_uniform_image_of_other_voxels_is_never_reshaped() -> None:
    values = np.full(SHAPE[::-1], 0.1, np.float32)
    content = pair(unit1=str(save(values, AFFINE, 'unit1.nii.gz')))
    for image in content['images']:
        image['phase'] = None
    files = write(content, np.abs(tile(simulate(1.0, PROTOCOL))))
    with pytest.raises(ValueError, match=r'8 x 10 x 12 voxels, the images .* 12 x 10 x 8'):
        write_mp2rage(*files)
