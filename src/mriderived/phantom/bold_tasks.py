"""A synthetic task: blocks of two conditions, and the networks that answer to them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mriderived.phantom.networks import NAMES

Matrix = NDArray[np.float64]

#: The network that answers to each condition.
ANSWERS: Mapping[str, str] = {'see': 'Visual', 'move': 'Somatomotor'}
#: Seconds: the first block, how long blocks last, from one to the next of the other condition.
FIRST, LENGTH, STEP = 12.0, 14.0, 30.0
#: Of the response: shapes of the gamma densities of peak and undershoot, share of the latter.
PEAK, UNDERSHOOT, SHARE = 6.0, 16.0, 1 / 6


def list_onsets(duration: float) -> dict[str, Matrix]:
    """Return when the blocks of each condition begin in a run of ``duration`` (s)."""
    starts = np.asarray(np.arange(FIRST, duration - LENGTH, STEP), np.float64)
    return {name: starts[n :: len(ANSWERS)] for n, name in enumerate(ANSWERS)}


def respond(onsets: Matrix, times: Matrix) -> Matrix:
    """Return the response to blocks at any times; that to an endless block ends at 1.

    It is the integral of two gamma densities, so no step of time has a part in it.
    """
    course = np.zeros_like(times)
    for onset in onsets:
        course += _step(times - onset) - _step(times - onset - LENGTH)
    return course


def _step(times: Matrix) -> Matrix:
    found = stats.gamma.cdf(times, PEAK) - SHARE * stats.gamma.cdf(times, UNDERSHOOT)
    return np.asarray(found / (1 - SHARE))


def answer(times: Matrix, duration: float) -> Matrix:
    """Return the response of each network (first axis, in the order of ``NAMES``)."""
    found = np.zeros((len(NAMES), *times.shape))
    for name, onsets in list_onsets(duration).items():
        found[NAMES.index(ANSWERS[name])] = respond(onsets, times)
    return found


def write_events(duration: float) -> str:
    """Return the table of events as text."""
    rows = [
        (onset, LENGTH, name) for name, all_of in list_onsets(duration).items() for onset in all_of
    ]
    lines = [f'{onset:g}\t{length:g}\t{name}' for onset, length, name in sorted(rows)]
    return '\n'.join(['onset\tduration\ttrial_type', *lines]) + '\n'
