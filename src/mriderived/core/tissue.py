"""Tissue fractions of a T1-weighted brain by expectation-maximisation with partial volume.

Six classes: CSF, grey and white matter, and the three mixtures of two of them. A pure class is
normal around the tissue's mean, a mixture has all fractions equally likely, blurred by the noise
(Santago & Gage 1993, doi:10.1109/42.241885). Template priors say where a class is likely,
neighbours pull towards the same class, and the means follow the place: first through one smooth
field for all tissues (Ashburner & Friston 2005, doi:10.1016/j.neuroimage.2005.02.018), then per
tissue (Tohka et al. 2004, doi:10.1016/j.neuroimage.2004.05.007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mriderived.core.partial_volume import Fractions
from mriderived.core.slabs import run_slabs
from mriderived.core.tissue_likelihood import expect, share_out
from mriderived.core.tissue_means import (
    CSF,
    GM,
    WM,
    Means,
    find_nuclei,
    global_means,
    initial_means,
    local_means,
    smooth_field,
)

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: The two tissues of each of the six classes.
PAIRS = np.array([(CSF, CSF), (CSF, GM), (GM, GM), (GM, WM), (WM, WM), (CSF, WM)])


@dataclass(frozen=True)
class Settings:
    """What steers the segmentation; lengths in mm."""

    #: Rounds with one smooth field for all tissues, and rounds with local means of each.
    rounds: tuple[int, int] = (6, 8)
    field_sigma: float = 25.0
    mean_sigma: float = 6.0
    #: Strength of the neighbours, and what is added to the template's priors.
    neighbours: float = 0.1
    prior_floor: float = 0.05


def segment(
    data: Volume,
    brain: Mask,
    priors: Volume,
    voxel_size: Sequence[float] | NDArray[np.float64],
    settings: Settings | None = None,
    threads: int = 1,
) -> Fractions:
    """Estimate the tissue fractions of a brain.

    Parameters
    ----------
    data : array of float32, shape (x, y, z)
        T1-weighted intensities, roughly free of bias.
    brain : array of bool, shape (x, y, z)
    priors : array of float32, shape (3, x, y, z)
        Probabilities of CSF, grey and white matter, in that order.
    voxel_size : three floats
        In mm.
    settings : Settings, optional
    threads : int
        Any number gives the same bits.

    Returns
    -------
    Fractions
        Of shape (x, y, z), 0 to 1; they sum to 1 in the brain and are 0 outside.

    Raises
    ------
    ValueError
        If the tissues are not ordered as in a T1-weighted image.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = np.repeat([0, 1, 2], 8)[:, None, None] * np.ones((1, 12, 12))
    >>> data = (100 * (truth + 1) + rng.normal(0, 5, truth.shape)).astype(np.float32)
    >>> priors = np.stack([0.7 * (truth == k) + 0.1 for k in range(3)]).astype(np.float32)
    >>> found = segment(data, truth >= 0, priors, (1, 1, 1))
    >>> bool(abs(found.gm - (truth == 1)).mean() < 0.02)
    True
    """
    settings = settings or Settings()
    size = np.asarray(voxel_size, float)
    top = float(np.percentile(data[brain], 95))
    if top <= 0:
        raise ValueError('the brain has no positive intensities; check the image and its mask')
    scaled = (data / np.float32(top)).astype(np.float32)
    priors = _normalise(priors, brain, settings.prior_floor)
    nuclei = find_nuclei(priors, size, threads)
    weights = (settings.neighbours * size.min() / size).astype(np.float32)
    means = initial_means(scaled, brain, priors)
    classes = np.zeros((len(PAIRS), *data.shape), np.float32)
    image = scaled
    for number in range(sum(settings.rounds)):
        pull = weights if number > 1 else np.zeros_like(weights)
        classes = _classify(image, brain, priors, means, classes, pull, threads)
        if number < settings.rounds[0]:
            means = global_means(image, classes, brain)
            field = smooth_field(scaled, classes, means, settings.field_sigma / size, threads)
            image = scaled / field
        else:
            width = settings.mean_sigma / size
            means = local_means(image, classes, brain, priors, nuclei, width, threads)
    target = np.zeros((3, *data.shape), np.float32)
    run_slabs(
        share_out, data.shape[0], threads,
        image, brain, means.local, means.sigma, classes, PAIRS, target,
    )  # fmt: skip
    return Fractions(gm=target[GM], wm=target[WM], csf=target[CSF])


def _normalise(priors: Volume, brain: Mask, floor: float) -> Volume:
    raised = np.maximum(priors, 0) + np.float32(floor)
    return np.asarray(np.where(brain, raised / raised.sum(axis=0), 0), np.float32)


def _classify(
    image: Volume,
    brain: Mask,
    priors: Volume,
    means: Means,
    previous: Volume,
    weights: NDArray[np.float32],
    threads: int,
) -> Volume:
    target = np.zeros_like(previous)
    run_slabs(
        expect, image.shape[0], threads,
        image, brain, priors, means.local, means.sigma, previous, weights, target,
    )  # fmt: skip
    return target
