"""Bias correction: a known smooth field is removed, and nothing else is changed."""

import numpy as np
import pytest

from mriderived.interfaces.bias import correct_bias

SHAPE = (30, 28, 26)
SIZE = np.array([4.5, 4.5, 5.0])


@pytest.fixture(scope='module')
def scan() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the image, the brain, and what the image is the product of."""
    x, y, z = ((np.arange(n) - n / 2) / (n / 2) for n in SHAPE)
    x, y, z = x[:, None, None], y[None, :, None], z[None, None, :]
    brain = (x / 0.85) ** 2 + (y / 0.85) ** 2 + (z / 0.85) ** 2 < 1
    tissue = np.where(np.sin(9 * x) * np.sin(9 * y) * np.sin(8 * z) > 0, 100.0, 60.0)
    field = np.exp(0.25 * x - 0.15 * y * z + 0.1 * z**2)
    field /= np.exp(np.log(field)[brain].mean())
    noise = np.random.default_rng(0).normal(0, 2, SHAPE)
    return (tissue * field + noise).astype(np.float32), brain, tissue, field


@pytest.mark.parametrize(('sloppy', 'left'), [(False, 0.25), (True, 0.4)])
def test_a_smooth_field_is_found_and_removed(scan, sloppy: bool, left: float) -> None:
    image, brain, _, field = scan
    corrected = correct_bias(image, brain, SIZE, sloppy)
    estimate, truth = np.log(image / corrected)[brain], np.log(field)[brain]
    assert estimate.mean() == pytest.approx(0, abs=0.01)
    assert np.corrcoef(estimate, truth)[0, 1] > (0.97 if left < 0.3 else 0.9)
    assert np.std(estimate - truth) < left * truth.std()


def test_an_even_image_stays_as_it_is(scan) -> None:
    _, brain, tissue, _ = scan
    image = tissue.astype(np.float32)
    change = correct_bias(image, brain, SIZE)[brain] / image[brain]
    assert change.std() < 0.02
    np.testing.assert_allclose(change, 1, atol=0.1)
