"""Where cuts go, how they are sampled, and that left stays left."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.figures.slices import (
    bounding_box,
    paint,
    plan_layout,
    resample,
    sample_cell,
    to_ras,
    window,
)

MASK = np.zeros((20, 24, 22), dtype=bool)
MASK[5:15, 4:20, 6:18] = True


def test_axes_are_turned_to_right_front_top() -> None:
    data = np.arange(24).reshape(2, 3, 4)
    affine = np.diag([-1.0, 1.0, 2.0, 1.0])
    affine[:3, 3] = (10, -5, 3)
    turned, ras = to_ras(data, affine)
    assert np.array_equal(turned, data[::-1])
    assert ras[0, 0] == 1
    # the same voxel keeps its place in the world
    assert np.allclose(ras @ (0, 1, 2, 1), affine @ (1, 1, 2, 1))


def test_box_follows_the_mask_and_stays_in_the_image() -> None:
    assert bounding_box(MASK, 0, np.ones(3)) == ((5, 14), (4, 19), (6, 17))
    assert bounding_box(MASK, 3, np.array([1, 3, 1])) == ((2, 17), (3, 20), (3, 20))
    assert bounding_box(MASK, 99, np.ones(3)) == ((0, 19), (0, 23), (0, 21))
    assert bounding_box(np.zeros_like(MASK), 0, np.ones(3)) == ((0, 19), (0, 23), (0, 21))


def test_cuts_lie_inside_the_mask_in_order() -> None:
    layout = plan_layout(MASK, np.eye(4), n_cuts=5, margin=2)
    assert [cell.plane for cell in layout.cells] == ['z'] * 5 + ['y'] * 5 + ['x'] * 5
    for plane, (low, high) in (('z', (6, 17)), ('y', (4, 19)), ('x', (5, 14))):
        places = [cell.voxel for cell in layout.cells if cell.plane == plane]
        assert places == sorted(places)
        assert low < places[0] and places[-1] < high
    assert len({(cell.left, cell.top) for cell in layout.cells}) == 15


@pytest.mark.parametrize('sizes', [(1, 1, 1), (0.5, 1, 4), (3, 0.9, 0.9)])
def test_pictures_have_the_proportions_of_the_head(sizes: tuple[float, ...]) -> None:
    layout = plan_layout(MASK, np.diag([*sizes, 1.0]), margin=0)
    spans = np.array((10, 16, 12)) * sizes
    for cell in layout.cells:
        across, up = {'z': (0, 1), 'y': (0, 2), 'x': (1, 2)}[cell.plane]
        assert cell.height / cell.width == pytest.approx(spans[up] / spans[across], abs=0.01)


def test_positions_are_in_millimetres() -> None:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-20, -30, -40)
    layout = plan_layout(MASK, affine, n_cuts=3)
    for cell in layout.cells:
        axis = 'xyz'.index(cell.plane)
        assert cell.millimetres == pytest.approx(2 * cell.voxel + affine[axis, 3])


def test_left_front_and_top_are_left_and_up() -> None:
    data = np.zeros(MASK.shape, dtype=np.float32)
    data[:10] += 1  # left half
    data[:, 12:] += 10  # front
    data[:, :, 11:] += 100  # top
    layout = plan_layout(MASK, np.eye(4), n_cuts=1, margin=0)
    axial, coronal, sagittal = (sample_cell(data, cell, layout) for cell in layout.cells)
    edge = 5
    assert axial[:, edge].mean() - axial[:, -edge].mean() == pytest.approx(1)
    assert axial[edge].mean() - axial[-edge].mean() == pytest.approx(10)
    assert coronal[:, edge].mean() - coronal[:, -edge].mean() == pytest.approx(1)
    assert coronal[edge].mean() - coronal[-edge].mean() == pytest.approx(100)
    assert sagittal[edge].mean() - sagittal[-edge].mean() == pytest.approx(100)
    assert sagittal[:, -edge].mean() - sagittal[:, edge].mean() == pytest.approx(10)


def test_labels_are_never_mixed() -> None:
    labels = np.where(MASK, 7, 0)
    layout = plan_layout(MASK, np.eye(4), margin=3)
    painted = paint(labels, layout, order=0)
    assert set(np.unique(painted[np.isfinite(painted)])) == {0, 7}
    assert np.isnan(painted).any()


def test_window_ignores_outliers() -> None:
    rng = np.random.default_rng(0)
    data = rng.uniform(50, 100, (30, 30, 30))
    low, high = window(data)
    data[0, 0, :3] = 1e6
    assert window(data) == pytest.approx((low, high), rel=0.01)
    assert (low, high) == pytest.approx((0, 112), abs=1)


def test_window_of_nothing_is_usable() -> None:
    low, high = window(np.zeros((4, 4, 4)))
    assert high > low
    assert window(np.full((2, 2, 2), np.nan)) == (0, 1)


def test_resampling_finds_the_same_places() -> None:
    x, y, z = np.meshgrid(*(np.arange(n, dtype=float) for n in (20, 22, 24)), indexing='ij')
    flipped = np.diag([-2.0, 2.0, 2.0, 1.0])
    flipped[:3, 3] = (38, 0, 0)
    values = (38 - 2 * x) + 100 * (2 * y) + 10_000 * (2 * z)
    to_affine = np.diag([1.0, 1.0, 1.0, 1.0])
    to_affine[:3, 3] = (4, 6, 8)
    found = resample(values, flipped, to_affine, (10, 11, 12))
    i, j, k = np.indices((10, 11, 12))
    assert np.allclose(found, (i + 4) + 100 * (j + 6) + 10_000 * (k + 8), rtol=1e-5)
