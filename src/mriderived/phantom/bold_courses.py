"""What changes over time in a synthetic BOLD run, apart from the head's position."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.bold_tasks import answer
from mriderived.phantom.networks import BAND, CORRELATION, correlate_exactly, draw_waves

Matrix = NDArray[np.float64]

#: The parts of the signal that have courses of their own, before the networks.
CSF, WHITE = 0, 1
#: Excess of the first volumes; what is left of it in the next; how much more of it CSF has.
EXCESS, DECAY, CSF_EXCESS = 0.55, 0.3, 0.4
#: Hz: breathing and the heart, which volumes sample too rarely.
BREATHING, HEART = 0.29, 1.07


class Courses(NamedTuple):
    """Factors of all signals (volumes, slices) and what parts add (parts, volumes, slices).

    ``networks`` (networks, volumes) are the planted courses half a repetition after the start of
    each volume: percent of the signal of grey matter, without the response to a task.
    """

    gain: Matrix
    parts: Matrix
    networks: Matrix


def draw_courses(rng: np.random.Generator, options: BoldOptions, slice_times: Matrix) -> Courses:
    """Draw the courses of a run; planted correlations hold exactly in its steady volumes."""
    starts = np.arange(options.volumes) * options.repetition_time
    times = starts[:, None] + slice_times
    duration = options.volumes * options.repetition_time
    middle = starts + slice_times.max() / 2
    both = np.concatenate([times, middle[:, None]], axis=1)
    waves = draw_waves(rng, both, duration, len(CORRELATION), BAND)
    steady = waves[:, options.unsteady :, -1]
    mixed, _ = correlate_exactly(waves, steady, CORRELATION)
    mixed *= options.network_percent
    answers = options.task_percent * answer(times, duration)
    excess = EXCESS * DECAY ** np.arange(options.volumes)
    excess[options.unsteady :] = 0
    drift = times / duration - 0.5 + 0.3 * np.sin(2 * np.pi * times / duration)
    shared = draw_waves(rng, times, duration, 1, BAND)[0]
    slow = options.drift_percent * drift + options.global_percent * shared / shared.std()
    gain = 1 + excess[:, None] + slow / 100
    csf = _pulsate(rng, times, duration) * options.csf_percent / 100
    white = _pulsate(rng, times, duration) * options.white_percent / 100
    parts = np.stack(
        [csf + CSF_EXCESS * excess[:, None], white, *((mixed[..., :-1] + answers) / 100)]
    )
    return Courses(gain, parts, mixed[..., -1])


def _pulsate(rng: np.random.Generator, times: Matrix, duration: float) -> Matrix:
    """Return breathing and heart beats whose rates wander, and slow waves, of unit variance."""
    slow = draw_waves(rng, times, duration, 1, BAND)[0]
    course = 0.5 * slow / slow.std()
    for rate, height in ((BREATHING, 0.8), (HEART, 1.0)):
        wander = draw_waves(rng, times, duration, 1, BAND)[0]
        phase = 2 * np.pi * rate * times + 0.6 * wander / wander.std()
        course += height * np.sin(phase + rng.uniform(0, 2 * np.pi))
    return np.asarray((course - course.mean()) / course.std())
