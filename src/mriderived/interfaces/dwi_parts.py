"""The files of a diffusion acquisition as one series of one brightness."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.core.dwi_gain import find_gain_between, find_gains
from mriderived.core.masks import find_signal
from mriderived.interfaces.dwi_acquisition import DwiAcquisition
from mriderived.interfaces.series import read_volumes
from mriderived.interfaces.volumes import load

Series = NDArray[np.float32]


class Joined(NamedTuple):
    """All volumes of an acquisition (x, y, z, n), and what each part was multiplied by.

    The gain is NaN, and the part as it is, where it has no volume without diffusion weighting to
    compare.
    """

    series: Series
    gains: NDArray[np.float64]


def join_parts(acquisition: DwiAcquisition) -> Series:
    """Return all volumes of an acquisition (x, y, z, n); what is no number is 0."""
    return join_scaled(acquisition).series


def join_scaled(acquisition: DwiAcquisition) -> Joined:
    """Return all volumes of an acquisition, each part as bright as the first; no number is 0."""
    shape = nb.load(acquisition.parts[0].path).shape[:3]
    series = np.empty((*shape, sum(len(part.volumes) for part in acquisition.parts)), np.float32)
    places = []
    start = 0
    for part in acquisition.parts:
        numbers = {volume: start + n for n, volume in enumerate(part.volumes)}
        for number, volume in enumerate(_read(part.path)):
            if number in numbers:
                series[..., numbers[number]] = np.nan_to_num(volume, posinf=0, neginf=0)
        places.append(slice(start, start + len(numbers)))
        start += len(numbers)
    return Joined(series, _scale(series, places, acquisition))


def _scale(
    series: Series, places: list[slice], acquisition: DwiAcquisition
) -> NDArray[np.float64]:
    """Multiply the parts of a series in place, and return by what."""
    if len(places) == 1:
        return np.ones(1)
    unweighted = acquisition.gradients.shell == 0
    means: list[Series | None] = [
        series[..., place][..., unweighted[place]].mean(axis=3)
        if unweighted[place].any()
        else None
        for place in places
    ]
    gains = _find_gains(means, [part.phase_direction for part in acquisition.parts])
    for place, gain in zip(places, gains, strict=True):
        if np.isfinite(gain) and gain != 1:
            series[..., place] *= np.float32(gain)
    return gains


def _find_gains(means: list[Series | None], encoding: list[str | None]) -> NDArray[np.float64]:
    """Compare parts with the first of their phase encoding, and those with one another."""
    gains = np.full(len(means), np.nan)
    first: Series | None = None
    for direction in dict.fromkeys(encoding):
        group = [
            number
            for number, mean in enumerate(means)
            if encoding[number] == direction and mean is not None
        ]
        if not group:
            continue
        own = [mean for number in group if (mean := means[number]) is not None]
        head = find_signal(own[0])
        gains[group] = find_gains(own, head)
        if first is None:
            first = own[0]
        else:
            gains[group] *= find_gain_between(first, own[0], head | find_signal(first))
    return gains


def _read(path: Path) -> Iterator[Series]:
    image = nb.load(path)
    return read_volumes(path) if image.ndim == 4 else iter([load(path)])
