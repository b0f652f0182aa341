"""The fine tissue map of a hemisphere: filled, closed, without specks and strands."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.hemisphere import find_territories, gather, prepare_hemisphere

SIZE = 56


def ball(radius: float, centre=(28, 28, 28)) -> np.ndarray:
    grid = np.indices((SIZE,) * 3)
    return np.sqrt(sum((grid[axis] - centre[axis]) ** 2 for axis in range(3))) < radius


@pytest.fixture
def tissue() -> np.ndarray:
    """A ball of white matter in grey matter in CSF, 1 mm."""
    image = np.ones((SIZE,) * 3, np.float32)
    image[ball(23)] = 2
    image[ball(20)] = 3
    return image


EVERYWHERE = np.ones((SIZE,) * 3, bool)
NOWHERE = ~EVERYWHERE


def count(fine: np.ndarray, level: float) -> float:
    """Return the volume above a level in mL."""
    return np.count_nonzero(fine >= level) * 0.125 / 1000


def test_volumes_stay_and_the_grid_fits(tissue) -> None:
    found = prepare_hemisphere(tissue, EVERYWHERE, NOWHERE, (1, 1, 1))
    assert found.voxel_mm == 0.5
    assert count(found.tissue, 2.5) == pytest.approx(np.count_nonzero(ball(20)) / 1000, rel=0.01)
    middle = np.argwhere(found.tissue >= 2.5).mean(axis=0)
    assert found.matrix[:3, :3] @ middle + found.matrix[:3, 3] == pytest.approx([28] * 3, abs=0.05)


def test_a_nucleus_is_filled_and_a_hole_in_white_matter_closed(tissue) -> None:
    whole = prepare_hemisphere(tissue, EVERYWHERE, NOWHERE, (1, 1, 1))
    tissue[ball(4, (24, 28, 28))] = 2
    tissue[ball(3, (36, 28, 28))] = 1
    found = prepare_hemisphere(tissue, EVERYWHERE, ball(4, (24, 28, 28)), (1, 1, 1))
    assert count(found.tissue, 2.5) == pytest.approx(count(whole.tissue, 2.5), rel=1e-3)


def test_specks_and_vessels_are_no_cortex(tissue) -> None:
    plain = prepare_hemisphere(tissue, EVERYWHERE, NOWHERE, (1, 1, 1))
    tissue[28, 28, 50:55] = 2.4  # a vessel that leaves the cortex
    tissue[6:8, 28, 28] = 3  # a bright speck in its CSF
    found = prepare_hemisphere(tissue, EVERYWHERE, NOWHERE, (1, 1, 1))
    assert count(found.tissue, 1.5) == pytest.approx(count(plain.tissue, 1.5), rel=2e-3)
    assert count(found.tissue, 2.5) == pytest.approx(count(plain.tissue, 2.5), rel=1e-6)


def test_what_belongs_to_others_is_outside(tissue) -> None:
    left = np.zeros_like(EVERYWHERE)
    left[:36] = True
    found = prepare_hemisphere(tissue, left, NOWHERE, (1, 1, 1))
    assert count(found.tissue, 2.5) == pytest.approx(
        np.count_nonzero(ball(20) & left) / 1000, rel=0.02
    )


@pytest.mark.parametrize(
    ('spacing', 'step'), [((1, 1, 1), 0.5), ((0.4, 0.5, 0.5), 0.4), ((1, 1, 3), 0.5)]
)
def test_fine_voxels_are_cubes_of_half_a_millimetre_or_less(tissue, spacing, step) -> None:
    image = np.where(tissue == 2, 2, tissue)
    if min(spacing) < 0.5:
        image = np.kron(image, np.ones((2, 2, 2)))[:90, :90, :90].astype(np.float32)
    where = np.ones(image.shape, bool)
    found = prepare_hemisphere(image, where, ~where, spacing)
    assert found.voxel_mm == step
    assert np.diag(found.matrix)[:3] == pytest.approx(step / np.array(spacing))


def test_a_hemisphere_without_white_matter_is_refused(tissue) -> None:
    with pytest.raises(ValueError, match='hemisphere is empty'):
        prepare_hemisphere(tissue, NOWHERE, NOWHERE, (1, 1, 1))
    with pytest.raises(ValueError, match=r'only .* mL of white matter'):
        prepare_hemisphere(np.minimum(tissue, 2), EVERYWHERE, NOWHERE, (1, 1, 1))


def test_unlabelled_brain_belongs_to_the_nearest_side() -> None:
    structures = np.zeros((9, 3, 3), np.int32)
    structures[0], structures[8], structures[4, 0, 0] = 2, 41, 251
    found = find_territories(structures, np.ones(structures.shape, np.float32))
    assert (found.sides[:4] == 1).all()
    assert (found.sides[5:] == 2).all()
    assert found.filled.sum() == 1


def test_sums_over_coarse_voxels_keep_the_total() -> None:
    fine = np.random.default_rng(0).random((12, 10, 8)).astype(np.float32)
    matrix = np.diag([0.5, 0.5, 0.5, 1.0])
    matrix[:3, 3] = -0.25
    total, number = gather(fine, matrix, (6, 5, 4))
    assert total.sum() == pytest.approx(float(fine.sum()), rel=1e-6)
    assert (number == 8).all()
