"""Diffeomorphic registration against a known displacement, and the repair of folds."""

import numpy as np
import pytest

from mriderived.core.diffeomorphism import Channel, Schedule, register, unfold
from mriderived.core.filters import smooth
from mriderived.core.sampling import compose, jacobian, warp

SHAPE = (48, 52, 44)
SCHEDULE = Schedule(factors=(2, 1), iterations=(40, 30))
INNER = (slice(9, -9),) * 3


def _texture() -> np.ndarray:
    """Structure everywhere, so that the displacement can be told everywhere."""
    rng = np.random.default_rng(5)
    noise = smooth(rng.normal(size=SHAPE).astype(np.float32), 1.8)
    return (0.5 + noise / (4 * noise.std())).astype(np.float32)


def _wave() -> np.ndarray:
    """A displacement of up to 2 voxels that fades towards the edge of the grid."""
    x, y, z = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in SHAPE), indexing='ij')
    waves = [np.sin(2 * np.pi * axis / 30) for axis in (y, z, x)]
    fade = np.prod([np.sin(np.pi * a / (n - 1)) for a, n in zip((x, y, z), SHAPE, strict=True)], 0)
    return (2 * np.stack(waves) * fade).astype(np.float32)


@pytest.fixture(scope='module')
def found():
    image = _texture()
    # warp(moving, truth) would be fixed: moving is sampled where truth says
    fixed = warp(image, _wave())
    return register([Channel(fixed, image)], SCHEDULE, threads=2)


def test_a_known_displacement_is_recovered(found):
    error = (found.fixed_to_moving - _wave())[(slice(None), *INNER)]
    truth = _wave()[(slice(None), *INNER)]
    rms = np.sqrt((error**2).sum(axis=0).mean())
    assert rms < 0.2  # voxels
    assert rms < 0.15 * np.sqrt((truth**2).sum(axis=0).mean())


def test_both_directions_are_inverse(found):
    for pair in ((0, 1), (1, 0)):
        left = compose(found[pair[0]], found[pair[1]])[(slice(None), *INNER)]
        length = np.sqrt((left**2).sum(axis=0))
        assert np.median(length) < 0.02
        assert length.max() < 0.1


def test_nothing_folds_and_nothing_was_mended(found):
    for field in (found.fixed_to_moving, found.moving_to_fixed):
        assert jacobian(field).min() > 0
        assert jacobian(field)[INNER].min() > 0.7  # the truth is 0.85 and more
    assert found.mended == 0


def test_equal_images_stay_where_they_are():
    image = _texture()
    same = register([Channel(image, image)], Schedule((2, 1), (10, 10)), threads=2)
    assert np.abs(same.fixed_to_moving).max() < 0.02
    assert np.abs(same.moving_to_fixed).max() < 0.02


def test_exchanged_images_exchange_the_directions():
    image, moved = _texture(), warp(_texture(), _wave())
    schedule = Schedule((2,), (20,))
    there = register([Channel(image, moved)], schedule, threads=2)
    back = register([Channel(moved, image)], schedule, threads=2)
    np.testing.assert_allclose(there.fixed_to_moving, back.moving_to_fixed, atol=1e-4)


def test_a_fold_is_repaired_and_the_rest_left_alone():
    field = _wave()
    field[0, 24:, 20:30, 18:26] -= 3.0  # both sides of x = 24 go to the same place
    assert (jacobian(field) <= 0).sum() > 50
    repaired = unfold(field)
    assert jacobian(repaired).min() > 0
    far = np.ones(SHAPE, bool)
    far[12:36, 8:42, 6:38] = False
    assert np.array_equal(repaired[:, :12], field[:, :12])


def test_a_field_without_folds_is_returned_as_it_is():
    assert np.array_equal(unfold(_wave()), _wave())


def test_a_schedule_without_levels_is_refused():
    with pytest.raises(ValueError, match='no levels'):
        register([Channel(_texture(), _texture())], Schedule((), ()))
