"""Affine and diffeomorphic registration, and the volume changes that follow from them."""

import numpy as np
import pytest

from mriderived.core.affine import Brain, register_affine
from mriderived.core.diffeomorphism import Channel, Schedule, register
from mriderived.core.filters import smooth
from mriderived.core.registration import (
    Alignment,
    Template,
    align,
    to_brain,
    to_template,
    volume_change,
)
from mriderived.core.sampling import compose, invert, jacobian, resample, warp

SHAPE = (44, 52, 42)
GRID = np.array([[3.0, 0, 0, -66], [0, 3, 0, -78], [0, 0, 3, -60], [0, 0, 0, 1]])
SCHEDULE = Schedule(factors=(2, 1), iterations=(20, 10))


def _brain(bump=0.0):
    """A lopsided head shape: a bright spot marks its left, another its front."""
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing='ij')
    inside = (x / 15) ** 2 + (y / (19 + bump)) ** 2 + (z / 14) ** 2 < 1
    core = (x / 9) ** 2 + (y / 12) ** 2 + (z / (8 - bump / 2)) ** 2 < 1
    spot = ((x + 10) ** 2 + (y - 3) ** 2 + z**2 < 9) | (x**2 + (y - 14) ** 2 + z**2 < 9)
    image = np.where(inside, 0.6, 0) + np.where(core, 0.4, 0) + np.where(spot & inside, 0.5, 0)
    return smooth(100 * image.astype(np.float32), 0.7)


def _wave(amplitude):
    x, y, z = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in SHAPE), indexing='ij')
    waves = np.sin(2 * np.pi * y / 26), np.sin(2 * np.pi * z / 21), np.sin(2 * np.pi * x / 22)
    return np.stack(waves).astype(np.float32) * np.float32(amplitude)


def _affine(scale, shift):
    angle = 0.2
    turn = np.array([
        [1, 0, 0],
        [0, np.cos(angle), -np.sin(angle)],
        [0, np.sin(angle), np.cos(angle)],
    ])  # fmt: skip
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.diag(scale)
    matrix[:3, 3] = shift
    return matrix


def _moved(matrix):
    """The brain as a scanner would see it through ``matrix`` (template mm to scanner mm)."""
    there = np.linalg.inv(GRID) @ np.linalg.inv(matrix) @ GRID
    return Brain(resample(_brain(), there, SHAPE), GRID)


def test_affine_registration_recovers_a_known_transform():
    matrix = _affine((1.05, 0.93, 1.08), (4, -6, 5))
    found = register_affine(Brain(_brain(), GRID), _moved(matrix))
    corners = np.array([[-40, -50, -35, 1], [40, 50, 35, 1], [40, -50, 35, 1]]).T
    assert np.abs((found - matrix) @ corners).max() < 1.5


def test_a_tilted_head_is_found_from_another_starting_point():
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]]
    found = register_affine(Brain(_brain(), GRID), _moved(matrix))
    np.testing.assert_allclose(found[:3, :3], matrix[:3, :3], atol=0.05)


def test_an_image_without_brain_is_refused():
    empty = Brain(np.zeros(SHAPE, np.float32), GRID)
    with pytest.raises(ValueError, match='no brain'):
        register_affine(Brain(_brain(), GRID), empty)


def test_jacobian_of_an_affine_field_is_its_determinant():
    matrix = _affine((1.1, 0.9, 1.05), (0, 0, 0))[:3, :3]
    grid = np.indices(SHAPE, dtype=np.float32)
    field = np.einsum('ab,bxyz->axyz', (matrix - np.eye(3)).astype(np.float32), grid)
    np.testing.assert_allclose(jacobian(field), np.linalg.det(matrix), rtol=1e-4)


def test_jacobian_of_a_wave_equals_its_formula():
    field = np.zeros((3, *SHAPE), np.float32)
    x = np.arange(SHAPE[0])
    field[0] = (2 * np.sin(x / 6))[:, None, None]
    expected = 1 + np.cos(x / 6) / 3
    inner = jacobian(field)[1:-1, 5, 5]
    np.testing.assert_allclose(inner, expected[1:-1], atol=0.003)


def test_inverse_fields_cancel():
    field = _wave(1.5)
    there_and_back = compose(invert(field), field)[:, 4:-4, 4:-4, 4:-4]
    assert np.abs(there_and_back).max() < 0.02


def test_diffeomorphic_registration_undoes_a_deformation():
    fixed, moving = _brain() / 100, warp(_brain(3) / 100, _wave(0.7))
    found = register([Channel(fixed, moving)], SCHEDULE)
    before = np.abs(moving - fixed).mean()
    assert np.abs(warp(moving, found.fixed_to_moving) - fixed).mean() < 0.3 * before
    assert np.abs(warp(fixed, found.moving_to_fixed) - moving).mean() < 0.3 * before
    assert jacobian(found.fixed_to_moving).min() > 0
    brain = fixed > 0.1
    assert np.abs(compose(found.fixed_to_moving, found.moving_to_fixed)[:, brain]).max() < 0.2


def test_any_number_of_threads_gives_the_same_bits():
    moving = _moved(_affine((1.05, 0.95, 1), (2, 3, -2)))
    one, three = (
        align(Template(_brain(), GRID), moving, schedule=SCHEDULE, threads=threads)
        for threads in (1, 3)
    )
    assert np.array_equal(one.affine, three.affine)
    assert np.array_equal(one.warp.fixed_to_moving, three.warp.fixed_to_moving)
    assert np.array_equal(one.warp.moving_to_fixed, three.warp.moving_to_fixed)


def test_modulation_conserves_volume():
    moving = _moved(_affine((1.08, 0.95, 1.03), (3, -2, 4)))
    found = align(Template(_brain(3), GRID), moving, schedule=SCHEDULE)
    grey = np.clip(moving.data / 60, 0, 1)
    modulated = to_template(grey, GRID, found) * volume_change(found)
    assert modulated.sum() == pytest.approx(grey.sum(), rel=0.005)


def test_left_stays_left():
    found = align(Template(_brain(), GRID), _moved(np.eye(4)), schedule=SCHEDULE)
    left = np.zeros(SHAPE, np.float32)
    left[: SHAPE[0] // 2] = 1
    carried = to_brain(left, GRID, SHAPE, found)
    assert carried[12, 26, 21] == pytest.approx(1)
    assert carried[32, 26, 21] == pytest.approx(0)


def test_a_mirrored_brain_is_aligned_without_mirroring():
    mirrored = Brain(np.ascontiguousarray(_brain()[::-1]), GRID)
    found = align(Template(_brain(), GRID), mirrored, schedule=SCHEDULE)
    assert np.linalg.det(found.affine[:3, :3]) > 0
    assert volume_change(found).min() > 0


def test_a_mapping_that_folds_is_refused():
    identity = register([Channel(_brain(), _brain())], Schedule((1,), (0,)))
    folded = identity._replace(fixed_to_moving=_wave(9))
    with pytest.raises(ValueError, match='folds space at'):
        volume_change(Alignment(np.eye(4), folded, GRID))
