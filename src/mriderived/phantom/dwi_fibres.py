"""Where the fibres of a synthetic head run: three smooth populations that cross, or layers.

Points and directions are those of template space (MNI152, mm, RAS). The populations are named
after what they are like: commissural fibres that leave the corpus callosum left and right and fan
out, projection fibres that rise from the brainstem, association fibres that run from front to
back along the outline of the brain. Where one becomes the larger one, the other seems to end, so
their course does not tell the axes of a gradient table. That of layers does: fibres run through
the whole of an oblique layer, and across those of the next.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.phantom.deformation import Deformation
from mriderived.phantom.dwi_options import FibreLayout

Matrix = NDArray[np.float64]

#: A second population of a smaller share than this among the two is left out.
LEAST = 0.3
#: The callosal fan opens from this line of the sagittal plane; mm from the midline to 45 degrees.
FAN, HALF_OPEN = (-5.0, 0.0), 22.0
#: Where the rising fibres come from.
ROOT = (0.0, -35.0, -75.0)
#: Half axes and centre of the outline that association fibres follow, in the axial plane.
OUTLINE, OUTLINE_CENTRE = (65.0, 85.0), -15.0
#: Thickness of a layer in mm, and, as rows, how layers are stacked and the two directions of
#: their fibres in turn: no exchange of axes or signs leaves both within their layers.
LAYER_MM = 11.0
LAYERS = np.array([[9.0, -2, 6], [6, 6, -7], [-2, 9, 6]]) / 11


class Fibres(NamedTuple):
    """Unit vectors (n, 3) of two populations, and the share of the second, 0 to 0.5."""

    first: Matrix
    second: Matrix
    share: Matrix


def lay_fibres(
    points: NDArray[Any], deformation: Deformation, layout: FibreLayout = 'populations'
) -> Fibres:
    """Return the fibres at points (n, 3) of the scanner's space, in mm, along its axes."""
    lay = lay_template_layers if layout == 'layers' else lay_template_fibres
    found = lay(deformation.to_template(points))
    # a line along v in the scanner is one along A v in the template
    back = np.linalg.inv(deformation.matrix[:3, :3]).T
    return found._replace(first=_unit(found.first @ back), second=_unit(found.second @ back))


def lay_template_fibres(points: Matrix) -> Fibres:
    """Return the fibres at points (n, 3) of template space, along its axes."""
    weights = np.stack([_commissural_weight(points), _projection_weight(points),
                        _association_weight(points)], axis=1)  # fmt: skip
    directions = np.stack(
        [_commissural(points), _projection(points), _association(points)], axis=1
    )
    order = np.argsort(-weights, axis=1, kind='stable')[:, :2]
    rows = np.arange(len(points))
    first, second = weights[rows, order[:, 0]], weights[rows, order[:, 1]]
    share = second / (first + second)
    share[share < LEAST] = 0
    return Fibres(directions[rows, order[:, 0]], directions[rows, order[:, 1]], share)


def lay_template_layers(points: Matrix) -> Fibres:
    """Return the fibres of layers at points (n, 3) of template space, one direction at each.

    Examples
    --------
    >>> found = lay_template_layers(np.array([[0.0, 0, 0], 11.0 * LAYERS[0], 90 * LAYERS[1]]))
    >>> (11 * found.first).round().astype(int).tolist()
    [[6, 6, -7], [-2, 9, 6], [6, 6, -7]]
    """
    number = np.floor(points @ LAYERS[0] / LAYER_MM + 0.5).astype(np.intp) % 2
    return Fibres(LAYERS[1 + number], LAYERS[2 - number], np.zeros(len(points)))


def _unit(vectors: Matrix) -> Matrix:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _rise(value: Matrix, width: float) -> Matrix:
    return np.asarray(1 / (1 + np.exp(-np.clip(value / width, -50, 50))))


def _commissural(points: Matrix) -> Matrix:
    x, y, z = points.T
    outward = np.stack([y - FAN[0], z - FAN[1]], axis=1)
    # the fan is undefined on its line, where it is made to fade
    outward /= np.sqrt((outward**2).sum(axis=1, keepdims=True) + 10.0**2)
    turn = (x / HALF_OPEN) * np.abs(x / HALF_OPEN)
    return _unit(np.stack([np.ones_like(x), turn * outward[:, 0], turn * outward[:, 1]], axis=1))


def _projection(points: Matrix) -> Matrix:
    away = points - ROOT
    away[:, 2] = np.sqrt(away[:, 2] ** 2 + 15.0**2)
    return _unit(away)


def _association(points: Matrix) -> Matrix:
    x, y, _ = points.T
    a, b = OUTLINE
    along = np.stack([-(y - OUTLINE_CENTRE) / b**2, x / a**2, np.zeros_like(x)], axis=1)
    # on the right it runs to the front, on the left to the back: the same line
    along[:, 1] += np.where(x >= 0, 1.0, -1.0) * 1e-4
    return _unit(along)


def _commissural_weight(points: Matrix) -> Matrix:
    x, _, z = points.T
    return np.asarray(np.exp(-((x / 34) ** 4)) * _rise(z + 4, 4.0) + 1e-3)


def _projection_weight(points: Matrix) -> Matrix:
    x, y, z = points.T
    middle = 20 + 0.08 * np.clip(z, 0, None)
    bundle = np.exp(-0.5 * ((np.abs(x) - middle) / 8) ** 2 - 0.5 * ((y + 18) / 24) ** 2)
    return np.asarray(1.1 * bundle * _rise(z + 14, 3.0) + 2 * _rise(-14 - z, 3.0))


def _association_weight(points: Matrix) -> Matrix:
    x, y, z = points.T
    lateral = _rise(np.abs(x) - 33, 3.0) + _rise(np.abs(y - OUTLINE_CENTRE) - 48, 4.0)
    return np.asarray(np.minimum(lateral, 1) * _rise(z + 16, 4.0))
