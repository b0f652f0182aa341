"""One DWI run of a synthetic head and the truth behind it, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from mriderived.core.epi_shift import phase_axis
from mriderived.core.rigid import rigid_matrix
from mriderived.phantom.bold import add_noise
from mriderived.phantom.bold_scene import MEANS
from mriderived.phantom.deformation import Deformation
from mriderived.phantom.dwi_options import DwiOptions, make_dwi_grid
from mriderived.phantom.dwi_table import draw_dropouts, draw_eddy, draw_table
from mriderived.phantom.dwi_tissue import DwiTissue, FibreMaps, draw_dwi_tissue, map_fibres, weigh
from mriderived.phantom.echo_planar import take_volume
from mriderived.phantom.head import draw_bias
from mriderived.phantom.head_motion import draw_motion, motion_matrices
from mriderived.phantom.inhomogeneity import Displacement, displace, field_hz

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Steps back through distortion and eddy currents: 0.01 voxel where the field is steepest.
STEPS = 4


class Dwi(NamedTuple):
    """A run that can be taken volume by volume, and its truth on its grid with the head at rest.

    ``t1w_to_dwi`` leads from mm of the T1w to mm of the head at rest, ``matrices`` from there to
    mm of each volume. ``b`` is in s/mm², ``directions`` are those of the scanner's axes. What
    truly is at x (mm) of a volume is displaced by ``eddy @ (1, *(x - centre))`` voxels along the
    phase-encode axis, beside what the field does. ``dropouts`` are volume, slice and what is left
    of its signal. ``shim`` was taken off the field.
    """

    options: DwiOptions
    affine: Matrix
    tissue: DwiTissue
    maps: FibreMaps
    b: Matrix
    directions: Matrix
    displacement: Displacement
    hz: Volume
    shim: float
    parameters: Matrix
    matrices: Matrix
    centre: Matrix
    eddy: Matrix
    dropouts: list[tuple[int, int, float]]
    t1w_to_dwi: Matrix
    deformation: Deformation
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
        return np.asarray(self.maps.shares.sum(axis=-1) >= 0.5)


def draw_dwi(
    deformation: Deformation,
    zoom: float,
    seed: tuple[int, ...],
    options: DwiOptions,
    threads: int = 1,
) -> Dwi:
    """Prepare a run of the head whose T1w lies at ``deformation``."""
    shape, affine = make_dwi_grid(options, zoom)
    rng = np.random.default_rng([*seed, 21])
    shift = rng.uniform(-1, 1, 3) * options.apart_mm
    turn = np.radians(rng.uniform(-1, 1, 3) * options.apart_degrees)
    apart = rigid_matrix(np.concatenate([shift, turn]), np.zeros(3))
    moved = Deformation(deformation.matrix @ np.linalg.inv(apart), deformation.field)
    tissue = draw_dwi_tissue(
        moved, affine, shape, options.has_compartments, threads, options.fibres
    )
    maps = map_fibres(tissue, shape)
    brain = maps.shares.sum(axis=-1) >= 0.5
    hz = field_hz(moved, affine, shape, options.field)
    shim = float(np.median(hz[brain]))
    hz -= np.float32(shim)
    axis, sign = phase_axis(options.direction)
    centre = apply_affine(affine, np.argwhere(brain).mean(axis=0))
    b, directions = draw_table(np.random.default_rng([*seed, 22]), options)
    parameters = draw_motion(
        np.random.default_rng([*seed, 23]),
        options.volumes,
        (options.motion_mm, options.motion_degrees),
        options.jumps,
    )
    eddies = np.random.default_rng([*seed, 24])
    return Dwi(
        options=options,
        affine=affine,
        tissue=tissue,
        maps=maps,
        b=b,
        directions=directions,
        displacement=displace(hz, axis, sign * options.echo_spacing * (shape[axis] - 1)),
        hz=hz,
        shim=shim,
        parameters=parameters,
        matrices=motion_matrices(parameters, centre),
        centre=centre,
        eddy=draw_eddy(eddies, b, directions, options.eddy_voxels, zoom),
        dropouts=draw_dropouts(np.random.default_rng([*seed, 25]), b, shape[2], options.dropouts),
        t1w_to_dwi=apart,
        deformation=moved,
        bias=draw_bias(np.random.default_rng([*seed, 26]), shape, options.bias),
        sigma=MEANS[1] / options.snr,
        seed=seed,
    )


def eddy_of_voxels(eddy: Matrix, affine: Matrix, centre: Matrix) -> Matrix:
    """Return displacements (n, 4) for voxel coordinates instead of mm from the centre."""
    linear = eddy[:, 1:] @ affine[:3, :3]
    constant = eddy[:, 0] + eddy[:, 1:] @ (affine[:3, 3] - centre)
    return np.column_stack([constant, linear])


def take_dwi(dwi: Dwi, threads: int = 1) -> Iterator[NDArray[np.int16]]:
    """Yield the volumes of a run one after the other, with noise, as a scanner stores them."""
    into, back = np.linalg.inv(dwi.affine), dwi.affine
    eddy = eddy_of_voxels(dwi.eddy, dwi.affine, dwi.centre)
    for index, matrix in enumerate(dwi.matrices):
        # the gradients stay where they are when the head turns
        scene = weigh(dwi.tissue, dwi.b[index], matrix[:3, :3].T @ dwi.directions[index], threads)
        gain = np.ones(dwi.hz.shape[2])
        for volume, place, left in dwi.dropouts:
            if volume == index:
                gain[place] = left
        move = into @ matrix @ back
        signal = take_volume(
            scene, dwi.displacement, move, gain, _no_parts(dwi), threads, eddy[index], STEPS
        )
        rng = np.random.default_rng([*dwi.seed, 27, index])
        yield add_noise(rng, signal * dwi.bias, dwi.sigma)


def take_clean(dwi: Dwi, threads: int = 1) -> Iterator[Volume]:
    """Yield the volumes without motion, distortion, noise, bias and lost slices."""
    flat = displace(np.zeros_like(dwi.hz), dwi.displacement.axis, dwi.readout_time)
    still, gain = np.eye(4), np.ones(dwi.hz.shape[2])
    for b, direction in zip(dwi.b, dwi.directions, strict=True):
        scene = weigh(dwi.tissue, b, direction, threads)
        yield take_volume(scene, flat, still, gain, _no_parts(dwi), threads)


def take_opposite_dwi(dwi: Dwi, threads: int = 1) -> Iterator[NDArray[np.int16]]:
    """Yield volumes of b = 0 with the opposite phase encoding and the head at rest."""
    axis, sign = phase_axis(dwi.options.direction)
    other = displace(dwi.hz, axis, -sign * dwi.readout_time)
    scene = weigh(dwi.tissue, 0.0, np.zeros(3), threads)
    gain = np.ones(dwi.hz.shape[2])
    signal = take_volume(scene, other, np.eye(4), gain, _no_parts(dwi), threads)
    for index in range(dwi.options.opposite_volumes):
        rng = np.random.default_rng([*dwi.seed, 28, index])
        yield add_noise(rng, signal * dwi.bias, dwi.sigma)


def _no_parts(dwi: Dwi) -> Matrix:
    return np.zeros((0, dwi.hz.shape[2]))
