"""Fibres that cross unequally, three at a time, or beside fluid are found by deconvolution."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.core.fibre_peaks import find_peaks, half_sphere
from mriderived.core.gradient_table import Gradients, make_gradients
from mriderived.interfaces.spherical_deconvolution import (
    Response,
    deconvolve,
    estimate_response,
    measure_sharpest_peak,
    sample_fods,
)
from mriderived.measures.csd import LEAST_PEAK

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
AXES = np.eye(3)


def spread(count: int) -> NDArray[np.float64]:
    """Return directions on a spiral over half of the sphere."""
    z = (np.arange(count) + 0.5) / count
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)


def make_table(b: float, count: int) -> Gradients:
    return make_gradients(
        np.r_[np.zeros(3), np.full(count, b)], np.vstack([np.zeros((3, 3)), spread(count)])
    )


def fibre(table: Gradients, axis: NDArray[np.float64]) -> NDArray[np.float64]:
    cosine = table.directions @ axis
    return np.asarray(np.exp(-table.b * (0.3e-3 + 1.4e-3 * cosine**2)))


def respond(table: Gradients) -> Response:
    rng = np.random.default_rng(0)
    axes = rng.standard_normal((300, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    signals = 1000 * np.stack([fibre(table, axis) for axis in axes])
    noisy = signals + 2 * rng.standard_normal(signals.shape)
    return estimate_response(noisy.astype(np.float32), table)


@pytest.mark.parametrize(('b', 'count'), [(1000.0, 60), (2000.0, 60), (2000.0, 32)])
def test_peaks_of_mixtures(b: float, count: int) -> None:
    table = make_table(b, count)
    response = respond(table)
    water = np.exp(-table.b * 3e-3)
    one, two, three = (fibre(table, axis) for axis in AXES)
    mixtures = {
        'one': (one, 1),
        'half and half': ((one + two) / 2, 2),
        '70 and 30 %': (0.7 * one + 0.3 * two, 2),
        'one, half of it fluid': ((one + water) / 2, 1),
        'two, half of them fluid': ((one + two) / 4 + water / 2, 2),
    }
    if b == 2000 and count == 60:
        mixtures['three'] = ((one + two + three) / 3, 3)
    signals = np.stack([1000 * signal for signal, _ in mixtures.values()]).astype(np.float32)
    harmonics = deconvolve(signals, table, AFFINE, response)
    axes = half_sphere()
    least = LEAST_PEAK * measure_sharpest_peak(table, AFFINE, response)
    found = find_peaks(sample_fods(harmonics, axes), axes, least=least)
    counts = dict(zip(mixtures, (found.density > 0).sum(axis=1).tolist(), strict=True))
    assert counts == {name: expected for name, (_, expected) in mixtures.items()}


def test_the_sharpest_peak_is_that_of_one_bundle() -> None:
    table = make_table(2000, 60)
    response = respond(table)
    signals = np.stack([1000 * fibre(table, axis) for axis in AXES]).astype(np.float32)
    axes = np.vstack([half_sphere(), AXES])
    seen = sample_fods(deconvolve(signals, table, AFFINE, response), axes).max(axis=1)
    assert measure_sharpest_peak(table, AFFINE, response) == pytest.approx(seen.mean(), rel=0.1)
