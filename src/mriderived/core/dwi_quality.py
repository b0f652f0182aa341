"""Image quality metrics of a diffusion series.

The set follows those of MRIQC, QSIPrep and FSL's eddy. A metric that cannot be had is NaN and has
a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.bold_quality import summarise_displacement
from mriderived.core.gradient_orientation import rank_directions
from mriderived.core.gradient_table import Gradients
from mriderived.core.spherical_harmonics import even_harmonics, find_order

Signals = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: As many shells have columns of their own.
SHELLS = 3
#: Fewer directions of a shell do not tell signal from noise.
LEAST_DIRECTIONS = 12
#: The corpus callosum: anisotropic, along left and right, near the plane between hemispheres.
CALLOSUM_FA, CALLOSUM_COSINE, CALLOSUM_MM = 0.4, 0.9, 6.0
#: Fewer voxels are not a corpus callosum.
LEAST_CALLOSUM = 20
#: A slice of air that is brighter by this many robust standard deviations holds a spike.
SPIKE_Z = 6.0


@dataclass(frozen=True)
class DwiRun:
    """What the metrics are made from.

    ``signals`` (voxels, volumes) is the brain after preprocessing, in the order of ``brain``
    (x, y, z); ``raw`` is the same before any correction. ``noise`` (voxels,) is the standard
    deviation of the noise where denoising has found it. ``fa`` and ``first`` (x, y, z[, 3]) are
    the fractional anisotropy and the first eigenvector in world axes. ``displacement``
    (volumes,) is the framewise displacement in mm, ``outliers`` (volumes, slices) tells replaced
    slices. ``air`` (volumes, slices) is the mean signal outside the head.
    """

    signals: Signals
    raw: Signals
    gradients: Gradients
    brain: Mask
    affine: NDArray[np.float64]
    fa: NDArray[np.float32] | None = None
    first: NDArray[np.float32] | None = None
    noise: NDArray[np.float32] | None = None
    displacement: NDArray[np.float64] | None = None
    outliers: Mask | None = None
    air: NDArray[np.float64] | None = None


class DwiQuality(NamedTuple):
    """Values by column (NaN where there is none), and the reasons for NaN."""

    values: dict[str, float]
    reasons: dict[str, str]


def measure_dwi_quality(run: DwiRun) -> DwiQuality:
    """Measure the quality of a diffusion series.

    Parameters
    ----------
    run : DwiRun

    Returns
    -------
    DwiQuality
        ``snr_b0``, ``cnr_1`` to ``cnr_3``, ``ndc``, ``ndc_raw``, ``fd_mean`` (mm), ``fd_num``,
        ``fd_perc``, ``outlier_slices`` and ``spikes`` (percent), ``fa_callosum``,
        ``coherence``, ``volumes``, ``shells`` and ``b_max`` (s/mm²).

    Raises
    ------
    ValueError
        If there is no voxel or shapes do not fit.
    """
    _check(run)
    values: dict[str, float] = {
        'volumes': float(len(run.gradients)),
        'shells': float(len(run.gradients.shells) - 1),
        'b_max': run.gradients.shells[-1],
        'ndc_raw': neighbouring_correlation(run.raw, run.gradients),
        'ndc': neighbouring_correlation(run.signals, run.gradients),
    }
    reasons: dict[str, str] = {}
    _add(values, reasons, 'snr_b0', *_snr(run))
    for shell in range(1, SHELLS + 1):
        _add(
            values, reasons, f'cnr_{shell}', *contrast_to_noise(run.signals, run.gradients, shell)
        )
    _add_motion(values, reasons, run)
    slices = np.nan if run.outliers is None else 100 * float(run.outliers.mean())
    _add(values, reasons, 'outlier_slices', slices, 'outlier slices were not searched')
    spikes = np.nan if run.air is None else 100 * spiked_share(run.air)
    _add(values, reasons, 'spikes', spikes, 'there is no air around the head')
    _add_fibres(values, reasons, run)
    return DwiQuality(values, reasons)


def _check(run: DwiRun) -> None:
    voxels = int(run.brain.sum())
    if voxels == 0:
        raise ValueError('the brain mask is empty; look at the brain extraction')
    if {run.signals.shape, run.raw.shape} != {(voxels, len(run.gradients))}:
        raise ValueError(
            f'series of {run.signals.shape} and {run.raw.shape} for {voxels} voxels and '
            f'{len(run.gradients)} volumes'
        )


def _add(
    values: dict[str, float], reasons: dict[str, str], name: str, value: float, reason: str
) -> None:
    values[name] = float(value)
    if not np.isfinite(value):
        reasons[name] = reason


def _snr(run: DwiRun) -> tuple[float, str]:
    b0 = run.signals[:, run.gradients.shell == 0]
    return b0_snr(b0, run.noise), 'there is neither a noise map nor a second volume of b = 0'


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
        return float(
            'nan'
        ), f'shell {shell} has {mine.size} directions, fewer than {LEAST_DIRECTIONS}'
    basis = even_harmonics(gradients.directions[mine], find_order(mine.size, most=6))
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


def neighbouring_correlation(signals: Signals, gradients: Gradients) -> float:
    """Return the mean correlation of weighted volumes with their neighbours in q-space.

    The neighbour is the volume whose gradient, taken as an axis of length sqrt(b), is nearest.

    Parameters
    ----------
    signals : array of float, shape (voxels, volumes)
    gradients : Gradients

    Returns
    -------
    float
        NaN with fewer than two weighted volumes.

    References
    ----------
    Yeh et al. 2019, https://doi.org/10.1016/j.neuroimage.2019.116131

    Examples
    --------
    >>> from mriderived.core.gradient_table import make_gradients
    >>> table = make_gradients([1000] * 3, [[1, 0, 0], [-1, 0, 0], [0, 1, 0]])
    >>> signals = np.float32([[1, 2, 1], [2, 4, 3], [3, 6, 2]])
    >>> round(neighbouring_correlation(signals, table), 6)
    0.833333
    """
    weighted = np.flatnonzero(gradients.shell > 0)
    if weighted.size < 2:
        return float('nan')
    place = gradients.directions[weighted] * np.sqrt(gradients.b[weighted])[:, None]
    apart = np.minimum(
        np.linalg.norm(place[:, None] - place[None], axis=2),
        np.linalg.norm(place[:, None] + place[None], axis=2),
    )
    np.fill_diagonal(apart, np.inf)
    pairs = zip(weighted, weighted[apart.argmin(axis=1)], strict=True)
    with np.errstate(invalid='ignore'):
        found = [np.corrcoef(signals[:, one], signals[:, other])[0, 1] for one, other in pairs]
    return float(np.mean(found))


def spiked_share(air: NDArray[np.float64]) -> float:
    """Return the share of slices whose air is brighter than in the other volumes.

    Parameters
    ----------
    air : array of float, shape (volumes, slices)
        Mean signal outside the head; NaN where a slice has no air.

    Returns
    -------
    float
        From 0 to 1; NaN without air.

    Examples
    --------
    >>> air = np.tile([10.0, 11.0, 9.0, 10.5], (3, 1)).T
    >>> air[2, 1] = 40
    >>> round(spiked_share(air), 4)
    0.0833
    """
    kept = air[:, np.isfinite(air).all(axis=0)]
    if kept.size == 0:
        return float('nan')
    away = kept - np.median(kept, axis=0)
    spread = 1.4826 * np.median(np.abs(away), axis=0)
    return float(np.mean(away > SPIKE_Z * np.maximum(spread, np.finfo(float).tiny)))


def find_callosum(
    fa: NDArray[np.float32],
    first: NDArray[np.float32],
    brain: Mask,
    affine: NDArray[np.float64],
) -> Mask:
    """Find the middle of the corpus callosum by its anisotropy and direction.

    Voxels within 6 mm of the middle of the brain, with a fractional anisotropy above 0.4 and a
    first eigenvector within 26 degrees of the left-right axis; of these, the largest piece.

    Parameters
    ----------
    fa : array of float, shape (x, y, z)
    first : array of float, shape (x, y, z, 3)
        In world axes.
    brain : array of bool, shape (x, y, z)
    affine : array of float, shape (4, 4)

    Returns
    -------
    array of bool, shape (x, y, z)
        Empty where there is no piece of 20 voxels.
    """
    voxels = np.argwhere(brain)
    along = voxels @ affine[0, :3] + affine[0, 3]
    near = np.zeros_like(brain)
    near[tuple(voxels[np.abs(along - np.median(along)) <= CALLOSUM_MM].T)] = True
    chosen = near & (fa > CALLOSUM_FA) & (np.abs(first[..., 0]) > CALLOSUM_COSINE)
    pieces, count = ndimage.label(chosen)
    if count == 0:
        return np.asarray(chosen)
    sizes = np.bincount(pieces.ravel())[1:]
    if sizes.max() < LEAST_CALLOSUM:
        return np.zeros_like(brain)
    return np.asarray(pieces == 1 + sizes.argmax())


def _add_motion(values: dict[str, float], reasons: dict[str, str], run: DwiRun) -> None:
    found: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    if run.displacement is not None:
        found = summarise_displacement(run.displacement)
    for name, value in zip(('fd_mean', 'fd_num', 'fd_perc'), found, strict=True):
        _add(values, reasons, name, value, 'there are no motion parameters')


def _add_fibres(values: dict[str, float], reasons: dict[str, str], run: DwiRun) -> None:
    if run.fa is None or run.first is None:
        for name in ('fa_callosum', 'coherence'):
            _add(values, reasons, name, np.nan, 'there is no tensor')
        return
    callosum = find_callosum(run.fa, run.first, run.brain, run.affine)
    fa = float(np.median(run.fa[callosum])) if callosum.any() else np.nan
    _add(values, reasons, 'fa_callosum', fa, 'the corpus callosum was not found')
    ranking = rank_directions(run.first[run.brain], run.fa[run.brain], run.brain, run.affine)
    coherence = float(ranking.coherence[ranking.place]) or np.nan
    _add(values, reasons, 'coherence', coherence, 'no neighbouring voxels are anisotropic')
