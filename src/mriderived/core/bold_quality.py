"""Image quality metrics of a BOLD run.

The set and its names are MRIQC's (https://doi.org/10.1371/journal.pone.0184661). A metric that
cannot be had is NaN and has a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core import quality
from mriderived.core.dvars import compute_dvars
from mriderived.core.ghosts import ghost_ratio
from mriderived.core.series import (
    Frames,
    Mask,
    Series,
    check_series,
    find_varying,
    map_blocks,
    median_known,
)
from mriderived.core.smoothness import estimate_fwhm
from mriderived.core.volume_outliers import outlier_fraction, quality_index
from mriderived.core.voxel_connectivity import global_correlation

#: Frames that move more than this (mm) are counted: MRIQC's threshold.
FD_THRESHOLD = 0.2
NO_AIR = 'there is no air around the head'
SILENT_AIR = 'the air around the head holds one value: the background was masked'
_OF_AIR = ('fber', 'summary_bg')
#: What a metric misses, by its first letters.
_REASONS = {
    'fd_': 'there are no motion parameters',
    'fber': NO_AIR,
    'gsr_': 'the mask leaves no room for a ghost',
    'summary_bg': NO_AIR,
    'dvars_': 'no voxel of the brain changes over time, or there are fewer than three frames',
}
UNDEFINED = 'undefined: a part of the image is constant or empty'


@dataclass(frozen=True)
class BoldRun:
    """What the metrics are made from.

    ``series`` (voxels, frames) is the brain after motion correction, in the order of ``brain``
    (x, y, z); ``mean`` (x, y, z) the mean volume; ``air`` (x, y, z) what lies well outside the
    head. ``displacement`` (frames,) is the framewise displacement in mm, NaN in the first frame;
    ``dummies`` the number of frames before the steady state, which are part of the series. The
    axes x and y are those of the slices as acquired.
    """

    series: Series
    mean: NDArray[np.float32]
    brain: Mask
    air: Mask
    dummies: int = 0
    displacement: Frames | None = None


class BoldQuality(NamedTuple):
    """Values by column (NaN where there is none), and the reasons for NaN."""

    values: dict[str, float]
    reasons: dict[str, str]


def map_tsnr(series: Series, threads: int = 1) -> NDArray[np.float32]:
    """Return the temporal signal-to-noise ratio: mean over standard deviation (N) over time.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
        After motion correction, not denoised.
    threads : int

    Returns
    -------
    array of float32, shape (voxels,)
        NaN for voxels that are constant or not finite.

    References
    ----------
    Kruger and Glover 2001, https://doi.org/10.1002/mrm.1240

    Examples
    --------
    >>> map_tsnr(np.float32([[9, 11], [5, 5]])).tolist()
    [10.0, nan]
    """
    check_series(series)
    tsnr = np.full(len(series), np.nan, np.float32)
    varying = find_varying(series, threads)

    def divide(rows: slice) -> None:
        block = series[rows][varying[rows]].astype(np.float64)
        tsnr[rows][varying[rows]] = block.mean(axis=1) / block.std(axis=1)

    map_blocks(divide, len(series), threads)
    return tsnr


def summarise_displacement(
    displacement: ArrayLike, threshold: float = FD_THRESHOLD
) -> tuple[float, int, float]:
    """Return the mean framewise displacement, and the number and percentage above a threshold.

    Parameters
    ----------
    displacement : array, shape (frames,)
        In mm; NaN in the first frame, which counts as a frame that did not move.
    threshold : float
        In mm.

    Returns
    -------
    mean : float
        In mm, of the frames that have one; NaN without any.
    number : int
    percentage : float
        Of all frames.

    References
    ----------
    Power et al. 2012, https://doi.org/10.1016/j.neuroimage.2011.10.018

    Examples
    --------
    >>> summarise_displacement([np.nan, 0.125, 0.375, 0.25])
    (0.25, 2, 50.0)
    """
    values = np.asarray(displacement, np.float64)
    known = values[np.isfinite(values)]
    if known.size == 0:
        return float('nan'), 0, float('nan')
    number = int(np.count_nonzero(known > threshold))
    return float(known.mean()), number, 100 * number / values.size


def measure_bold_quality(run: BoldRun, threads: int = 1) -> BoldQuality:
    """Measure the quality of a BOLD run.

    Parameters
    ----------
    run : BoldRun
    threads : int

    Returns
    -------
    BoldQuality
        Columns aor, aqi, dummy_trs, dvars_nstd, dvars_std, dvars_vstd, efc, fber, fd_mean (mm),
        fd_num, fd_perc, fwhm_x, fwhm_y, fwhm_z, fwhm_avg (voxels), gcor, gsr_x, gsr_y, snr, tsnr,
        and summary_bg_* and summary_fg_*. efc, fber, fwhm_*, gsr_*, snr and the summaries are of
        the mean volume; everything that changes over time is of the frames in steady state, but
        for the displacement, which is of all.

    Raises
    ------
    ValueError
        If the brain mask is empty, shapes differ, or fewer than two frames are in steady state.

    References
    ----------
    Esteban et al. 2017, https://doi.org/10.1371/journal.pone.0184661
    """
    _check(run)
    steady = run.series[:, run.dummies :]
    inside = quality.summarise(run.mean[run.brain])
    outside = quality.summarise(run.mean[run.air])
    values = {
        'aor': float(outlier_fraction(steady, threads).mean()) if steady.shape[1] > 2 else np.nan,
        'aqi': float(quality_index(steady, threads).mean()),
        'dummy_trs': float(run.dummies),
        **_dvars(steady, threads),
        'efc': quality.entropy_focus(run.mean),
        'fber': quality.energy_ratio(run.mean[run.brain], run.mean[run.air]),
        **_displacement(run.displacement),
        **_smoothness(run),
        'gcor': global_correlation(steady, threads),
        'gsr_x': ghost_ratio(run.mean, run.brain, 0),
        'gsr_y': ghost_ratio(run.mean, run.brain, 1),
        'snr': quality.snr(inside),
        'tsnr': median_known(map_tsnr(steady, threads)),
        **{f'summary_bg_{name}': float(value) for name, value in outside._asdict().items()},
        **{f'summary_fg_{name}': float(value) for name, value in inside._asdict().items()},
    }
    missing = [name for name, value in values.items() if not np.isfinite(value)]
    return BoldQuality(values, {name: _explain(name, bool(run.air.any())) for name in missing})


def _check(run: BoldRun) -> None:
    if not run.brain.any():
        raise ValueError('the brain mask is empty; look at the brain extraction')
    shapes = {run.mean.shape, run.brain.shape, run.air.shape}
    if len(shapes) > 1 or len(run.series) != np.count_nonzero(run.brain):
        raise ValueError(f'shapes differ: {sorted(shapes)}, series of {len(run.series)} voxels')
    check_series(run.series, run.dummies + 2)


def _dvars(series: Series, threads: int) -> dict[str, float]:
    names = {'dvars': 'dvars_nstd', 'std_dvars': 'dvars_std', 'vx_std_dvars': 'dvars_vstd'}
    if series.shape[1] < 3 or not find_varying(series).any():
        return dict.fromkeys(names.values(), float('nan'))
    forms = compute_dvars(series, threads)._asdict()
    return {name: float(forms[form][1:].mean()) for form, name in names.items()}


def _displacement(displacement: Frames | None) -> dict[str, float]:
    names = ('fd_mean', 'fd_num', 'fd_perc')
    if displacement is None or not np.isfinite(displacement).any():
        return dict.fromkeys(names, float('nan'))
    return dict(zip(names, map(float, summarise_displacement(displacement)), strict=True))


def _smoothness(run: BoldRun) -> dict[str, float]:
    widths = estimate_fwhm(run.mean, run.brain)
    names = ('fwhm_x', 'fwhm_y', 'fwhm_z')
    return {**dict(zip(names, widths, strict=True)), 'fwhm_avg': float(np.mean(widths))}


def _explain(name: str, has_air: bool) -> str:
    if has_air and name.startswith(_OF_AIR):
        return SILENT_AIR
    return next((why for start, why in _REASONS.items() if name.startswith(start)), UNDEFINED)
