"""Lesions of white matter that are filled: tissues are what they were without the lesion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.lesion_filling import fill_lesions
from mriderived.core.partial_volume import tissue_map
from mriderived.core.thickness import find_cortex, project_thickness
from mriderived.core.tissue import segment

FLUID, GREY, WHITE = 30.0, 70.0, 100.0
SHAPE = (72, 72, 72)


def draw_head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a T1w of a ball of white matter in cortex and fluid, priors, and the distance."""
    grid = np.indices(SHAPE) - 35.5
    away = np.sqrt((grid**2).sum(axis=0))
    white = np.clip(24 - away + 0.5, 0, 1)
    brain = np.clip(28 - away + 0.5, 0, 1)
    head = np.clip(32 - away + 0.5, 0, 1)
    parts = np.stack([head - brain, brain - white, white])
    image = np.tensordot([FLUID, GREY, WHITE], parts, 1)
    # some inhomogeneity is always left
    image = image * (1 + 0.05 * grid[0] / 36)
    image += np.random.default_rng(1).normal(0, 2.0, SHAPE) * (head > 0)
    priors = np.stack([ndimage.gaussian_filter(part, 1.5) for part in parts])
    return image.astype(np.float32), priors.astype(np.float32), away


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    grid = np.indices(SHAPE) - 35.5
    return np.sqrt(((grid - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(axis=0)) < radius


@pytest.fixture(scope='module')
def head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return draw_head()


def test_grey_matter_and_thickness_return_to_the_truth(
    head: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    image, priors, away = head
    brain = away < 31.5
    # it touches the cortex
    lesion = ball((0, 19.8, 0), 4.5)
    ill = np.where(lesion, GREY - 5, image).astype(np.float32)
    found = fill_lesions(ill, lesion, brain, priors, (1, 1, 1))
    assert found.mask.sum() > 0.97 * lesion.sum()
    near = ball((0, 26, 0), 8) & (away > 24) & (away < 28)
    thickness, grey = {}, {}
    for name, each in (('true', image), ('ill', ill), ('filled', found.image)):
        tissues = segment(each, brain, priors, np.ones(3))
        grey[name] = float(tissues.gm.sum())
        values = project_thickness(find_cortex(np.maximum(tissue_map(tissues), 1)))
        there = near & (values > 0)
        thickness[name] = float(values[there].mean())
    print(grey, thickness, lesion.sum())
    lost = grey['ill'] - grey['true']
    assert lost > 0.5 * lesion.sum()
    assert abs(grey['filled'] - grey['true']) < 0.03 * lesion.sum()
    assert thickness['filled'] == pytest.approx(thickness['true'], abs=0.03)
    assert abs(thickness['ill'] - thickness['true']) > 0.15


def test_only_what_is_white_matter_and_no_cavity_is_filled(
    head: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    image, priors, away = head
    brain = away < 31.5
    cavity, lesion, beside = ball((10, 0, 0), 4), ball((-10, 0, 0), 3), ball((0, 0, 26), 3)
    ill = np.where(cavity, FLUID, np.where(lesion | beside, GREY, image)).astype(np.float32)
    found = fill_lesions(ill, cavity | lesion | beside, brain, priors, (1, 1, 1))
    assert not found.mask[cavity].any()
    assert found.mask[lesion].all()
    assert not found.mask[beside & (away > 25)].any()
    same = ~found.mask
    assert (found.image[same] == ill[same]).all()


def test_it_follows_the_field_and_the_noise(
    head: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    image, priors, away = head
    lesion = ball((16, 0, 0), 4)
    ill = np.where(lesion, 75, image).astype(np.float32)
    found = [
        fill_lesions(ill, lesion, away < 31.5, priors, (1, 1, 1), threads) for threads in (1, 2)
    ]
    assert (found[0].image == found[1].image).all()
    assert found[0].image[lesion].mean() == pytest.approx(image[lesion].mean(), abs=0.4)
    assert found[0].image[lesion].std() == pytest.approx(image[lesion].std(), rel=0.3)


def test_a_mask_of_all_white_matter_is_refused(
    head: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    image, priors, away = head
    with pytest.raises(ValueError, match='0 voxels of white matter lie outside of the lesion'):
        fill_lesions(image, away < 26, away < 31.5, priors, (1, 1, 1))
