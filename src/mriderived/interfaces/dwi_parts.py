"""The files of a diffusion acquisition as one series."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.interfaces.dwi_acquisition import DwiAcquisition
from mriderived.interfaces.series import read_volumes
from mriderived.interfaces.volumes import load


def join_parts(acquisition: DwiAcquisition) -> NDArray[np.float32]:
    """Return all volumes of an acquisition (x, y, z, n); what is no number is 0."""
    shape = nb.load(acquisition.parts[0].path).shape[:3]
    series = np.empty((*shape, sum(len(part.volumes) for part in acquisition.parts)), np.float32)
    start = 0
    for part in acquisition.parts:
        places = {volume: start + n for n, volume in enumerate(part.volumes)}
        for number, volume in enumerate(_read(part.path)):
            if number in places:
                series[..., places[number]] = np.nan_to_num(volume, posinf=0, neginf=0)
        start += len(places)
    return series


def _read(path: Path) -> Iterator[NDArray[np.float32]]:
    image = nb.load(path)
    return read_volumes(path) if image.ndim == 4 else iter([load(path)])
