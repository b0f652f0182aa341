"""Tissue fractions of a T1-weighted brain by expectation-maximisation with partial volume.

Six classes: CSF, grey and white matter, and the three mixtures of two of them. A pure class is
normal around the tissue's mean, a mixture has all fractions equally likely, blurred by the noise
(Santago & Gage 1993, doi:10.1109/42.241885). Template priors say where a class is likely,
neighbours pull towards the same class, and the means follow the place: first through one smooth
field for all tissues (Ashburner & Friston 2005, doi:10.1016/j.neuroimage.2005.02.018), then per
tissue (Tohka et al. 2004, doi:10.1016/j.neuroimage.2004.05.007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import smooth
from mriderived.core.partial_volume import Fractions
from mriderived.core.sampling import resample
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Tissues by rising brightness, and the two tissues of each of the six classes.
CSF, GM, WM = 0, 1, 2
LAMBDA = 0.08
CAP = (4.0, 1.0, 1.0)
PAIRS = np.array([(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (0, 2)])


@dataclass(frozen=True)
class Settings:
    """What steers the segmentation; lengths in mm."""

    #: Rounds with one smooth field for all tissues, and rounds with means of their own.
    rounds: tuple[int, int] = (8, 12)
    field_sigma: float = 25.0
    mean_sigma: float = 6.0
    #: How many mm³ of pure tissue the global mean weighs against the local one.
    anchor: float = 50.0
    #: Strength of the neighbours, and what is added to the template's priors.
    neighbours: float = 0.1
    prior_floor: float = 0.05


class Means(NamedTuple):
    """Brightness of the three tissues everywhere, and the noise around each."""

    local: Volume
    sigma: NDArray[np.float64]


def segment(
    data: Volume,
    brain: Mask,
    priors: Volume,
    voxel_size: Sequence[float],
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
    scaled = data / np.float32(np.percentile(data[brain], 95))
    priors = _normalise(priors, brain, settings.prior_floor)
    means = _initial_means(scaled, brain, priors)
    weights = (size.min() / size).astype(np.float32)
    classes = np.zeros((6, *data.shape), np.float32)
    field = np.ones_like(scaled)
    for number in range(sum(settings.rounds)):
        strength = np.float32(settings.neighbours if number > 1 else 0)
        image = scaled / field
        classes = _classify(image, brain, priors, means, classes, weights * strength, threads)
        if number < settings.rounds[0]:
            means = _global_means(image, classes, brain)
            field = _field(scaled, classes, means, size, settings.field_sigma, threads)
        else:
            means = _local_means(image, classes, brain, priors, size, settings, threads)
    print('SIG',means.sigma/means.sigma[2],[round(float(np.median(means.local[k][brain])),3) for k in range(3)])
    return _fractions(scaled / field, brain, means, classes, threads)


def _normalise(priors: Volume, brain: Mask, floor: float) -> Volume:
    raised = np.maximum(priors, 0) + np.float32(floor)
    return np.asarray(np.where(brain, raised / raised.sum(axis=0), 0), np.float32)


def _initial_means(data: Volume, brain: Mask, priors: Volume) -> Means:
    centres = []
    for prior in priors:
        likely = brain & (prior > 0.9 * np.percentile(prior[brain], 98))
        centres.append(float(np.median(data[likely])))
    if not centres[CSF] < centres[GM] < centres[WM]:
        found = ', '.join(f'{centre:.2f}' for centre in centres)
        raise ValueError(
            f'CSF, grey and white matter have brightness {found}, which is not the order of a '
            'T1-weighted image; check the contrast and the brain mask'
        )
    spread = 0.3 * np.diff(centres).min()
    return Means(_spread_out(centres), np.full(3, spread))


def _spread_out(centres: Sequence[float]) -> Volume:
    return np.asarray(centres, np.float32).reshape(3, 1, 1, 1)


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
        _expect, image.shape[0], threads,
        image, brain, priors, means.local, means.sigma, previous, weights, target,
    )  # fmt: skip
    return target


def _pure(classes: Volume, sigma: NDArray[np.float64] | None = None) -> tuple[Volume, Volume, Volume]:
    """Return the weights of the three tissues in their means.

    Fluid in sulci holds vessels and membranes: where its spread is more than the noise, part of
    what is mixed with grey matter counts as fluid.
    """
    if sigma is None:
        return classes[0], classes[2], classes[4]
    share = LAMBDA * np.clip(sigma[CSF] / sigma[WM] - 1, 0, 1)
    return classes[0] + np.float32(share) * classes[1], classes[2], classes[4]


def _global_means(image: Volume, classes: Volume, brain: Mask) -> Means:
    values = image[brain].astype(np.float64)
    centres, sigmas = [], []
    for part in _pure(classes):
        weight = part[brain].astype(np.float64)
        total = weight.sum() + 1e-9
        centre = (weight * values).sum() / total
        centres.append(centre)
        sigmas.append(np.sqrt((weight * (values - centre) ** 2).sum() / total))
    return Means(_spread_out(centres), _bound(np.array(sigmas), np.diff(centres).min()))


def _bound(sigmas: NDArray[np.float64], contrast: float) -> NDArray[np.float64]:
    """Keep noise between limits: pure classes must neither die nor swallow the mixtures."""
    return np.asarray(
        np.clip(sigmas, 0.03 * contrast, np.minimum(0.35 * contrast, np.array(CAP) * sigmas[WM]))
    )


def _field(
    data: Volume,
    classes: Volume,
    means: Means,
    size: NDArray[np.float64],
    sigma: float,
    threads: int,
) -> Volume:
    """Return the smooth factor between what is seen and what the pure tissues should show."""
    seen, expected = np.zeros_like(data), np.zeros_like(data)
    for part, mean, noise in zip(_pure(classes), means.local.ravel(), means.sigma, strict=True):
        weight = part * np.float32((mean / noise) ** 2 * (mean > 0.3))
        seen += weight * data / mean
        expected += weight
    width = sigma / size
    ratio = _wide(seen, width, threads) / np.maximum(_wide(expected, width, threads), 1e-6)
    return np.clip(ratio, 0.5, 2.0).astype(np.float32)


def _local_means(
    image: Volume,
    classes: Volume,
    brain: Mask,
    priors: Volume,
    size: NDArray[np.float64],
    settings: Settings,
    threads: int,
) -> Means:
    bulk = _nuclei(priors, size, threads) * DEEPEN
    cortical = classes.copy()
    cortical[2] *= 1 - bulk
    classes = cortical
    overall = _global_means(image, classes, brain)
    width = settings.mean_sigma / size
    volume = (2 * np.pi) ** 1.5 * settings.mean_sigma**3
    anchor = np.float32(settings.anchor / volume)
    local = np.empty((3, *image.shape), np.float32)
    sigmas = np.empty(3)
    pure, seen = _pure(classes), _pure(classes, overall.sigma)
    for tissue, mean in enumerate(overall.local.ravel()):
        part = seen[tissue]
        excess = _wide(part * (image - mean), width, threads)
        local[tissue] = mean + excess / (_wide(part, width, threads) + anchor)
        if tissue == GM and DEEPEN:
            local[GM] = _deepen(local[GM], image, priors, bulk, size, threads)
        residual = (image - local[tissue])[brain].astype(np.float64)
        weight = pure[tissue][brain].astype(np.float64)
        sigmas[tissue] = np.sqrt((weight * residual**2).sum() / (weight.sum() + 1e-9))
    return Means(local, _bound(sigmas, float(np.diff(overall.local.ravel()).min())))


DEEPEN=1
DEEP=(0.5,0.1,4.0,4,.09,.03)
def _nuclei(priors: Volume, size: NDArray[np.float64], threads: int) -> Volume:
    """Return how much a voxel lies in grey matter in bulk, far from fluid: 0 to 1."""
    grey = smooth(priors[GM], DEEP[2] / size, threads)
    fluid = smooth(priors[CSF], DEEP[2] / size, threads)
    return np.clip((grey - DEEP[0]) / DEEP[1], 0, 1) * np.clip((DEEP[4] - fluid) / DEEP[5], 0, 1)


def _deepen(
    local: Volume, image: Volume, priors: Volume, bulk: Volume, size: NDArray[np.float64], threads: int
) -> Volume:
    """Raise the mean of grey matter in nuclei, where the template has grey matter in bulk.

    They are brighter than cortex, up to looking like mixtures, of which they hold none inside.
    """
    width = DEEP[2] / size
    weight = priors[GM] ** DEEP[3]
    seen = smooth(weight * image, width, threads) / np.maximum(smooth(weight, width, threads), 1e-3)
    return local + bulk * np.maximum(seen - local, 0)


def _wide(volume: Volume, sigma: NDArray[np.float64], threads: int) -> Volume:
    """Smooth widely: on a coarser grid, which such a smooth result does not notice."""
    factor = np.maximum(np.floor(sigma / 2.5), 1)
    if (factor == 1).all():
        return smooth(volume, sigma, threads)
    blur = 0.5 * np.where(factor > 1, factor, 0)
    shape = tuple(int(n) for n in np.ceil((np.array(volume.shape) - 1) / factor) + 1)
    matrix = np.diag([*factor, 1.0])
    coarse = resample(smooth(volume, blur, threads), matrix, shape, threads)
    rest = np.sqrt(np.maximum(sigma**2 - blur**2, 0)) / factor
    return resample(smooth(coarse, rest, threads), np.linalg.inv(matrix), volume.shape, threads)


def _fractions(
    image: Volume, brain: Mask, means: Means, classes: Volume, threads: int
) -> Fractions:
    target = np.zeros((3, *image.shape), np.float32)
    run_slabs(
        _share, image.shape[0], threads,
        image, brain, means.local, means.sigma, classes, PAIRS, target,
    )  # fmt: skip
    return Fractions(gm=target[GM], wm=target[WM], csf=target[CSF])


@numba.njit(nogil=True, cache=True)
def _density(value, low, high, noise):  # type: ignore[no-untyped-def]
    """Return the likelihood of a mixture whose fractions are equally likely."""
    root = noise * math.sqrt(2.0)
    reach = math.erf((value - low) / root) - math.erf((value - high) / root)
    return max(reach, 1e-12) / (2 * (high - low))


@numba.njit(nogil=True, cache=True)
def _mean_fraction(value, low, high, noise):  # type: ignore[no-untyped-def]
    """Return the expected fraction of the brighter tissue: a normal cut to 0 to 1."""
    t, s = (value - low) / (high - low), noise / (high - low)
    a, b = -t / s, (1 - t) / s
    mass = 0.5 * (math.erf(b / math.sqrt(2.0)) - math.erf(a / math.sqrt(2.0)))
    if mass < 1e-9:
        return min(max(t, 0.0), 1.0)
    shift = (math.exp(-0.5 * a * a) - math.exp(-0.5 * b * b)) / (mass * math.sqrt(2 * math.pi))
    return min(max(t + s * shift, 0.0), 1.0)


@numba.njit(nogil=True, cache=True)
def _at(local, tissue, i, j, k):  # type: ignore[no-untyped-def]
    if local.shape[1] == 1:
        return local[tissue, 0, 0, 0]
    return local[tissue, i, j, k]


@numba.njit(nogil=True, cache=True)
def _expect(  # type: ignore[no-untyped-def]
    start, stop, image, brain, priors, local, sigma, previous, weights, target
):
    nx, ny, nz = image.shape
    score, near = np.empty(6), np.empty(6)
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                if not brain[i, j, k]:
                    continue
                value = image[i, j, k]
                c, g, w = priors[0, i, j, k], priors[1, i, j, k], priors[2, i, j, k]
                mc, mg = _at(local, 0, i, j, k), _at(local, 1, i, j, k)
                mw = _at(local, 2, i, j, k)
                mg = max(mg, mc + 0.02)
                mw = max(mw, mg + 0.02)
                for tissue in range(3):
                    mean = mc if tissue == 0 else (mg if tissue == 1 else mw)
                    z = (value - mean) / sigma[tissue]
                    if (tissue == 0 and z < 0) or (tissue == 2 and z > 0):
                        # darker than CSF and brighter than white matter is still that
                        z *= 0.3
                    score[2 * tissue] = math.exp(-0.5 * min(z * z, 60.0)) / (
                        sigma[tissue] * 2.5066282746
                    )
                score[1] = _density(value, mc, mg, 0.5 * (sigma[0] + sigma[1]))
                score[3] = _density(value, mg, mw, 0.5 * (sigma[1] + sigma[2]))
                score[5] = _density(value, mc, mw, 0.5 * (sigma[0] + sigma[2]))
                score[0] *= c
                score[2] *= g
                score[4] *= w
                score[1] *= math.sqrt(c * g)
                score[3] *= math.sqrt(g * w)
                score[5] *= math.sqrt(c * w) * (1 - g) ** 2 * 0.5
                if weights[0] > 0:
                    for a in range(6):
                        near[a] = 0
                    for axis in range(3):
                        for side in (-1, 1):
                            x = i + side * (axis == 0)
                            y = j + side * (axis == 1)
                            z_ = k + side * (axis == 2)
                            if 0 <= x < nx and 0 <= y < ny and 0 <= z_ < nz:
                                for a in range(6):
                                    near[a] += weights[axis] * previous[a, x, y, z_]
                    score[0] *= math.exp(near[0] + 0.5 * (near[1] + near[5]))
                    score[1] *= math.exp(near[1] + 0.5 * (near[0] + near[2]))
                    score[2] *= math.exp(near[2] + 0.5 * (near[1] + near[3]))
                    score[3] *= math.exp(near[3] + 0.5 * (near[2] + near[4]))
                    score[4] *= math.exp(near[4] + 0.5 * (near[3] + near[5]))
                    score[5] *= math.exp(near[5] + 0.5 * (near[0] + near[4]))
                total = 0.0
                for a in range(6):
                    total += score[a]
                for a in range(6):
                    target[a, i, j, k] = score[a] / total if total > 0 else 1 / 6


@numba.njit(nogil=True, cache=True)
def _share(  # type: ignore[no-untyped-def]
    start, stop, image, brain, local, sigma, classes, pairs, target
):
    _, ny, nz = image.shape
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                if not brain[i, j, k]:
                    continue
                for a in range(6):
                    low, high = pairs[a]
                    part = classes[a, i, j, k]
                    if low == high:
                        target[low, i, j, k] += part
                        continue
                    dark = _at(local, low, i, j, k)
                    bright = max(_at(local, high, i, j, k), dark + 0.02)
                    noise = 0.5 * (sigma[low] + sigma[high])
                    share = _mean_fraction(image[i, j, k], dark, bright, noise)
                    target[high, i, j, k] += part * share
                    target[low, i, j, k] += part * (1 - share)
