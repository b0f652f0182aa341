"""Signal, contrast, neighbours and spikes: what the values of a diffusion series say of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients, count_axes
from mriderived.core.spherical_harmonics import even_harmonics, find_order

Signals = NDArray[np.float32]

#: Fewer directions of a shell do not tell signal from noise.
LEAST_DIRECTIONS = 12
#: A slice of air that is brighter by this many robust standard deviations holds a spike.
SPIKE_Z = 6.0
#: Of fewer volumes the spread is too uncertain: of six, 0.4 % of slices without a spike exceed it.
LEAST_VOLUMES = 8


def b0_snr(b0: Signals, noise: NDArray[np.float32] | None = None) -> float:
    """Return the median signal-to-noise ratio of volumes of b = 0.

    Parameters
    ----------
    b0 : array of float, shape (voxels, volumes)
    noise : array of float, shape (voxels,), optional
        Standard deviation of the noise; without it, that over the volumes is taken.

    Returns
    -------
    float
        NaN with neither noise nor a second volume.

    Examples
    --------
    >>> b0_snr(np.float32([[100, 100], [50, 50]]), np.float32([5, 5]))
    15.0
    """
    if b0.shape[1] == 0:
        return float('nan')
    mean = b0.mean(axis=1, dtype=np.float64)
    spread = noise if noise is not None else _spread(b0)
    if spread is None:
        return float('nan')
    known = np.isfinite(spread) & (spread > 0) & (mean > 0)
    return float(np.median(mean[known] / spread[known])) if known.any() else float('nan')


def _spread(b0: Signals) -> NDArray[np.float64] | None:
    return b0.std(axis=1, ddof=1, dtype=np.float64) if b0.shape[1] > 1 else None


def contrast_to_noise(signals: Signals, gradients: Gradients, shell: int) -> tuple[float, str]:
    """Return how much stronger the directions of a shell differ than noise makes them.

    A smooth function of direction, of spherical harmonics, is fitted to every voxel: the standard
    deviation of the function (without what noise adds to it) over that of its residuals
    (corrected for the number of harmonics), median over voxels.

    Parameters
    ----------
    signals : array of float, shape (voxels, volumes)
    gradients : Gradients
        Of n volumes.
    shell : int
        From 1.

    Returns
    -------
    ratio : float
        NaN where there is none.
    reason : str
        Why there is none.

    References
    ----------
    Bastiani et al. 2019, https://doi.org/10.1016/j.neuroimage.2018.09.073, whose predictions are
    of a Gaussian process.
    """
    mine = np.flatnonzero(gradients.shell == shell)
    if mine.size == 0:
        return float('nan'), f'there is no shell {shell}'
    if mine.size < LEAST_DIRECTIONS:
        reason = f'shell {shell} has {mine.size} directions, fewer than {LEAST_DIRECTIONS}'
        return float('nan'), reason
    basis = even_harmonics(
        gradients.directions[mine], find_order(count_axes(gradients.directions[mine]), most=6)
    )
    values = signals[:, mine].astype(np.float64)
    fitted = values @ np.linalg.pinv(basis).T @ basis.T
    freedom = mine.size - np.linalg.matrix_rank(basis)
    noise = np.sqrt(((values - fitted) ** 2).sum(axis=1) / freedom)
    # of the noise, the harmonics but the constant one take their share
    taken = noise**2 * (mine.size - freedom - 1) / mine.size
    contrast = np.sqrt(np.maximum(fitted.var(axis=1) - taken, 0))
    known = noise > 0
    if not known.any():
        return float('nan'), f'shell {shell} has no noise'
    return float(np.median(contrast[known] / noise[known])), ''


def neighbouring_correlation(
    signals: Signals, gradients: Gradients, encoding: NDArray[np.int64] | None = None
) -> tuple[float, str]:
    """Return the mean correlation of weighted volumes with their neighbours in q-space.

    The neighbour is the volume whose gradient, taken as an axis of length sqrt(b), is nearest.

    Parameters
    ----------
    signals : array of float, shape (voxels, volumes)
    gradients : Gradients
    encoding : array of int, shape (volumes,), optional
        The phase encoding of each volume: only volumes of the same one are compared.

    Returns
    -------
    correlation : float
        NaN where there is none.
    reason : str
        Why there is none.

    References
    ----------
    Yeh et al. 2019, https://doi.org/10.1016/j.neuroimage.2019.116131

    Examples
    --------
    >>> from mriderived.core.gradient_table import make_gradients
    >>> table = make_gradients([1000] * 3, [[1, 0, 0], [-1, 0, 0], [0, 1, 0]])
    >>> signals = np.float32([[1, 2, 1], [2, 4, 3], [3, 6, 2]])
    >>> value, reason = neighbouring_correlation(signals, table)
    >>> round(value, 6), reason
    (0.833333, '')
    """
    weighted = np.flatnonzero(gradients.shell > 0)
    if weighted.size < 2:
        return float('nan'), 'there are fewer than two weighted volumes'
    flat = weighted[np.ptp(signals[:, weighted], axis=0) == 0]
    if flat.size:
        return float('nan'), (
            f'volumes {flat.tolist()} (from 0) have the same value in all of the brain'
        )
    place = gradients.directions[weighted] * np.sqrt(gradients.b[weighted])[:, None]
    apart = np.minimum(
        np.linalg.norm(place[:, None] - place[None], axis=2),
        np.linalg.norm(place[:, None] + place[None], axis=2),
    )
    np.fill_diagonal(apart, np.inf)
    if encoding is not None:
        apart[encoding[weighted][:, None] != encoding[weighted]] = np.inf
    has = np.isfinite(apart).any(axis=1)
    if not has.any():
        return float('nan'), 'no phase encoding has two weighted volumes'
    pairs = zip(weighted[has], weighted[apart[has].argmin(axis=1)], strict=True)
    found = [np.corrcoef(signals[:, one], signals[:, other])[0, 1] for one, other in pairs]
    return float(np.mean(found)), ''


def spiked_share(
    air: NDArray[np.float64],
    shell: NDArray[np.intp],
    encoding: NDArray[np.int64] | None = None,
) -> tuple[float, str]:
    """Return the share of slices whose air is brighter than in the other volumes of the shell.

    Volumes of other weighting do not compare: ghosts, which lie in the air, go with the signal.
    Nor do those of another phase encoding, whose ghosts and distorted edges lie elsewhere.
    Shells of fewer than eight volumes of one encoding are left out.

    Parameters
    ----------
    air : array of float, shape (volumes, slices)
        Mean signal outside the head; NaN where a slice has no air.
    shell : array of int, shape (volumes,)
        0 for unweighted volumes.
    encoding : array of int, shape (volumes,), optional
        The phase encoding of each volume; without it, all have the same.

    Returns
    -------
    share : float
        From 0 to 1, of the slices that were compared; NaN where there are none.
    reason : str
        Why there is none.

    Examples
    --------
    >>> air = np.tile(10 + np.arange(8) / 10, (3, 1)).T
    >>> air[2, 1] = 40
    >>> share, reason = spiked_share(np.vstack([air, 3 * air[:2]]), np.repeat([1, 0], [8, 2]))
    >>> round(share, 4), reason
    (0.0417, '')
    """
    kept = air[:, np.isfinite(air).all(axis=0)]
    if kept.size == 0:
        return float('nan'), 'there is no air around the head'
    pairs = np.column_stack([shell, np.zeros(len(shell)) if encoding is None else encoding])
    alike = [(pairs == one).all(axis=1) for one in np.unique(pairs, axis=0)]
    found = [_find_bright(kept[ours]) for ours in alike if ours.sum() >= LEAST_VOLUMES]
    if not found:
        return float('nan'), f'no shell, nor b = 0, has {LEAST_VOLUMES} volumes to compare'
    return float(np.mean(np.concatenate(found))), ''


def _find_bright(air: NDArray[np.float64]) -> NDArray[np.bool_]:
    away = air - np.median(air, axis=0)
    spread = 1.4826 * np.median(np.abs(away), axis=0)
    return np.asarray(away > SPIKE_Z * np.maximum(spread, np.finfo(float).tiny))
