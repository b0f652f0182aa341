"""Air, artefacts, head and padding of a synthetic head."""

import numpy as np
import pytest

from mriderived.core import quality_air
from mriderived.core.quality_air import AIR, ARTEFACT, HEAD, PADDING

SHAPE, SPACING = (90, 104, 90), (2.0, 2.0, 2.0)
#: From voxel indices to MNI152: the middle of the grid lies 10 mm above the origin.
TO_SPACE = np.array([[2.0, 0, 0, -90], [0, 2, 0, -122], [0, 0, 2, -80], [0, 0, 0, 1]])


def ellipsoid(scale: float) -> np.ndarray:
    grid = np.ogrid[tuple(slice(-n / 2 + 0.5, n / 2) for n in SHAPE)]
    axes = np.array([32.0, 40, 32]) * scale
    return np.asarray(sum((g / a) ** 2 for g, a in zip(grid, axes, strict=True)) < 1)


@pytest.fixture
def scan() -> tuple[np.ndarray, np.ndarray]:
    """Return intensities with noise of sigma 10, and the brain."""
    brain = ellipsoid(0.8)
    signal = np.where(brain, 800.0, np.where(ellipsoid(1), 500.0, 0.0))
    noise = np.random.default_rng(0).normal(0, 10, (2, *SHAPE))
    return np.hypot(signal + noise[0], noise[1]).astype(np.float32), brain


def label(raw: np.ndarray, brain: np.ndarray) -> np.ndarray:
    return quality_air.label_air(raw, raw, brain, SPACING, TO_SPACE)


def test_head_and_air_are_told_apart(scan: tuple[np.ndarray, np.ndarray]) -> None:
    raw, brain = scan
    labels = label(raw, brain)
    head = ellipsoid(1)
    overlap = 2 * np.sum((labels == HEAD) & head) / (np.sum(labels == HEAD) + head.sum())
    assert overlap > 0.97
    air = np.argwhere(labels == AIR)
    assert len(air) > 50_000
    # nothing of the air lies within 10 mm (less the half of a block) of the head
    assert not (ellipsoid(1 + 8 / 64) & (labels == AIR)).any()
    assert np.mean(raw[labels == AIR]) == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.01)
    assert not np.isin(labels, (ARTEFACT, PADDING)).any()


def test_air_lies_above_brow_and_inion(scan: tuple[np.ndarray, np.ndarray]) -> None:
    labels = label(*scan)
    world = np.argwhere(labels == AIR) @ TO_SPACE[:3, :3].T + TO_SPACE[:3, 3]
    line = np.interp(world[:, 1], [-118, 88], [-23, -16])
    inside = np.abs(world[:, 1]) < 88
    assert (world[inside, 2] > line[inside]).all()
    assert world[:, 2].min() < -15


def test_the_plane_follows_a_tilted_head() -> None:
    angle = np.radians(20)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    mask = quality_air.above_plane(SHAPE, tilt @ TO_SPACE)
    world = np.argwhere(mask) @ (tilt @ TO_SPACE)[:3, :3].T + (tilt @ TO_SPACE)[:3, 3]
    line = -16 + (world[:, 1] - 88) * 7 / 206
    assert (world[:, 2] > line - 1e-9).all()
    assert 0.2 < mask.mean() < 0.8


def test_a_ghost_in_air_is_an_artefact(scan: tuple[np.ndarray, np.ndarray]) -> None:
    raw, brain = scan
    raw[4:10, 4:10, 76:84] += 150
    labels = label(raw, brain)
    inner = np.zeros(SHAPE, bool)
    inner[5:9, 5:9, 77:83] = True
    assert (labels[inner] == ARTEFACT).all()
    assert np.sum(labels == ARTEFACT) <= 6 * 6 * 8
    assert quality_air.find_artefacts(raw, np.zeros(SHAPE, bool)).sum() == 0


def test_single_bright_voxels_are_no_artefact(scan: tuple[np.ndarray, np.ndarray]) -> None:
    raw, brain = scan
    raw[5:80:9, 5, 80] += 500
    assert not (label(raw, brain) == ARTEFACT).any()


def test_filled_regions_are_padding(scan: tuple[np.ndarray, np.ndarray]) -> None:
    raw, brain = scan
    raw[:12] = 0
    raw[:, :, -6:] = 0
    labels = label(raw, brain)
    assert (labels[:12][labels[:12] != HEAD] == PADDING).all()
    assert (labels[:, :, -6:] == PADDING).all()
    assert not (labels[13:, :, :-7] == PADDING).any()


def test_padding_may_have_any_lowest_value() -> None:
    raw = np.full((9, 9, 9), 40, np.float32)
    raw[:4] = 25
    assert quality_air.find_padding(raw).sum() == 4 * 81


def test_constant_air_has_no_artefacts() -> None:
    raw = np.full((9, 9, 9), 3, np.float32)
    raw[2:6, 2:6, 2:6] = 90
    assert quality_air.find_artefacts(raw, np.ones(raw.shape, bool)).sum() == 0


def test_noise_does_not_grow_into_the_head() -> None:
    brain = ellipsoid(0.8)
    signal = np.where(ellipsoid(1), 600.0, 0.0)
    noise = np.random.default_rng(0).normal(0, 120, (2, *SHAPE))
    raw = np.hypot(signal + noise[0], noise[1]).astype(np.float32)
    labels = label(raw, brain)
    assert np.sum(labels == HEAD) == pytest.approx(ellipsoid(1).sum(), rel=0.1)


def test_affine_is_fitted() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)) * 40
    targets = points @ TO_SPACE[:3, :3].T + TO_SPACE[:3, 3]
    np.testing.assert_allclose(quality_air.fit_affine(points, targets), TO_SPACE, atol=1e-9)
