"""T2, myelin water, T2* and T1 as files: values, what has none, remarks, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qmri_signals import (
    COUNT,
    DEAD,
    MASK,
    acquisition,
    inside,
    magnitudes,
    said,
    setting,
    tile,
    volume,
    write,
    write_field,
)

from mriderived.core.dephasing import dephasing, field_changes
from mriderived.core.epg import echo_train
from mriderived.core.variable_flip_angle import spoiled_signal
from mriderived.interfaces.qmri_acquisition import parse_qmri_acquisition
from mriderived.interfaces.volumes import load, save
from mriderived.measures.echo_trains import read_train
from mriderived.measures.irt1 import IRT1, write_irt1
from mriderived.measures.megre import MEGRE, write_megre
from mriderived.measures.mp2rage import MP2RAGE
from mriderived.measures.myelin_water import MYELIN_WATER, write_myelin_water
from mriderived.measures.t2 import T2, write_t2
from mriderived.measures.vfa import TWO_ANGLES, VFA, write_vfa

AFFINE = np.diag([2.0, 2, 2.5, 1])
#: Fields of the voxels, over the nominal one.
FIELDS = np.resize([0.8, 1.0, 1.2], COUNT)
ALIVE = np.delete(FIELDS, DEAD)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(times: Any) -> dict[str, Any]:
    return acquisition('MESE', [setting(echo_time=time) for time in times])


def median_bias(values: np.ndarray, truth: float) -> float:
    return float(np.median(values)) / truth - 1


def trains(t2: float) -> np.ndarray:
    return 1000 * echo_train(t2, 180 * FIELDS, 0.01, 16)


def test_t2_at_three_fields_and_an_snr_of_50() -> None:
    times = np.arange(1, 17) * 0.01
    rows = trains(0.08)
    found = write_t2(*write(train(times), magnitudes(rows, 50)), qmri_b1=write_field(FIELDS))
    values = inside(found.t2_map)
    for field in (0.8, 1.0, 1.2):
        assert abs(values[field == ALIVE].mean() / 0.08 - 1) < 0.01
    remarks = said(found.t2_map)
    assert remarks['TransmitFieldCorrection'] and remarks['Notes'] == []
    assert remarks['VoxelsNoSignal'] == 1 and remarks['VoxelsFitted'] == COUNT - 1
    assert remarks['EchoTime'] == pytest.approx(list(times))
    assert remarks['NoiseStandardDeviation'] == pytest.approx(rows.max() / 50, rel=0.1)
    assert load(found.t2_map)[~MASK].max() == 0
    outcome = load(found.t2_outcome)
    assert outcome[~MASK].max() == 0 and outcome[MASK][DEAD] == 2
    assert (inside(found.t2_outcome) == 1).all()
    assert inside(found.t2_misfit) == pytest.approx(0.05, abs=0.05)
    table = pd.read_csv(found.t2_fit, sep='\t')
    assert list(table) == [column.name for column in T2.output('t2_fit').columns]
    assert table['no_value'][0] == pytest.approx(1 / COUNT, rel=1e-4)


def test_t2_fits_the_field_where_none_is_given_and_orders_echoes() -> None:
    order = np.random.default_rng(1).permutation(16)
    times = np.arange(1, 17)[order] * 0.01
    found = write_t2(*write(train(times), trains(0.08)[:, order]))
    assert inside(found.t2_map) == pytest.approx(0.08, rel=2e-3)
    # an angle above 180 degrees makes the echoes of one as much below
    assert inside(found.t2_refocusing) == pytest.approx(180 - 180 * np.abs(ALIVE - 1), abs=1)
    remarks = said(found.t2_map)
    assert not remarks['TransmitFieldCorrection']
    assert 'fitted to the echoes' in remarks['Notes'][0]


def test_voxels_beyond_the_map_of_the_field_are_fitted() -> None:
    field = FIELDS.copy()
    field[30:60] = 0
    found = write_t2(
        *write(train(np.arange(1, 17) * 0.01), trains(0.08)), qmri_b1=write_field(field)
    )
    assert inside(found.t2_map) == pytest.approx(0.08, rel=2e-3)
    assert said(found.t2_map)['VoxelsWithoutTransmitField'] == 30


@pytest.mark.parametrize(
    ('times', 'reason'),
    [
        (np.arange(1, 4) * 0.01, 'needs 4 echoes'),
        ([0.02, 0.03, 0.04, 0.05], 'one spacing'),
        ([0.01, 0.02, 0.03, None], 'no EchoTime'),
    ],
)
def test_what_is_no_train_is_refused(times: Any, reason: str) -> None:
    assert T2.scope.obstacle is not None
    assert reason in T2.scope.obstacle(train(times))


def test_the_nominal_angle_of_the_refocusing_pulses_is_that_of_the_sidecar() -> None:
    content = train([0.01 * number for number in range(1, 9)])
    assert read_train(parse_qmri_acquisition(content).settings).nominal == 180
    for image in content['images']:
        image['metadata'] = {'RefocusingFlipAngle': 150}
    assert read_train(parse_qmri_acquisition(content).settings).nominal == 150


def test_implausible_voxels_have_no_value_and_are_counted() -> None:
    rows = trains(0.08)
    rows[20:40] = 1000 * echo_train(0.08, 180, 0.01, 16)[::-1]  # grows
    found = write_t2(*write(train(np.arange(1, 17) * 0.01), rows))
    remarks = said(found.t2_map)
    lost = remarks['VoxelsNoSolution'] + remarks['VoxelsImplausible']
    assert lost == 20
    assert (load(found.t2_map)[MASK] == 0).sum() == 21
    assert any('% of the voxels have no T2' in note for note in remarks['Notes'])


def test_myelin_water_at_an_snr_of_200() -> None:
    rows = 15 * echo_train(0.02, 180 * FIELDS, 0.01, 32)
    rows = 10 * (rows + 85 * echo_train(0.08, 180 * FIELDS, 0.01, 32))
    files = write(train(np.arange(1, 33) * 0.01), magnitudes(rows, 200))
    found = write_myelin_water(*files)
    assert inside(found.mwf_map).mean() == pytest.approx(15, abs=2)
    assert inside(found.mwf_iewf).mean() == pytest.approx(85, abs=2)
    assert inside(found.mwf_iet2).mean() == pytest.approx(0.08, rel=0.03)
    mean = np.exp(0.15 * np.log(0.02) + 0.85 * np.log(0.08))
    assert inside(found.mwf_gmt2).mean() == pytest.approx(mean, rel=0.03)
    assert np.isnan(load(found.mwf_map)[~MASK]).all()  # 0 is a value
    assert said(found.mwf_map)['Notes'] == []


def test_short_trains_tell_no_myelin_water() -> None:
    obstacle = MYELIN_WATER.scope.obstacle
    assert obstacle is not None
    assert 'needs 8 echoes' in obstacle(train(np.arange(1, 7) * 0.01))
    assert 'has decayed' in obstacle(train(np.arange(1, 17) * 0.03))
    times = np.arange(1, 17) * 0.01
    assert obstacle(train(times)) == ''
    found = write_myelin_water(*write(train(times), trains(0.08)))
    assert 'badly' in said(found.mwf_map)['Notes'][0]


def gradient_echoes(**more: Any) -> tuple[list[float], dict[str, Any]]:
    times = [0.004 * number for number in range(1, 9)]
    return times, acquisition('MEGRE', [setting(echo_time=t, **more) for t in times])


def test_t2star_at_an_snr_of_50() -> None:
    times, content = gradient_echoes()
    files = write(content, magnitudes(tile(1000 * np.exp(-np.array(times) / 0.03)), 50))
    found = write_megre(*files)
    assert abs(inside(found.megre_t2star).mean() / 0.03 - 1) < 0.01
    assert inside(found.megre_r2star).mean() == pytest.approx(1 / 0.03, rel=0.01)
    assert inside(found.megre_s0).mean() == pytest.approx(1000, rel=0.01)
    assert said(found.megre_r2star)['PlausibleRange'] == pytest.approx(
        [1 / end for end in reversed(said(found.megre_t2star)['PlausibleRange'])]
    )
    remarks = said(found.megre_t2star)
    assert not remarks['DephasingCorrection'] and 'no phase image' in remarks['Notes'][0]


def test_the_field_within_a_voxel_is_taken_off() -> None:
    times, content = gradient_echoes(phase='phase.nii.gz')
    # 12 Hz from one side of a voxel to the other
    field = 12.0 * np.arange(12)[:, None, None] + np.zeros(MASK.shape)
    left = dephasing(field_changes(field, MASK), times)
    rows = 1000 * np.exp(-np.array(times) / 0.03) * left
    phases = 2 * np.pi * field[MASK][:, None] * np.array(times) + 0.4
    phase = save(volume(np.angle(np.exp(1j * phases))), AFFINE, 'phase.nii.gz')
    files = write(content, rows)
    found = write_megre(*files, qmri_phase=phase)
    values = inside(found.megre_t2star)
    assert np.median(np.abs(values / 0.03 - 1)) < 1e-3
    remarks = said(found.megre_t2star)
    assert remarks['DephasingCorrection'] and remarks['VoxelsDephased'] == 0
    without = inside(write_megre(*files).megre_t2star)
    assert median_bias(without, 0.03) < -0.1


def flips(angles: Any, tr: float = 0.0237, **more: Any) -> dict[str, Any]:
    images = [setting(flip_angle=float(a), repetition_time=tr, **more) for a in angles]
    return acquisition('VFA', images, transmit_field={'kind': 'TB1map'})


def test_t1_of_four_angles_at_three_fields_and_an_snr_of_50() -> None:
    angles = np.array([3.0, 6, 12, 20])
    rows = 10_000 * spoiled_signal(1.0, angles * FIELDS[:, None], 0.0237)
    files = write(flips(angles), magnitudes(rows, 50))
    found = write_vfa(*files, qmri_b1=write_field(FIELDS))
    values = inside(found.vfa_t1)
    for field in (0.8, 1.0, 1.2):
        assert abs(values[field == ALIVE].mean() / 1.0 - 1) < 0.015
    assert abs(values.mean() - 1) < 0.01
    assert inside(found.vfa_r1) == pytest.approx(1 / values, rel=1e-5)
    remarks = said(found.vfa_t1)
    assert remarks['TransmitFieldMethod'] == 'TB1map' and remarks['Notes'] == []
    assert remarks['FlipAngle'] == list(angles)
    assert remarks['RepetitionTimeExcitation'] == 0.0237


def test_two_angles_are_exact_and_a_missing_field_is_told() -> None:
    rows = tile(1000 * spoiled_signal(1.0, [6.0, 21.0], 0.02))
    found = write_vfa(*write(flips([6, 21], 0.02), rows))
    assert inside(found.vfa_t1) == pytest.approx(1.0, rel=1e-4)
    assert inside(found.vfa_pd) == pytest.approx(1000, rel=1e-4)
    remarks = said(found.vfa_t1)
    assert not remarks['TransmitFieldCorrection'] and not remarks['SpoilingCorrection']
    assert 'twice' in remarks['Notes'][0] and remarks['TransmitFieldReason'] == 'there is none'
    assert said(found.vfa_fit)['MissingReasons'] == {'misfit': TWO_ANGLES}


def test_echoes_of_flip_angles_lead_to_no_echo_time() -> None:
    angles, times = [3.0, 10.0, 20.0], np.array([0.003, 0.006, 0.009])
    images = [
        setting(flip_angle=a, repetition_time=0.0237, echo_time=t) for a in angles for t in times
    ]
    rows = np.concatenate(
        [1000 * spoiled_signal(1.0, a, 0.0237) * np.exp(-times / 0.04) for a in angles]
    )
    found = write_vfa(*write(acquisition('VFA', images), tile(rows)))
    assert inside(found.vfa_t1) == pytest.approx(1.0, rel=1e-3)
    assert inside(found.vfa_pd) == pytest.approx(1000, rel=1e-3)
    assert said(found.vfa_t1)['EchoTimeCorrection']


def test_what_flip_angles_need_is_told() -> None:
    obstacle = VFA.scope.obstacle
    assert obstacle is not None
    assert 'two flip angles' in obstacle(flips([6.0]))
    balanced = flips([6.0, 21.0], metadata={'PulseSequenceType': 'bSSFP'})
    assert 'spoiled sequence' in obstacle(balanced)
    three = flips([6.0, 12.0, 21.0])
    three['images'][2]['repetition_time'] = 0.03
    assert 'one repetition time' in obstacle(three)
    assert obstacle(flips([6.0, 21.0])) == ''


DELAYS = [0.05, 0.2, 0.4, 0.7, 1.1, 1.7, 2.5]


def recovery(delays: Any = DELAYS, **more: Any) -> dict[str, Any]:
    return acquisition('IRT1', [setting(inversion_time=time, **more) for time in delays])


def test_t1_of_inversion_recovery_at_an_snr_of_50() -> None:
    signals = 1000 * (1 - 1.9 * np.exp(-np.array(DELAYS) / 0.9))
    files = write(recovery(), magnitudes(tile(signals), 50))
    found = write_irt1(*files)
    assert abs(inside(found.ir_t1).mean() / 0.9 - 1) < 0.01
    assert inside(found.ir_efficiency).mean() == pytest.approx(1.9, abs=0.02)
    remarks = said(found.ir_t1)
    assert remarks['SignOfSignal'] == 'magnitude' and not remarks['LookLocker']


def test_phase_gives_the_sign_back() -> None:
    delays = [0.1, 0.6, 2.0]  # too few for magnitudes
    signals = tile(1000 * (1 - 1.9 * np.exp(-np.array(delays) / 0.9)))
    phase = save(volume(np.where(signals < 0, -2.6, 0.5)), AFFINE, 'phase.nii.gz')
    files = write(recovery(delays, phase='phase.nii.gz'), np.abs(signals))
    found = write_irt1(*files, qmri_phase=phase)
    assert inside(found.ir_t1) == pytest.approx(0.9, rel=1e-3)
    assert IRT1.scope.obstacle is not None
    assert 'magnitudes at 4' in IRT1.scope.obstacle(recovery(delays))
    assert IRT1.scope.obstacle(recovery(delays, phase='phase.nii.gz')) == ''
    real = write(recovery(delays, part='real'), signals)
    assert inside(write_irt1(*real).ir_t1) == pytest.approx(0.9, rel=1e-3)


def test_real_and_imaginary_parts_are_a_magnitude_with_its_phase() -> None:
    delays = [0.1, 0.4, 0.9, 2.0]
    signals = tile(1000 * (1 - 1.9 * np.exp(-np.array(delays) / 0.9)))
    phase = save(volume(np.where(signals < 0, -2.6, 0.5)), AFFINE, 'phase.nii.gz')
    # the series holds the magnitude of the pair
    files = write(recovery(delays, part='real', imag='imag.nii.gz'), np.abs(signals))
    for more, sign in (({}, 'magnitude'), ({'qmri_phase': phase}, 'phase against')):
        found = write_irt1(*files, **more)
        assert inside(found.ir_t1) == pytest.approx(0.9, rel=1e-3)
        assert said(found.ir_t1)['SignOfSignal'].startswith(sign)


def test_real_parts_beside_magnitudes_are_refused() -> None:
    mixed = recovery()
    mixed['images'][2] |= {'part': 'real', 'path': 'inv-3_part-real.nii.gz'}
    assert IRT1.scope.obstacle is not None
    reason = IRT1.scope.obstacle(mixed)
    assert 'of inv-3_part-real.nii.gz there is the real part alone' in reason
    assert 'Add part-imag' in reason


def test_a_driven_recovery_is_corrected_where_the_sidecar_says_so() -> None:
    delays = [0.1, 0.2, 0.9, 1.0, 1.8, 2.6, 3.4]
    apparent, plateau = 0.9, 1.9
    signals = np.abs(1000 * (1 - plateau * np.exp(-np.array(delays) / apparent)))
    content = recovery(delays, metadata={'LookLocker': True})
    found = write_irt1(*write(content, tile(signals)))
    assert inside(found.ir_t1) == pytest.approx(apparent * (plateau - 1), rel=1e-3)
    assert said(found.ir_t1)['LookLocker']


def test_every_measure_of_relaxation_has_its_collection() -> None:
    scopes = {m.name: m.scope.collections for m in (T2, MYELIN_WATER, MEGRE, VFA, MP2RAGE, IRT1)}
    assert scopes == {
        't2': ('MESE',), 'myelin_water': ('MESE',), 'megre': ('MEGRE',), 'vfa': ('VFA',),
        'mp2rage': ('MP2RAGE',), 'irt1': ('IRT1',),
    }  # fmt: skip
