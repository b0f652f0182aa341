"""Noise, and the smallest spread that an unbiased estimate can have, for fits of relaxation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def magnitude(signals: np.ndarray, noise: float, voxels: int, seed: int = 0) -> np.ndarray:
    """Return magnitudes of signals with complex Gaussian noise, one row per voxel."""
    rng = np.random.default_rng(seed)
    shape = (voxels, signals.shape[-1])
    real = signals + noise * rng.standard_normal(shape)
    return np.hypot(real, noise * rng.standard_normal(shape)).astype(np.float32)


def signed(signals: np.ndarray, noise: float, voxels: int, seed: int = 0) -> np.ndarray:
    """Return signals with Gaussian noise, one row per voxel."""
    rng = np.random.default_rng(seed)
    return (signals + noise * rng.standard_normal((voxels, signals.shape[-1]))).astype(np.float32)


def cramer_rao(
    model: Callable[[np.ndarray], np.ndarray], truth: list[float], noise: float
) -> np.ndarray:
    """Return the smallest standard deviation of each parameter, under Gaussian noise."""
    point = np.asarray(truth, float)
    columns = []
    for index, value in enumerate(point):
        step = np.zeros_like(point)
        step[index] = 1e-5 * max(abs(value), 1e-3)
        columns.append((model(point + step) - model(point - step)) / (2 * step[index]))
    jacobian = np.stack(columns, axis=-1)
    return noise * np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
