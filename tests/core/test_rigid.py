"""Matrices and six numbers say the same."""

import numpy as np
import pytest

from mriderived.core.rigid import rigid_matrix, rigid_parameters

CENTRE = np.array([3.0, -20.0, 11.0])


def test_parameters_survive_the_way_to_matrices_and_back() -> None:
    given = np.random.default_rng(0).uniform(-1, 1, (50, 6)) * [30, 30, 30, 3, 1.5, 3]
    matrices = np.stack([rigid_matrix(each, CENTRE) for each in given])
    np.testing.assert_allclose(rigid_parameters(matrices, CENTRE), given, atol=1e-9)


def test_the_centre_moves_by_the_shift_alone() -> None:
    matrix = rigid_matrix(np.array([1, 2, 3, 0.3, -0.2, 0.1]), CENTRE)
    moved = CENTRE + np.array([1, 2, 3])
    np.testing.assert_allclose(matrix @ [*CENTRE, 1], [*moved, 1], atol=1e-12)


@pytest.mark.parametrize(
    ('turn', 'start', 'end'),
    [(3, [0, 1, 0], [0, 0, 1]), (4, [0, 0, 1], [1, 0, 0]), (5, [1, 0, 0], [0, 1, 0])],
)
def test_turns_are_right_handed(turn: int, start: list[int], end: list[int]) -> None:
    parameters = np.zeros(6)
    parameters[turn] = np.pi / 2
    np.testing.assert_allclose(
        rigid_matrix(parameters, np.zeros(3))[:3, :3] @ start, end, atol=1e-12
    )


@pytest.mark.parametrize('change', [np.diag([1.1, 1, 1, 1]), np.diag([-1.0, 1, 1, 1])])
def test_a_matrix_that_is_not_rigid_is_refused(change: np.ndarray) -> None:
    with pytest.raises(ValueError, match='it scales, shears or mirrors'):
        rigid_parameters(change, CENTRE)
