"""Bring a raw BOLD run to a grid: slice timing, then one interpolation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.series_sampling import Distortion
from mriderived.core.slice_timing import check_slice_times, correct_slice_timing
from mriderived.interfaces.acquisition import Acquisition
from mriderived.interfaces.series import open_series

Matrix = NDArray[np.float64]
#: The letters of BIDS directions are the voxel axes.
AXES = {'i': 0, 'j': 1, 'k': 2}
#: Within the times of the slices, the moment to which all are brought: their middle.
MOMENT = 0.5


class Timing(NamedTuple):
    """When slices were acquired, in s, and along which axis they are stacked."""

    times: NDArray[np.float64]
    axis: int


def find_timing(acquisition: Acquisition, shape: tuple[int, ...]) -> Timing | None:
    """Return the slice timing of a run, or nothing if it is not known or all are at once.

    Raises
    ------
    ValueError
        If the times do not fit the image.
    """
    metadata = acquisition.metadata
    if 'SliceTiming' not in metadata or metadata.get('MRAcquisitionType') == '3D':
        return None
    direction = str(metadata.get('SliceEncodingDirection', 'k'))
    axis = AXES[direction[0]]
    times = check_slice_times(
        metadata['SliceTiming'], shape[axis], acquisition.repetition_time, direction.endswith('-')
    )
    return Timing(times, axis) if np.ptp(times) > 0 else None


@contextmanager
def open_in_time(
    path: Path, acquisition: Acquisition, unsteady: int, threads: int
) -> Iterator[Any]:
    """Open a raw series with its slices brought to one moment, if their times are known."""
    with open_series(path) as series, TemporaryDirectory(dir=Path.cwd()) as scratch:
        timing = find_timing(acquisition, series.shape)
        if timing is None or series.shape[3] - unsteady < 3:
            yield series
            return
        out = np.lib.format.open_memmap(
            Path(scratch) / 'in_time.npy', mode='w+', dtype=np.float32, shape=series.shape
        )
        yield correct_slice_timing(
            series, timing.times, acquisition.repetition_time, timing.axis, MOMENT, unsteady,
            out, threads,
        )  # fmt: skip
        del out


def make_distortion(displacement: NDArray[np.float32], axis: int) -> Distortion | None:
    """Return the distortion of a run, or nothing where no voxel is displaced."""
    return Distortion(displacement, axis) if displacement.any() else None
