"""Angles between estimated and real gradients of an image, and what they are without any effect.

The published figure of merit of Aganj et al. 2025 is the acute angle between the estimated
gradient and that of finite differences: mean 51.3°, median 51.8° in 617 participants, against
57.3° and 60° by chance. But the gradients of brain images run mostly across fibres, and so does
the apparent effect of non-Gaussian diffusion. An angle below chance says nothing unless it is also
below those of directions that know the fibres alone, which therefore always come with it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.series import Mask

#: Of the acute angle between axes that have nothing to do with each other, in degrees: the
#: density is sin(angle), so that the mean is one radian.
CHANCE_MEAN = float(np.degrees(1.0))
CHANCE_MEDIAN = 60.0
#: Directions about a fibre over which the expectation is taken.
_TURNS = 256


class AngleSummary(NamedTuple):
    """Mean and median of acute angles, in degrees."""

    mean: float
    median: float


class AngleComparison(NamedTuple):
    """Angles to the real gradient, over the same ``voxels``.

    ``estimate`` of the estimated gradient; ``chance`` of any axes; ``third_axis`` of the
    direction in which the tensor is smallest; ``across_fibre`` of a random direction across the
    fibre. ``below_chance`` and ``below_fibre`` are by how much the mean is below the chance and
    below the better of the two fibre baselines: only the latter would speak for an effect.
    """

    voxels: int
    estimate: AngleSummary
    chance: AngleSummary
    third_axis: AngleSummary
    across_fibre: AngleSummary
    below_chance: float
    below_fibre: float


def acute_angle(
    first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return the acute angle (N,) in degrees between axes (N, 3); NaN for zero vectors.

    Examples
    --------
    >>> acute_angle(np.array([[1.0, 0, 0]]), np.array([[-1.0, -1, 0]])).round(6)
    array([45.])
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    across = np.linalg.norm(np.cross(a, b), axis=1)
    along = np.abs((a * b).sum(axis=1))
    angle = np.degrees(np.arctan2(across, along))
    angle[~((a**2).sum(axis=1) > 0) | ~((b**2).sum(axis=1) > 0)] = np.nan
    return np.asarray(angle, np.float64)


def image_gradient(
    image: NDArray[np.floating[Any]],
    affine: NDArray[np.float64],
    mask: Mask,
    sigma: float = 0.75,
) -> NDArray[np.float64]:
    """Return the gradient of ln I by central differences, shape (x, y, z, 3).

    The image is smoothed within the mask first, and its gradient turned from the grid to the
    world.

    Parameters
    ----------
    image : array of float, shape (x, y, z)
        Such as the mean of b = 0.
    affine : array of float, shape (4, 4)
        From voxels to world, in mm.
    mask : array of bool, shape (x, y, z)
    sigma : float
        Of the Gaussian, in voxels; 0 for none.

    Returns
    -------
    array of float
        In 1/mm; NaN outside the mask, where a neighbour lies outside, and where I is not
        positive.

    Examples
    --------
    >>> x = np.arange(5.0)[:, None, None] * np.ones((5, 5, 5))
    >>> whole = np.ones(x.shape, bool)
    >>> found = image_gradient(np.exp(0.2 * x), np.diag([-2.0, 2, 2, 1]), whole, sigma=0)
    >>> (found[2, 2, 2] + 0.0).round(6)
    array([-0.1,  0. ,  0. ])
    """
    inside = mask & np.isfinite(image) & (image > 0)
    weight = inside.astype(np.float64)
    values = np.log(np.where(inside, image, 1.0).astype(np.float64))
    if sigma > 0:
        smooth = ndimage.gaussian_filter(values * weight, sigma, mode='constant')
        cover = ndimage.gaussian_filter(weight, sigma, mode='constant')
        values = np.divide(smooth, cover, out=np.zeros_like(smooth), where=inside)
    found = np.full((*image.shape, 3), np.nan)
    whole = ndimage.binary_erosion(inside, ndimage.generate_binary_structure(3, 1))
    steps = np.stack(np.gradient(values), axis=-1)[whole]
    found[whole] = steps @ np.linalg.inv(np.asarray(affine, np.float64)[:3, :3])
    return found


def choose_voxels(
    gradient: NDArray[np.float64],
    fa: NDArray[np.floating[Any]],
    percentile: float = 50.0,
    fa_range: tuple[float, float] = (0.0, 1.0),
) -> NDArray[np.bool_]:
    """Choose voxels (N,) where there is a gradient to speak of, of some range of anisotropy."""
    strength = np.linalg.norm(gradient, axis=1)
    known = np.isfinite(strength) & np.isfinite(fa)
    if not known.any():
        return np.asarray(known, np.bool_)
    least = np.percentile(strength[known], percentile)
    chosen = known & (strength > least) & (fa >= fa_range[0]) & (fa <= fa_range[1])
    return np.asarray(chosen, np.bool_)


def angle_across_fibre(
    gradient: NDArray[np.floating[Any]], v1: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    r"""Return the mean acute angle (N,) between gradients and random directions across a fibre.

    With :math:`\alpha` between gradient and fibre, it is the mean over :math:`\varphi` of
    :math:`\arccos(\sin\alpha\,|\cos\varphi|)`: 45° where the gradient is across the fibre, 90°
    where it is along.

    Examples
    --------
    >>> angle_across_fibre(np.eye(3)[:2], np.eye(3)[[1, 1]]).round(6)
    array([45., 90.])
    """
    sine = np.sin(np.radians(acute_angle(gradient, v1)))
    turn = (np.arange(_TURNS) + 0.5) / _TURNS * np.pi / 2
    total = np.zeros(len(sine))
    for cosine in np.cos(turn):
        total += np.arccos(sine * cosine)
    return np.asarray(np.degrees(total / _TURNS), np.float64)


def compare_angles(
    estimate: NDArray[np.floating[Any]],
    gradient: NDArray[np.floating[Any]],
    v1: NDArray[np.floating[Any]],
    v3: NDArray[np.floating[Any]],
) -> AngleComparison:
    """Compare estimated gradients with real ones, beside what fibres alone would give.

    Parameters
    ----------
    estimate, gradient : array of float, shape (N, 3)
        Estimated and by finite differences, in world axes; voxels without either do not count.
    v1, v3 : array of float, shape (N, 3)
        Directions of the largest and smallest eigenvalue of the tensor.

    Raises
    ------
    ValueError
        If no voxel has both.
    """
    angles = acute_angle(estimate, gradient)
    third, across = acute_angle(v3, gradient), angle_across_fibre(gradient, v1)
    known = np.isfinite(angles) & np.isfinite(third) & np.isfinite(across)
    if not known.any():
        raise ValueError('no voxel has both an estimated and a real gradient')
    summaries = [_summarise(values[known]) for values in (angles, third, across)]
    fibre = min(summaries[1].mean, summaries[2].mean)
    return AngleComparison(
        int(known.sum()),
        summaries[0],
        AngleSummary(CHANCE_MEAN, CHANCE_MEDIAN),
        summaries[1],
        summaries[2],
        CHANCE_MEAN - summaries[0].mean,
        fibre - summaries[0].mean,
    )


def _summarise(angles: NDArray[np.float64]) -> AngleSummary:
    return AngleSummary(float(angles.mean()), float(np.median(angles)))
