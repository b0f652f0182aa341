"""Amplitude of low-frequency fluctuations (ALFF) and its share of all frequencies (fALFF)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import i0e, i1e

from mriderived.core.gap_filling import Filler
from mriderived.core.series import (
    Frames,
    Mask,
    Series,
    check_repetition_time,
    check_series,
    map_blocks,
)

Definition = Literal['amplitude', 'deviation']
#: The band of Zang et al., in Hz.
BAND = (0.01, 0.08)


class Alff(NamedTuple):
    """Maps over voxels, and the band (Hz) with its bins that they were measured in.

    ``alff`` has the unit of the series (percent, if that is percent signal change), ``falff`` is
    between 0 and 1.
    """

    alff: NDArray[np.float32]
    falff: NDArray[np.float32]
    band: tuple[float, float]
    bins: int
    all_bins: int


def find_bins(
    frames: int, repetition_time: float, band: tuple[float, float] = BAND
) -> tuple[NDArray[np.intp], tuple[float, float]]:
    """Return the bins of the spectrum inside a band, and the band as far as it can be seen.

    Parameters
    ----------
    frames : int
    repetition_time : float
        In s.
    band : two floats
        In Hz, both ends included. The upper is cut at the Nyquist frequency.

    Returns
    -------
    bins : array of int
        From 1; bin k has the frequency k / (frames * repetition_time).
    band : two floats

    Raises
    ------
    ValueError
        If no bin lies in the band.

    Examples
    --------
    >>> bins, band = find_bins(200, 2.0)
    >>> int(bins[0]), int(bins[-1]), band
    (4, 32, (0.01, 0.08))
    """
    check_repetition_time(repetition_time)
    low, high = band
    nyquist = 1 / (2 * repetition_time)
    seen = min(high, nyquist)
    order = np.arange(1, frames // 2 + 1)
    frequency = order / (frames * repetition_time)
    slack = 1e-9 / repetition_time
    bins = order[(frequency >= low - slack) & (frequency <= seen + slack)]
    if bins.size == 0:
        raise ValueError(
            f'no frequency of {frames} frames every {repetition_time:g} s (Nyquist frequency '
            f'{nyquist:g} Hz) lies between {low:g} and {high:g} Hz'
        )
    return bins, (low, seen)


def measure_alff(
    series: Series,
    repetition_time: float,
    band: tuple[float, float] = BAND,
    definition: Definition = 'amplitude',
    keep: Mask | None = None,
    threads: int = 1,
) -> Alff:
    r"""Measure the amplitude of low-frequency fluctuations and its share of all frequencies.

    With the discrete Fourier transform :math:`X_k` of a voxel's N frames, the amplitude of bin k
    is :math:`A_k = 2 |X_k| / N` (half of it at the Nyquist frequency), that of a sine in the unit
    of the series. 'amplitude' (Zang, Zou) is the square root of power: ALFF is the mean of
    :math:`A_k` over the bins in the band, fALFF their sum over the sum of all bins but the
    constant. 'deviation' (C-PAC) is the standard deviation (N - 1) of the band-passed series, and
    its ratio to that of the whole.

    The series must not be filtered (fALFF would be 1) nor scaled to unit variance (ALFF would be
    lost). Trends count as low frequencies; take them off with the confounds.

    Censored frames are filled by :class:`~mriderived.core.gap_filling.Filler`, from the kept
    frames and the autocorrelation of the run. What the fill cannot know is taken for complex
    normal noise in each bin: its power is added to that of the bin ('deviation'), or the mean of
    the modulus with it is taken (Rice's distribution, 'amplitude').

    Parameters
    ----------
    series : array of float32, shape (voxels, frames) or (voxels, kept frames)
        Values of censored frames have no influence; they may be there or not.
    repetition_time : float
        In s.
    band : two floats
        In Hz; see :func:`find_bins`.
    definition : 'amplitude' or 'deviation'
    keep : array of bool, shape (frames,), optional
        False for censored frames.
    threads : int

    Returns
    -------
    Alff
        A voxel that is constant has ALFF 0 and fALFF NaN; one that is not finite has NaN.

    Raises
    ------
    ValueError
        If no bin lies in the band or fewer than half of the frames are kept.

    References
    ----------
    Zang et al. 2007, https://doi.org/10.1016/j.braindev.2006.07.002;
    Zou et al. 2008, https://doi.org/10.1016/j.jneumeth.2008.04.012

    Examples
    --------
    >>> time = 2.0 * np.arange(200)
    >>> sine = 3 * np.sin(2 * np.pi * 0.05 * time)
    >>> found = measure_alff(np.float32([sine]), 2.0)
    >>> round(float(found.alff[0]) * found.bins, 4), round(float(found.falff[0]), 4)
    (3.0, 1.0)
    """
    check_series(series, 4)
    frames = series.shape[1] if keep is None else len(keep)
    bins, seen = find_bins(frames, repetition_time, band)
    if keep is not None and keep.all() and series.shape[1] != frames:
        raise ValueError(f'the series has {series.shape[1]} frames and the mask {frames}')
    filler = None if keep is None or keep.all() else Filler(series, keep)
    missing = np.zeros(0) if filler is None else filler.missing_power()
    alff, falff = (np.empty(len(series), np.float32) for _ in range(2))

    def measure(rows: slice) -> None:
        amplitude = _spectrum(series[rows], filler, missing, definition) * (2 / frames)
        if frames % 2 == 0:
            amplitude[:, -1] /= 2
        if definition == 'deviation':
            alff[rows], falff[rows] = _deviation(amplitude, bins, frames)
        else:
            alff[rows], falff[rows] = _amplitude(amplitude, bins)

    map_blocks(measure, len(series), threads)
    return Alff(alff, falff, seen, len(bins), frames // 2)


def _spectrum(
    block: Series, filler: Filler | None, missing: Frames, definition: Definition
) -> Frames:
    """Return the modulus of the Fourier transform; 0 where what is left of it is rounding."""
    if filler is None:
        values = block.astype(np.float64)
        mean = values.mean(axis=1, keepdims=True)
        spectrum = np.abs(np.fft.rfft(values - mean, axis=1))
    else:
        values, mean, variance = filler.split(block)
        known = np.abs(np.fft.rfft(values, axis=1))
        add = _add_power if definition == 'deviation' else _add_noise
        spectrum = add(known, variance * missing)
    with np.errstate(invalid='ignore'):
        constant = spectrum.max(axis=1, keepdims=True) <= 1e-10 * np.abs(mean)
    return np.where(constant, 0, spectrum)


def _add_power(modulus: Frames, power: Frames) -> Frames:
    return np.sqrt(modulus**2 + power)


def _add_noise(modulus: Frames, power: Frames) -> Frames:
    """Return the mean modulus of a complex number plus normal noise of some power (Rice)."""
    with np.errstate(invalid='ignore', divide='ignore', over='ignore'):
        x = np.where(power > 1e-9 * modulus**2, modulus**2 / power, 0)
        mean = np.sqrt(np.pi * power) / 2 * ((1 + x) * i0e(x / 2) + x * i1e(x / 2))
        return np.where(power > 1e-9 * modulus**2, mean, modulus)


def _amplitude(amplitude: Frames, bins: NDArray[np.intp]) -> tuple[Frames, Frames]:
    inside, total = amplitude[:, bins].sum(axis=1), amplitude[:, 1:].sum(axis=1)
    return inside / len(bins), _share(inside, total)


def _deviation(amplitude: Frames, bins: NDArray[np.intp], frames: int) -> tuple[Frames, Frames]:
    power = amplitude**2 / 2
    if frames % 2 == 0:
        power[:, -1] *= 2
    inside, total = power[:, bins].sum(axis=1), power[:, 1:].sum(axis=1)
    return np.sqrt(inside * frames / (frames - 1)), np.sqrt(_share(inside, total))


def _share(part: Frames, total: Frames) -> Frames:
    with np.errstate(invalid='ignore', divide='ignore'):
        return np.asarray(part / total)
