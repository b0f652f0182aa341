"""Lesions are blocks that contradict a template; ventricles, sulci and layers are none."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.lesions import Evidence, find_lesions

SHAPE = (64, 76, 60)
X, Y, Z = np.meshgrid(*(2.0 * (np.arange(n) - (n - 1) / 2) for n in SHAPE), indexing='ij')
MIRROR = np.diag([-1.0, 1, 1, 1])
MIRROR[0, 3] = SHAPE[0] - 1


def ball(x: float, y: float, z: float, radius: float) -> np.ndarray:
    return (X - x) ** 2 + (Y - y) ** 2 + (Z - z) ** 2 < radius**2


def ventricles(larger: float = 0) -> np.ndarray:
    """Two ellipsoids beside the middle."""
    return sum(
        ((X - side * 12) / (6 + larger)) ** 2
        + (Y / (25 + larger)) ** 2
        + ((Z - 5) / (8 + larger)) ** 2
        < 1
        for side in (-1, 1)
    ).astype(bool)  # type: ignore[union-attr]


def head(
    fluid: np.ndarray | None = None, gone: np.ndarray | None = None, **changes: object
) -> Evidence:
    """White matter in 4 mm of cortex and 3 mm of fluid, with ventricles; then what is wrong."""
    radius = np.sqrt((X / 56) ** 2 + (Y / 68) ** 2 + (Z / 52) ** 2)
    brain, tissue, white = radius < 1, radius < 0.95, radius < 0.87
    deep = ventricles()
    template = np.stack([tissue & ~white, white & ~deep]).astype(np.float32)
    csf = (brain & ~tissue) | deep
    wm = white & ~deep
    if fluid is not None:
        csf, wm = csf | (fluid & brain), wm & ~fluid
    if gone is not None:
        brain = brain & ~gone
    values: dict[str, object] = {
        'csf': csf.astype(np.float32),
        'wm': wm.astype(np.float32),
        'brain': brain,
        'inside': np.ones(SHAPE, bool),
        'nonlinear': template,
        'affine': template,
        'mirror': MIRROR,
        'voxel_mm': 2.0,
    }
    return Evidence(**{**values, **changes})  # type: ignore[arg-type]


def followed(evidence: Evidence, fluid: np.ndarray) -> Evidence:
    """The nonlinear registration has drawn fluid of the template over all of ``fluid``."""
    return evidence._replace(nonlinear=np.where(fluid, 0, evidence.nonlinear).astype(np.float32))


def test_a_healthy_brain_has_none() -> None:
    assert find_lesions(head()) == []


@pytest.mark.parametrize('radius', [9, 14, 20])
def test_a_cavity_is_found_with_its_volume(radius: float) -> None:
    (found,) = find_lesions(head(ball(-30, 20, 15, radius)))
    assert found.kind == 'cavity'
    truth = np.count_nonzero(ball(-30, 20, 15, radius)) * 8 / 1000
    assert found.volume_ml == pytest.approx(truth, rel=0.15)
    assert found.radius_mm == pytest.approx(radius, abs=4)


def test_a_cavity_that_the_registration_followed_is_found_by_its_asymmetry() -> None:
    hole = ball(-32, 20, 12, 13)
    evidence = followed(head(hole), hole)
    (found,) = find_lesions(evidence)
    assert np.count_nonzero(found.mask & hole) > 0.8 * np.count_nonzero(hole)
    both = hole | ball(32, 20, 12, 13)
    assert find_lesions(followed(head(both), both)) == []  # a twin: see the limits in the docs


def test_large_ventricles_that_the_registration_follows_are_none() -> None:
    for larger in (4, 10):
        large = ventricles(larger)
        assert find_lesions(followed(head(large), large)) == []


def test_a_hydrocephalus_that_no_registration_follows_is_none_but_one_side_is() -> None:
    large = ventricles(10)
    assert find_lesions(head(large)) == []
    assert [found.kind for found in find_lesions(head(large & (X < 0)))] == ['cavity']


def test_a_cavity_that_opens_into_a_ventricle_is_found_without_it() -> None:
    hole = ball(-28, 5, 8, 13)
    (found,) = find_lesions(head(hole))
    assert np.count_nonzero(found.mask & hole) > 0.7 * np.count_nonzero(hole)
    assert np.count_nonzero(found.mask & ventricles() & ~hole) * 8 / 1000 < 1.5


def test_small_and_thin_fluid_is_none() -> None:
    assert find_lesions(head(ball(-30, 20, 15, 6))) == []
    sulcus = (np.abs(X + 30) < 4) & (np.abs(Y) < 30) & (Z > 0)
    assert find_lesions(head(sulcus)) == []


def test_a_registration_off_by_3_mm_raises_no_alarm() -> None:
    off = np.roll(head().nonlinear, 1, axis=1)  # by 2 mm
    off = np.roll(off, 1, axis=2)
    far = np.roll(head().affine, 4, axis=1)  # the affine, by 8 mm
    assert find_lesions(head(nonlinear=off, affine=far)) == []


def test_a_dark_block_in_white_matter_is_solid() -> None:
    evidence = head()
    dark = evidence._replace(wm=np.where(ball(30, 15, 25, 14), 0, evidence.wm))
    (found,) = find_lesions(dark)
    assert found.kind == 'solid'
    assert found.volume_ml == pytest.approx(
        np.count_nonzero(ball(30, 15, 25, 14)) * 8e-3, rel=0.25
    )
    both = ball(30, 15, 25, 14) | ball(-30, 15, 25, 14)
    assert find_lesions(evidence._replace(wm=np.where(both, 0, evidence.wm))) == []


def test_a_gap_in_the_brain_mask_is_found_but_not_the_end_of_the_image() -> None:
    bite = ball(-50, 30, 20, 22)
    (found,) = find_lesions(head(gone=bite))
    assert found.kind == 'gap'
    cut = Z > 30
    assert find_lesions(head(gone=cut, inside=~cut)) == []


def test_the_largest_comes_first() -> None:
    found = find_lesions(head(ball(-30, 20, 15, 10) | ball(30, -25, 15, 14)))
    assert [suspect.volume_ml > 6 for suspect in found] == [True, False]
