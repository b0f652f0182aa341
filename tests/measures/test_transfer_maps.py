"""Multi-parameter mapping, transfer ratios and the transmit field as files."""

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
    write,
    write_field,
)

from mriderived.core.variable_flip_angle import spoiled_signal
from mriderived.interfaces.volumes import load
from mriderived.measures.b1 import write_b1
from mriderived.measures.mpm import MPM, NO_PUBLISHED, ONE_ECHO, write_mpm
from mriderived.measures.mpm_mtsat import MPM_MTSAT, write_mtsat
from mriderived.measures.mpm_r2star import MPM_R2STAR, write_r2star
from mriderived.measures.mtr import MTR, write_mtr

FIELDS = np.resize([0.8, 1.0, 1.2], COUNT)
ALIVE = np.delete(FIELDS, DEAD)
ECHOES = 0.0023 * np.arange(1, 7)
R2STAR, T1, TR = 20.0, 1.0, 0.03


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def saturated(share: Any, angle: Any) -> Any:
    """Return the steady state of a pulse that saturates halfway to the next excitation."""
    radians = np.radians(angle)
    left = np.exp(-TR / T1)
    half = np.exp(-TR / T1 / 2)
    keep = 1 - share
    rest = (1 - half) + half * keep * (1 - half)
    return np.sin(radians) * rest / (1 - keep * left * np.cos(radians))


def mapping(
    echoes: Any = ECHOES, mt: bool = True, suffix: str = 'MPM', **more: Any
) -> dict[str, Any]:
    """Return a collection, its MT-weighted images in the midst."""
    kinds = [(6.0, False), *([(6.0, True)] if mt else []), (21.0, False)]
    images = [
        setting(flip_angle=angle, mt=state, repetition_time=TR, echo_time=float(time))
        for angle, state in kinds
        for time in echoes
    ]
    return acquisition(suffix, images, transmit_field={'kind': 'TB1map'}, **more)


def signals(field: Any = FIELDS, echoes: Any = ECHOES, mt: bool = True) -> np.ndarray:
    decay = np.exp(-R2STAR * np.asarray(echoes))
    pdw, t1w = (spoiled_signal(T1, angle * field, TR) for angle in (6.0, 21.0))
    mtw = saturated(0.017 * field**2 * (1 - 0.4 * field) / 0.6, 6.0 * field)
    levels = [pdw, *([mtw] if mt else []), t1w]
    return np.concatenate([1000 * level[:, None] * decay for level in levels], axis=1)


def test_parameters_at_three_fields_and_an_snr_of_50() -> None:
    files = write(mapping(), magnitudes(signals(), 50))
    field = write_field(FIELDS)
    found = write_mpm(*files, qmri_b1=field)
    for each in (0.8, 1.0, 1.2):
        assert abs(np.median(inside(found.mpm_r1)[each == ALIVE]) * T1 - 1) < 0.02
        assert abs(np.median(inside(found.mpm_pd)[each == ALIVE]) / 1000 - 1) < 0.02
    assert abs(np.median(inside(found.mpm_r1)) * T1 - 1) < 0.01
    rate = write_r2star(*files)
    table = pd.read_csv(rate.mpm_r2star_fit, sep='\t')
    columns = MPM_R2STAR.output('mpm_r2star_fit').columns
    assert list(table) == [column.name for column in columns]
    assert abs(inside(rate.mpm_r2star).mean() / R2STAR - 1) < 0.01
    transfer = write_mtsat(*files, qmri_b1=field)
    # its equation takes angles and rates as small: of 1.70 it finds 1.67 to 1.75
    assert np.median(inside(transfer.mpm_mtsat)) == pytest.approx(1.7, abs=0.06)
    remarks = said(found.mpm_r1)
    assert remarks['TransmitFieldCorrection'] and remarks['EchoTimeCorrection']
    assert remarks['Notes'] == [NO_PUBLISHED]
    assert remarks['MTStates'][6] is True and remarks['VoxelsNoSignal'] == 1
    assert said(transfer.mpm_mtsat)['TransmitFieldDependence'] == 0.4


def test_a_published_protocol_is_corrected_for_spoiling() -> None:
    content = mapping(mt=False)
    for image in content['images']:
        image['repetition_time'] = 0.025
    rows = np.concatenate([
        1000 * spoiled_signal(T1, a, 0.025) * np.exp(-R2STAR * ECHOES) for a in (6.0, 21.0)
    ])  # fmt: skip
    files = write(content, tile(rows))
    found = write_mpm(*files, qmri_b1=write_field(1.0))
    remarks = said(found.mpm_r1)
    assert remarks['SpoilingCorrection'] and remarks['Notes'] == []
    assert 0.95 < np.median(1 / inside(found.mpm_r1)) < 0.985


