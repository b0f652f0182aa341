"""Streamlines through fibre orientation distributions, stopped by tissue, with dipy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.config import Config, TrackingAlgorithm
from mriderived.core.fibre_peaks import Peaks
from mriderived.core.streamlines import Streamlines, make_streamlines
from mriderived.interfaces.spherical_deconvolution import known_basis

Matrix = NDArray[np.float64]
Volume = NDArray[np.float32]

#: dipy makes a streamline's seed of its place times this number: a small one would give
#: neighbours the same random numbers.
RANDOM_SEED = 1_000_003
#: Seeds that are tracked at a time, which bounds the memory of dipy's buffers.
CHUNK = 5000
#: A seed lies where there is so much white matter, and grey matter in the voxel or beside it; the
#: smaller of both must be this.
LEAST_WHITE, LEAST_MEETING = 0.25, 0.1
NEIGHBOURS = ndimage.generate_binary_structure(3, 1)


@dataclass(frozen=True)
class TrackingOptions:
    """How streamlines are made.

    ``algorithm``: the next direction is drawn from the distribution, or is where it is largest,
    both within ``max_angle`` of the last one.
    ``seeds`` is their number, ``seeding`` where they are: where grey and white matter meet, or
    in white matter. ``step`` is in voxels, ``max_angle`` in degrees per step, lengths in mm.
    Directions of less than ``threshold`` of the distribution's maximum are not taken.
    """

    algorithm: TrackingAlgorithm = 'probabilistic'
    seeds: int = Config.tracking_seeds
    seeding: Literal['interface', 'white'] = 'interface'
    step: float = 0.5
    max_angle: float = 30.0
    min_length: float = 10.0
    max_length: float = 250.0
    threshold: float = 0.1


@dataclass(frozen=True)
class Tissue:
    """Probabilities (x, y, z) of grey matter, white matter and fluid on the grid of the series."""

    grey: Volume
    white: Volume
    fluid: Volume


def draw_seeds(
    tissue: Tissue,
    mask: NDArray[np.bool_],
    peaks: Peaks,
    affine: Matrix,
    options: TrackingOptions,
) -> tuple[Matrix, Matrix]:
    """Draw seeds and the directions in which they begin.

    Voxels are drawn at random in proportion to the tissue that counts, places within them
    uniformly, and a fibre of the voxel in proportion to its density.

    Parameters
    ----------
    tissue : Tissue
    mask : array of bool, shape (x, y, z)
        Its N voxels have ``peaks``, along the axes of the voxels.
    peaks : Peaks
    affine : array, shape (4, 4)
    options : TrackingOptions

    Returns
    -------
    points : array, shape (seeds, 3)
        In mm (RAS).
    directions : array, shape (seeds, 3)
        Unit vectors along the axes of the voxels.

    Raises
    ------
    ValueError
        If no voxel can hold a seed.
    """
    rng = np.random.default_rng(1)
    white = tissue.white[mask].astype(np.float64)
    if options.seeding == 'interface':
        beside = ndimage.maximum_filter(tissue.grey, footprint=NEIGHBOURS)[mask]
        weight = np.where(white >= LEAST_WHITE, np.minimum(white, beside), 0.0)
        weight[weight < LEAST_MEETING] = 0
    else:
        weight = np.where(white > 0.5, white, 0.0)
    weight = weight * (peaks.density[:, 0] > 0)
    if not weight.any():
        raise ValueError('no voxel where grey and white matter meet has fibres to begin with')
    chosen = rng.choice(len(weight), options.seeds, p=weight / weight.sum())
    density = peaks.density[chosen].astype(np.float64)
    shares = np.cumsum(density, axis=1) / density.sum(axis=1, keepdims=True)
    which = (rng.random(options.seeds)[:, None] > shares[:, :-1]).sum(axis=1)
    directions = peaks.directions[chosen, which].astype(np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    places = np.argwhere(mask)[chosen] + rng.uniform(-0.5, 0.5, (options.seeds, 3))
    return np.asarray(apply_affine(affine, places)), directions


def track(
    harmonics: Volume,
    affine: Matrix,
    tissue: Tissue,
    seeds: tuple[Matrix, Matrix],
    options: TrackingOptions,
    threads: int = 1,
) -> Streamlines:
    """Track streamlines from grey matter to grey matter.

    A streamline is kept if both of its ends reach grey matter or leave the image, and dropped if
    it enters fluid or ends within white matter (Smith et al. 2012,
    doi:10.1016/j.neuroimage.2012.06.005). The same seeds give the same streamlines, with any
    number of threads.

    Parameters
    ----------
    harmonics : array of float32, shape (x, y, z, coefficients)
        Along the axes of the voxels, in dipy's legacy basis ``descoteaux07``.
    affine : array, shape (4, 4)
    tissue : Tissue
    seeds : tuple of arrays
        See :func:`draw_seeds`.
    options : TrackingOptions
    threads : int
    """
    from dipy.data import default_sphere
    from dipy.tracking.stopping_criterion import ActStoppingCriterion
    from dipy.tracking.tracker import deterministic_tracking, probabilistic_tracking

    criterion = ActStoppingCriterion.from_pve(
        *(np.asarray(part, np.float64) for part in (tissue.white, tissue.grey, tissue.fluid))
    )
    run = (
        probabilistic_tracking if options.algorithm == 'probabilistic' else deterministic_tracking
    )
    distributions = np.ascontiguousarray(harmonics, np.float64)
    step = options.step * float(voxel_sizes(affine).min())
    points, directions = seeds
    lines: list[NDArray[Any]] = []
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        with known_basis():
            found = run(
                np.ascontiguousarray(points[part]),
                criterion,
                affine,
                seed_directions=np.ascontiguousarray(directions[part]),
                sh=distributions,
                sphere=default_sphere,
                step_size=step,
                max_angle=options.max_angle,
                min_len=options.min_length,
                max_len=options.max_length,
                pmf_threshold=options.threshold,
                legacy=True,
                nbr_threads=threads,
                random_seed=RANDOM_SEED + start,
                return_all=False,
            )
            # a generator: the work is done here
            lines += [np.asarray(line, np.float32) for line in found]
    return make_streamlines(lines)
