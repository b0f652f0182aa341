"""CompCor: principal components of the signal where no neuronal signal is expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.drift import PERIOD, constant_and_drift
from mriderived.core.series import Frames, Mask, Series, check_series, map_blocks

#: Components are kept until they explain this share of the variance, as in fMRIPrep.
VARIANCE = 0.5
#: tCompCor looks at this share of voxels, those with the largest temporal deviation.
NOISIEST = 0.02
#: Fewer voxels than this give no components.
MIN_VOXELS = 5
#: Column prefix by mask, and the mask's name in the metadata: fMRIPrep's.
PREFIXES = {'combined': 'a', 'CSF': 'c', 'WM': 'w'}
#: Eigenvalues below this share of the largest are rounding.
_ROUNDING = 1e-12


class Components(NamedTuple):
    """Columns of components (frames, columns), and the metadata of each by its name.

    Components that explain too little are in the metadata only, as ``dropped_N``, with
    ``Retained`` false.
    """

    columns: dict[str, Frames]
    metadata: dict[str, dict[str, Any]]
    notes: tuple[str, ...]


class Decomposition(NamedTuple):
    """Time courses (frames, components) of unit length, and their singular values."""

    courses: Frames
    singular_values: Frames


def anatomical_compcor(
    series: Series,
    csf: Mask,
    wm: Mask,
    repetition_time: float,
    dummies: int = 0,
    variance: float = VARIANCE,
) -> Components:
    """Find components of CSF, of white matter, and of both (aCompCor).

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    csf, wm : array of bool, shape (voxels,)
        Eroded, so that no grey matter is in them.
    repetition_time : float
        In s.
    dummies : int
        Frames at the start that are not in steady state: not looked at, 0 in the components.
    variance : float
        Share of variance that the kept components explain.

    Returns
    -------
    Components
        Columns ``c_comp_cor_XX`` (CSF), ``w_comp_cor_XX`` (WM), ``a_comp_cor_XX`` (combined). A
        mask with fewer than 5 voxels has none and a note says so.

    Raises
    ------
    ValueError
        If fewer than three frames are in steady state.

    References
    ----------
    Behzadi et al. 2007, https://doi.org/10.1016/j.neuroimage.2007.04.042
    """
    columns: dict[str, Frames] = {}
    metadata: dict[str, dict[str, Any]] = {}
    notes = []
    for name, mask in (('CSF', csf), ('WM', wm), ('combined', csf | wm)):
        voxels = int(np.count_nonzero(mask))
        if voxels < MIN_VOXELS:
            notes.append(f'aCompCor: the {name} mask has {voxels} voxels, {MIN_VOXELS} are needed')
            continue
        found = decompose(series, mask, repetition_time, dummies)
        if len(found.singular_values) == 0:
            notes.append(f'aCompCor: nothing in the {name} mask changes but slow drifts')
        entries = {'Method': 'aCompCor', 'Mask': name}
        _describe(found, f'{PREFIXES[name]}_comp_cor', entries, variance, columns, metadata)
    return Components(columns, metadata, tuple(notes))


def temporal_compcor(
    series: Series,
    mask: Mask,
    repetition_time: float,
    dummies: int = 0,
    variance: float = VARIANCE,
) -> Components:
    """Find components of the voxels that vary most over time (tCompCor).

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    mask : array of bool, shape (voxels,)
        The brain, eroded, so that motion at its edge does not fill the components.
    repetition_time : float
        In s.
    dummies, variance
        As for :func:`anatomical_compcor`.

    Returns
    -------
    Components
        Columns ``t_comp_cor_XX``.

    References
    ----------
    Behzadi et al. 2007, https://doi.org/10.1016/j.neuroimage.2007.04.042
    """
    noisiest = find_noisiest(series, mask, dummies)
    voxels = int(np.count_nonzero(noisiest))
    if voxels < MIN_VOXELS:
        return Components({}, {}, (f'tCompCor: only {voxels} voxels, {MIN_VOXELS} are needed',))
    columns: dict[str, Frames] = {}
    metadata: dict[str, dict[str, Any]] = {}
    found = decompose(series, noisiest, repetition_time, dummies)
    _describe(found, 't_comp_cor', {'Method': 'tCompCor'}, variance, columns, metadata)
    return Components(columns, metadata, ())


def find_noisiest(series: Series, mask: Mask, dummies: int = 0, share: float = NOISIEST) -> Mask:
    """Return the ``share`` of the mask's voxels with the largest standard deviation over time.

    A parabola is taken off each voxel first.

    Examples
    --------
    >>> series = np.random.default_rng(0).normal(size=(100, 30)).astype(np.float32)
    >>> series[7] *= 10
    >>> np.flatnonzero(find_noisiest(series, np.ones(100, bool), share=0.01)).tolist()
    [7]
    """
    check_series(series, dummies + 4)
    rows = np.flatnonzero(mask)
    if rows.size == 0:
        return np.zeros(len(mask), bool)
    count = series.shape[1] - dummies
    parabola = np.linalg.qr(np.linspace(-1, 1, count)[:, None] ** np.arange(3))[0]

    def deviate(part: slice) -> Frames:
        block = series[rows[part], dummies:].astype(np.float64)
        return np.asarray((block - block @ parabola @ parabola.T).std(axis=1))

    deviation = np.nan_to_num(np.concatenate(map_blocks(deviate, len(rows))))
    noisiest = np.zeros(len(mask), bool)
    noisiest[rows] = deviation >= np.percentile(deviation, 100 * (1 - share))
    return noisiest


def decompose(
    series: Series, mask: Mask, repetition_time: float, dummies: int = 0, period: float = PERIOD
) -> Decomposition:
    """Return the principal components of a mask's voxels after a high-pass filter.

    Drifts (cosines of periods above 128 s and the mean) are taken off each voxel, which is then
    scaled to unit variance. Voxels that are constant or not finite count nothing. The sign of a
    component, which is arbitrary, is that its largest value is positive.

    Parameters
    ----------
    series, mask, repetition_time, dummies
        As for :func:`temporal_compcor`.
    period : float
        In s.

    Returns
    -------
    Decomposition
        The rows of dummy frames are zero.

    Raises
    ------
    ValueError
        If fewer than three frames are in steady state.
    """
    check_series(series, dummies + 3)
    rows = np.flatnonzero(mask)
    frames = series.shape[1] - dummies
    basis = constant_and_drift(frames, repetition_time, period)

    def correlate(part: slice) -> Frames:
        block = _standardise(series[rows[part], dummies:], basis)
        return np.asarray(block.T @ block)

    total = np.zeros((frames, frames))
    for part in map_blocks(correlate, len(rows)):
        total += part
    values, vectors = np.linalg.eigh(total)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = min(int(np.count_nonzero(values > _ROUNDING * max(values[0], 1e-300))), len(rows))
    courses = np.zeros((series.shape[1], kept))
    courses[dummies:] = vectors[:, :kept] * _sign(vectors[:, :kept])
    return Decomposition(courses, np.sqrt(values[:kept]))


def _standardise(block: NDArray[np.float32], basis: Frames) -> Frames:
    values = block.astype(np.float64)
    values[~np.isfinite(values).all(axis=1)] = 0
    residual = values - values @ basis @ basis.T
    deviation = residual.std(axis=1, keepdims=True)
    # What the subtraction of a large mean leaves of a constant voxel is rounding.
    constant = deviation <= 1e-9 * np.abs(values).max(axis=1, keepdims=True, initial=0)
    return np.asarray(np.where(constant, 0, residual) / np.where(constant, 1, deviation))


def _sign(vectors: Frames) -> Frames:
    largest = np.abs(vectors).argmax(axis=0)
    return np.asarray(np.sign(vectors[largest, np.arange(vectors.shape[1])]))


def _describe(
    found: Decomposition,
    prefix: str,
    entries: Mapping[str, str],
    variance: float,
    columns: dict[str, Frames],
    metadata: dict[str, dict[str, Any]],
) -> None:
    """Add the kept components to the columns and all of them to the metadata."""
    powers = found.singular_values**2
    explained = powers / powers.sum() if len(powers) else powers
    cumulative = np.cumsum(explained)
    retained = int(np.searchsorted(cumulative, variance * (1 - 1e-12))) + 1
    dropped = sum(name.startswith('dropped_') for name in metadata)
    for index, value in enumerate(found.singular_values):
        keep = index < retained
        name = f'{prefix}_{index:02d}' if keep else f'dropped_{dropped + index - retained}'
        if keep:
            columns[name] = found.courses[:, index]
        metadata[name] = {
            **entries,
            'SingularValue': float(value),
            'VarianceExplained': float(explained[index]),
            'CumulativeVarianceExplained': float(cumulative[index]),
            'Retained': keep,
        }
