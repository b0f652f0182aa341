"""Tissues that calibrate a T1w and a T2w image: eyes and temporal muscles.

They lie outside of the brain, so that diseases of it do not change the scale (Ganzetti et
al. 2014, doi:10.3389/fnhum.2014.00671). They are looked for where a template expects them, by what
they look like in both images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]

#: Centre of the right eye in mm of the template (MNI152), and how far from there it may be.
EYE, EYE_REACH_MM = (32.0, 60.0, -37.0), 20.0
#: The box of the right temporal muscle in mm of the template: low and high corner.
MUSCLE = ((48.0, -15.0, -50.0), (90.0, 40.0, 10.0))
#: Radius of the largest ball in an eye, in mm: 12 for adults, less with the lens and in children.
EYE_RADIUS_MM = (6.0, 16.0)
#: The rim of a tissue, in mm, that holds a part of others.
EYE_RIM_MM, MUSCLE_RIM_MM = 2.0, 1.5
#: Eyes are as bright in T2w as so much of the brain's fluid, at least, and darker in T1w than so
#: much of white matter.
LEAST_FLUID, MOST_DARK = 0.5, 0.6
#: Muscle in T1w is between these shares of white matter (bone and air are less, fat is more), and
#: in T2w below this share of it.
MUSCLE_T1W, MUSCLE_T2W = (0.3, 0.85), 0.75
#: So far from the brain, in mm, its surroundings are beyond the skull.
BEYOND_SKULL_MM = 8.0
#: Less of a tissue, in mm3, says nothing of it.
LEAST_MM3 = 500.0


class Pair(NamedTuple):
    """A T1w and a T2w on one grid, and what is known of their brain; arrays of shape (x, y, z).

    ``fluid`` and ``white`` are masks of pure tissue.
    """

    t1w: Volume
    t2w: Volume
    brain: Mask
    fluid: Mask
    white: Mask


class MissingTissueError(ValueError):
    """A tissue that calibrates is not in the field of view, or not seen there."""


def find_eyes(pair: Pair, to_template: Matrix, spacing: Sequence[float]) -> Mask:
    """Return the inner part of the eyes: bright in T2w, dark in T1w, and round.

    Parameters
    ----------
    pair : Pair
    to_template : array, shape (4, 4)
        From voxels to mm of the template.
    spacing : three floats
        Voxel size in mm.

    Returns
    -------
    array of bool, shape (x, y, z)
        Of one eye where the other is not seen.

    Raises
    ------
    MissingTissueError
        If there is none.
    """
    points = _template_points(pair.brain.shape, to_template)
    points[..., 0] = np.abs(points[..., 0])
    near = ((points - np.array(EYE)) ** 2).sum(axis=-1) < EYE_REACH_MM**2
    _require_view(near, 'eyes', spacing)
    bright = pair.t2w > LEAST_FLUID * _middle(pair.t2w, pair.fluid, 'fluid')
    dark = (pair.t1w < MOST_DARK * _middle(pair.t1w, pair.white, 'white matter')) & (pair.t1w > 0)
    labels, count = ndimage.label(near & bright & dark & ~pair.brain)
    depth = ndimage.distance_transform_edt(labels > 0, sampling=spacing)
    radii = np.asarray(ndimage.maximum(depth, labels, np.arange(count + 1)))
    kept = (radii >= EYE_RADIUS_MM[0]) & (radii <= EYE_RADIUS_MM[1])
    kept[0] = False
    return _require(kept[labels] & (depth > EYE_RIM_MM), 'eyes', spacing)


def find_muscle(pair: Pair, to_template: Matrix, spacing: Sequence[float]) -> Mask:
    """Return the inner part of the temporal muscles: grey in T1w, dark in T2w, beside the skull.

    Parameters
    ----------
    pair : Pair
    to_template : array, shape (4, 4)
        From voxels to mm of the template.
    spacing : three floats
        Voxel size in mm.

    Returns
    -------
    array of bool, shape (x, y, z)

    Raises
    ------
    MissingTissueError
        If there is none.
    """
    points = _template_points(pair.brain.shape, to_template)
    points[..., 0] = np.abs(points[..., 0])
    low, high = np.array(MUSCLE)
    near = ((points > low) & (points < high)).all(axis=-1)
    _require_view(near, 'temporal muscles', spacing)
    near &= ndimage.distance_transform_edt(~pair.brain, sampling=spacing) > BEYOND_SKULL_MM
    white = [_middle(image, pair.white, 'white matter') for image in (pair.t1w, pair.t2w)]
    grey = (pair.t1w > MUSCLE_T1W[0] * white[0]) & (pair.t1w < MUSCLE_T1W[1] * white[0])
    muscle = near & grey & (pair.t2w < MUSCLE_T2W * white[1]) & (pair.t2w > 0)
    depth = ndimage.distance_transform_edt(muscle, sampling=spacing)
    return _require(depth > MUSCLE_RIM_MM, 'temporal muscles', spacing)


def _template_points(shape: tuple[int, ...], to_template: Matrix) -> NDArray[np.float32]:
    axes = np.meshgrid(*map(np.arange, shape), indexing='ij', sparse=True)
    points = np.empty((*shape, 3), np.float32)
    for row in range(3):
        a, b, c, d = to_template[row]
        points[..., row] = a * axes[0] + b * axes[1] + c * axes[2] + d
    return points


def _middle(image: Volume, tissue: Mask, name: str) -> float:
    if not tissue.any():
        raise MissingTissueError(f'there is no pure {name} in the brain to compare with')
    return float(np.median(image[tissue]))


def _require_view(near: Mask, name: str, spacing: Sequence[float]) -> None:
    if np.count_nonzero(near) * float(np.prod(spacing)) < LEAST_MM3:
        raise MissingTissueError(
            f'the {name}, which calibrate the ratio, are outside of the field of view'
        )


def _require(tissue: Mask, name: str, spacing: Sequence[float]) -> Mask:
    volume = np.count_nonzero(tissue) * float(np.prod(spacing))
    if volume < LEAST_MM3:
        raise MissingTissueError(
            f'the {name}, which calibrate the ratio, are not seen ({volume:.0f} of '
            f'{LEAST_MM3:.0f} mm3): outside of the field of view, defaced or stripped'
        )
    return np.asarray(tissue)
