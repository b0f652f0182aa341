"""Denoising strategies by name: which confounds to take off, which frames to censor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mriderived.core.confounds import MOTION, SIGNALS
from mriderived.core.denoising import follows_gap
from mriderived.core.series import Frames, Mask

#: A name followed by this censors outliers as well.
SCRUB = '+scrub'
#: Stands for the first of these where there are signals of tissues, and for the second elsewhere.
AUTO = 'auto'
WITH_TISSUES, WITHOUT_TISSUES = '36P', '24P+GSR'
#: The strategy that takes the fewest degrees of freedom.
FEWEST = '6P'
#: Components of CSF and of white matter each in ``24P+aCompCor``.
COMPONENTS = 5
#: With censoring, shorter runs of kept frames than this are censored too.
MIN_SEGMENT = 5
_SUFFIXES = ('', '_derivative1', '_power2', '_derivative1_power2')
_TISSUES = ('csf', 'white_matter')
_EXPANDED = tuple(name + suffix for name in MOTION for suffix in _SUFFIXES)
_FIXED = {
    '6P': MOTION,
    '8P': (*MOTION, *_TISSUES),
    '9P': (*MOTION, *SIGNALS),
    '24P': _EXPANDED,
    '24P+GSR': (*_EXPANDED, *(SIGNALS[0] + suffix for suffix in _SUFFIXES)),
    '24P+aCompCor': _EXPANDED,
    '24P+aCompCor50': _EXPANDED,
    '36P': (*_EXPANDED, *(name + suffix for name in SIGNALS for suffix in _SUFFIXES)),
}
#: Every strategy's name; ``auto`` has to be settled first.
STRATEGIES = tuple(name + ending for name in _FIXED for ending in ('', SCRUB))


class Selection(NamedTuple):
    """The confounds to take off (frames, columns), their names, and the frames to keep."""

    confounds: Frames
    columns: tuple[str, ...]
    keep: Mask


class Settled(NamedTuple):
    """A strategy by its own name, and the signals for want of which it is not the usual one."""

    strategy: str
    lacking: tuple[str, ...] = ()


def settle_strategy(strategy: str, table: pd.DataFrame) -> Settled:
    """Say which strategy ``auto`` stands for in a run; any other stands for itself.

    It is :data:`WITH_TISSUES`, and where the signal of CSF or of white matter is not there,
    :data:`WITHOUT_TISSUES`: head motion and the mean of the brain, with differences and squares.

    Parameters
    ----------
    strategy : str
        One of :data:`STRATEGIES`, or ``auto``, or ``auto+scrub``.
    table : DataFrame
        As :func:`~mriderived.core.confounds.assemble_confounds` makes it.

    Examples
    --------
    >>> settle_strategy('auto+scrub', pd.DataFrame({'csf': [1.0]}))
    Settled(strategy='24P+GSR+scrub', lacking=('white_matter',))
    """
    if strategy.removesuffix(SCRUB) != AUTO:
        return Settled(strategy)
    ending = strategy.removeprefix(AUTO)
    lacking = tuple(name for name in _TISSUES if name not in table)
    return Settled((WITHOUT_TISSUES if lacking else WITH_TISSUES) + ending, lacking)


def select_confounds(
    strategy: str,
    table: pd.DataFrame,
    metadata: Mapping[str, Mapping[str, Any]],
    high_pass: bool = False,
) -> Selection:
    """Return the confounds and the frames of a denoising strategy.

    ======================  ==================================================================
    6P, 24P                 head motion; with differences and squares
    24P+GSR                 24P and the mean of the brain, with differences and squares
    8P, 9P                  6P and the means of CSF and white matter; and of the brain
    36P                     9P with differences and squares
    24P+aCompCor            24P and the first 5 components each of CSF and of white matter
    24P+aCompCor50          24P and the components that explain half of their variance
    any of them and +scrub  frames with much motion are censored, and shorter runs than 5 frames
    ======================  ==================================================================

    Frames before the steady state are censored in all of them.

    Parameters
    ----------
    strategy : str
        One of :data:`STRATEGIES`.
    table : DataFrame
        As :func:`~mriderived.core.confounds.assemble_confounds` makes it.
    metadata : mapping
        Of the components, likewise.
    high_pass : bool
        Add the cosines of slow drifts: where no band-pass filter does this. Components were made
        without drifts, so one or the other is needed with them.

    Returns
    -------
    Selection
        A difference from a censored frame is NaN: it would bring that frame into the next one.

    Raises
    ------
    ValueError
        If there is no such strategy or a column is not in the table.

    References
    ----------
    Ciric et al. 2017, https://doi.org/10.1016/j.neuroimage.2017.03.020;
    Parkes et al. 2018, https://doi.org/10.1016/j.neuroimage.2017.12.073

    Examples
    --------
    >>> table = pd.DataFrame(np.eye(9)[:, :6], columns=list(MOTION))
    >>> select_confounds('6P', table, {}).confounds.shape
    (9, 6)
    """
    base = strategy.removesuffix(SCRUB)
    if base not in _FIXED:
        raise ValueError(f'no strategy {strategy!r}; there are {", ".join(STRATEGIES)}')
    columns = [*_FIXED[base], *_components(base, metadata)]
    if high_pass:
        columns += [name for name in map(str, table) if name.startswith('cosine_')]
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(f'{strategy} needs confounds that are not there: {", ".join(missing)}')
    keep = find_kept(table, outliers=strategy.endswith(SCRUB))
    values = table[columns].to_numpy(np.float64, copy=True)
    differences = np.array(['_derivative1' in name for name in columns])
    values[np.ix_(follows_gap(keep), differences)] = np.nan
    return Selection(values, tuple(columns), keep)


def find_kept(table: pd.DataFrame, outliers: bool, segment: int = MIN_SEGMENT) -> Mask:
    """Return the frames to keep: those in steady state and, if asked, without much motion.

    Parameters
    ----------
    table : DataFrame
        With one column per marked frame, ``non_steady_state_outlierXX``, ``motion_outlierXX``.
    outliers : bool
        Whether to censor the frames with motion, and runs between them shorter than ``segment``.
    segment : int
        In frames.

    Returns
    -------
    array of bool, shape (frames,)
    """
    keep = ~_marked(table, 'non_steady_state_outlier')
    if not outliers:
        return keep
    keep &= ~_marked(table, 'motion_outlier')
    if keep.all():
        return keep
    edges = np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8))
    for start, stop in zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0), strict=True):
        keep[start:stop] = stop - start >= segment
    return keep


def _marked(table: pd.DataFrame, prefix: str) -> Mask:
    columns = [name for name in map(str, table) if name.startswith(prefix)]
    return np.asarray((table[columns] > 0).any(axis=1), bool)


def _components(base: str, metadata: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if 'aCompCor' not in base:
        return []
    count = None if base.endswith('50') else COMPONENTS
    chosen: list[str] = []
    for prefix in ('c_comp_cor', 'w_comp_cor'):
        found = sorted(name for name in metadata if name.startswith(prefix))
        if not found:
            raise ValueError(f'{base} needs components, and there are no columns {prefix}_XX')
        chosen += found[:count]
    return chosen
