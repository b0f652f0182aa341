"""Open a raw BOLD run with its slices brought to one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.core.epi_shift import phase_axis
from mriderived.core.series_route import Distortion
from mriderived.core.slice_timing import correct_slice_timing
from mriderived.interfaces.acquisition import Acquisition
from mriderived.interfaces.series import open_series

#: Between the times of the first and the last slice, the moment to which all are brought.
MOMENT = 0.5
#: Fewer volumes in the steady state cannot be interpolated in time.
MIN_VOLUMES = 5


def moment(acquisition: Acquisition) -> float | None:
    """Return the moment in s after the start of a volume that all slices are brought to."""
    times = acquisition.slice_times
    return min(times) + MOMENT * (max(times) - min(times)) if times else None


@contextmanager
def open_in_time(
    path: Path, acquisition: Acquisition, unsteady: int, threads: int
) -> Iterator[Any]:
    """Open a raw series with its slices brought to one moment, if their times are known."""
    with open_series(path) as series, TemporaryDirectory(dir=Path.cwd()) as scratch:
        times = acquisition.slice_times
        if times is None or series.shape[3] - unsteady < MIN_VOLUMES:
            yield series
            return
        out: NDArray[np.float32] = np.memmap(
            Path(scratch) / 'in_time', mode='w+', dtype=np.float32, shape=series.shape
        )
        yield correct_slice_timing(
            series,
            np.asarray(times, np.float64),
            acquisition.repetition_time,
            acquisition.slice_axis,
            MOMENT,
            unsteady,
            out,
            threads,
        )
        del out


def make_distortion(
    displacement: NDArray[np.float32], acquisition: Acquisition
) -> Distortion | None:
    """Return the distortion of a run, or nothing where no voxel is displaced."""
    if not displacement.any() or acquisition.phase_direction is None:
        return None
    return Distortion(displacement, phase_axis(acquisition.phase_direction)[0])