def test_saturation_without_echoes() -> None:
    one = [0.003]
    content = mapping(one, suffix='MTS')
    found = write_mpm(*write(content, signals(echoes=one)), qmri_b1=write_field(FIELDS))
    assert inside(found.mpm_r1) == pytest.approx(1 / T1, rel=1e-3)
    decay = np.exp(-R2STAR * 0.003)
    assert inside(found.mpm_pd) == pytest.approx(1000 * decay, rel=1e-3)
    assert ONE_ECHO in said(found.mpm_r1)['Notes']
    assert not said(found.mpm_r1)['EchoTimeCorrection']
    files = write(content, signals(echoes=one))
    transfer = write_mtsat(*files, qmri_b1=write_field(FIELDS))
    assert inside(transfer.mpm_mtsat) == pytest.approx(1.7, abs=0.06)
    without = write_mtsat(*files)
    assert not said(without.mpm_mtsat)['TransmitFieldCorrection']
    assert 'no map of the transmit field' in said(without.mpm_mtsat)['Notes'][0]
    off = np.abs(inside(without.mpm_mtsat)[ALIVE != 1] / 1.7 - 1)
    assert off.min() > 0.1


def test_what_each_map_needs_is_told() -> None:
    scopes = {each.name: each.scope.obstacle for each in (MPM, MPM_R2STAR, MPM_MTSAT)}
    whole = mapping()
    assert [scope and scope(whole) for scope in scopes.values()] == ['', '', '']
    one, plain = mapping([0.003]), mapping(mt=False)
    assert 'two echo times' in (scopes['mpm_r2star'] or str)(one)
    assert 'MTState true' in (scopes['mpm_mtsat'] or str)(plain)
    assert (scopes['mpm'] or str)(plain) == '' == (scopes['mpm'] or str)(one)
    for image in plain['images']:
        image['flip_angle'] = 6.0
    assert 'these have 1' in (scopes['mpm'] or str)(plain)
    missing = mapping()
    missing['images'][3]['flip_angle'] = None
    assert 'FlipAngle of every image' in (scopes['mpm'] or str)(missing)


def test_transfer_ratio_and_its_voxels_without_signal() -> None:
    images = [setting(mt=True, flip_angle=9.0), setting(mt=False, flip_angle=9.0)]
    rows = tile([110.0, 200.0])
    rows[3] = [200.0, 20.0]  # more with the pulse than without, by far
    rows[4] = [200.0, 200.0]  # no transfer, as in fluid
    found = write_mtr(*write(acquisition('MTR', images), rows))
    values = inside(found.mtr_map)
    assert np.delete(values, [3, 4]) == pytest.approx(45, abs=1e-4)
    # none is a value, no value is none
    assert np.isnan(values[3]) and values[4] == 0
    assert np.isnan(load(found.mtr_map)[~MASK]).all()
    assert not MTR.output('mtr_map').is_zero_missing
    remarks = said(found.mtr_map)
    assert remarks['VoxelsImplausible'] == 1 and remarks['VoxelsNoSignal'] == 1
    assert remarks['TransmitFieldCorrection'] is False
    obstacle = MTR.scope.obstacle
    assert obstacle is not None
    assert 'with and without' in obstacle(acquisition('MTR', images[:1]))
    other = acquisition('MTR', [images[0], {**images[1], 'flip_angle': 12.0}])
    assert 'differ in FlipAngle' in obstacle(other)
    for image, time in zip(other['images'], (0.03, 0.05), strict=False):
        image.update(flip_angle=6.0, repetition_time=time)
    assert 'differ in RepetitionTimeExcitation' in obstacle(other)


def test_the_field_in_percent_within_the_mask() -> None:
    content = mapping([0.003])
    field = FIELDS.copy()
    field[20:30] = 0  # beyond the map
    found = write_b1(*write(content, signals(echoes=[0.003])), write_field(field))
    values = load(found.b1_map)
    assert values[MASK][:20] == pytest.approx(100 * FIELDS[:20])
    assert values[MASK][20:30].max() == 0 and values[~MASK].max() == 0
    remarks = said(found.b1_map)
    assert remarks['VoxelsImplausible'] == 10 and remarks['TransmitFieldMethod'] == 'TB1map'
    assert pd.read_csv(found.b1_fit, sep='\t')['median'][0] == pytest.approx(100)
