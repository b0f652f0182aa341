"""Voxels of a raw series that never change: nothing was measured there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mriderived.core.epi_shift import phase_axis
from mriderived.interfaces.acquisition import read_acquisition
from mriderived.interfaces.series import read_volumes
from mriderived.interfaces.volumes import load


def find_constant(raw_bold: Path) -> NDArray[np.bool_]:
    """Return the voxels (x, y, z) that have one value in all volumes, or no number."""
    volumes = read_volumes(raw_bold)
    first = next(volumes)
    varies = np.zeros(first.shape, bool)
    for volume in volumes:
        varies |= (volume != first) & np.isfinite(volume) & np.isfinite(first)
    return ~varies


def undistort_constant(
    constant: NDArray[np.bool_], bold_displacement: Path, bold_acquisition: Path
) -> NDArray[np.bool_]:
    """Return which voxels of the undistorted reference were seen where nothing changes."""
    direction = read_acquisition(bold_acquisition).phase_direction
    if direction is None:
        return constant
    axis = phase_axis(direction)[0]
    index = list(np.indices(constant.shape))
    seen = index[axis] + np.rint(load(bold_displacement)).astype(np.intp)
    index[axis] = np.clip(seen, 0, constant.shape[axis] - 1)
    return np.asarray(constant[tuple(index)])
