"""Eigenvalues of second derivatives against numpy and against a Gaussian's known curvature."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.eigenvalues import hessian_eigenvalues, sort_eigenvalues


def test_closed_form_agrees_with_numpy() -> None:
    rng = np.random.default_rng(0)
    for scale in (1e-6, 1.0, 1e6):
        matrices = scale * rng.normal(size=(300, 3, 3))
        matrices = matrices + np.swapaxes(matrices, 1, 2)
        for m in matrices:
            found = sort_eigenvalues(m[0, 0], m[1, 1], m[2, 2], m[0, 1], m[0, 2], m[1, 2])
            expected = np.linalg.eigvalsh(m)
            expected = expected[np.argsort(np.abs(expected), kind='stable')]
            assert np.allclose(found, expected, rtol=1e-7, atol=1e-9 * scale)


@pytest.mark.parametrize('diagonal', [(0, 0, 0), (1, 1, 1), (2, 2, -1), (-3, -3, 0), (1, 0, -1)])
def test_equal_eigenvalues(diagonal: tuple[float, float, float]) -> None:
    found = sort_eigenvalues(*map(float, diagonal), 0.0, 0.0, 0.0)
    assert np.allclose(sorted(found), sorted(diagonal), atol=1e-7)
    assert (np.diff(np.abs(found)) >= -1e-7).all()


@pytest.mark.parametrize('spacing', [(1.0, 1.0, 1.0), (0.5, 0.8, 1.0)])
def test_a_rod_has_the_curvature_of_a_gaussian(spacing: tuple[float, float, float]) -> None:
    shape = [int(24 / size) | 1 for size in spacing]
    grid = [size * (np.arange(n) - n // 2) for n, size in zip(shape, spacing, strict=True)]
    y, z = grid[1][None, :, None], grid[2][None, None, :]
    image = np.broadcast_to(np.exp(-(y**2 + z**2) / (2 * 2.0**2)), shape).astype(np.float32)
    sigma = 1.5
    found = hessian_eigenvalues(image, sigma, spacing, np.ones(shape, bool))
    a, b, c = found[tuple(n // 2 for n in shape)]
    width = 2.0**2 + sigma**2
    expected = -(sigma**2) * 2.0**2 / width**2  # amplitude falls to 4 / width, curvature 1 / width
    assert abs(a) < 1e-4
    assert b == pytest.approx(expected, rel=0.06) and c == pytest.approx(expected, rel=0.06)


def test_threads_and_mask() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(size=(20, 18, 16)).astype(np.float32)
    where = rng.random(image.shape) > 0.5
    one, three = (hessian_eigenvalues(image, 1.0, (1, 1, 1), where, n) for n in (1, 3))
    assert (one == three).all()
    assert not one[~where].any() and one[where].any()
    with pytest.raises(ValueError, match='a scale is positive'):
        hessian_eigenvalues(image, 0.0, (1, 1, 1), where)
