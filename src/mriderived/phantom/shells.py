"""What surrounds the brain: skull with marrow, scalp, face with eyes and air, neck.

Drawn to look like a head to a brain extraction; none of it is true to any single anatomy.
Intensities are those of a T1w with white matter at 110 and cortex at 80.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Volume = NDArray[np.float32]
Axes = tuple[Any, Any, Any]

BONE, MARROW, MUSCLE, FAT, SKIN = 6.0, 70.0, 55.0, 125.0, 75.0
FLUID, CORD, CARTILAGE = 30.0, 95.0, 45.0
CAPSULE = 140.0
#: Where the box of the head begins and ends in template space (mm), 1 mm voxels.
LOW, HIGH = (-104, -140, -160), (104, 126, 116)
#: Zones: nothing to draw; head, well away from the brain; brain and what is near.
AIR, HEAD, NEAR = 0, 1, 2
NEAR_MM = 4.0
#: The capsule marks the participant's left temple, as radiographers do.
CAPSULE_AT, CAPSULE_RADIUS = (-60.0, 10.0, 12.0), 6.0


class Shells(NamedTuple):
    """Intensity outside the brain and the zone of every voxel, 1 mm voxels from :data:`LOW`."""

    intensity: Volume
    zone: NDArray[np.uint8]
    capsule: tuple[float, float, float]


def draw_shells(level: Volume, origin: NDArray[Any], spacing: float) -> Shells:
    """Draw everything but the brain, whose surface is where ``level`` is 0."""
    axes = _axes()
    distance = _distance(level, origin, spacing)
    depth = _depth(distance, axes)
    texture = _texture(distance.shape)
    intensity = _soft_tissue(depth, texture)
    _paint_face(intensity, depth, axes)
    _paint_skull(intensity, distance, depth, texture, axes)
    _paint_cord(intensity, distance, axes)
    intensity *= depth < 0
    intensity *= 1 + 0.10 * texture
    capsule = _paint_capsule(intensity, depth, axes)
    zone = np.where(ndimage.binary_dilation(intensity > 1, iterations=4), HEAD, AIR)
    zone[distance < NEAR_MM] = NEAR
    return Shells(
        np.ascontiguousarray(intensity, dtype=np.float32), zone.astype(np.uint8), capsule
    )


def _axes() -> Axes:
    x, y, z = np.ogrid[tuple(slice(a, b + 1) for a, b in zip(LOW, HIGH, strict=True))]
    return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def _distance(level: Volume, origin: NDArray[Any], spacing: float) -> Volume:
    """Distance from the brain's surface in mm, negative inside."""
    shape = tuple(b - a + 1 for a, b in zip(LOW, HIGH, strict=True))
    inside = ndimage.affine_transform(
        level,
        np.diag([1 / spacing] * 3),
        (np.array(LOW) - origin) / spacing,
        output_shape=shape,
        order=1,
        cval=-0.5,
    )
    outside = ndimage.distance_transform_edt(inside < 0).astype(np.float32)
    depth = ndimage.distance_transform_edt(inside >= 0).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(outside - depth, 1.0), dtype=np.float32)


