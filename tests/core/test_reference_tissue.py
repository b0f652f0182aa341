"""Eyes and temporal muscles are found by place and contrast, or missing with a reason."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from mriderived.core.reference_tissue import MissingTissueError, Pair, find_eyes, find_muscle

#: T1w and T2w of white matter, fluid, muscle, vitreous body, fat and bone.
WHITE, FLUID, MUSCLE, VITREOUS, FAT, BONE = (
    (100, 60), (25, 220), (55, 22), (22, 210), (120, 130), (6, 5)
)  # fmt: skip
SIZE = 2.0
LOW = np.array([-92.0, -112.0, -92.0])


class Head(NamedTuple):
    pair: Pair
    to_template: np.ndarray
    eyes: np.ndarray
    muscle: np.ndarray


def make_head(has_eyes: bool = True, shift: float = 0.0, noise: float = 2.0) -> Head:
    """A ball of white matter with fluid in it, bone, muscle and fat around it, and two eyes."""
    shape = (92, 104, 92)
    x, y, z = (
        (LOW[axis] + SIZE * np.arange(shape[axis]))[(None,) * axis + (...,) + (None,) * (2 - axis)]
        for axis in range(3)
    )
    away = np.sqrt((x / 68) ** 2 + ((y + 18) / 84) ** 2 + ((z - 5) / 72) ** 2)
    brain, fluid = away < 0.88, np.sqrt(x**2 + y**2 + z**2) < 14
    muscle = (away > 1) & (away < 1.16) & (np.abs(x) > 48) & (z < 10) & (y > -20)
    eyes = np.sqrt((np.abs(x) - 32) ** 2 + (y - 62) ** 2 + (z + 37) ** 2) < 12
    socket = np.sqrt((np.abs(x) - 32) ** 2 + (y - 62) ** 2 + (z + 37) ** 2) < 18
    images = []
    rng = np.random.default_rng(0)
    for contrast in (0, 1):
        image = np.full(shape, 0.0)
        image[(away < 1.25)] = FAT[contrast]
        image[(away < 1.0)] = BONE[contrast]
        image[muscle] = MUSCLE[contrast]
        image[socket & ~brain] = FAT[contrast]
        image[eyes & ~brain] = VITREOUS[contrast] if has_eyes else 0
        image[brain], image[fluid] = WHITE[contrast], FLUID[contrast]
        images.append(np.abs(image + rng.normal(0, noise, shape)).astype(np.float32))
    to_template = np.diag([SIZE, SIZE, SIZE, 1.0])
    to_template[:3, 3] = LOW + shift
    pair = Pair(images[0], images[1], brain, fluid, brain & ~fluid)
    return Head(pair, to_template, eyes & ~brain, muscle)


@pytest.mark.parametrize('shift', [0.0, 6.0, -6.0])
def test_tissues_are_found_where_a_template_is_off(shift: float) -> None:
    head = make_head(shift=shift)
    eyes = find_eyes(head.pair, head.to_template, (SIZE,) * 3)
    assert (eyes & head.eyes).sum() / eyes.sum() > 0.99
    assert (eyes & head.eyes).sum() / head.eyes.sum() > 0.4
    muscle = find_muscle(head.pair, head.to_template, (SIZE,) * 3)
    assert (muscle & head.muscle).sum() / muscle.sum() > 0.99
    assert muscle.sum() * SIZE**3 > 5000


def test_what_is_outside_of_the_view_is_missing() -> None:
    head = make_head()
    cut = slice(30, None)  # from z = -32 mm
    low = head.to_template.copy()
    low[2, 3] += 30 * SIZE + 30
    pair = Pair(*(np.ascontiguousarray(part[:, :, cut]) for part in head.pair))
    with pytest.raises(
        MissingTissueError, match=r'the eyes, which .* outside of the field of view'
    ):
        find_eyes(pair, low, (SIZE,) * 3)
    low[2, 3] += 30
    with pytest.raises(MissingTissueError, match=r'the temporal muscles, .* outside of the field'):
        find_muscle(pair, low, (SIZE,) * 3)


def test_a_face_that_was_removed_is_missing() -> None:
    head = make_head(has_eyes=False)
    with pytest.raises(MissingTissueError, match=r'the eyes, .* are not seen .* defaced'):
        find_eyes(head.pair, head.to_template, (SIZE,) * 3)
    stripped = head.pair._replace(
        t1w=np.where(head.pair.brain, head.pair.t1w, 0),
        t2w=np.where(head.pair.brain, head.pair.t2w, 0),
    )
    with pytest.raises(MissingTissueError, match=r'the temporal muscles, .* are not seen'):
        find_muscle(stripped, head.to_template, (SIZE,) * 3)


def test_without_pure_tissue_there_is_nothing_to_compare_with() -> None:
    head = make_head()
    none = head.pair._replace(fluid=head.pair.fluid & False)
    with pytest.raises(MissingTissueError, match='no pure fluid in the brain'):
        find_eyes(none, head.to_template, (SIZE,) * 3)
