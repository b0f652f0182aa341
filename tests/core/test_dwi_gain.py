"""Parts of a series that differ in gain are recognised."""

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.dwi_gain import find_gains


@pytest.fixture(scope='module')
def head() -> np.ndarray:
    rng = np.random.default_rng(3)
    smooth = ndimage.gaussian_filter(rng.random((24, 28, 20)), 2)
    return (500 * smooth / smooth.mean()).astype(np.float32)


@pytest.mark.parametrize('gain', [0.4, 0.9, 1.7])
def test_a_gain_is_found_in_spite_of_noise_and_of_a_shift(head: np.ndarray, gain: float) -> None:
    rng = np.random.default_rng(0)
    moved = np.roll(head, 1, axis=1) / gain + rng.normal(0, 20 / gain, head.shape)
    found = find_gains([head, moved.astype(np.float32)], head > 0)
    np.testing.assert_allclose(found, [1, gain], rtol=0.01)


def test_the_first_that_is_known_is_the_measure(head: np.ndarray) -> None:
    found = find_gains([None, head, head / 2], head > 0)
    np.testing.assert_allclose(found, [np.nan, 1, 2], rtol=1e-6)


def test_a_part_that_shows_nothing_is_not_scaled(head: np.ndarray) -> None:
    assert np.isnan(find_gains([head, np.zeros_like(head)], head > 0)[1])
    assert np.isnan(find_gains([head, head], np.zeros(head.shape, bool))[1])
