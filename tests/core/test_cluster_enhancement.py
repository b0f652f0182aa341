"""Enhancement against the closed form, many thin steps of height, and nilearn's."""

from __future__ import annotations

import numpy as np
import pytest
from nilearn.mass_univariate._utils import calculate_tfce
from scipy import ndimage

from mriderived.core.cluster_enhancement import Touching, enhance, list_neighbours


def make_field(shape: tuple[int, int, int] = (18, 20, 16), seed: int = 0) -> np.ndarray:
    """Return a smooth random field of standard deviation 1."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5)
    return np.asarray(field / field.std(), np.float32)


def by_steps(field: np.ndarray, touching: int, step: float, powers: tuple[float, float]) -> float:
    """Return the sum over thin steps of height, of the positive part."""
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[touching])
    total = np.zeros(field.shape)
    for height in np.arange(step / 2, field.max(), step):
        labels, _ = ndimage.label(field >= height, structure)
        extent = np.bincount(labels.ravel())
        extent[0] = 0
        total += extent[labels] ** powers[0] * height ** powers[1] * step
    return total


def test_a_cluster_of_one_height_has_the_closed_form() -> None:
    field = np.zeros((12, 12, 3), np.float32)
    field[1:11, 1:11, 1] = 3
    mask = np.ones(field.shape, bool)
    found = enhance(field[mask], list_neighbours(mask)).reshape(field.shape)
    assert found[5, 5, 1] == pytest.approx(np.sqrt(100) * 3**3 / 3, rel=1e-6)  # 90
    assert found[field == 0].max() == 0


@pytest.mark.parametrize('touching', [6, 18, 26])
@pytest.mark.parametrize('powers', [(0.5, 2.0), (0.6, 1.5)])
def test_a_field_equals_the_sum_over_thin_steps(
    touching: Touching, powers: tuple[float, float]
) -> None:
    field = make_field()
    mask = np.ones(field.shape, bool)
    found = enhance(field[mask], list_neighbours(mask, touching), *powers).reshape(field.shape)
    wanted = by_steps(field, touching, 0.002, powers)
    # The steps are what is not exact: half of one, in relation to the height.
    np.testing.assert_allclose(found[field > 0], wanted[field > 0], atol=2e-3 * wanted.max())


def test_signs_are_enhanced_apart_and_outside_of_the_mask_nothing_touches() -> None:
    field = np.array([2, 2, -1, -1, 2], np.float32)
    mask = np.ones((5, 1, 1), bool)
    found = enhance(field, list_neighbours(mask))
    np.testing.assert_allclose(
        found, [2**0.5 * 8 / 3] * 2 + [-(2**0.5) / 3] * 2 + [8 / 3], rtol=1e-6
    )
    split = mask.copy()
    split[1] = False
    kept = enhance(field[[0, 2, 3, 4]], list_neighbours(split))
    assert kept[0] == pytest.approx(8 / 3, rel=1e-6)


def test_nilearn_agrees_but_for_its_hundred_steps() -> None:
    field = make_field((24, 24, 24), seed=3)
    mask = np.ones(field.shape, bool)
    mine = enhance(field[mask], list_neighbours(mask)).reshape(field.shape)
    theirs = calculate_tfce(field[..., None], ndimage.generate_binary_structure(3, 1))[..., 0]
    # Nilearn leaves out the width of a step, which is a hundredth of the maximum.
    theirs = theirs * np.abs(field).max() / 100
    assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.999
    assert np.median(mine[field > 1] / theirs[field > 1]) == pytest.approx(1, abs=0.06)
