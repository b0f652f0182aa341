"""The white, midthickness and pial surfaces of a hemisphere from relative positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import smooth
from mriderived.core.surface_geometry import triangle_areas
from mriderived.core.surface_grid import coarsen, refine, to_fine
from mriderived.core.surface_intersections import intersecting
from mriderived.core.surface_mesh import (
    Faces,
    Neighbours,
    Points,
    boundary_mesh,
    component_count,
    euler_number,
    neighbours,
)
from mriderived.core.surface_projection import project, sample
from mriderived.core.surface_topology import Ball, make_ball
from mriderived.core.surface_untangle import Untangled, untangle

Volume = NDArray[np.float32]
Vertices = NDArray[np.float32]

#: Edge of the voxels whose faces become the mesh, in mm.
_MESH_MM = 1.0
#: Smoothing of the position for the midthickness and for the other two surfaces, in mm.
_MID_SMOOTHING_MM = 0.4
_LAYER_SMOOTHING_MM = 0.25
#: Positions on the way to the two boundaries. There the position stops changing; the smoothing
#: rounds that bend off by 0.12 mm over the thickness, 0.05 where it is 2.5 mm.
_WHITE_LEVELS = (0.6, 0.7, 0.8, 0.9, 0.95)
_PIAL_LEVELS = (0.4, 0.3, 0.2, 0.1, 0.05)
#: Room kept between the two banks of a buried sulcus, in mm.
_CLEARANCE_MM = 0.35
#: A vertex is on its surface if the position there is this close to the surface's.
_TOLERANCE = 0.05


@dataclass(frozen=True)
class SurfaceQuality:
    """Numbers that tell whether the surfaces can be used.

    Attributes
    ----------
    euler_number, components : int
        2 and 1 for a sphere.
    voxels_cut, voxels_filled : int
        Voxels (1 mm³) changed to get that topology.
    off_white, off_midthickness, off_pial : float
        Share of vertices whose position differs by more than 0.05 from that of the surface.
        The pial surface stops before it meets itself in buried sulci.
    intersecting_white, intersecting_midthickness, intersecting_pial : float
        Share of triangles that intersect another of the same surface.
    flipped_white, flipped_pial : float
        Share of triangles that face away from their counterpart on the midthickness.
    intersecting_white_pial : float
        Share of white triangles that intersect the pial surface.
    area_white, area_midthickness, area_pial : float
        In mm², the cut faces at the medial wall included.
    """

    euler_number: int
    components: int
    voxels_cut: int
    voxels_filled: int
    off_white: float
    off_midthickness: float
    off_pial: float
    intersecting_white: float
    intersecting_midthickness: float
    intersecting_pial: float
    flipped_white: float
    flipped_pial: float
    intersecting_white_pial: float
    area_white: float
    area_midthickness: float
    area_pial: float


@dataclass(frozen=True)
class Layers:
    """Three closed surfaces with the same triangles.

    Attributes
    ----------
    white, midthickness, pial : array of float32, shape (n, 3)
        In voxels of the position volume.
    faces : array of int32, shape (m, 3)
        Counter-clockwise from outside, where the voxel axes are right-handed.
    quality : SurfaceQuality
    """

    white: Vertices
    midthickness: Vertices
    pial: Vertices
    faces: Faces
    quality: SurfaceQuality


def reconstruct(position: Volume, voxel_mm: float) -> Layers:
    """Reconstruct the surfaces of one hemisphere.

    Parameters
    ----------
    position : array of float32, shape (x, y, z)
        1 in white matter and what it encloses, 0 outside the cortex; in the cortex the relative
        distance from the pial side. Where two banks of a sulcus touch, 0 between them.
    voxel_mm : float
        Edge of the (isotropic) voxels.

    Returns
    -------
    Layers
        The same bits for any number of threads.

    Raises
    ------
    ValueError
        If nothing lies above 0.5, or the position is not finite.

    Notes
    -----
    The midthickness is the level 0.5: voxels of 1 mm above it, made a ball
    (`surface_topology.make_ball`), give the mesh (`surface_mesh.boundary_mesh`), which Newton
    steps bring onto the level of the fine grid (`surface_projection.project`). The other two
    follow the gradient level by level, as one sheet, so that they do not cross it; what still
    intersects itself is drawn back (`surface_untangle.untangle`).
    """
    if not np.isfinite(position).all():
        raise ValueError('The position within the cortex is not finite everywhere.')
    factor = max(1, round(_MESH_MM / voxel_mm))
    blocks = coarsen(position, factor)
    ball = make_ball(blocks)
    start, faces = boundary_mesh(ball.mask, blocks)
    start = to_fine(start, factor)
    around = neighbours(faces)
    corrected = _follow(ball, blocks, position, factor)

    field = smooth(corrected, _MID_SMOOTHING_MM / voxel_mm)
    middle = project(start, faces, around, field, 0.5, 20)
    mid = untangle(middle, faces, around, middle)
    field = smooth(corrected, _LAYER_SMOOTHING_MM / voxel_mm)
    clearance = _CLEARANCE_MM / voxel_mm
    white = _march(mid.points, faces, around, field, _WHITE_LEVELS, -clearance)
    pial = _march(mid.points, faces, around, field, _PIAL_LEVELS, clearance)

    quality = _quality(ball, faces, field, voxel_mm, (white, mid, pial))
    return Layers(
        white=white.points.astype(np.float32),
        midthickness=mid.points.astype(np.float32),
        pial=pial.points.astype(np.float32),
        faces=faces,
        quality=quality,
    )


def _follow(ball: Ball, blocks: Volume, position: Volume, factor: int) -> Volume:
    """Make the position follow the changed topology."""
    corrected = position.copy()
    corrected[refine(~ball.mask & (blocks > 0.5), factor, position.shape)] = 0
    corrected[refine(ball.mask & (blocks <= 0.5), factor, position.shape)] = 1
    return corrected


def _march(
    middle: Points,
    faces: Faces,
    around: Neighbours,
    field: Volume,
    levels: tuple[float, ...],
    clearance: float,
) -> Untangled:
    """Bring the midthickness from level to level and untangle what arrives."""
    current = middle
    for level in levels:
        current = project(
            current,
            faces,
            around,
            field,
            level,
            iterations=6,
            relaxation=0.15,
            longest=0.3,
            clearance=clearance,
        )
    return untangle(current, faces, around, middle)


def _quality(
    ball: Ball,
    faces: Faces,
    field: Volume,
    voxel_mm: float,
    layers: tuple[Untangled, Untangled, Untangled],
) -> SurfaceQuality:
    white, mid, pial = layers
    levels = (_WHITE_LEVELS[-1], 0.5, _PIAL_LEVELS[-1])
    off = [
        float((np.abs(sample(field, layer.points) - level) > _TOLERANCE).mean())
        for layer, level in zip(layers, levels, strict=True)
    ]
    areas = [float(triangle_areas(layer.points, faces).sum() * voxel_mm**2) for layer in layers]
    return SurfaceQuality(
        euler_number=euler_number(faces),
        components=component_count(faces),
        voxels_cut=int(ball.cut.sum()),
        voxels_filled=int(ball.filled.sum()),
        off_white=off[0],
        off_midthickness=off[1],
        off_pial=off[2],
        intersecting_white=float(white.intersecting.mean()),
        intersecting_midthickness=float(mid.intersecting.mean()),
        intersecting_pial=float(pial.intersecting.mean()),
        flipped_white=float(white.flipped.mean()),
        flipped_pial=float(pial.flipped.mean()),
        intersecting_white_pial=float(intersecting(white.points, faces, pial.points).mean()),
        area_white=areas[0],
        area_midthickness=areas[1],
        area_pial=areas[2],
    )
