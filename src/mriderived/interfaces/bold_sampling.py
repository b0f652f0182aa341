"""Bring a raw BOLD run to a grid: slices to one moment, one interpolation, echoes combined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.core.echo_combination import echo_weights, fit_t2star
from mriderived.core.epi_shift import phase_axis
from mriderived.core.series_route import Distortion, Route
from mriderived.core.series_sampling import resample_series
from mriderived.core.slice_timing import correct_slice_timing
from mriderived.interfaces.acquisition import Acquisition
from mriderived.interfaces.series import open_series

Volume = NDArray[np.float32]

#: Between the times of the first and the last slice, the moment to which all are brought.
MOMENT = 0.5
#: Fewer volumes in the steady state cannot be interpolated in time.
MIN_VOLUMES = 5
#: The means of so many volumes tell T2*.
FOR_T2STAR = 20


def moment(acquisition: Acquisition, steady: int) -> float | None:
    """Return the moment in s after the start of a volume that all slices are brought to.

    Nothing if the times of slices are not known, or too few volumes are in ``steady`` state.
    """
    times = acquisition.slice_times
    if not times or steady < MIN_VOLUMES:
        return None
    return min(times) + MOMENT * (max(times) - min(times))


def describe_timing(acquisition: Acquisition, steady: int) -> dict[str, Any]:
    """Return the metadata of a series that :func:`resample_run` makes."""
    start = moment(acquisition, steady)
    return {
        'RepetitionTime': acquisition.repetition_time,
        'SliceTimingCorrected': start is not None,
        **({'StartTime': round(start, 4)} if start is not None else {}),
        'TaskName': acquisition.task,
    }


@contextmanager
def open_in_time(
    path: Path,
    acquisition: Acquisition,
    unsteady: int,
    spoilt: NDArray[np.bool_],
    threads: int,
) -> Iterator[Any]:
    """Open a raw series with its slices brought to one moment, if their times are known."""
    with open_series(path) as series, TemporaryDirectory(dir=Path.cwd()) as scratch:
        times = acquisition.slice_times
        if times is None or moment(acquisition, series.shape[3] - unsteady) is None:
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
            spoilt,
            out,
            threads,
        )
        del out


def resample_run(
    acquisition: Acquisition,
    matrices: NDArray[np.float64],
    unsteady: int,
    spoilt: NDArray[np.bool_],
    route: Route,
    threads: int,
) -> Iterator[Volume]:
    """Yield the volumes of a run on the grid of a route; echoes are combined by their T2*.

    Slice timing keeps ``spoilt`` volumes from the others.
    """
    with ExitStack() as stack:
        echoes = [
            stack.enter_context(open_in_time(path, acquisition, unsteady, spoilt, threads))
            for path, _ in acquisition.echoes
        ]
        if len(echoes) == 1:
            yield from _resample(echoes[0], range(len(matrices)), matrices, route, threads)
            return
        weights = _weigh_echoes(acquisition, echoes, matrices, unsteady, route, threads)
        each = [_resample(echo, range(len(matrices)), matrices, route, threads) for echo in echoes]
        for volumes in zip(*each, strict=True):
            yield np.einsum('exyz,exyz->xyz', weights, np.stack(volumes))


def _resample(
    series: Any, chosen: Iterable[int], matrices: NDArray[np.float64], route: Route, threads: int
) -> Iterator[Volume]:
    places = list(chosen)
    volumes = (np.asarray(series[..., t], np.float32) for t in places)
    return resample_series(volumes, matrices[places], route, threads)


def _weigh_echoes(
    acquisition: Acquisition,
    echoes: list[Any],
    matrices: NDArray[np.float64],
    unsteady: int,
    route: Route,
    threads: int,
) -> NDArray[np.float32]:
    """Fit T2* to the means of some volumes of the steady state."""
    times = echo_times(acquisition)
    means = _average_echoes(echoes, matrices, unsteady, route, threads)
    return echo_weights(fit_t2star(means, times, threads), times)


def echo_times(acquisition: Acquisition) -> list[float]:
    """Return the echo times of a multi-echo run in s.

    Raises
    ------
    ValueError
        If one is not known.
    """
    times = [time for _, time in acquisition.echoes if time is not None]
    if len(times) != len(acquisition.echoes):
        raise ValueError('a multi-echo run needs the EchoTime of every echo in its sidecars')
    return times


def average_echoes(
    acquisition: Acquisition,
    matrices: NDArray[np.float64],
    unsteady: int,
    route: Route,
    threads: int,
) -> list[Volume]:
    """Return the mean of each echo over some volumes of the steady state, on a route's grid."""
    with ExitStack() as stack:
        echoes = [stack.enter_context(open_series(path)) for path, _ in acquisition.echoes]
        return _average_echoes(echoes, matrices, unsteady, route, threads)


def _average_echoes(
    echoes: list[Any],
    matrices: NDArray[np.float64],
    unsteady: int,
    route: Route,
    threads: int,
) -> list[Volume]:
    steady = np.arange(unsteady, len(matrices))
    chosen = steady[np.linspace(0, len(steady) - 1, min(FOR_T2STAR, len(steady))).astype(int)]
    means = []
    for echo in echoes:
        total = np.zeros(route.points.shape[1:], np.float32)
        for volume in _resample(echo, chosen.tolist(), matrices, route, threads):
            total += volume / np.float32(len(chosen))
        means.append(total)
    return means


def make_distortion(
    displacement: NDArray[np.float32], acquisition: Acquisition
) -> Distortion | None:
    """Return the distortion of a run, or nothing where no voxel is displaced."""
    if not displacement.any() or acquisition.phase_direction is None:
        return None
    return Distortion(displacement, phase_axis(acquisition.phase_direction)[0])
