"""The table of confounds of a BOLD run, with the column names and metadata of fMRIPrep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mriderived.core.compcor import Components
from mriderived.core.drift import cosine_drift
from mriderived.core.dvars import Dvars
from mriderived.core.rigid import COLUMNS
from mriderived.core.series import Frames, Mask, Series, mean_series

#: Head motion: translations in mm, rotations in radians.
MOTION = COLUMNS
#: Mean signals that have derivatives and squares.
SIGNALS = ('global_signal', 'csf', 'white_matter')
#: A frame is an outlier above either: framewise displacement in mm, standardised DVARS.
FD_THRESHOLD, DVARS_THRESHOLD = 0.5, 1.5


class Confounds(NamedTuple):
    """A table with one row per frame, and for components what is known of them, by column."""

    table: pd.DataFrame
    metadata: dict[str, dict[str, Any]]


class Signals(NamedTuple):
    """Mean intensities of masks, shape (frames,), in the unit of the series."""

    global_signal: Frames
    csf: Frames
    white_matter: Frames
    csf_wm: Frames


def mean_signals(series: Series, brain: Mask, csf: Mask, wm: Mask) -> Signals:
    """Average the series in the brain, CSF, white matter, and the two last together.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    brain, csf, wm : array of bool, shape (voxels,)
        CSF and white matter eroded. An empty mask gives NaN.

    Returns
    -------
    Signals

    Examples
    --------
    >>> mask = np.array([True, False])
    >>> mean_signals(np.float32([[1, 2], [5, 6]]), mask | ~mask, mask, ~mask).global_signal
    array([3., 4.])
    """
    masks = (brain, csf, wm, csf | wm)
    return Signals(*(mean_series(series, mask) for mask in masks))


def expand(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """Add first differences, squares, and squares of differences.

    Parameters
    ----------
    table : DataFrame
        One row per frame.
    columns : names in the table

    Returns
    -------
    DataFrame
        For each column itself, ``_derivative1`` (backward difference, NaN in the first frame),
        ``_power2`` and ``_derivative1_power2``.

    References
    ----------
    Friston et al. 1996, https://doi.org/10.1002/mrm.1910350312;
    Satterthwaite et al. 2013, https://doi.org/10.1016/j.neuroimage.2012.08.052

    Examples
    --------
    >>> expand(pd.DataFrame({'csf': [1.0, 3.0]}), ['csf'])
       csf  csf_derivative1  csf_power2  csf_derivative1_power2
    0  1.0              NaN         1.0                     NaN
    1  3.0              2.0         9.0                     4.0
    """
    wide: dict[str, pd.Series[Any]] = {}
    for name in columns:
        difference = table[name].diff()
        wide[name] = table[name]
        wide[f'{name}_derivative1'] = difference
        wide[f'{name}_power2'] = table[name] ** 2
        wide[f'{name}_derivative1_power2'] = difference**2
    return pd.DataFrame(wide, index=table.index)


def find_outliers(
    displacement: ArrayLike,
    std_dvars: ArrayLike,
    fd_threshold: float = FD_THRESHOLD,
    dvars_threshold: float = DVARS_THRESHOLD,
) -> Mask:
    """Return the frames with much motion: displacement or standardised DVARS above a threshold.

    Parameters
    ----------
    displacement : array, shape (frames,)
        Framewise displacement in mm.
    std_dvars : array, shape (frames,)
        NaN (in the first frame) is no outlier.

    References
    ----------
    Power et al. 2014, https://doi.org/10.1016/j.neuroimage.2013.08.048

    Examples
    --------
    >>> find_outliers([np.nan, 0.6, 0.1], [np.nan, 1.0, 1.0]).tolist()
    [False, True, False]
    """
    moved = np.asarray(displacement, np.float64) > fd_threshold
    changed = np.asarray(std_dvars, np.float64) > dvars_threshold
    return np.asarray(moved | changed)


def mark_frames(frames: ArrayLike, prefix: str) -> pd.DataFrame:
    """Return one column for each marked frame, 1 there and 0 elsewhere.

    Parameters
    ----------
    frames : array of bool, shape (frames,)
    prefix : str
        Names are the prefix and a number of two digits, from 00.

    Examples
    --------
    >>> mark_frames([False, True, True], 'motion_outlier')
       motion_outlier00  motion_outlier01
    0                 0                 0
    1                 1                 0
    2                 0                 1
    """
    marked = np.asarray(frames, bool)
    places = np.flatnonzero(marked)
    names = [f'{prefix}{number:02d}' for number in range(len(places))]
    return pd.DataFrame(np.eye(len(marked), dtype=np.int64)[:, places], columns=names)


def assemble_confounds(
    motion: pd.DataFrame,
    signals: Signals,
    dvars: Dvars,
    components: Sequence[Components],
    repetition_time: float,
    dummies: int = 0,
) -> Confounds:
    """Gather everything in one table that ``nilearn.interfaces.fmriprep`` reads.

    Parameters
    ----------
    motion : DataFrame
        Columns trans_x, trans_y, trans_z (mm), rot_x, rot_y, rot_z (radians),
        framewise_displacement (mm), and, if there is one, rmsd (mm).
    signals : Signals
        A signal that is NaN has no columns.
    dvars : Dvars
    components : sequence of Components
        Of tCompCor and aCompCor.
    repetition_time : float
        In s.
    dummies : int
        Frames at the start that are not in steady state.

    Returns
    -------
    Confounds
        Missing values (first differences, and the first frame of displacement) are NaN.

    Raises
    ------
    ValueError
        If a column of motion is missing or lengths differ.
    """
    _check(motion, len(dvars.dvars))
    frames = len(motion)
    means = pd.DataFrame(signals._asdict())
    means = means.loc[:, means.notna().any()]
    parts = [
        expand(means, [name for name in SIGNALS if name in means]),
        means[[name for name in means if name not in SIGNALS]],
        pd.DataFrame({'std_dvars': dvars.std_dvars, 'dvars': dvars.dvars}),
        motion[[name for name in ('framewise_displacement', 'rmsd') if name in motion]],
        *(pd.DataFrame(found.columns, index=range(frames)) for found in components),
        _name_cosines(cosine_drift(frames, repetition_time, dummies)),
        mark_frames(np.arange(frames) < dummies, 'non_steady_state_outlier'),
        expand(motion, MOTION),
        mark_frames(
            find_outliers(motion['framewise_displacement'], dvars.std_dvars), 'motion_outlier'
        ),
    ]
    table = pd.concat([part.reset_index(drop=True) for part in parts], axis=1)
    return Confounds(table, _merge_metadata(components))


def _check(motion: pd.DataFrame, frames: int) -> None:
    missing = [name for name in (*MOTION, 'framewise_displacement') if name not in motion]
    if missing:
        raise ValueError(f'motion lacks {", ".join(missing)}')
    if len(motion) != frames:
        raise ValueError(f'motion has {len(motion)} frames and DVARS {frames}')


def _name_cosines(drift: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(drift, columns=[f'cosine_{k:02d}' for k in range(drift.shape[1])])


def _merge_metadata(components: Sequence[Components]) -> dict[str, dict[str, Any]]:
    """Join the metadata; dropped components, which have no column, are numbered on."""
    merged: dict[str, dict[str, Any]] = {}
    dropped = 0
    for found in components:
        for name, entry in found.metadata.items():
            if not entry['Retained']:
                name = f'dropped_{dropped}'
                dropped += 1
            merged[name] = entry
    return merged
