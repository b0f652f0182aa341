"""From a brain to a brain template: affine, then symmetric diffeomorphic registration."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.affine import Brain, register_affine
from mriderived.core.diffeomorphism import Channel, Diffeomorphism, Schedule, register
from mriderived.core.filters import smooth
from mriderived.core.sampling import jacobian, pull, resample, warp

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Weights of the T1w, grey and white matter channels.
WEIGHTS = (1.0, 2.0, 2.0)
#: Smoothing of the field, in voxels, that is tried where the mapping folds with the usual one.
STIFFER = (1.2, 2.0)
#: Enough to carry tissue priors into a brain: no finer than 3 mm, T1w alone.
COARSE = Schedule(factors=(4, 2), iterations=(40, 25))
#: For tests of the plumbing only.
SLOPPY = Schedule(factors=(4,), iterations=(30,))


class Template(NamedTuple):
    """A brain template on the grid of the registration; tissues of shape (2, x, y, z) or none."""

    brain: Volume
    affine: Matrix
    tissues: Volume | None = None


class Alignment(NamedTuple):
    """How a template and a brain lie to one another.

    ``affine`` leads from mm of the template to mm of the brain; the fields are on the template's
    grid, in its voxels. A point of the template is moved by ``fixed_to_moving``, then by
    ``affine``; a point of the brain by the inverse of ``affine``, then by ``moving_to_fixed``.
    """

    affine: Matrix
    warp: Diffeomorphism
    grid: Matrix


def align(
    template: Template,
    brain: Brain,
    tissues: Volume | None = None,
    schedule: Schedule | None = None,
    threads: int = 1,
    lesion: NDArray[np.bool_] | None = None,
) -> Alignment:
    """Align a brain with a template.

    Parameters
    ----------
    template : Template
    brain : Brain
        T1-weighted, 0 outside the brain.
    tissues : array of float32, shape (2, x, y, z), optional
        Grey and white matter fractions on the brain's grid; used if the template has them too.
    schedule : Schedule, optional
    threads : int
    lesion : array of bool, optional
        On the brain's grid: what has no say in the nonlinear part (Brett et al. 2001,
        doi:10.1006/nimg.2001.0845).

    Returns
    -------
    Alignment

    Raises
    ------
    ValueError
        If the brains cannot be aligned.

    Examples
    --------
    >>> x, y, z = np.indices((30, 32, 28))
    >>> ball = (100.0 * ((x - 15) ** 2 + (y - 15)**2 / 1.5 + (z - 14)**2 < 90)).astype(np.float32)
    >>> grid = np.diag([4.0, 4, 4, 1])
    >>> found = align(Template(ball, grid), Brain(ball, grid), schedule=Schedule((2,), (2,)))
    >>> bool(np.allclose(found.affine, np.eye(4), atol=0.02))
    True
    """
    affine = register_affine(Brain(template.brain, template.affine), brain, threads)
    matrix = np.linalg.inv(brain.affine) @ affine @ template.affine
    pairs = [(template.brain, brain.data)]
    if template.tissues is not None and tissues is not None:
        pairs += list(zip(template.tissues, tissues, strict=True))
    blur = _blur(brain.affine, template.affine)
    channels = []
    for (fixed, moving), weight in zip(pairs, WEIGHTS, strict=False):
        moved = resample(smooth(moving, blur, threads), matrix, fixed.shape, threads)
        channels.append(Channel(_scale(fixed), _scale(moved), weight))
    schedule = schedule or Schedule()
    ignored = None
    if lesion is not None:
        ignored = resample(lesion.astype(np.float32), matrix, template.brain.shape, threads)
    warp_found = register(channels, schedule, threads, ignored)
    for sigma in STIFFER:
        if jacobian(warp_found.fixed_to_moving, threads).min() > 0:
            break
        warp_found = register(channels, replace(schedule, field_sigma=sigma), threads, ignored)
    return Alignment(affine, warp_found, template.affine)


def _blur(fine: Matrix, coarse: Matrix) -> NDArray[np.float64]:
    """Return the smoothing, in voxels, that a brain needs before it is sampled more coarsely."""
    size, step = (np.sqrt((m[:3, :3] ** 2).sum(axis=0)) for m in (fine, coarse))
    return np.asarray(0.4 * np.sqrt(np.maximum(step**2 - size**2, 0)) / size)


def _scale(image: Volume) -> Volume:
    top = float(np.percentile(image[image > 0], 98)) if (image > 0).any() else 1.0
    return (image / np.float32(top)).astype(np.float32)


def to_template(volume: Volume, brain_grid: Matrix, found: Alignment, threads: int = 1) -> Volume:
    """Return ``volume`` of the brain's grid on the template's grid."""
    matrix = np.linalg.inv(brain_grid) @ found.affine @ found.grid
    return warp(volume, found.warp.fixed_to_moving, matrix, threads)


def to_brain(
    volume: Volume,
    brain_grid: Matrix,
    shape: tuple[int, ...],
    found: Alignment,
    threads: int = 1,
) -> Volume:
    """Return ``volume`` of the template's grid on the brain's grid."""
    matrix = np.linalg.inv(found.grid) @ np.linalg.inv(found.affine) @ brain_grid
    return pull(volume, found.warp.moving_to_fixed, matrix, shape, threads)


def volume_change(found: Alignment, threads: int = 1) -> Volume:
    """Return the volume in the brain that a unit of volume in the template stands for.

    Returns
    -------
    array of float32, on the template's grid
        The determinant of the Jacobian of the whole mapping. A fraction carried to the template
        and multiplied by it keeps the volume that it had in the brain.

    Raises
    ------
    ValueError
        If the mapping folds, that is, the determinant is not positive everywhere.
    """
    change = jacobian(found.warp.fixed_to_moving, threads)
    back = jacobian(found.warp.moving_to_fixed, threads)
    folded = int((change <= 0).sum() + (back <= 0).sum())
    if folded:
        raise ValueError(
            f'the registration folds space at {folded} voxels of the template; check the brain '
            'mask and the tissue maps'
        )
    return (change * np.float32(np.linalg.det(found.affine[:3, :3]))).astype(np.float32)
