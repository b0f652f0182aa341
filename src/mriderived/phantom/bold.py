"""One BOLD run of a synthetic head, with its field map and the truth behind it, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from mriderived.core.epi_shift import phase_axis
from mriderived.core.rigid import rigid_matrix
from mriderived.phantom.bold_courses import Courses, draw_courses
from mriderived.phantom.bold_scene import (
    MEANS,
    Tissue,
    average_cells,
    build_scene,
    draw_tissue,
)
from mriderived.phantom.deformation import Deformation
from mriderived.phantom.echo_planar import Scene, take_volume
from mriderived.phantom.head import CORNER, draw_bias
from mriderived.phantom.head_motion import draw_motion, motion_matrices
from mriderived.phantom.inhomogeneity import Displacement, displace, field_hz

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: The field of view for a head of zoom 1, in mm: the whole brain, and little of the neck.
EXTENT, BOTTOM = np.array([200.0, 244.0, 172.0]), -78.0


@dataclass(frozen=True)
class BoldOptions:
    """What can be chosen about a run.

    Times are in s. ``motion_mm`` and ``motion_degrees`` are the largest shift and turn from the
    first volume, ``apart_mm`` and ``apart_degrees`` those of the head since the T1w. Percentages
    are standard deviations relative to the signal of the tissue. ``field`` scales the
    inhomogeneity (1: up to 150 Hz). ``field_map``: ``gre``, ``epi``, ``both`` or ``none``.
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
    network_percent: float = 1.0
    csf_percent: float = 1.5
    white_percent: float = 0.4
    global_percent: float = 0.0
    drift_percent: float = 1.0
    tsnr: float = 60.0
    bias: float = 0.1
    field: float = 1.0
    direction: str = 'j-'
    readout_time: float = 0.03
    field_map: str = 'gre'

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        phase_axis(self.direction)
        if self.field_map not in ('gre', 'epi', 'both', 'none'):
            raise ValueError(f'field_map {self.field_map!r} is not gre, epi, both or none')
        if self.volumes < self.unsteady + 20:
            raise ValueError(f'{self.volumes} volumes are too few; take at least 20 steady ones')


class Bold(NamedTuple):
    """A run that can be taken volume by volume, and its truth on its grid with the head at rest.

    ``t1w_to_bold`` leads from mm of the T1w to mm of the head at rest, ``matrices`` from there to
    mm of each volume. ``slice_times`` are in s. ``shares`` are the partial volumes of GM, WM and
    CSF and of every network (first axis). ``shim`` was taken off the field, so that the median of
    the brain is 0 Hz.
    """

    options: BoldOptions
    affine: Matrix
    scene: Scene
    displacement: Displacement
    hz: Volume
    shim: float
    parameters: Matrix
    matrices: Matrix
    centre: Matrix
    t1w_to_bold: Matrix
    deformation: Deformation
    courses: Courses
    slice_times: Matrix
    shares: Volume
    bias: Volume
    sigma: float
    seed: tuple[int, ...]

    @property
    def brain_mask(self) -> NDArray[np.bool_]:
        """Voxels of which at least half is brain."""
        return np.asarray(self.shares[:3].sum(axis=0) >= 0.5)


