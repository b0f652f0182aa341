"""One BOLD run of a synthetic head, with its field map and the truth behind it, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from mriderived.core.epi_shift import phase_axis
from mriderived.core.rigid import rigid_matrix
from mriderived.phantom.bold_courses import Courses, draw_courses
from mriderived.phantom.bold_options import BoldOptions, interleaved_times, make_grid
from mriderived.phantom.bold_scene import (
    MEANS,
    average_cells,
    build_scene,
    draw_tissue,
)
from mriderived.phantom.deformation import Deformation
from mriderived.phantom.echo_planar import Scene, take_volume
from mriderived.phantom.head import draw_bias
from mriderived.phantom.head_motion import draw_motion, motion_matrices
from mriderived.phantom.inhomogeneity import Displacement, displace, field_hz

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]


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
    #: Of every echo, where there are several; ``scene`` is of the usual echo time.
    echoes: tuple[Scene, ...]
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
    def readout_time(self) -> float:
        """``TotalReadoutTime`` in s: from the first line to the last."""
        lines = self.hz.shape[phase_axis(self.options.direction)[0]]
        return float(self.options.echo_spacing * (lines - 1))

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
        echoes=tuple(build_scene(tissue, time) for time in options.echo_times),
        displacement=displace(hz, axis, sign * options.echo_spacing * (shape[axis] - 1)),
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


def take_volumes(
    bold: Bold, threads: int = 1, echo: int | None = None
) -> Iterator[NDArray[np.int16]]:
    """Yield the volumes of a run one after the other, with noise, as a scanner stores them.

    Of a run with several echoes, ``echo`` counts them from 0.
    """
    scene = bold.scene if echo is None else bold.echoes[echo]
    kind = (15,) if echo is None else (18, echo)
    into, back = np.linalg.inv(bold.affine), bold.affine
    for index, matrix in enumerate(bold.matrices):
        courses = bold.courses
        signal = take_volume(
            scene,
            bold.displacement,
            into @ matrix @ back,
            courses.gain[index],
            courses.parts[:, index],
            threads,
        )
        rng = np.random.default_rng([*bold.seed, *kind, index])
        yield add_noise(rng, signal * bold.bias, bold.sigma)


def map_effects(bold: Bold, threads: int = 1) -> Volume:
    """Return the response to an endless block of each network (last axis), head at rest.

    In percent of the signal of the voxel.
    """
    axis, _ = phase_axis(bold.options.direction)
    flat = displace(np.zeros_like(bold.hz), axis, bold.readout_time)
    parts, slices = bold.scene.parts.shape[-1], len(bold.slice_times)

    def take(courses: Matrix) -> Volume:
        return take_volume(bold.scene, flat, np.eye(4), np.ones(slices), courses, threads)

    rest = take(np.zeros((parts, slices)))
    found = []
    for part in range(2, parts):
        courses = np.zeros((parts, slices))
        courses[part] = bold.options.task_percent / 100
        found.append(100 * (take(courses) - rest) / np.maximum(rest, 1))
    return np.stack(found, axis=-1)


def take_opposite(bold: Bold, volumes: int, threads: int = 1) -> Iterator[NDArray[np.int16]]:
    """Yield volumes with the opposite phase-encode direction and the head at rest."""
    axis, sign = phase_axis(bold.options.direction)
    other = displace(bold.hz, axis, -sign * bold.readout_time)
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
    stored: NDArray[np.int16] = np.rint(np.hypot(noise[0], noise[1])).astype(np.int16)
    return stored


def _draw_apart(rng: np.random.Generator, options: BoldOptions) -> Matrix:
    shift = rng.uniform(-1, 1, 3) * options.apart_mm
    turn = np.radians(rng.uniform(-1, 1, 3) * options.apart_degrees)
    return rigid_matrix(np.concatenate([shift, turn]), np.zeros(3))
