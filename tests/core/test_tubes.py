"""Tubes of known place and width in noise, and a head without any."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.tube_components import Rules, keep_spaces, sum_regions
from mriderived.core.tube_region import find_search_region
from mriderived.core.tubes import check_resolution, find_tubes
from mriderived.phantom.head import HeadOptions, draw_head


class Line(NamedTuple):
    centre: np.ndarray
    direction: np.ndarray
    length: float


def draw(
    count: int, diameter: tuple[float, float], noise: float = 3.0, size: int = 88, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, list[Line]]:
    """Dark tubes (40 % of 100) in any direction; the truth is their share of each voxel."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((size,) * 3, np.float32)
    lines: list[Line] = []
    steps = (np.arange(3) + 0.5) / 3 - 0.5
    for _ in range(3000):
        if len(lines) == count:
            break
        centre, direction = rng.uniform(14, size - 14, 3), rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        line = Line(centre, direction, rng.uniform(8, 18))
        width = rng.uniform(*diameter)
        if any(np.linalg.norm(centre - other.centre) < 22 for other in lines):
            continue
        low = np.floor(centre - line.length / 2 - 3).astype(int).clip(0)
        high = np.ceil(centre + line.length / 2 + 3).astype(int).clip(max=size)
        axes = [(np.arange(a, b)[:, None] + steps).ravel() - c
                for a, b, c in zip(low, high, centre, strict=True)]  # fmt: skip
        x, y, z = np.meshgrid(*axes, indexing='ij', sparse=True)
        along = x * direction[0] + y * direction[1] + z * direction[2]
        away = x**2 + y**2 + z**2 - along**2
        inside = (away < (width / 2) ** 2) & (np.abs(along) < line.length / 2)
        a, b, c = high - low
        part = inside.reshape(a, 3, b, 3, c, 3).mean(axis=(1, 3, 5))
        truth[tuple(slice(i, j) for i, j in zip(low, high, strict=True))] += part
        lines.append(line)
    image = 100 - 40 * truth + rng.normal(0, noise, truth.shape)
    return image.astype(np.float32), truth, lines


def recall(labels: np.ndarray, lines: list[Line]) -> float:
    """A tube is found if objects cover half of its middle line."""
    hits = 0
    for line in lines:
        steps = np.linspace(0.5 - line.length / 2, line.length / 2 - 0.5, 15)
        points = np.rint(line.centre + steps[:, None] * line.direction).astype(int)
        hits += (labels[tuple(points.T)] > 0).mean() >= 0.5
    return hits / len(lines)


@pytest.mark.parametrize('noise', [2.0, 5.0])
def test_tubes_of_two_voxels_are_found_with_their_volume(noise: float) -> None:
    image, truth, lines = draw(20, (2, 3), noise)
    found = find_tubes(image, np.ones(image.shape, bool), (1, 1, 1))
    spaces = keep_spaces(found.mask, (1, 1, 1))
    assert recall(spaces.labels, lines) >= 0.95
    assert spaces.table['volume_mm3'].sum() == pytest.approx(truth.sum(), rel=0.15)
    lengths = sum(line.length for line in lines)
    assert spaces.table['length_mm'].sum() == pytest.approx(lengths, rel=0.15)
    false = [i for i in spaces.table['index'] if truth[spaces.labels == i].max() < 0.1]
    assert len(false) == 0


def test_bright_tubes_in_finer_voxels() -> None:
    image, _, lines = draw(12, (2, 3), seed=1)
    bright = find_tubes(200 - image, np.ones(image.shape, bool), (0.7, 0.7, 0.7), is_bright=True)
    assert recall(keep_spaces(bright.mask, (0.7,) * 3).labels, lines) >= 0.8
    dark = find_tubes(200 - image, np.ones(image.shape, bool), (0.7, 0.7, 0.7))
    assert recall(keep_spaces(dark.mask, (0.7,) * 3).labels, lines) == 0


