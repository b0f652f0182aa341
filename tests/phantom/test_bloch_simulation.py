"""The forward models of collections against magnetisation that is turned pulse by pulse.

Phantom and fits share their models, so that an error in one would hide in the other. Here nothing
but rotations and relaxation make the signals. Echo trains and MP2RAGE have the same in
``tests/core/test_spin_echo_t2.py`` and ``tests/core/test_mp2rage.py``.
"""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.dephasing import dephasing
from mriderived.core.exponential_decay import fit_decay
from mriderived.core.inversion_recovery import fit_inversion_recovery
from mriderived.core.magnetisation_transfer import map_saturation
from mriderived.core.multi_parameter import Weighting, map_rates
from mriderived.core.variable_flip_angle import fit_flip_angles
from mriderived.phantom.qmri_signals import (
    DEPENDENCE,
    FIELD_HZ,
    IR_PERIOD,
    IR_TIMES,
    MEGRE_TIMES,
    MPM,
    VFA_ANGLES,
    VFA_TIME,
    list_scans,
)
from mriderived.phantom.qmri_tissue import Substance

T1, T2, T2STAR, PD, MTSAT = 0.9, 0.08, 0.05, 0.8, 1.7


def substance(shape: tuple[int, ...] = (1,)) -> Substance:
    values = (T1, T2, T2STAR, PD, MTSAT, 10.0)
    maps = [np.full(shape, value, np.float32) for value in values]
    return Substance(*maps, shares=np.zeros((3, *shape), np.float32))


def phantom(suffix: str, transmit: float = 1.0) -> np.ndarray:
    """Return the signals of the phantom for one voxel."""
    scans = list_scans(suffix)
    field = np.full(1, transmit, np.float32)
    return np.array([complex(scan.signal(substance(), field)[0]).real for scan in scans])


def turn(spin: np.ndarray, degrees: float) -> np.ndarray:
    """Turn (x, y, z) about x."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]]) @ spin


def wait(spin: np.ndarray, time: float) -> np.ndarray:
    left = np.exp(-time / T1)
    return np.array([*(spin[:2] * np.exp(-time / T2)), 1 + (spin[2] - 1) * left])


def spoiled_train(angle: float, period: float, kept: float = 1.0, pulses: int = 4000) -> float:
    """Return the steady state of a train of pulses; ``kept`` is left by a pulse of transfer."""
    spin, seen = np.array([0.0, 0.0, 1.0]), 0.0
    for _ in range(pulses):
        spin[2] *= kept
        spin = turn(spin, angle)
        seen = PD * spin[1]
        spin = wait(spin, period)
        spin[:2] = 0  # what is left is spoiled
    return seen


@pytest.mark.parametrize('field', [0.8, 1.0, 1.2])
def test_flip_angles(field: float) -> None:
    seen = np.array([spoiled_train(angle * field, VFA_TIME) for angle in VFA_ANGLES])
    assert phantom('VFA', field) == pytest.approx(seen, rel=1e-5)
    found = fit_flip_angles(seen[None], VFA_ANGLES, VFA_TIME, transmit=field)
    assert found.time[0] == pytest.approx(T1, rel=1e-4)
    assert found.density[0] == pytest.approx(PD, rel=1e-4)


def test_inversion_recovery() -> None:
    """Inversion, excitation by a quarter turn, and a wait until all is repeated."""
    seen = []
    for time in IR_TIMES:
        spin, signal = np.array([0.0, 0.0, 1.0]), 0.0
        for _ in range(4):
            spin = wait(turn(spin, 180), time)
            spin[:2] = 0
            spin = turn(spin, 90)
            signal = PD * spin[1]
            spin[:2] = 0
            spin = wait(spin, IR_PERIOD - time)
            spin[:2] = 0
        seen.append(signal)
    assert phantom('IRT1') == pytest.approx(seen, rel=1e-4, abs=1e-6)
    found = fit_inversion_recovery(np.abs([seen]), IR_TIMES)
    assert found.time[0] == pytest.approx(T1, rel=1e-4)


@pytest.mark.parametrize('field', [0.8, 1.0, 1.2])
def test_pulses_of_transfer(field: float) -> None:
    """Each pulse saturates by the square of the field and, a little, beyond it."""
    beyond = (1 - DEPENDENCE * field) / (1 - DEPENDENCE)
    left = 1 - MTSAT / 100 * field**2 * beyond
    seen = np.array([
        spoiled_train(angle * field, period, left if pulse else 1.0)
        for _, angle, period, pulse, _ in MPM
    ])  # fmt: skip
    assert phantom('MTS', field) == pytest.approx(seen, rel=1e-5)
    pdw, t1w, mtw = (Weighting(angle, period) for _, angle, period, _, _ in MPM)
    rates = map_rates(seen[None, :2], pdw, t1w, transmit=field)
    assert rates.time[0] == pytest.approx(T1, rel=1e-4)
    found = map_saturation(seen[2:], mtw, rates, transmit=field)
    # its equation takes angles and rates as small
    assert found.percent[0] == pytest.approx(MTSAT, rel=0.05)


def test_gradient_echoes_of_many_spins() -> None:
    """Spins of a Lorentzian of frequencies, spread over a voxel in which the field changes."""
    slope = 12.0  # Hz from one side of the voxel to the other
    width = (1 / T2STAR - 1 / T2) / (2 * np.pi)
    shares = (np.arange(200_000) + 0.5) / 200_000
    frequencies = width * np.tan(np.pi * (shares - 0.5))
    places = (np.arange(64) + 0.5) / 64 - 0.5
    times = np.array(MEGRE_TIMES)
    seen = np.array([
        PD * np.exp(-time / T2)
        * abs(np.exp(2j * np.pi * frequencies * time).mean())
        * abs(np.exp(2j * np.pi * slope * places * time).mean())
        for time in times
    ])  # fmt: skip
    field = 1 + np.arange(-1.0, 2.0) * slope * 0.2 / FIELD_HZ
    model = [
        abs(scan.signal(substance((3,)), field.astype(np.float32))[1])
        for scan in list_scans('MEGRE')
    ]
    assert model == pytest.approx(seen, rel=2e-3)
    found = fit_decay(seen[None], MEGRE_TIMES, modulation=dephasing([slope], MEGRE_TIMES))
    assert found.time[0] == pytest.approx(T2STAR, rel=2e-3)
