"""Signals of aligned fibres in two compartments, for the benchmarks of diffusion models."""

from __future__ import annotations

from typing import Any

import numpy as np

from mriderived.core.gradient_table import Gradients, make_gradients
from mriderived.core.kurtosis_maximum import half_sphere


def table(shells: dict[float, int], b0: int = 4) -> Gradients:
    """Return a table of unweighted volumes and shells of so many directions."""
    b = np.concatenate([np.zeros(b0), *(np.full(count, b) for b, count in shells.items())])
    parts = [np.zeros((b0, 3)), *(half_sphere(count) for count in shells.values())]
    return make_gradients(b, np.concatenate(parts))


def dipy_table(gradients: Gradients) -> Any:
    """Return the table as dipy's."""
    from dipy.core.gradients import gradient_table

    return gradient_table(gradients.b, bvecs=gradients.directions)


def fibre_signals(voxels: int, gradients: Gradients, sigma: float, seed: int = 0) -> np.ndarray:
    """Return magnitudes (N, n) of S0 = 1000: sticks and a zeppelin in random directions."""
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(voxels, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    cosine = (axes @ gradients.directions.T) ** 2
    b = gradients.b
    share = rng.uniform(0.3, 0.6, (voxels, 1))
    inside = np.exp(-b * 1.7e-3 * cosine)
    outside = np.exp(-b * (0.6e-3 + 1.2e-3 * cosine))
    clean = 1000 * (share * inside + (1 - share) * outside)
    noise = rng.normal(scale=sigma, size=(2, *clean.shape))
    return np.hypot(clean + noise[0], noise[1])
