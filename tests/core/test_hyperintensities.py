"""Hyperintensities of white matter that were planted in a small brain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from flair_phantom import FLUID, GREY, WHITE, Ball, draw
from mriderived.core import hyperintensities
from mriderived.core.hyperintensities import Scan, find_hyperintensities
from mriderived.core.hyperintensity_contrast import find_normal
from mriderived.core.hyperintensity_territory import find_septum, find_territory, weigh

BALLS: list[Ball] = [
    (15, 12, 8, 4.5), (-16, 10, 6, 4), (14, -14, 8, 3), (-14, -16, -6, 3.5), (16, 2, -8, 2.5),
    (-17, -2, 10, 2.5), (0, 22, 6, 5), (2, -24, 4, 2),
]  # fmt: skip


def dice(one: np.ndarray, two: np.ndarray) -> float:
    return float(2 * (one & two).sum() / (one.sum() + two.sum()))


@pytest.mark.parametrize('contrast', [0.35, 0.5, 0.8])
def test_volumes_are_true_at_every_brightness(contrast: float) -> None:
    scan, truth = draw(BALLS, contrast)
    found = find_hyperintensities(scan)
    labels, count = ndimage.label(ndimage.binary_dilation(truth > 0, iterations=2))
    assert count == len(BALLS)
    index = range(1, count + 1)
    wanted, got = (ndimage.sum(each, labels, index) for each in (truth, found.mask))
    assert np.polyfit(wanted, got, 1)[0] == pytest.approx(1, abs=0.1)
    assert found.mask.sum() == pytest.approx(truth.sum(), rel=0.15)
    assert dice(found.mask, truth > 0.5) > 0.88
    assert found.mask[labels == 0].sum() <= 3


def test_map_and_mask_tell_the_same() -> None:
    scan, _ = draw(BALLS)
    found = find_hyperintensities(scan)
    assert ((found.probability > 0.5) == found.mask).all()
    assert found.probability.min() >= 0 and found.probability.max() <= 1
    assert not found.probability[~scan.brain].any()


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_nothing_is_found_in_a_healthy_brain(seed: int) -> None:
    assert find_hyperintensities(draw(seed=seed).scan).mask.sum() == 0


def test_scale_of_the_image_and_threads_do_not_matter() -> None:
    masks = [
        find_hyperintensities(draw(BALLS, scale=scale).scan, threads).mask
        for scale, threads in ((1.0, 1), (30.0, 3))
    ]
    assert (masks[0] == masks[1]).all()


def test_without_a_t1w() -> None:
    scan, truth = draw(BALLS)
    found = find_hyperintensities(scan._replace(tissues=None))
    assert dice(found.mask, truth > 0.5) > 0.85


def test_thick_slices() -> None:
    scan, truth = draw(BALLS, spacing=(1.0, 1.0, 4.0))
    found = find_hyperintensities(scan)
    assert dice(found.mask, truth > 0.5) > 0.7
    assert found.mask.sum() == pytest.approx(truth.sum(), rel=0.2)


def test_inhomogeneity_that_is_left_is_followed() -> None:
    scan, truth = draw(BALLS)
    field = np.linspace(0.85, 1.15, scan.flair.shape[1], dtype=np.float32)[None, :, None]
    found = find_hyperintensities(scan._replace(flair=scan.flair * field))
    assert dice(found.mask, truth > 0.5) > 0.8


def test_septum_lining_and_rim_are_no_lesions() -> None:
    scan, _ = draw()
    assert scan.tissues is not None
    extra = np.zeros(scan.flair.shape, np.float32)
    x, y, z = (
        np.abs(i - (n - 1) / 2) for i, n in zip(np.indices(extra.shape), extra.shape, strict=True)
    )
    extra[(x <= 2) & (y < 12) & (z < 5)] = 50  # septum
    near = ndimage.binary_dilation(scan.ventricles, iterations=1) & ~scan.ventricles
    extra[near & (x > 2)] = 40
    rim = scan.brain & ~ndimage.binary_erosion(scan.brain, iterations=3)
    extra[rim & (scan.tissues.gm > 0.5)] = 60
    assert find_hyperintensities(draw(extra=extra).scan).mask.sum() == 0


def test_choroid_plexus_is_no_lesion() -> None:
    scan, truth = draw([(12, 0, 0, 3.5)])
    assert find_hyperintensities(scan).mask.sum() > 0.7 * truth.sum()
    choroid = scan._replace(choroid=ndimage.binary_dilation(truth > 0))
    assert find_hyperintensities(choroid).mask.sum() == 0


def test_septum_needs_fluid_on_both_sides() -> None:
    ventricles = np.zeros((30, 3, 3), bool)
    ventricles[[5, 10, 25]] = True
    found = find_septum(ventricles, 1.0)[:, 1, 1]
    assert np.flatnonzero(found).tolist() == [6, 7, 8, 9]
    assert not find_septum(ventricles, 3.0).any()


def test_weight_makes_lesions_less_likely() -> None:
    scan, _ = draw([(15, 12, 8, 3)], contrast=0.33)
    usual = find_hyperintensities(scan).probability
    less = find_hyperintensities(scan._replace(weight=weigh(np.ones(usual.shape, bool))))
    assert less.probability.sum() < 0.9 * usual.sum()


def test_territory_without_ventricles_is_white_matter() -> None:
    brain = np.ones((12, 12, 12), bool)
    white = np.ones(brain.shape, np.float32)
    found = find_territory(brain, white, ~brain, (1, 1, 1))
    assert found[6, 6, 6] and not found[0].any()


def test_bad_input() -> None:
    scan, _ = draw()
    with pytest.raises(ValueError, match=r'priors .* are not on one grid'):
        find_hyperintensities(scan._replace(priors=scan.priors[:, 1:]))
    with pytest.raises(ValueError, match='brain mask is empty'):
        find_hyperintensities(scan._replace(brain=np.zeros_like(scan.brain)))
    with pytest.raises(ValueError, match='voxels of the FLAIR are white matter, 500 needed'):
        find_hyperintensities(scan._replace(priors=scan.priors * np.float32(0.5)))
    flat = np.where(scan.brain, np.float32(100), 0)
    with pytest.raises(ValueError, match='constant in the FLAIR'):
        find_hyperintensities(scan._replace(flair=flat))


def test_t2w_is_refused() -> None:
    scan, _ = draw()
    t2w = np.where(scan.flair < (FLUID + WHITE) / 2, 3 * GREY, scan.flair).astype(np.float32)
    with pytest.raises(ValueError, match='fluid is brighter than white matter'):
        find_hyperintensities(scan._replace(flair=t2w))


def test_normal_white_matter_leaves_lesions_out() -> None:
    scan: Scan
    scan, truth = draw(BALLS, contrast=0.6)
    normal = find_normal(scan.flair, scan.brain, scan.priors, scan.tissues, scan.spacing)
    assert not normal.white[truth > 0.9].any()
    assert np.median(normal.level[normal.white]) == pytest.approx(WHITE, rel=0.01)


def test_a_lesion_below_the_least_size_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    scan, _ = draw([(15, 12, 8, 1.3), (-16, 10, 6, 4)], 0.8)
    assert ndimage.label(find_hyperintensities(scan).mask)[1] == 1
    monkeypatch.setattr(hyperintensities, 'LEAST_MM3', 0.0)
    monkeypatch.setattr(hyperintensities, 'LEAST_VOXELS', 1)
    assert ndimage.label(find_hyperintensities(scan).mask)[1] == 2
