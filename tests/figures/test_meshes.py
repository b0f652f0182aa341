"""Outlines of meshes on slices: closed, of the right length, in the right place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.colors import to_hex

from mriderived.core.surface_mesh import boundary_mesh
from mriderived.figures.meshes import Outlined, cut_mesh, mesh_mosaic

RADIUS = 20.0
CENTRE = np.array([30.3, 25.1, 28.7])


@pytest.fixture(scope='module')
def sphere() -> tuple[np.ndarray, np.ndarray]:
    """Return a mesh of the faces of voxels, drawn onto a sphere: closed and without poles."""
    away = np.indices((60, 60, 60)) - 29.5
    ball = np.sqrt((away**2).sum(axis=0)) < 20
    points, faces = boundary_mesh(ball, ball.astype(np.float32))
    out = points - points.mean(axis=0)
    return out / np.linalg.norm(out, axis=1)[:, None] * RADIUS + CENTRE, faces


def length(line: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


@pytest.mark.parametrize('axis', range(3))
@pytest.mark.parametrize('away', [0.0, -11.3, 16.0])
def test_a_cut_of_a_sphere_is_one_closed_circle(sphere, axis: int, away: float) -> None:
    (line,) = cut_mesh(*sphere, axis, CENTRE[axis] + away)
    assert np.array_equal(line[0], line[-1])
    assert line[:, axis] == pytest.approx(CENTRE[axis] + away)
    radius = np.sqrt(RADIUS**2 - away**2)
    assert length(line) == pytest.approx(2 * np.pi * radius, rel=0.01)
    found = np.linalg.norm(np.delete(line - CENTRE, axis, axis=1), axis=1)
    assert found == pytest.approx(radius, abs=0.2)


def test_a_plane_through_vertices_is_no_special_case() -> None:
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4],
                      [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])  # fmt: skip
    (line,) = cut_mesh(points, faces, 2, 0.0)
    assert length(line) == pytest.approx(4 * np.sqrt(2), rel=1e-5)


def test_a_plane_beside_the_mesh_cuts_nothing(sphere) -> None:
    assert cut_mesh(*sphere, 0, CENTRE[0] + RADIUS + 1) == []


def test_two_parts_are_two_loops(sphere) -> None:
    points, faces = sphere
    both = np.concatenate([points, points + np.array([50, 0, 0])])
    lines = cut_mesh(both, np.concatenate([faces, faces + len(points)]), 1, CENTRE[1])
    assert sorted(round(line[:, 0].mean() / 10) for line in lines) == [3, 8]


AFFINES = {
    'RAS': np.array([[1.0, 0, 0, -30], [0, 1, 0, -20], [0, 0, 1, -25], [0, 0, 0, 1]]),
    'LAS': np.array([[-1.0, 0, 0, 30], [0, 1, 0, -20], [0, 0, 1, -25], [0, 0, 0, 1]]),
}


def loops(figure, place: int) -> Iterator[np.ndarray]:
    """Yield the lines (n, 2; pixels) of one of the outlines."""
    path = figure.axes[0].patches[place].get_path()
    starts = np.flatnonzero(path.codes == 1)
    yield from np.split(path.vertices, starts[1:])


@pytest.mark.parametrize('name', AFFINES)
def test_the_mosaic_outlines_what_the_image_shows(sphere, name: str) -> None:
    """A bright ball in the image and a sphere around it: inside is bright, outside dark."""
    affine = AFFINES[name]
    points, faces = sphere
    points = (points - CENTRE) * (14 / RADIUS) + [6.0, 4, 3]
    grid = affine[:3, :3] @ np.indices((60, 50, 56)).reshape(3, -1) + affine[:3, 3:]
    away = np.linalg.norm(grid - np.array([[6.0], [4], [3]]), axis=0).reshape(60, 50, 56)
    image = np.where(away < 14, 100, 10).astype(np.float32)
    wide = (points - [6.0, 4, 3]) * 1.2 + [6.0, 4, 3]
    figure = mesh_mosaic(image, affine, [
        Outlined([(wide, faces)], '#ffaa00', 'outer'),
        Outlined([(points, faces)], '#00ffff', 'in'),
    ])  # fmt: skip
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['outer', 'in']
    assert [to_hex(line.get_color()) for line in legend.get_lines()] == ['#ffaa00', '#00ffff']
    assert [to_hex(patch.get_edgecolor()) for patch in figure.axes[0].patches] == [
        '#ffaa00', '#00ffff',
    ]  # fmt: skip
    picture = np.asarray(figure.axes[0].images[0].get_array())[..., 0]
    (left, right, bottom, top) = figure.axes[0].images[0].get_extent()
    assert (left, top) == (0, 0)
    assert (right, bottom) == picture.shape[::-1]
    bright = picture > picture.max() * 0.6
    found = list(loops(figure, 1))
    assert len(found) > 10
    for line in found:
        middle = line.mean(axis=0)
        for factor, is_bright in ((0.85, True), (1.15, False)):
            x, y = (middle + factor * (line - middle)).T.astype(int)
            kept = (x >= 0) & (y >= 0) & (x < bright.shape[1]) & (y < bright.shape[0])
            assert (bright[y[kept], x[kept]] == is_bright).mean() > 0.95


def test_small_loops_are_left_out(sphere) -> None:
    points, faces = sphere
    image = np.zeros((60, 60, 60), np.float32)
    image[10:50, 10:50, 10:50] = 1
    counts = []
    for size in (0.01, 0.3):
        inner = (points - CENTRE) * size + CENTRE
        meshes = [(points, faces), (inner, faces)]
        figure = mesh_mosaic(image, np.eye(4), [Outlined(meshes, '#ffaa00', 'both')])
        counts.append(len(list(loops(figure, 0))))
    assert counts[0] == 18  # three rows of six cuts through the outer sphere
    assert counts[1] > counts[0]
