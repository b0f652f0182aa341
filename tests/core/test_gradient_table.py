"""The gradient table: shells, unit vectors, conventions of axes."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mriderived.core.fibre_peaks import half_sphere
from mriderived.core.gradient_table import (
    count_axes,
    fsl_from_world,
    make_gradients,
    rotate,
    select,
    world_from_fsl,
)
from mriderived.shells import find_shells


def turn(axis: int, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    one, two = [index for index in range(3) if index != axis]
    matrix = np.eye(3)
    matrix[[one, one, two, two], [one, two, one, two]] = c, -s, s, c
    return matrix


@pytest.mark.parametrize(
    ('b', 'shell', 'shells'),
    [
        ([0, 0, 0], [0, 0, 0], (0,)),
        ([], [], (0,)),
        ([1000, 0, 50], [1, 0, 0], (0, 1000)),
        ([5, 2985, 3005, 990, 1010, 2005, 1995], [0, 3, 3, 1, 1, 2, 2], (0, 1000, 2000, 3000)),
        ([0, 100, 200, 400, 800], [0, 1, 2, 3, 4], (0, 100, 200, 400, 800)),
        ([2900, 3040, 3100], [1, 1, 1], (0, 3040)),
        # steps of 50 that chain, and a straggler beside a shell
        (range(1000, 1400, 50), [1, 1, 2, 2, 3, 3, 4, 4], (0, 1020, 1120, 1220, 1320)),
        ([1880, 1960, 2000, 2010, 2100], [1, 1, 1, 1, 2], (0, 1980, 2100)),
    ],
)
def test_shells(b: list[float], shell: list[int], shells: tuple[float, ...]) -> None:
    found = find_shells(b)
    assert found[0].tolist() == shell
    assert found[1] == shells


def test_one_hundred_values_per_shell_with_spread_stay_together() -> None:
    rng = np.random.default_rng(0)
    nominal = np.repeat([700.0, 1200.0, 2800.0], 100)
    shell, shells = find_shells(nominal * rng.uniform(0.97, 1.03, 300))
    np.testing.assert_array_equal(shell, np.repeat([1, 2, 3], 100))
    np.testing.assert_allclose(shells[1:], [700, 1200, 2800], rtol=0.015)


def test_no_shell_is_wider_than_a_tenth() -> None:
    b = np.arange(100.0, 4000.0, 10.0)
    shell, shells = find_shells(b)
    for index in range(1, len(shells)):
        mine = b[shell == index]
        assert np.ptp(mine) <= max(100, 0.1 * mine.max())
    # in the order of the b-values, and none but the first without a volume
    assert (np.diff(shell) >= 0).all()
    assert set(np.diff(shell)) == {0, 1}


def test_repetitions_and_opposite_directions_are_one_axis() -> None:
    directions = half_sphere(60)
    assert count_axes(directions) == 60
    turned = directions @ Rotation.from_euler('xyz', [1, -1, 1], degrees=True).as_matrix().T
    assert count_axes(np.vstack([directions, -directions, turned])) == 60
    assert count_axes(np.zeros((0, 3))) == 0


def test_directions_become_unit_vectors() -> None:
    table = make_gradients([0, 5, 1000, 1000], [[1, 1, 1], [0, 3, 0], [0.6, 0.8, 0.01], [0, 0, 1]])
    np.testing.assert_allclose(np.linalg.norm(table.directions, axis=1), [0, 1, 1, 1])
    assert table.shells == (0, 1000)
    missing = make_gradients([0, 1000], [[np.nan] * 3, [1, 0, 0]])
    np.testing.assert_array_equal(missing.directions, [[0, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize(
    ('b', 'directions', 'message'),
    [
        ([0, 1000], [[0, 0, 0], [0.5, 0, 0]], r'volumes \[1\] .* lengths are \[0.5\]'),
        ([0, 1000], [[0, 0, 0], [np.nan, 0, 0]], r'volumes \[1\] .* not unit vectors'),
        ([0, -1], np.eye(3)[:2], 'negative'),
        ([0, np.nan], np.eye(3)[:2], 'not a number'),
        ([0, 1], np.eye(3), 'directions of shape'),
    ],
)
def test_bad_tables_are_refused(b: list[float], directions: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_gradients(b, directions)


def test_fsl_axes_and_back() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(20, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for flip in (1, -1):
        affine = np.eye(4)
        affine[:3, :3] = turn(0, 20) @ turn(2, -35) @ np.diag([2.0 * flip, 2.0, 3.0])
        world = world_from_fsl(vectors, affine)
        np.testing.assert_allclose(fsl_from_world(world, affine), vectors, atol=1e-12)
        # the first axis of FSL always runs against a right-handed grid
        expected = turn(0, 20) @ turn(2, -35) @ [-1, 0, 0]
        np.testing.assert_allclose(world_from_fsl([[1, 0, 0]], affine)[0], expected, atol=1e-12)


def test_rotation_of_every_volume() -> None:
    table = make_gradients([0, 1000, 1000], [[0, 0, 0], [1, 0, 0], [1, 0, 0]])
    turned = rotate(table, np.stack([np.eye(3), turn(2, 90), turn(1, 90)]))
    np.testing.assert_allclose(turned.directions[1:], [[0, 1, 0], [0, 0, 1]], atol=1e-12)
    with pytest.raises(ValueError, match='not a rotation'):
        rotate(table, np.diag([1.0, 1, -1]))
    with pytest.raises(ValueError, match='for 3 volumes'):
        rotate(table, np.zeros((2, 3, 3)))


def test_selection_counts_shells_anew() -> None:
    table = make_gradients([0, 700, 2000, 700], np.eye(3)[[0, 0, 1, 2]])
    chosen = select(table, table.shell != 1)
    assert chosen.shell.tolist() == [0, 1] and chosen.shells == (0, 2000)
    assert select(table, np.array([1])).shells == (0, 700)
    assert select(table, np.array([1])).shell.tolist() == [1]
