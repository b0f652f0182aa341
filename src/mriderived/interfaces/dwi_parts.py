"""The files of a diffusion acquisition as one series."""

from __future__ import annotations

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.interfaces.dwi_acquisition import DwiAcquisition


def join_parts(acquisition: DwiAcquisition) -> NDArray[np.float32]:
    """Return all volumes of an acquisition (x, y, z, n); what is no number is 0."""
    shape = nb.load(acquisition.parts[0].path).shape[:3]
    series = np.empty((*shape, sum(len(part.volumes) for part in acquisition.parts)), np.float32)
    start = 0
    for part in acquisition.parts:
        # all of a file is read at once: a compressed one cannot be read elsewhere than in a row
        values = np.asarray(nb.load(part.path).dataobj, np.float32).reshape(*shape, -1)
        stop = start + len(part.volumes)
        series[..., start:stop] = values[..., list(part.volumes)]
        start = stop
    return np.nan_to_num(series, copy=False, posinf=0, neginf=0)