def test_scale_of_the_image_and_threads_do_not_matter() -> None:
    image, _, _ = draw(6, (2, 3), size=64)
    region = np.ones(image.shape, bool)
    one = find_tubes(image, region, (1, 1, 1))
    many = find_tubes(image * 8, region, (1, 1, 1), threads=3)
    assert (one.mask == many.mask).all()
    assert np.allclose(one.strength, many.strength, rtol=1e-4, atol=1e-4)


def test_noise_balls_and_sheets_are_no_tubes() -> None:
    rng = np.random.default_rng(2)
    image = (100 + rng.normal(0, 4, (90, 90, 90))).astype(np.float32)
    x, y, z = np.indices(image.shape)
    image[(x - 25) ** 2 + (y - 25) ** 2 + (z - 25) ** 2 < 16] -= 40
    image[60:62, 30:70, 30:70] -= 40
    found = find_tubes(image, np.ones(image.shape, bool), (1, 1, 1))
    spaces = keep_spaces(found.mask, (1, 1, 1))
    assert len(spaces.table) <= 2


@pytest.mark.slow
@pytest.mark.long
def test_a_head_without_tubes() -> None:
    head = draw_head(HeadOptions())
    white = head.counts[1] > 0.9 * head.cells
    found = find_tubes((head.t1w / head.bias).astype(np.float32), white, (1, 1, 1))
    assert len(keep_spaces(found.mask, (1, 1, 1)).table) <= 5


def test_rules() -> None:
    mask = np.zeros((30, 30, 30), bool)
    mask[2:12, 5, 5] = True  # a space
    mask[2:4, 15, 15] = True  # too short
    mask[2:20, 20:26, 20:26] = True  # too wide
    mask[20:26, 2:8, 10] = True  # a sheet
    regions = np.zeros(mask.shape, np.int32)
    regions[:8] = 7
    found = keep_spaces(mask, (1, 1, 1), regions)
    assert found.table['voxels'].tolist() == [10]
    assert found.table['region'].tolist() == [7]
    assert found.table[['x', 'y', 'z']].to_numpy().tolist() == [[6.5, 5, 5]]
    assert (found.labels > 0).sum() == 10
    wide = keep_spaces(mask, (1, 1, 1), rules=Rules(most_diameter_mm=9, least_linearity=0.6))
    assert wide.table['voxels'].tolist() == [648, 10]


def test_lengths_follow_the_voxel_size() -> None:
    mask = np.zeros((20, 20, 20), bool)
    mask[5, 5, 2:12] = True
    found = keep_spaces(mask, (0.5, 0.5, 0.8)).table.iloc[0]
    assert found['length_mm'] == pytest.approx(8.0)
    assert found['volume_mm3'] == pytest.approx(2.0)
    assert found['diameter_mm'] == pytest.approx(2 * (2.0 / (np.pi * 8)) ** 0.5)


def test_none_and_sums() -> None:
    empty = keep_spaces(np.zeros((5, 5, 5), bool), (1, 1, 1))
    assert len(empty.table) == 0 and not empty.labels.any()
    assert sum_regions(empty.table, [1, 2])['count'].tolist() == [0, 0]


def test_region_leaves_out_what_is_near_sulci() -> None:
    white = np.zeros((40, 20, 20), bool)
    white[5:35] = True
    white[20, 10] = False
    fluid = np.zeros_like(white)
    fluid[:5] = True
    found = find_search_region(white, np.zeros_like(white), fluid, (1, 1, 1))
    assert found[20, 10, 10] and not found[6, 10, 10] and found[7, 10, 10]
    assert (
        found <= ndimage.binary_closing(np.pad(white, 4), iterations=3)[4:-4, 4:-4, 4:-4]
    ).all()


def test_bad_input() -> None:
    image = np.ones((9, 9, 9), np.float32)
    with pytest.raises(ValueError, match=r'voxels of 1 x 1 x 1.5 mm are too large'):
        check_resolution((1, 1, 1.5))
    with pytest.raises(ValueError, match='there is no tissue'):
        find_tubes(image, image < 0, (1, 1, 1))
    with pytest.raises(ValueError, match='constant where perivascular spaces'):
        find_tubes(image, image > 0, (1, 1, 1))
