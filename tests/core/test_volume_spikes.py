"""Volumes that stand out are found; drifts, steps and noise are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.core.volume_spikes import find_spikes


def draw(frames: int = 120, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    level = rng.uniform(300, 900, (800, 1))
    return (level * (1 + 0.01 * rng.standard_normal((800, frames)))).astype(np.float32)


@pytest.mark.parametrize('seed', range(5))
def test_noise_drift_and_a_step_are_none(seed: int) -> None:
    series = draw(seed=seed)
    series *= np.linspace(1, 1.1, 120, dtype=np.float32)
    series[:400, 60:] *= 1.02
    assert find_spikes(series).sum() == 0


def test_spoilt_volumes_alone_and_together() -> None:
    series = draw()
    series[:, 30] *= 1.25
    series[:300, 70:73] *= 0.7
    series[:, -1] += 100
    assert np.flatnonzero(find_spikes(series)).tolist() == [30, 70, 71, 72, 119]


def test_volumes_before_the_steady_state_do_not_count() -> None:
    series = draw()
    series[:, :4] *= np.float32([3, 2, 1.5, 1.2])
    assert find_spikes(series, 4).sum() == 0


def test_a_short_series_has_none() -> None:
    assert find_spikes(draw(6)).tolist() == [False] * 6
