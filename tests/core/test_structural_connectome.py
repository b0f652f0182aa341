"""Streamlines of which everything is known: straight bundles, a helix, over-tracked bundles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mriderived.core.connectome import Connectome, join_regions, label_ends
from mriderived.core.fibre_peaks import find_peaks, half_sphere
from mriderived.core.fibre_traversal import Fibres, list_fibres, transpose, traverse
from mriderived.core.streamline_weights import fit_weights
from mriderived.core.streamlines import (
    Streamlines,
    average_along,
    make_streamlines,
    measure_lengths,
    take_ends,
)

SHAPE = (40, 20, 20)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def _straight(count: int, y: float, step: float = 0.5, seed: int = 1) -> list[NDArray[np.float64]]:
    """Return streamlines along x, from x = 6 mm to x = 72 mm, around y and z = 20 mm."""
    rng = np.random.default_rng(seed)
    x = np.arange(6, 72 + step / 2, step)
    lines = []
    for _ in range(count):
        dy, dz = rng.uniform(-3, 3, 2)
        lines.append(np.column_stack([x, np.full_like(x, y + dy), np.full_like(x, 20 + dz)]))
    return lines


def _regions() -> NDArray[np.int32]:
    labels = np.zeros(SHAPE, np.int32)
    labels[:4, 2:8] = 4
    labels[36:, 2:8] = 11
    labels[:, 15:] = 30
    return labels


def _connect(lines: Streamlines, labels: NDArray[np.int32], affine: NDArray[np.float64]
             ) -> Connectome:  # fmt: skip
    numbers = np.array([4, 11, 30])
    voxel = abs(np.linalg.det(affine[:3, :3]))
    volumes = voxel * np.array([(labels == n).sum() for n in numbers])
    return join_regions(
        label_ends(lines, labels, affine), numbers, volumes, measure_lengths(lines)
    )


def test_a_straight_bundle_between_two_regions_gives_that_edge_only() -> None:
    lines = make_streamlines(_straight(50, 10.0))
    found = _connect(lines, _regions(), AFFINE)
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[1, 0] = 50
    np.testing.assert_array_equal(found.counts, expected)
    assert found.mean_length[0, 1] == pytest.approx(66)
    assert np.isnan(found.mean_length[0, 2])
    volume = 8 * (4 * 6 * 20)
    assert found.density[0, 1] == pytest.approx(50 / volume)
    assert found.weight[1, 0] == 50
    assert found.assigned == 1


def test_matrices_are_symmetric_and_the_order_of_points_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    lines = [rng.uniform(0, 2.5, (30, 3)).cumsum(axis=0) for _ in range(200)]
    turned = [line[::-1] for line in lines]
    labels = rng.choice([0, 4, 11, 30], SHAPE).astype(np.int32)
    one, other = (_connect(make_streamlines(each), labels, AFFINE) for each in (lines, turned))
    for name in ('counts', 'mean_length', 'density', 'weight'):
        matrix = getattr(one, name)
        np.testing.assert_array_equal(matrix, matrix.T)
        np.testing.assert_allclose(matrix, getattr(other, name), rtol=1e-5)
    assert one.counts.sum() > 100


@pytest.mark.parametrize('kind', ['turn', 'flip', 'shear'])
def test_the_connectome_does_not_depend_on_the_affine(kind: str) -> None:
    lines = make_streamlines(_straight(40, 10.0))
    plain = _connect(lines, _regions(), AFFINE)
    labels, affine, world = _regions(), AFFINE.copy(), np.eye(4)
    if kind == 'flip':
        labels = np.ascontiguousarray(labels[::-1])
        affine = AFFINE @ np.array([[-1, 0, 0, SHAPE[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0],
                                    [0, 0, 0, 1.0]])  # fmt: skip
    else:
        world[:3, :3] = Rotation.from_euler('xyz', [20, -35, 70], degrees=True).as_matrix()
        world[:3, 3] = 5, -40, 3
        affine = world @ affine
    if kind == 'shear':
        labels = np.ascontiguousarray(np.transpose(labels, (2, 0, 1)))
        affine = affine[:, [2, 0, 1, 3]]
    points = lines.points @ world[:3, :3].T + world[:3, 3]
    found = _connect(replace(lines, points=points.astype(np.float32)), labels, affine)
    assert plain.counts[0, 1] == 40
    np.testing.assert_array_equal(found.counts, plain.counts)
    np.testing.assert_allclose(found.mean_length, plain.mean_length, rtol=1e-5)
    np.testing.assert_allclose(found.density, plain.density, rtol=1e-9)


def test_ends_look_for_regions_as_far_as_told() -> None:
    labels = np.zeros((20, 5, 5), np.int32)
    labels[5] = 3
    affine = np.diag([1.0, 1, 1, 1])
    starts = [np.array([[x, 2.0, 2.0], [19, 2.0, 2.0]]) for x in (5.4, 7.4, 7.51, 7.7, 3.0)]
    found = label_ends(make_streamlines(starts), labels, affine, 2.0)
    assert found[:, 0].tolist() == [3, 3, 0, 0, 3]
    assert not found[:, 1].any()
    labels[9] = 2
    # both are 1.5 mm away: the smaller label
    between = make_streamlines([np.array([[7.0, 2, 2], [7.2, 2, 2]])])
    assert label_ends(between, labels, affine, 2.0).tolist() == [[2, 2]]
    with pytest.raises(ValueError, match='has no point'):
        take_ends(make_streamlines([np.zeros((0, 3))]))


def test_a_helix_has_its_length_and_a_step_does_not_change_it() -> None:
    radius, pitch, turns = 20.0, 30.0, 2.5
    true = turns * np.hypot(2 * np.pi * radius, pitch)
    lengths = []
    for step in (0.2, 0.5, 1.0):
        angle = np.linspace(0, 2 * np.pi * turns, int(true / step))
        helix = np.column_stack(
            [radius * np.cos(angle), radius * np.sin(angle), pitch * angle / (2 * np.pi)]
        )
        lengths.append(measure_lengths(make_streamlines([helix]))[0])
    np.testing.assert_allclose(lengths, true, rtol=2e-4)


def test_means_along_are_weighted_by_length() -> None:
    volume = np.zeros((10, 3, 3), np.float32)
    volume[5:] = 1
    line = np.array([[0.0, 1, 1], [4, 1, 1], [5, 1, 1], [5.5, 1, 1], [9, 1, 1]])
    volume[9, 0] = np.nan
    outside = np.array([[-5.0, 1, 1], [-4, 1, 1]])
    found = average_along(make_streamlines([line, outside]), volume, np.eye(4))
    assert found[0] == pytest.approx((0 * 4 + 0.5 * 1 + 4) / 9)
    assert np.isnan(found[1])
    ends = np.array([[1, 2], [1, 2]], np.int32)
    made = join_regions(ends, np.array([1, 2]), np.ones(2), np.ones(2), found)
    assert made.mean_along[0, 1] == pytest.approx(found[0])


def test_unknown_regions_and_the_order_of_numbers() -> None:
    ends = np.array([[9, 2], [2, 5], [0, 2], [5, 5]], np.int32)
    made = join_regions(ends, np.array([5, 2]), np.ones(2), np.ones(4), weights=np.arange(4.0))
    assert made.counts.tolist() == [[1, 1], [1, 0]]
    assert made.weight.tolist() == [[3, 1], [1, 0]]
    assert made.assigned == 0.5


def test_traversal_measures_lengths_in_voxels_and_directions() -> None:
    mask = np.ones((4, 4, 4), dtype=bool)
    directions = np.zeros((64, 2, 3))
    directions[:, 0], directions[:, 1] = [1, 0, 0], [0, 1, 0]
    fibres = list_fibres(mask, directions, np.ones((64, 2)))
    line = np.array([[-1.0, 2, 2], [7, 2, 2]])  # along x through voxels of 2 mm
    slanted = np.array([[2.0, -1, 2], [2.4, 7, 2]])
    across = np.array([[2.0, 2, -1], [2, 2, 7]])
    found = traverse(make_streamlines([line, slanted, across]), fibres, AFFINE)
    along = found.lengths[found.start[0] : found.start[1]]
    np.testing.assert_allclose(along, 2, rtol=1e-5)
    assert (found.columns[: found.start[1]] % 2 == 0).all()
    middle = slice(found.start[1], found.start[2])
    assert found.lengths[middle].sum() == pytest.approx(np.hypot(8, 0.4), rel=1e-5)
    assert (found.columns[middle] % 2 == 1).all()
    assert found.start[3] == found.start[2]
    back = transpose(transpose(found))
    np.testing.assert_array_equal(back.start, found.start)
    assert back.lengths.sum() == pytest.approx(found.lengths.sum())


def _field() -> Fibres:
    """Return fibres along x of density 1 everywhere."""
    mask = np.ones(SHAPE, dtype=bool)
    directions = np.zeros((mask.sum(), 1, 3))
    directions[:, 0, 0] = 1
    return list_fibres(mask, directions, np.ones((mask.sum(), 1)))


def test_weights_restore_bundles_that_were_tracked_too_often() -> None:
    lines = make_streamlines(_straight(600, 10.0, 0.7, 3) + _straight(200, 30.0, 0.7, 4))
    found = traverse(lines, _field(), AFFINE)
    fit = fit_weights(found, np.ones(found.width))
    first, second = fit.weights[:600].sum(), fit.weights[600:].sum()
    assert first / second == pytest.approx(1, abs=0.1)
    assert (fit.weights >= 0).all()
    assert fit.misfit < 0.5 * fit.misfit_before
    double = np.ones(found.width)
    is_first = np.zeros(SHAPE, dtype=bool)
    is_first[:, :10] = True
    double[is_first.ravel()] = 2
    fit = fit_weights(found, double)
    first, second = fit.weights[:600].sum(), fit.weights[600:].sum()
    assert first / second == pytest.approx(2, rel=0.1)


def test_weights_keep_what_fits_and_do_not_depend_on_threads() -> None:
    lines = make_streamlines(_straight(300, 10.0, 0.7, 5) + _straight(150, 30.0, 0.7, 6))
    found = traverse(lines, _field(), AFFINE)
    length = np.bincount(found.columns, found.lengths, found.width)
    exact = fit_weights(found, 0.3 * length)
    np.testing.assert_allclose(exact.weights, 1, atol=1e-6)
    assert exact.proportion == pytest.approx(0.3)
    one, two = (fit_weights(found, np.ones(found.width), threads=count) for count in (1, 3))
    np.testing.assert_array_equal(one.weights, two.weights)
    again = traverse(lines, _field(), AFFINE, threads=3)
    np.testing.assert_array_equal(again.lengths, found.lengths)
    np.testing.assert_array_equal(again.columns, found.columns)
    with pytest.raises(ValueError, match='no streamline follows a fibre'):
        empty = make_streamlines([np.array([[500.0, 0, 0], [510, 0, 0]])])
        fit_weights(traverse(empty, _field(), AFFINE), np.ones(found.width))


def test_weights_reach_the_solution_of_scipy() -> None:
    from scipy.optimize import nnls

    lines = make_streamlines(_straight(60, 10.0, 0.7, 7))
    found = traverse(lines, _field(), AFFINE)
    dense = np.zeros((found.width, 60))
    rows = np.repeat(np.arange(60), np.diff(found.start))
    np.add.at(dense, (found.columns, rows), found.lengths)
    used = dense.any(axis=1)
    density = np.random.default_rng(1).uniform(0.5, 1.5, found.width)
    fit = fit_weights(found, density, regularisation=0.01)
    held = 0.01 * np.mean(fit.proportion**2 * dense.T @ dense.sum(axis=1))
    design = np.vstack([fit.proportion * dense[used], np.sqrt(held) * np.eye(60)])
    expected, _ = nnls(design, np.concatenate([density[used], np.sqrt(held) * np.ones(60)]))
    np.testing.assert_allclose(fit.weights, expected, atol=0.03)


def test_peaks_are_found_between_the_samples() -> None:
    axes = half_sphere()
    rng = np.random.default_rng(3)
    true = rng.standard_normal((300, 3))
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    second = np.cross(true, rng.standard_normal((300, 3)))
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    sharp = 12
    lobes = np.exp(sharp * ((true @ axes.T) ** 2 - 1))
    lobes += 0.6 * np.exp(sharp * ((second @ axes.T) ** 2 - 1))
    found = find_peaks(lobes.astype(np.float32), axes)
    for peak, vectors in enumerate((true, second)):
        cosines = np.abs((found.directions[:, peak] * vectors).sum(axis=1)).clip(0, 1)
        away = np.degrees(np.arccos(cosines))
        assert np.median(away) < 1.2
        assert away.max() < 4
    assert not found.amplitude[:, 2].any()
    np.testing.assert_allclose(found.density[:, 1] / found.density[:, 0], 0.6, atol=0.06)
    whole = find_peaks(np.ones((1, len(axes)), np.float32), axes)
    assert whole.density.sum() == pytest.approx(4 * np.pi, rel=1e-5)
    two = find_peaks(lobes.astype(np.float32), axes, threads=2)
    np.testing.assert_array_equal(two.directions, found.directions)
    nothing = find_peaks(np.zeros((1, len(axes)), np.float32), axes)
    assert not nothing.amplitude.any()