def _ball(axes: Axes, centre: tuple[float, float, float], radii: tuple[float, ...]) -> Volume:
    """Distance from an ellipsoid's surface (mm, roughly), negative inside."""
    parts = [((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii, strict=True)]
    scaled = np.sqrt(parts[0] + parts[1] + parts[2])
    return np.asarray((scaled - 1) * min(radii), dtype=np.float32)


def _sides(axes: Axes, centre: tuple[float, float, float], radii: tuple[float, ...]) -> Volume:
    """Like :func:`_ball`, on both sides of the midline."""
    return _ball((np.abs(axes[0]), *axes[1:]), centre, radii)


def _depth(distance: Volume, axes: Axes) -> Volume:
    """Distance from the skin in mm, negative inside: cranium, face, jaw, nose, ears and neck."""
    x, y, z = axes
    smooth = ndimage.gaussian_filter(distance, 4.0)
    thickness = 12.5 + 2.0 * np.exp(-(((z + 30) / 30) ** 2)) + 0.02 * np.abs(y)
    cylinder = np.sqrt((x / 56) ** 2 + ((y + 28 + 0.25 * (z + 60)) / 58) ** 2)
    neck = np.where(z < -45, (cylinder - 1) * 56, (cylinder - 1) * 56 + (z + 45))
    shapes = (
        smooth - thickness,
        _ball(axes, (0, 42, -52), (68, 54, 62)),
        _ball(axes, (0, 50, -105), (50, 46, 42)),
        _ball(axes, (0, 98, -62), (13, 22, 20)),
        neck,
    )
    blended = -5.0 * np.log(sum(np.exp(-np.clip(shape, -60, 60) / 5.0) for shape in shapes))
    ears = _sides(axes, (84, -22, -38), (7, 15, 26))
    return np.asarray(np.minimum(blended, ears), dtype=np.float32)


def _texture(shape: tuple[int, ...]) -> Volume:
    """Smooth noise of unit variance: no tissue outside the brain is uniform."""
    rng = np.random.default_rng(20)
    coarse = rng.standard_normal([size // 3 + 2 for size in shape], dtype=np.float32)
    smooth = ndimage.gaussian_filter(coarse, 1.2)
    fine = ndimage.zoom(smooth / smooth.std(), 3, order=1)
    return np.asarray(fine[tuple(slice(size) for size in shape)], dtype=np.float32)


def _soft_tissue(depth: Volume, texture: Volume) -> Volume:
    """Skin, then fat, then muscle streaked with fat."""
    fat_until = 6.0 + 1.5 * texture
    streaked = np.where(texture > 1.1, FAT, MUSCLE)
    tissue = np.where(depth > -1.5, SKIN, np.where(depth > -fat_until, FAT, streaked))
    return np.asarray(tissue, dtype=np.float32)


def _paint_face(intensity: Volume, depth: Volume, axes: Axes) -> None:
    paints = (
        (_sides(axes, (32, 50, -38), (20, 26, 19)), FAT * 0.9),
        (_sides(axes, (31, 62, -37), (12.5, 12.5, 12)), FLUID * 0.8),
        (_sides(axes, (31, 71, -37), (4.5, 2.5, 4.5)), MUSCLE),
        (_sides(axes, (31, 32, -36), (3, 20, 3)), MUSCLE),
        (_ball(axes, (0, 52, -95), (24, 34, 18)), MUSCLE * 1.3),
        (_ball(axes, (0, 62, -50), (11, 34, 22)), 12.0),
        (_ball(axes, (0, 30, -46), (13, 12, 8)), 4.0),
        (_sides(axes, (29, 58, -68), (13, 16, 15)), 3.0),
        (_ball(axes, (0, 10, -90), (13, 7, 34)), 2.0),
        (_ball(axes, (0, 14, -150), (9, 8, 40)), 2.0),
        (_sides(axes, (54, -28, -48), (10, 12, 14)), BONE),
        (_sides(axes, (72, -22, -42), (16, 2.5, 2.5)), 2.0),
        (_sides(axes, (42, 32, -100), (4, 22, 22)), BONE * 3),
    )
    for shape, value in paints:
        intensity[(shape < 0) & (depth < -3)] = value


def _paint_skull(
    intensity: Volume, distance: Volume, depth: Volume, texture: Volume, axes: Axes
) -> None:
    """Inner table, marrow where the bone is thick, outer table.

    Bone lies on the fluid: a layer between, such as dura, would make the brain's edge ambiguous.
    """
    thickness = 6.5 + 0.8 * texture
    skull = (distance < thickness) & (depth < -3.5)
    intensity[skull] = BONE
    marrow = (distance > 2.6) & (distance < thickness - 1.6) & (texture > -1.2)
    intensity[skull & marrow & (axes[2] > -50)] = MARROW


def _paint_cord(intensity: Volume, distance: Volume, axes: Axes) -> None:
    """Spinal cord, its fluid and the vertebrae, below the brain."""
    x, y, z = axes
    centre = -46 - 0.10 * (z + 70)
    radius = np.sqrt(x**2 + (y - centre) ** 2)
    below = (z < -58) & (distance > 0.9)
    for limit, value in ((19.0, CARTILAGE * 1.3), (12.0, BONE * 1.5), (9.5, FLUID), (5.5, CORD)):
        intensity[below & (radius < limit)] = value


def _paint_capsule(intensity: Volume, depth: Volume, axes: Axes) -> tuple[float, float, float]:
    """Put a bright capsule on the skin of the left temple and return its centre."""
    y, z = (int(CAPSULE_AT[i] - LOW[i]) for i in (1, 2))
    inside = np.flatnonzero(depth[:, y, z] < 0)
    x = float(inside.min() + LOW[0]) - CAPSULE_RADIUS + 1
    centre = (x, CAPSULE_AT[1], CAPSULE_AT[2])
    ball = _ball(axes, centre, (CAPSULE_RADIUS,) * 3)
    intensity[(ball < 0) & (depth > -0.5)] = CAPSULE
    return centre