def draw_bold(
    deformation: Deformation,
    zoom: float,
    seed: tuple[int, ...],
    options: BoldOptions,
    threads: int = 1,
) -> Bold:
    """Prepare a run of the head whose T1w lies at ``deformation``."""
    shape, affine = make_grid(options.voxel_mm, zoom)
    apart = _draw_apart(np.random.default_rng([*seed, 11]), options)
    moved = Deformation(deformation.matrix @ np.linalg.inv(apart), deformation.field)
    tissue = draw_tissue(moved, affine, shape, threads)
    shares = average_cells(tissue)
    hz = field_hz(moved, affine, shape, options.field)
    shim = float(np.median(hz[shares[:3].sum(axis=0) >= 0.5]))
    hz -= np.float32(shim)
    axis, sign = phase_axis(options.direction)
    centre = apply_affine(affine, np.argwhere(shares[:3].sum(axis=0) > 0.5).mean(axis=0))
    parameters = draw_motion(
        np.random.default_rng([*seed, 12]),
        options.volumes,
        (options.motion_mm, options.motion_degrees),
        options.jumps,
    )
    times = interleaved_times(shape[2], options.repetition_time)
    return Bold(
        options=options,
        affine=affine,
        scene=build_scene(tissue),
        displacement=displace(hz, axis, sign * options.readout_time),
        hz=hz,
        shim=shim,
        parameters=parameters,
        matrices=motion_matrices(parameters, centre),
        centre=centre,
        t1w_to_bold=apart,
        deformation=moved,
        courses=draw_courses(np.random.default_rng([*seed, 13]), options, times),
        slice_times=times,
        shares=shares,
        bias=draw_bias(np.random.default_rng([*seed, 14]), shape, options.bias),
        sigma=MEANS[0] / options.tsnr,
        seed=seed,
    )


def take_volumes(bold: Bold, threads: int = 1) -> Iterator[NDArray[np.int16]]:
    """Yield the volumes of a run one after the other, with noise, as a scanner stores them."""
    into, back = np.linalg.inv(bold.affine), bold.affine
    for index, matrix in enumerate(bold.matrices):
        courses = bold.courses
        signal = take_volume(
            bold.scene,
            bold.displacement,
            into @ matrix @ back,
            courses.gain[index],
            courses.parts[:, index],
            threads,
        )
        rng = np.random.default_rng([*bold.seed, 15, index])
        yield add_noise(rng, signal * bold.bias, bold.sigma)


def take_opposite(bold: Bold, volumes: int, threads: int = 1) -> Iterator[NDArray[np.int16]]:
    """Yield volumes with the opposite phase-encode direction and the head at rest."""
    axis, sign = phase_axis(bold.options.direction)
    other = displace(bold.hz, axis, -sign * bold.options.readout_time)
    slices = len(bold.slice_times)
    still = np.zeros((bold.scene.parts.shape[-1], slices))
    signal = take_volume(bold.scene, other, np.eye(4), np.ones(slices), still, threads)
    for index in range(volumes):
        rng = np.random.default_rng([*bold.seed, 16, index])
        yield add_noise(rng, signal * bold.bias, bold.sigma)


def add_noise(
    rng: np.random.Generator, signal: NDArray[np.float32], sigma: float
) -> NDArray[np.int16]:
    """Return the magnitude of a signal with complex noise."""
    noise = rng.standard_normal((2, *signal.shape), np.float32)
    noise *= np.float32(sigma)
    noise[0] += signal
    return np.rint(np.hypot(noise[0], noise[1])).astype(np.int16)


def make_grid(
    voxel_mm: tuple[float, float, float], zoom: float
) -> tuple[tuple[int, int, int], Matrix]:
    """Return the shape and the affine of a grid that holds the brain of a head, RAS."""
    voxel, size = np.array(voxel_mm), max(0.5, zoom / 0.97)
    x, y, z = np.ceil(EXTENT * size / voxel).astype(int)
    affine = np.diag([*voxel, 1.0])
    middle = (CORNER + [98.0, 124.0, 0.0])[:2] * size
    affine[:2, 3] = middle - voxel[:2] * (np.array([x, y]) - 1) / 2
    affine[2, 3] = BOTTOM * size
    return (int(x), int(y), int(z)), affine


def interleaved_times(slices: int, repetition_time: float) -> Matrix:
    """Return when each slice begins, in s: first the even ones, then the odd ones."""
    order = [*range(0, slices, 2), *range(1, slices, 2)]
    times = np.empty(slices)
    times[order] = np.arange(slices) * repetition_time / slices
    return times.round(6)


def _draw_apart(rng: np.random.Generator, options: BoldOptions) -> Matrix:
    shift = rng.uniform(-1, 1, 3) * options.apart_mm
    turn = np.radians(rng.uniform(-1, 1, 3) * options.apart_degrees)
    return rigid_matrix(np.concatenate([shift, turn]), np.zeros(3))
