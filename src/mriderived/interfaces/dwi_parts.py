"""The files of a diffusion acquisition as one series of one brightness."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.core.dwi_gain import find_gains
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
    return Joined(series, _scale(series, places, acquisition.gradients.shell == 0))


def _scale(
    series: Series, places: list[slice], unweighted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Multiply the parts of a series in place, and return by what."""
    if len(places) == 1:
        return np.ones(1)
    means: list[Series | None] = [
        series[..., place][..., unweighted[place]].mean(axis=3)
        if unweighted[place].any()
        else None
        for place in places
    ]
    known = [mean for mean in means if mean is not None]
    if not known:
        return np.full(len(places), np.nan)
    gains = find_gains(means, find_signal(known[0]))
    for place, gain in zip(places, gains, strict=True):
        if np.isfinite(gain) and gain != 1:
            series[..., place] *= np.float32(gain)
    return gains


def _read(path: Path) -> Iterator[Series]:
    image = nb.load(path)
    return read_volumes(path) if image.ndim == 4 else iter([load(path)])
