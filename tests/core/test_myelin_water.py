from __future__ import annotations

import numpy as np
import pytest
from relaxation_phantoms import magnitude
from scipy.optimize import nnls

from mriderived.core.epg import echo_train
from mriderived.core.fit_outcome import Outcome
from mriderived.core.myelin_water import TIMES, fit_myelin_water
from mriderived.core.nnls import nonnegative, squared_rest

SPACING, ECHOES = 0.01, 32


def two_waters(refocusing, share=15.0):
    short = echo_train(0.02, refocusing, SPACING, ECHOES)
    return share * short + (100 - share) * echo_train(0.08, refocusing, SPACING, ECHOES)


def test_non_negative_least_squares_agree_with_scipy():
    rng = np.random.default_rng(0)
    columns = echo_train(TIMES, 150.0, SPACING, ECHOES).T
    size = columns.shape[1]
    for ridge in (0.0, 1e-3, 0.1):
        for _ in range(40):
            spectrum = rng.random(size) * (rng.random(size) > 0.85)
            wanted = columns @ spectrum + rng.normal(0, 0.02, ECHOES)
            x, passive = np.zeros(size), np.zeros(size, np.int64)
            gram, pull = columns.T @ columns, columns.T @ wanted
            count = nonnegative(
                gram, pull, ridge, passive, 0, x, np.empty((size, size)), np.empty(size)
            )
            taller = np.vstack([columns, np.sqrt(ridge) * np.eye(size)])
            padded = np.concatenate([wanted, np.zeros(size)])
            least = nnls(taller, padded)[1] ** 2
            assert (x >= 0).all() and (x > 0).sum() == count
            assert np.sum((taller @ x - padded) ** 2) <= least * 1.001 + 1e-12
            rest = squared_rest(gram, pull, wanted @ wanted, passive, count, x)
            assert rest == pytest.approx(np.sum((columns @ x - wanted) ** 2), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize('refocusing', [140.0, 150.0, 170.0, 180.0])
def test_two_waters_at_snr_200(refocusing):
    train = two_waters(refocusing)
    rows = magnitude(train[None], train[0] / 200, 400)
    found = fit_myelin_water(rows, SPACING)
    assert (found.outcome == Outcome.FITTED).all()
    assert found.myelin.mean() == pytest.approx(15, abs=2)
    assert found.myelin.std() < 4
    assert found.intra_extra.mean() == pytest.approx(85, abs=2)
    assert found.intra_extra_time.mean() == pytest.approx(0.08, rel=0.05)
    assert found.refocusing.mean() == pytest.approx(refocusing, abs=3)
    assert found.amplitude.mean() == pytest.approx(100, rel=0.02)
    assert np.median(found.misfit) < 0.03


@pytest.mark.parametrize('transmit', [0.8, 1.0, 1.2])
def test_a_known_transmit_field(transmit):
    train = two_waters(180 * transmit)
    found = fit_myelin_water(train[None], SPACING, transmit=transmit)
    assert found.myelin[0] == pytest.approx(15, abs=0.7)
    assert found.intra_extra_time[0] == pytest.approx(0.08, rel=0.01)
    wrong = fit_myelin_water(two_waters(144.0)[None], SPACING, transmit=1.0)
    assert wrong.myelin[0] < 10 or wrong.myelin[0] > 20  # what the angle is needed for


@pytest.mark.parametrize('share', [0.0, 5.0, 30.0])
def test_other_shares(share):
    train = two_waters(150.0, share)
    rows = magnitude(train[None], train[0] / 200, 200)
    assert fit_myelin_water(rows, SPACING).myelin.mean() == pytest.approx(share, abs=2.5)


def test_voxels_without_a_spectrum_and_threads():
    rows = magnitude(two_waters(150.0)[None], 0.5, 60)
    rows[0], rows[1] = 0, np.nan
    rows[2] = 100 * echo_train(0.08, 45.0, SPACING, ECHOES)
    one, two = (fit_myelin_water(rows, SPACING, threads=n) for n in (1, 2))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, two, strict=True))
    assert one.outcome[:3].tolist() == [Outcome.NO_SIGNAL] * 2 + [Outcome.IMPLAUSIBLE]
    assert np.isnan(one.myelin[:3]).all() and np.isfinite(one.myelin[3:]).all()
    with pytest.raises(ValueError, match='needs 8 images'):
        fit_myelin_water(np.ones((1, 6)), SPACING)
    with pytest.raises(ValueError, match='must be above 1'):
        fit_myelin_water(np.ones((1, 8)), SPACING, excess=1.0)
