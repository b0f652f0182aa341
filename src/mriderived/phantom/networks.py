"""Networks of the synthetic BOLD runs: where they are in template space, and their courses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

#: Frequencies of the courses, in Hz.
BAND = (0.01, 0.08)
#: Every region is the grey matter in a ball of this radius, in mm of template space.
RADIUS_MM = 18.0
#: Centres of the regions in MNI152NLin2009cAsym (mm); every network is in both hemispheres.
SEEDS: Mapping[str, tuple[tuple[float, float, float], ...]] = {
    'Visual': ((-12, -80, -2), (12, -80, -2)),
    'Somatomotor': ((-44, -18, 48), (44, -18, 48)),
    'Default': ((-8, -54, 30), (8, -54, 30), (-8, 52, 14), (8, 52, 14)),
    'Salience': ((-38, 14, 2), (38, 14, 2)),
    'Control': ((-42, -52, 46), (42, -52, 46), (-42, 40, 18), (42, 40, 18)),
}
NAMES = tuple(SEEDS)
#: The correlations that are planted, in the order of ``NAMES``.
CORRELATION: Matrix = np.array(
    [
        [1.0, 0.5, -0.2, 0.0, 0.1],
        [0.5, 1.0, -0.3, 0.3, 0.0],
        [-0.2, -0.3, 1.0, -0.4, 0.3],
        [0.0, 0.3, -0.4, 1.0, 0.2],
        [0.1, 0.0, 0.3, 0.2, 1.0],
    ]
)


def label_networks(points: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the network of points (n, 3) of template space in mm: 1, 2, …; 0 for none."""
    labels = np.zeros(len(points), np.uint8)
    for number, centres in enumerate(SEEDS.values(), start=1):
        for centre in centres:
            near = ((points - np.array(centre)) ** 2).sum(axis=1) <= RADIUS_MM**2
            # where balls touch, the first network keeps the point
            labels[near & (labels == 0)] = number
    return labels


def draw_waves(
    rng: np.random.Generator, times: Matrix, duration: float, count: int, band: tuple[float, float]
) -> Matrix:
    """Return random courses, first axis, of frequencies (Hz) within a band, at any times (s)."""
    steps = np.arange(np.ceil(band[0] * duration), np.floor(band[1] * duration) + 1)
    if steps.size < count:
        raise ValueError(
            f'{duration:g} s hold {steps.size} frequencies from {band[0]:g} to {band[1]:g} Hz, '
            f'too few for {count} courses; take more volumes'
        )
    angles = 2 * np.pi * np.multiply.outer(times, steps / duration)
    parts = np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)
    weights = rng.standard_normal((count, parts.shape[-1]))
    return np.asarray(np.moveaxis(parts @ weights.T, -1, 0))


def correlate_exactly(courses: Matrix, sampled: Matrix, wanted: Matrix) -> tuple[Matrix, Matrix]:
    """Mix courses so that their samples (count, frames) have exactly the wanted correlations.

    Returns the courses and the samples after the mixing, the samples of zero mean and unit
    variance.
    """
    mean = sampled.mean(axis=1)
    spread = np.linalg.cholesky(np.cov(sampled, bias=True))
    mix = np.linalg.cholesky(wanted) @ np.linalg.inv(spread)
    flat = courses.reshape(len(courses), -1) - mean[:, None]
    return (mix @ flat).reshape(courses.shape), mix @ (sampled - mean[:, None])
