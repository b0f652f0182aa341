"""Brightness of the tissues in the tissue segmentation: of each, everywhere, and its noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import smooth
from mriderived.core.sampling import resample

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Tissues by rising brightness.
CSF, GM, WM = 0, 1, 2
#: Widest noise of each tissue relative to that of white matter. Fluid holds vessels and
#: membranes; a wider spread of grey matter would swallow its mixtures.
WIDEST = np.array([4.0, 1.0, 1.0])
#: Noise as a share of the smallest contrast: pure classes must neither die nor take over.
NOISE_LIMITS = (0.03, 0.35)
#: How many voxels' worth of the global mean count in a local one, as a share of the window.
ANCHOR = 0.015
#: Share of the mixtures of CSF and grey matter that counts as fluid of sulci, at most.
SULCAL_SHARE = 0.1
#: Nuclei: smoothing in mm of the priors, then the ramps of grey matter and of fluid.
NUCLEI_SIGMA, NUCLEI_GREY, NUCLEI_FLUID = 4.0, (0.5, 0.6), (0.06, 0.09)


class Means(NamedTuple):
    """Brightness, shape (3, x, y, z) or (3, 1, 1, 1), and noise (3,) of the tissues."""

    local: Volume
    sigma: NDArray[np.float64]


def initial_means(data: Volume, brain: Mask, priors: Volume) -> Means:
    """Return the median brightness where the priors are surest of each tissue.

    Raises
    ------
    ValueError
        If the tissues are not ordered as in a T1-weighted image.

    Examples
    --------
    >>> data = np.float32([1, 2, 3]).reshape(3, 1, 1)
    >>> priors = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    >>> initial_means(data, data > 0, priors).local.ravel().tolist()
    [1.0, 2.0, 3.0]
    """
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
    return Means(_columns(centres), np.full(3, 0.3 * np.diff(centres).min()))


def global_means(image: Volume, classes: Volume, brain: Mask) -> Means:
    """Return one mean and noise per tissue from its pure class.

    Examples
    --------
    >>> image = np.float32([1, 2, 3]).reshape(3, 1, 1)
    >>> classes = np.zeros((6, 3, 1, 1), np.float32)
    >>> classes[0, 0] = classes[2, 1] = classes[4, 2] = 1
    >>> global_means(image, classes, image > 0).local.ravel().round(3).tolist()
    [1.0, 2.0, 3.0]
    """
    values = image[brain].astype(np.float64)
    centres, sigmas = [], []
    for part in classes[::2][:3]:
        weight = part[brain].astype(np.float64)
        total = weight.sum() + 1e-9
        centre = float((weight * values).sum() / total)
        centres.append(centre)
        sigmas.append(float(np.sqrt((weight * (values - centre) ** 2).sum() / total)))
    return Means(_columns(centres), _limit(np.array(sigmas), np.diff(centres).min()))


def smooth_field(
    data: Volume, classes: Volume, means: Means, width: NDArray[np.float64], threads: int = 1
) -> Volume:
    """Return the smooth factor between what is seen and what the pure tissues should show.

    Fluid is left out: its brightness tells little about a factor.

    Examples
    --------
    >>> classes = np.zeros((6, 4, 4, 4), np.float32); classes[4] = 1
    >>> means = Means(np.float32([0.2, 0.6, 1]).reshape(3, 1, 1, 1), np.full(3, 0.1))
    >>> field = smooth_field(np.full((4, 4, 4), 1.1, np.float32), classes, means, np.ones(3))
    >>> round(float(field.mean()), 3)
    1.1
    """
    seen, expected = np.zeros_like(data), np.zeros_like(data)
    for tissue in (GM, WM):
        mean = np.float32(means.local[tissue].item())
        weight = classes[2 * tissue] * np.float32((mean / means.sigma[tissue]) ** 2)
        seen += weight * data / mean
        expected += weight
    wide = smooth_widely(expected, width, threads)
    ratio = smooth_widely(seen, width, threads) / np.maximum(wide, 1e-6)
    return np.where(wide > 1e-6, np.clip(ratio, 0.5, 2.0), 1).astype(np.float32)


def local_means(
    image: Volume,
    classes: Volume,
    brain: Mask,
    priors: Volume,
    nuclei: Volume,
    width: NDArray[np.float64],
    threads: int = 1,
) -> Means:
    """Return means that follow the place, drawn to the global ones where a tissue is rare.

    Grey matter's mean comes from the cortex, and is raised in ``nuclei``, which are brighter, up
    to looking like mixtures, of which they hold none inside.
    """
    pure = [classes[0], classes[2] * (1 - nuclei), classes[4]]
    overall = global_means(image, classes, brain)
    share = SULCAL_SHARE * np.clip(overall.sigma[CSF] / overall.sigma[WM] - 1, 0, 1)
    seen = [pure[CSF] + np.float32(share) * classes[1], pure[GM], pure[WM]]
    local = np.empty((3, *image.shape), np.float32)
    sigmas = np.empty(3)
    for tissue, mean in enumerate(_means_of(image, pure, brain)):
        excess = smooth_widely(seen[tissue] * (image - mean), width, threads)
        amount = smooth_widely(seen[tissue], width, threads)
        local[tissue] = mean + excess / (amount + np.float32(ANCHOR))
        if tissue == GM:
            local[GM] += nuclei * _raise(local[GM], image, priors[GM], width, threads)
        residual = (image - local[tissue])[brain].astype(np.float64)
        weight = pure[tissue][brain].astype(np.float64)
        sigmas[tissue] = np.sqrt((weight * residual**2).sum() / (weight.sum() + 1e-9))
    return Means(local, _limit(sigmas, float(np.diff(overall.local.ravel()).min())))


def find_nuclei(priors: Volume, size: NDArray[np.float64], threads: int = 1) -> Volume:
    """Return how much a voxel lies in grey matter in bulk, far from fluid: 0 to 1.

    Examples
    --------
    >>> priors = np.zeros((3, 5, 5, 5), np.float32); priors[GM] = 1
    >>> float(find_nuclei(priors, np.ones(3)).min())
    1.0
    """
    grey = smooth(priors[GM], NUCLEI_SIGMA / size, threads)
    fluid = smooth(priors[CSF], NUCLEI_SIGMA / size, threads)
    bulk = np.clip((grey - NUCLEI_GREY[0]) / (NUCLEI_GREY[1] - NUCLEI_GREY[0]), 0, 1)
    dry = np.clip((NUCLEI_FLUID[1] - fluid) / (NUCLEI_FLUID[1] - NUCLEI_FLUID[0]), 0, 1)
    return np.asarray(bulk * dry, np.float32)


def smooth_widely(volume: Volume, sigma: NDArray[np.float64], threads: int = 1) -> Volume:
    """Smooth by many voxels, on a coarser grid, which such a smooth result does not notice.

    Examples
    --------
    >>> flat = np.ones((20, 20, 20), np.float32)
    >>> bool(np.allclose(smooth_widely(flat, np.full(3, 10.0)), 1, atol=1e-4))
    True
    """
    factor = np.maximum(np.floor(sigma / 2.5), 1)
    if (factor == 1).all():
        return smooth(volume, sigma, threads)
    blur = 0.5 * np.where(factor > 1, factor, 0)
    nx, ny, nz = np.ceil((np.array(volume.shape) - 1) / factor).astype(int) + 1
    padding = [(0, int(f)) for f in factor]
    padded = np.pad(smooth(volume, blur, threads), padding, mode='edge')
    matrix = np.diag([*factor, 1.0])
    coarse = resample(padded, matrix, (int(nx), int(ny), int(nz)), threads)
    rest = np.sqrt(sigma**2 - blur**2) / factor
    back = np.linalg.inv(matrix)
    return resample(smooth(coarse, rest, threads), back, volume.shape, threads)


def _columns(centres: Sequence[float]) -> Volume:
    return np.asarray(centres, np.float32).reshape(3, 1, 1, 1)


def _means_of(image: Volume, weights: Sequence[Volume], brain: Mask) -> list[np.float32]:
    values = image[brain].astype(np.float64)
    return [
        np.float32((part[brain] * values).sum() / (part[brain].astype(np.float64).sum() + 1e-9))
        for part in weights
    ]


def _limit(sigmas: NDArray[np.float64], contrast: float) -> NDArray[np.float64]:
    low, high = (limit * contrast for limit in NOISE_LIMITS)
    return np.asarray(np.clip(sigmas, low, np.clip(WIDEST * sigmas[WM], low, high)))


def _raise(
    local: Volume, image: Volume, grey: Volume, width: NDArray[np.float64], threads: int
) -> Volume:
    weight = grey**4
    total = smooth_widely(weight, width, threads)
    seen = smooth_widely(weight * image, width, threads) / np.maximum(total, 1e-3)
    return np.asarray(np.maximum(seen - local, 0), np.float32)
