"""What the sidecars of a collection must tell, and which images belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.exponential_decay import ExponentialDecay, fit_decay
from mriderived.core.fit_outcome import Outcome, Outcomes
from mriderived.core.multi_parameter import Weighting
from mriderived.interfaces.qmri_acquisition import Setting, parse_qmri_acquisition
from mriderived.measures.qmri_maps import Voxels, estimate_noise


def obstacle_of(need: Callable[[tuple[Setting, ...]], Any], acquisition: Mapping[str, Any]) -> str:
    """Say why ``need`` refuses the images of a collection, or nothing."""
    try:
        need(parse_qmri_acquisition(acquisition).settings)
    except ValueError as error:
        return str(error)
    return ''


def need_value(image: Setting, key: str, word: str) -> float:
    """Return what an image was acquired with.

    Raises
    ------
    ValueError
        If the sidecar does not tell it.
    """
    value: float | None = getattr(image, key)
    if value is None or not value > 0:
        raise ValueError(f'it needs the {word} of every image, and one has {value!r}')
    return value


def need_echo_times(images: Sequence[Setting]) -> list[float]:
    """Return the echo times in s, two of which differ.

    Raises
    ------
    ValueError
        If they do not.
    """
    times = [need_value(image, 'echo_time', 'EchoTime') for image in images]
    if len(set(times)) < 2:
        raise ValueError('it needs images of two different echo times')
    return times


class Contrast(NamedTuple):
    """Images that differ by their echo times alone: their places, and how they are weighted."""

    places: tuple[int, ...]
    weighting: Weighting
    mt: bool


def find_contrasts(images: Sequence[Setting]) -> tuple[Contrast, ...]:
    """Gather the echoes of each flip angle and state of transfer, smallest angle first.

    Raises
    ------
    ValueError
        If an angle or a repetition time is missing, or the echoes of one contrast differ in it.
    """
    groups: dict[tuple[bool, float], list[int]] = {}
    for place, image in enumerate(images):
        angle = need_value(image, 'flip_angle', 'FlipAngle')
        groups.setdefault((bool(image.mt), angle), []).append(place)
    found = []
    for (mt, angle), places in sorted(groups.items()):
        times = {
            need_value(images[place], 'repetition_time', 'RepetitionTimeExcitation')
            for place in places
        }
        if len(times) > 1:
            raise ValueError(
                f'images of one flip angle ({angle:g} degrees) have different repetition times: '
                f'{", ".join(f"{time:g}" for time in sorted(times))} s'
            )
        found.append(Contrast(tuple(places), Weighting(angle, times.pop()), mt))
    return tuple(found)


class Extrapolated(NamedTuple):
    """Signals at no echo time (N, contrasts), the decay that led there, and the noise.

    Without two echoes there is no decay: ``signals`` are those of the only echo, and of several
    images alike their mean.
    """

    signals: NDArray[np.float32]
    decay: ExponentialDecay | None
    noise: float | None
    outcome: Outcomes


def extrapolate(voxels: Voxels, contrasts: Sequence[Contrast], threads: int) -> Extrapolated:
    """Return the signals of contrasts at no echo time, of a decay that they share."""
    places = [place for contrast in contrasts for place in contrast.places]
    series = np.ascontiguousarray(voxels.series[:, places])
    numbers = np.repeat(np.arange(len(contrasts)), [len(c.places) for c in contrasts])
    if not has_decay(voxels.settings, contrasts):
        signals = np.stack(
            [voxels.series[:, c.places].mean(axis=1, dtype=np.float32) for c in contrasts], axis=1
        )
        bare = ~np.isfinite(signals).all(axis=1) | (signals <= 0).all(axis=1)
        outcome = np.where(bare, Outcome.NO_SIGNAL, Outcome.FITTED).astype(np.uint8)
        return Extrapolated(signals, None, None, outcome)
    times = [float(voxels.settings[place].echo_time or 0.0) for place in places]

    def fit(some: NDArray[np.float32], noise: float | None = None) -> ExponentialDecay:
        return fit_decay(some, times, contrasts=numbers.tolist(), noise=noise, threads=threads)

    noise = estimate_noise(lambda some: fit(some).misfit, series, len(contrasts) + 1)
    decay = fit(series, noise)
    return Extrapolated(decay.amplitude, decay, noise, decay.outcome)


def has_decay(images: Sequence[Setting], contrasts: Sequence[Contrast]) -> bool:
    """Tell whether a contrast has two different echo times, and every image has its own."""
    times = [[images[place].echo_time for place in contrast.places] for contrast in contrasts]
    known = all(time is not None for each in times for time in each)
    return known and any(len(set(each)) > 1 for each in times)
