"""Take self-intersections and folded-over triangles out of a layer of the cortex."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.surface_intersections import flipped, intersecting
from mriderived.core.surface_mesh import Faces, Neighbours, Points

#: Increase, per iteration, of the part of the way that bad vertices go to the reference.
_PULL = 0.03


@dataclass(frozen=True)
class Untangled:
    """A layer, and the triangles of it that are still intersecting or folded over."""

    points: Points
    intersecting: NDArray[np.bool_]
    flipped: NDArray[np.bool_]


def untangle(
    points: Points, faces: Faces, around: Neighbours, reference: Points, iterations: int = 12
) -> Untangled:
    """Draw the vertices of bad triangles to their neighbours and towards a better surface.

    Bad are triangles that intersect another or face away from the same one of ``reference``.
    Only their vertices and those next to them move; the others keep their bits. The pull towards
    ``reference``, which costs thickness, grows with the iterations.

    Parameters
    ----------
    points, reference : array, shape (n, 3)
    faces, around
        The mesh.
    iterations : int

    Returns
    -------
    Untangled
    """
    current = points.copy()
    folded = flipped(current, faces, reference)
    crossed = intersecting(current, faces)
    for iteration in range(iterations):
        bad = folded | crossed
        if not bad.any():
            break
        core = np.zeros(len(points), bool)
        core[faces[bad]] = True
        moving = np.zeros(len(points), bool)
        moving[faces[core[faces].any(1)]] = True
        target = np.empty_like(current)
        pull = _PULL * iteration
        _draw(current, reference, around.start, around.index, core, moving, pull, target)
        current = target
        folded = flipped(current, faces, reference)
        crossed = intersecting(current, faces, only=bad | moving[faces].any(1))
    return Untangled(current, crossed, folded)


@numba.njit(nogil=True, cache=True)
def _draw(points, reference, start, index, core, moving, pull, target):  # type: ignore[no-untyped-def]
    for v in range(points.shape[0]):
        for axis in range(3):
            value = points[v, axis]
            if moving[v]:
                total = 0.0
                for slot in range(start[v], start[v + 1]):
                    total += points[index[slot], axis]
                value = 0.5 * (value + total / (start[v + 1] - start[v]))
            if core[v]:
                value += pull * (reference[v, axis] - value)
            target[v, axis] = value
