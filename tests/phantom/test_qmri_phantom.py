"""The forward models of quantitative MRI, on a few homogeneous voxels."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.exponential_decay import fit_decay
from mriderived.core.variable_flip_angle import fit_flip_angles
from mriderived.phantom.qmri_signals import (
    MEGRE_TIMES,
    MESE_ECHOES,
    MPM,
    VFA_ANGLES,
    VFA_TIME,
    list_scans,
    reference_of,
    weighted_signal,
)
from mriderived.phantom.qmri_tissue import Substance, draw_transmit

SHAPE = (4, 1, 1)
B1 = np.array([0.8, 0.9, 1.1, 1.2], np.float32).reshape(SHAPE)


def full(value: float) -> np.ndarray:
    return np.full(SHAPE, value, np.float32)


SUBSTANCE = Substance(
    full(0.85), full(0.075), full(0.048), full(0.7), full(1.7), full(14.0),
    np.zeros((3, *SHAPE), np.float32),
)  # fmt: skip


def signals(suffix: str, myelin: bool = False, transmit: np.ndarray = B1) -> np.ndarray:
    found = [scan.signal(SUBSTANCE, transmit) for scan in list_scans(suffix, myelin)]
    return np.stack([signal.ravel() for signal in found], axis=1)


def test_flip_angles_give_back_t1_and_density() -> None:
    found = fit_flip_angles(
        signals('VFA').astype(np.float32), VFA_ANGLES, VFA_TIME, transmit=B1.ravel()
    )
    np.testing.assert_allclose(found.time, 0.85, rtol=1e-4)
    np.testing.assert_allclose(found.density, 0.7, rtol=1e-4)


def test_gradient_echoes_give_back_t2star() -> None:
    even = np.abs(signals('MEGRE', transmit=full(1.1))).astype(np.float32)
    np.testing.assert_allclose(fit_decay(even, MEGRE_TIMES).time, 0.048, rtol=1e-4)
    # a field that changes by 20 to 40 Hz through a voxel dephases it
    uneven = np.abs(signals('MEGRE')).astype(np.float32)
    changes = np.array([20.0, 30, 30, 20])[:, None]
    left = np.abs(np.sinc(changes * np.array(MEGRE_TIMES)))
    np.testing.assert_allclose(uneven, even * left, rtol=1e-3, atol=1e-4)


def test_pulses_of_transfer_take_some_of_the_signal() -> None:
    off, on = (weighted_signal(SUBSTANCE, B1, 6.0, 0.025, pulse) for pulse in (False, True))
    assert ((on < 0.8 * off) & (on > 0.3 * off)).all()
    none = SUBSTANCE._replace(mtsat=full(0.0))
    np.testing.assert_allclose(weighted_signal(none, B1, 6.0, 0.025, True), off, rtol=1e-6)


@pytest.mark.parametrize(
    ('suffix', 'count', 'acquisitions'),
    [('MESE', MESE_ECHOES, 1), ('MEGRE', 8, 1), ('VFA', 3, 3), ('IRT1', 4, 4), ('MP2RAGE', 2, 1),
     ('MPM', 18, 3), ('MTS', 3, 3), ('MTR', 2, 2)],
)  # fmt: skip
def test_every_collection_has_its_images(suffix: str, count: int, acquisitions: int) -> None:
    scans = list_scans(suffix)
    assert len(scans) == count
    assert len({scan.acquisition for scan in scans}) == acquisitions
    assert 0 <= reference_of(suffix) < acquisitions
    assert len({tuple(scan.entities.items()) for scan in scans}) == count


def test_water_of_myelin_decays_first() -> None:
    plain, mixed = signals('MESE'), signals('MESE', myelin=True)
    assert (mixed[:, 0] < plain[:, 0]).all()
    assert (mixed[:, -1] < 0.9 * plain[:, -1]).all()


def test_the_field_is_high_in_the_middle() -> None:
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    affine[:3, 3] = -80
    field = draw_transmit(affine, (21, 21, 21), np.zeros(3), 0.2)
    assert field[10, 10, 10] == pytest.approx(1.2)
    assert 0.78 < field.min() < 0.82
    assert len(MPM) == 3
