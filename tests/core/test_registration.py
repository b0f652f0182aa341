"""The whole alignment: affine and warp together, on grids of different step and origin."""

import numpy as np
import pytest

from mriderived.core.affine import Brain
from mriderived.core.diffeomorphism import Schedule
from mriderived.core.filters import smooth
from mriderived.core.registration import (
    Alignment,
    Template,
    align,
    to_brain,
    to_template,
    volume_change,
)
from mriderived.core.sampling import resample

SHAPE = (44, 52, 42)
GRID = np.array([[3.0, 0, 0, -66], [0, 3, 0, -78], [0, 0, 3, -60], [0, 0, 0, 1]])
NATIVE_SHAPE = (70, 78, 50)
NATIVE = np.array([[2.0, 0, 0, -72], [0, 2.2, 0, -90], [0, 0, 2.8, -66], [0, 0, 0, 1]])
#: From mm of the template to mm of the brain.
MOVE = np.array([[1.05, 0.08, 0, 4], [-0.08, 0.95, 0, -5], [0, 0, 1.02, 3], [0, 0, 0, 1]])


def _tissues() -> np.ndarray:
    """Grey and white matter of a lopsided brain, on the template's grid."""
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing='ij')
    inside = (x / 15) ** 2 + (y / 19) ** 2 + (z / 14) ** 2 < 1
    core = ((x - 1) / 9) ** 2 + (y / 12) ** 2 + (z / 8) ** 2 < 1
    spot = (x + 10) ** 2 + (y - 3) ** 2 + z**2 < 9
    white = core | spot
    return np.stack([smooth(part.astype(np.float32), 0.7) for part in (inside & ~white, white)])


def _seen(volume: np.ndarray) -> np.ndarray:
    there = np.linalg.inv(GRID) @ np.linalg.inv(MOVE) @ NATIVE
    return resample(volume, there, NATIVE_SHAPE)


@pytest.fixture(scope='module')
def aligned() -> tuple[np.ndarray, Brain, Alignment]:
    tissues = _tissues()
    brain = (60 * tissues[0] + 100 * tissues[1]).astype(np.float32)
    seen = Brain(_seen(brain), NATIVE)
    parts = np.stack([_seen(part) for part in tissues])
    template = Template(brain, GRID, tissues)
    return brain, seen, align(template, seen, parts, Schedule((2, 1), (15, 8)), threads=2)


def test_the_brain_comes_to_lie_on_the_template(aligned) -> None:
    template, seen, found = aligned
    moved = to_template(seen.data, NATIVE, found)
    inside = template > 20
    assert np.corrcoef(moved[inside], template[inside])[0, 1] > 0.98
    assert np.abs(moved - template).mean() < 1.0  # of 100


def test_there_and_back_is_the_same_image(aligned) -> None:
    template, _, found = aligned
    back = to_template(to_brain(template, NATIVE, NATIVE_SHAPE, found), NATIVE, found)
    inside = template > 20
    assert np.corrcoef(back[inside], template[inside])[0, 1] > 0.98


def test_volume_is_that_of_the_known_transform(aligned) -> None:
    template, _, found = aligned
    change = volume_change(found)[template > 20]
    assert change.mean() == pytest.approx(np.linalg.det(MOVE[:3, :3]), rel=0.02)
    assert change.min() > 0


def test_a_schedule_that_does_nothing_leaves_the_affine() -> None:
    tissues = _tissues()
    brain = (60 * tissues[0] + 100 * tissues[1]).astype(np.float32)
    found = align(Template(brain, GRID), Brain(_seen(brain), NATIVE), None, Schedule((4,), (0,)))
    assert not found.warp.fixed_to_moving.any()
    points = np.argwhere(brain > 20)[::20]
    in_mm = np.c_[points, np.ones(len(points))] @ GRID.T
    error = np.linalg.norm((in_mm @ (found.affine - MOVE).T)[:, :3], axis=1)
    assert np.sqrt((error**2).mean()) < 0.5  # mm


def _to_mm(found: Alignment) -> np.ndarray:
    """Return where in the brain, in mm, every voxel of the template lies."""
    voxels = np.indices(SHAPE).reshape(3, -1) + found.warp.fixed_to_moving.reshape(3, -1)
    matrix = found.affine @ GRID
    return (matrix[:3, :3] @ voxels + matrix[:3, 3:]).reshape(3, *SHAPE)


def test_a_lesion_that_is_left_out_pulls_less(aligned) -> None:
    """Fluid at the rim draws the template by 6 mm; left out of the nonlinear part, by half."""
    brain, seen, sound = aligned
    tissues = _tissues()
    x, y, z = (n // 2 for n in NATIVE_SHAPE)
    lesion = np.zeros(NATIVE_SHAPE, bool)
    lesion[x - 4 : x + 8, y + 6 : y + 22, z - 2 : z + 9] = True
    hurt = Brain(np.where(lesion, 10, seen.data).astype(np.float32), NATIVE)
    parts = np.stack([np.where(lesion, 0, _seen(part)) for part in tissues]).astype(np.float32)
    template = Template(brain, GRID, tissues)
    inside = to_template(lesion.astype(np.float32), NATIVE, sound, 2) > 0.5
    errors = []
    for ignored in (None, lesion):
        found = align(template, hurt, parts, Schedule((2, 1), (15, 8)), 2, ignored)
        away = np.sqrt(((_to_mm(found) - _to_mm(sound)) ** 2).sum(axis=0))
        errors.append(float(away[inside].mean()))
    assert errors[0] > 5
    assert errors[1] < 0.7 * errors[0]
