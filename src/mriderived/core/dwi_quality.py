"""Image quality metrics of a diffusion series.

The set follows those of MRIQC, QSIPrep and FSL's eddy. A metric that cannot be had is NaN and has
a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.bold_quality import summarise_displacement
from mriderived.core.corpus_callosum import find_callosum
from mriderived.core.dwi_signal_quality import (
    b0_snr,
    contrast_to_noise,
    neighbouring_correlation,
    spiked_share,
)
from mriderived.core.gradient_orientation import rank_directions
from mriderived.core.gradient_table import Gradients

Signals = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: As many shells have columns of their own.
SHELLS = 3


@dataclass(frozen=True)
class DwiRun:
    """What the metrics are made from.

    ``signals`` (voxels, volumes) is the brain after preprocessing, in the order of ``brain``
    (x, y, z); ``raw`` is the same before any correction. ``noise`` (voxels,) is the standard
    deviation of the noise where denoising has found it. ``fa`` and ``first`` (x, y, z[, 3]) are
    the fractional anisotropy and the first eigenvector in world axes. ``displacement``
    (volumes,) is the framewise displacement in mm, ``outliers`` (volumes, slices) tells replaced
    slices. ``air`` (volumes, slices) is the mean signal outside the head. ``encoding`` (volumes,)
    is the number of the phase encoding, where there are several.
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
    untold: Mask | None = None
    outliers: Mask | None = None
    air: NDArray[np.float64] | None = None
    encoding: NDArray[np.int64] | None = None


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
        ``fd_perc``, ``untold_volumes``, ``outlier_slices`` and ``spikes`` (percent),
        ``fa_callosum``, ``coherence``, ``volumes``, ``shells`` and ``b_max`` (s/mm²).

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
    }
    reasons: dict[str, str] = {}
    # as acquired, volumes of two phase encodings are distorted otherwise
    for name, series, encoding in (('ndc_raw', run.raw, run.encoding), ('ndc', run.signals, None)):
        _add(values, reasons, name, *neighbouring_correlation(series, run.gradients, encoding))
    _add(values, reasons, 'snr_b0', *_snr(run))
    for shell in range(1, SHELLS + 1):
        _add(
            values, reasons, f'cnr_{shell}', *contrast_to_noise(run.signals, run.gradients, shell)
        )
    _add_motion(values, reasons, run)
    slices = np.nan if run.outliers is None else 100 * float(run.outliers.mean())
    _add(values, reasons, 'outlier_slices', slices, 'outlier slices were not searched')
    share, reason = np.nan, 'there is no air around the head'
    if run.air is not None:
        share, reason = spiked_share(run.air, run.gradients.shell, run.encoding)
    _add(values, reasons, 'spikes', 100 * share, reason)
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


def _add_motion(values: dict[str, float], reasons: dict[str, str], run: DwiRun) -> None:
    found: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    if run.displacement is not None:
        found = summarise_displacement(run.displacement)
    for name, value in zip(('fd_mean', 'fd_num', 'fd_perc'), found, strict=True):
        _add(values, reasons, name, value, 'there are no motion parameters')
    untold = np.nan if run.untold is None else float(run.untold.sum())
    _add(values, reasons, 'untold_volumes', untold, 'there are no motion parameters')


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
