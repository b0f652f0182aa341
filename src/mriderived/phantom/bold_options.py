"""What can be chosen about a synthetic BOLD run, and where its voxels and slices are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mriderived.core.epi_shift import phase_axis

Matrix = NDArray[np.float64]

#: The field of view for a head of zoom 1, in mm: the whole brain, and little of the neck.
EXTENT, BOTTOM = np.array([200.0, 244.0, 172.0]), -78.0
CENTRE = np.array([0.0, -2.0])


@dataclass(frozen=True)
class BoldOptions:
    """What can be chosen about a run.

    Times are in s. ``motion_mm`` and ``motion_degrees`` are the largest shift and turn from the
    first volume, ``apart_mm`` and ``apart_degrees`` those of the head since the T1w. Percentages
    are standard deviations relative to the signal of the tissue. ``field`` scales the
    inhomogeneity (1: up to 150 Hz). ``field_map``: ``gre`` (a phase difference), ``phases`` (of
    two gradient echoes), ``epi``, ``both`` (a phase difference and EPI) or ``none``.
    ``task_percent`` is the height of the response to an endless block; with it, the run has
    events. With ``echo_times``, it has several echoes.
    """

    voxel_mm: tuple[float, float, float] = (3.5, 3.5, 3.5)
    volumes: int = 150
    repetition_time: float = 2.0
    unsteady: int = 3
    motion_mm: float = 1.0
    motion_degrees: float = 1.0
    jumps: int = 3
    apart_mm: float = 2.0
    apart_degrees: float = 2.0
    network_percent: float = 1.5
    csf_percent: float = 1.5
    white_percent: float = 0.4
    global_percent: float = 0.0
    drift_percent: float = 1.0
    tsnr: float = 60.0
    bias: float = 0.1
    field: float = 1.0
    direction: str = 'j-'
    echo_spacing: float = 0.00045
    field_map: str = 'gre'
    task: str = 'rest'
    task_percent: float = 0.0
    echo_times: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        phase_axis(self.direction)
        if self.field_map not in ('gre', 'phases', 'epi', 'both', 'none'):
            raise ValueError(f'field_map {self.field_map!r} is not gre, phases, epi, both or none')
        if self.volumes < self.unsteady + 20:
            raise ValueError(f'{self.volumes} volumes are too few; take at least 20 steady ones')


def make_grid(
    voxel_mm: tuple[float, float, float], zoom: float
) -> tuple[tuple[int, int, int], Matrix]:
    """Return the shape and the affine of a grid that holds the brain of a head, RAS."""
    voxel, size = np.array(voxel_mm), max(0.5, zoom / 0.97)
    x, y, z = np.ceil(EXTENT * size / voxel).astype(int)
    affine = np.diag([*voxel, 1.0])
    affine[:2, 3] = CENTRE * size - voxel[:2] * (np.array([x, y]) - 1) / 2
    affine[2, 3] = BOTTOM * size
    return (int(x), int(y), int(z)), affine


def interleaved_times(slices: int, repetition_time: float) -> Matrix:
    """Return when each slice begins, in s: first the even ones, then the odd ones."""
    order = [*range(0, slices, 2), *range(1, slices, 2)]
    times = np.empty(slices)
    times[order] = np.arange(slices) * repetition_time / slices
    return times.round(6)
