"""Surfaces of phantoms with known area, curvature and distance."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mriderived.core.surface_geometry import (
    mean_curvature,
    nearest_labels,
    sulcal_depth,
    triangle_areas,
    vertex_areas,
)
from mriderived.core.surface_intersections import flipped, intersecting
from mriderived.core.surface_layers import reconstruct
from mriderived.core.surface_mesh import boundary_mesh, neighbours, vertex_normals
from mriderived.core.surface_untangle import untangle

VOXEL = 0.5
RADIUS = 20.0
THICKNESS = 2.5


def grid(shape, centre):
    return (np.indices(shape).T - centre).T * VOXEL


def as_position(height):
    """Return the position for a height in mm above the midthickness."""
    return np.clip(0.5 - height / THICKNESS, 0, 1).astype(np.float32)


@pytest.fixture(scope='module')
def sphere():
    centre = np.array([50.3, 49.6, 50.9])
    position = as_position(np.linalg.norm(grid((101, 101, 101), centre), axis=0) - RADIUS)
    return position, centre, reconstruct(position, VOXEL)


def test_sphere_has_the_area_and_distance_of_each_layer(sphere):
    _, centre, layers = sphere
    for name, radius in (('white', 18.75), ('midthickness', 20.0), ('pial', 21.25)):
        points = getattr(layers, name)
        distance = np.linalg.norm(points - centre, axis=1) * VOXEL
        assert distance.mean() == pytest.approx(radius, abs=0.06), name
        assert distance.std() < 0.04, name
        area = triangle_areas(points * VOXEL, layers.faces).sum()
        assert area == pytest.approx(4 * np.pi * radius**2, rel=0.01), name
        assert getattr(layers.quality, f'area_{name}') == pytest.approx(area, rel=1e-4)


def test_sphere_is_one_closed_surface_without_intersections(sphere):
    quality = sphere[2].quality
    assert (quality.euler_number, quality.components) == (2, 1)
    assert (quality.voxels_cut, quality.voxels_filled) == (0, 0)
    for name in ('white', 'midthickness', 'pial', 'white_pial'):
        assert getattr(quality, f'intersecting_{name}') == 0
    assert quality.flipped_white == quality.flipped_pial == 0
    assert max(quality.off_white, quality.off_midthickness, quality.off_pial) == 0


def test_sphere_has_curvature_one_over_r_negative_and_outward_normals(sphere):
    _, centre, layers = sphere
    curvature = mean_curvature(layers.midthickness * VOXEL, layers.faces)
    assert np.median(curvature) == pytest.approx(-1 / RADIUS, rel=0.03)
    assert curvature.mean() == pytest.approx(-1 / RADIUS, rel=0.03)
    normals = vertex_normals(layers.midthickness.astype(float), layers.faces)
    radial = layers.midthickness - centre
    radial /= np.linalg.norm(radial, axis=1)[:, None]
    assert (normals * radial).sum(-1).min() > 0.98


def test_layers_have_the_same_bits_whatever_runs_beside_them(sphere):
    position, _, expected = sphere
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(reconstruct, [position] * 2, [VOXEL] * 2))
    for layers in results:
        for name in ('white', 'midthickness', 'pial', 'faces'):
            np.testing.assert_array_equal(getattr(layers, name), getattr(expected, name))
        assert layers.quality == expected.quality


def ellipsoid_area(a, b, c):
    """Integrate the area element over the two angles."""
    u, v = np.meshgrid((np.arange(400) + 0.5) * np.pi / 400, (np.arange(800) + 0.5) * np.pi / 400)
    su, cu, sv, cv = np.sin(u), np.cos(u), np.sin(v), np.cos(v)
    element = su * np.sqrt((b * c * su * cv) ** 2 + (a * c * su * sv) ** 2 + (a * b * cu) ** 2)
    return element.sum() * (np.pi / 400) ** 2


def ellipsoid(turn):
    """Return the position around an ellipsoid of half axes 20, 14 and 10 mm."""
    axes = np.array([20.0, 14.0, 10.0])
    points = np.einsum('ij,jxyz->ixyz', turn, grid((96, 96, 96), [47.2, 47.7, 47.4]))
    scaled = (points.T / axes).T
    level = np.sqrt((scaled**2).sum(0))
    slope = np.sqrt((((scaled.T) / axes).T ** 2).sum(0)) / np.maximum(level, 1e-6)
    return as_position((level - 1) / np.maximum(slope, 1e-6))


def test_ellipsoid_has_its_area_in_any_orientation():
    a, b = np.deg2rad([25, 40])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    straight, turned = (reconstruct(ellipsoid(m), VOXEL).quality for m in (np.eye(3), turn))
    expected = ellipsoid_area(20, 14, 10)
    assert straight.area_midthickness == pytest.approx(expected, rel=0.01)
    assert turned.area_midthickness == pytest.approx(straight.area_midthickness, rel=0.003)
    assert turned.area_white == pytest.approx(straight.area_white, rel=0.01)
    assert turned.area_pial == pytest.approx(straight.area_pial, rel=0.01)


@pytest.fixture(scope='module')
def folded():
    """A block whose top is a sheet with sulci 6 mm deep, 8 mm apart: their banks touch."""
    x, y, z = grid((110, 80, 70), [54.5, 39.5, 28.0])
    crest = 4 + 3 * np.cos(2 * np.pi * x / 8)
    steep = np.sqrt(1 + (3 * 2 * np.pi / 8 * np.sin(2 * np.pi * x / 8)) ** 2)
    top = (z - crest) / steep
    sides = np.maximum.reduce([np.abs(x) - 20, np.abs(y) - 14, -8 - z])
    return as_position(np.maximum(top, sides))


def test_folded_sheet_does_not_cross_itself_and_sulci_are_deep(folded):
    layers = reconstruct(folded, VOXEL)
    quality = layers.quality
    assert (quality.euler_number, quality.components) == (2, 1)
    shares = [
        quality.intersecting_white,
        quality.intersecting_midthickness,
        quality.intersecting_pial,
        quality.flipped_white,
        quality.flipped_pial,
        quality.intersecting_white_pial,
    ]
    assert max(shares) < 0.005
    assert quality.off_midthickness < 0.02

    place = (layers.midthickness - np.array([54.5, 39.5, 28.0])) * VOXEL
    phase = np.cos(2 * np.pi * place[:, 0] / 8)
    central = (np.abs(place[:, 0]) < 14) & (np.abs(place[:, 1]) < 8) & (place[:, 2] > 0)
    crowns, fundi = central & (phase > 0.9), central & (phase < -0.9)
    curvature = mean_curvature(layers.midthickness * VOXEL, layers.faces)
    assert np.median(curvature[crowns]) < -0.3
    assert np.median(curvature[fundi]) > 0.3
    depth = sulcal_depth(layers.midthickness, folded, VOXEL)
    assert np.median(depth[crowns]) < 0.7
    assert np.median(depth[fundi]) > 4


def test_banks_of_a_buried_sulcus_come_close_but_do_not_touch():
    """Cortex of 3 mm along a slit without width, 12 mm deep, in a block."""
    centre = np.array([44.3, 44.7, 44.1])
    x, y, z = grid((90, 90, 90), centre)
    slit = np.where(z > -2, np.abs(x), np.hypot(x, z + 2))
    sides = np.minimum.reduce([18 - np.abs(x), 18 - np.abs(y), 10 - z, z + 18])
    layers = reconstruct(np.clip(np.minimum(slit, sides) / 3, 0, 1).astype(np.float32), VOXEL)
    quality = layers.quality
    assert (quality.euler_number, quality.components) == (2, 1)
    assert quality.intersecting_pial == quality.intersecting_white == 0
    assert quality.intersecting_white_pial == 0

    place = (layers.pial - centre) * VOXEL
    started = (layers.midthickness - centre) * VOXEL
    banks = (np.abs(started[:, 0]) < 3) & (np.abs(started[:, 1]) < 12)
    banks &= (started[:, 2] > 0) & (started[:, 2] < 5)
    assert (np.sign(place[banks, 0]) == np.sign(started[banks, 0])).all()
    assert np.abs(place[banks, 0]).max() < 0.5
    white = np.abs((layers.white[banks, 0] - centre[0]) * VOXEL)
    assert white.mean() == pytest.approx(3, abs=0.1)


def test_what_was_taken_off_does_not_attract_the_surface(sphere):
    position, _, layers = sphere
    spoilt = position.copy()
    spoilt[3:9, 3:9, 3:9] = 1  # an island
    spoilt[48:53, 48:53, 48:53] = 0  # a cavity
    repaired = reconstruct(spoilt, VOXEL)
    assert repaired.quality.voxels_filled > 0
    assert repaired.quality.area_white == pytest.approx(layers.quality.area_white, rel=1e-3)
    assert repaired.quality.area_pial == pytest.approx(layers.quality.area_pial, rel=1e-3)


def test_a_position_that_is_not_finite_is_refused(sphere):
    position = sphere[0].copy()
    position[50, 50, 50] = np.nan
    with pytest.raises(ValueError, match='position within the cortex is not finite'):
        reconstruct(position, VOXEL)


def cube():
    mask = np.zeros((12, 12, 12), bool)
    mask[2:10, 2:10, 2:10] = True
    return boundary_mesh(mask, mask.astype(np.float32))


def test_a_vertex_pulled_through_the_other_side_is_found_and_put_back():
    points, faces = cube()
    assert not intersecting(points, faces).any()
    top = np.argmin(np.linalg.norm(points - [5.5, 5.5, 9.5], axis=1))
    spoilt = points.copy()
    spoilt[top, 2] = -3
    hit = intersecting(spoilt, faces)
    assert hit[(faces == top).any(1)].any()
    assert hit[(faces != top).all(1)].any()
    assert not flipped(points, faces, points).any()

    result = untangle(spoilt, faces, neighbours(faces), points)

    assert not result.intersecting.any()
    assert not result.flipped.any()
    far = np.linalg.norm(points - points[top], axis=1) > 5
    np.testing.assert_array_equal(
        result.points[far & (points[:, 2] > 4)], points[far & (points[:, 2] > 4)]
    )


def test_two_surfaces_that_cross_are_found():
    points, faces = cube()
    assert not intersecting(points, faces, points * 1.2 - 1.1).any()
    moved = intersecting(points, faces, points + np.array([4.03, 0.01, 0.02]))
    assert 0.05 < moved.mean() < 0.5


def test_vertex_areas_sum_to_the_area_and_labels_keep_to_their_range():
    points, faces = cube()
    assert vertex_areas(points, faces).sum() == pytest.approx(
        triangle_areas(points, faces).sum(), rel=1e-6
    )
    labels = np.zeros((12, 12, 12), np.int16)
    labels[2:10, 2:10, 2:6] = 3
    labels[2:10, 2:10, 6:10] = 8
    found = nearest_labels(labels, points)
    assert set(found[points[:, 2] < 4]) == {3}
    assert set(found[points[:, 2] > 7]) == {8}
    only = np.arange(9) == 3
    assert set(nearest_labels(labels, points, only, 2.0)[points[:, 2] > 8]) == {0}
