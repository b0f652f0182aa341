"""Refinement of structures on a phantom of touching structures with known volumes."""

import numpy as np
import pandas as pd
import pytest

from mriderived.core.partial_volume import Fractions
from mriderived.core.structures import refine_structures

SHAPE = (64, 48, 40)
#: Mean intensities: white matter, cortex, caudate, putamen, pallidum, ventricle; fluid outside.
LEVELS = {2: 180, 3: 110, 11: 120, 12: 140, 13: 165, 4: 30, 0: 30}
LEVELS |= {41: 180, 42: 110, 50: 120, 51: 140, 52: 165, 43: 30}
MIRROR = {2: 41, 3: 42, 11: 50, 12: 51, 13: 52, 4: 43}
TABLE = pd.DataFrame(
    {
        'index': [2, 3, 4, 11, 12, 13, 41, 42, 43, 50, 51, 52],
        'tissue': ['white', 'cortex', 'csf', 'subcortex', 'subcortex', 'subcortex'] * 2,
        'composition': ['wm', 'gm', 'csf', 'gm', 'gm+wm', 'gm+wm'] * 2,
    }
)


def draw(shift: float = 0.0) -> np.ndarray:
    """Two mirrored hemispheres; ``shift`` in voxels moves the deep structures."""
    x, y, z = np.indices(SHAPE) - (np.array(SHAPE)[:, None, None, None] - 1) / 2
    side = np.abs(x)
    labels = np.where((side / 30) ** 2 + (y / 23) ** 2 + (z / 19) ** 2 < 1, 3, 0)
    labels[(side / 26) ** 2 + (y / 19) ** 2 + (z / 15) ** 2 < 1] = 2
    y = y - shift
    boxes = {4: (1, 6), 11: (6, 11), 13: (12, 15), 12: (15, 20)}
    for number, (low, high) in boxes.items():
        inside = (side >= low) & (side < high) & (y**2 + z**2 < 64)
        labels[inside] = number
    right = x > 0
    for left_number, right_number in MIRROR.items():
        labels[right & (labels == left_number)] = right_number
    return labels.astype(np.int32)


def scan(labels: np.ndarray, noise: float = 4.0) -> tuple[np.ndarray, Fractions]:
    rng = np.random.default_rng(3)
    image = np.vectorize(LEVELS.get)(labels) + rng.normal(0, noise, labels.shape)
    fluid = np.isin(labels, (0, 4, 43))
    grey = np.isin(labels, (3, 42, 11, 50, 12, 51))
    parts = (grey, ~grey & ~fluid, fluid)
    return image.astype(np.float32), Fractions(*(part.astype(np.float32) for part in parts))


def test_structures_are_found_where_the_warp_was_off() -> None:
    truth = draw()
    image, tissues = scan(truth)
    found = refine_structures(draw(1.5), TABLE, image, tissues, (1, 1, 1))
    for number in (11, 12, 13, 50, 51, 52, 4, 43):
        volume = np.count_nonzero(truth == number)
        # The random field rounds the rims of discs of 5 mm.
        assert np.count_nonzero(found == number) == pytest.approx(volume, rel=0.06), number
        before = np.count_nonzero((draw(1.5) == number) & (truth == number))
        after = np.count_nonzero((found == number) & (truth == number))
        assert after / volume > 0.94 > before / volume, number


def test_cortex_and_white_matter_follow_the_tissue() -> None:
    truth = draw()
    image, tissues = scan(truth)
    found = refine_structures(draw(1.5), TABLE, image, tissues, (1, 1, 1))
    for number in (2, 3, 41, 42):
        same = np.count_nonzero((found == number) & (truth == number))
        assert same / np.count_nonzero(truth == number) > 0.98


def test_a_mirrored_head_gives_the_mirrored_labels() -> None:
    image, tissues = scan(draw())
    warped = draw(1.5)
    straight = refine_structures(warped, TABLE, image, tissues, (1, 1, 1))
    exchange = np.arange(64)
    for one, other in MIRROR.items():
        exchange[one], exchange[other] = other, one
    turned = refine_structures(
        np.ascontiguousarray(exchange[warped][::-1].astype(np.int32)),
        TABLE,
        np.ascontiguousarray(image[::-1]),
        Fractions(*(np.ascontiguousarray(part[::-1]) for part in tissues)),
        (1, 1, 1),
    )
    assert (exchange[turned][::-1] != straight).mean() < 0.002


def test_any_number_of_threads_gives_the_same() -> None:
    image, tissues = scan(draw())
    one, three = (
        refine_structures(draw(1.5), TABLE, image, tissues, (1, 1, 1), threads=threads)
        for threads in (1, 3)
    )
    assert (one == three).all()


def test_lengths_are_in_mm() -> None:
    truth, warped = draw(), draw(1.5)
    image, tissues = scan(truth)
    fine = [np.repeat(each, 2, axis=1) for each in (warped, image, *tissues)]
    found = refine_structures(fine[0], TABLE, fine[1], Fractions(*fine[2:]), (1, 0.5, 1))
    for number in (11, 12, 50, 51):
        volume = np.count_nonzero(found == number) / 2
        assert volume == pytest.approx(np.count_nonzero(truth == number), rel=0.04)


def test_what_is_not_there_is_not_found() -> None:
    """A hole of fluid in place of the left caudate and putamen."""
    truth = draw()
    truth[np.isin(truth, (11, 12))] = 0
    image, tissues = scan(truth)
    found = refine_structures(draw(), TABLE, image, tissues, (1, 1, 1))
    assert np.count_nonzero(np.isin(found, (11, 12))) == 0
    assert np.count_nonzero(found == 50) == pytest.approx(np.count_nonzero(truth == 50), rel=0.02)


def test_a_missing_tissue_is_an_error() -> None:
    image, tissues = scan(draw())
    nothing = np.zeros_like(tissues.wm)
    with pytest.raises(ValueError, match='no voxel of the brain is white matter'):
        refine_structures(
            draw(), TABLE, image, Fractions(tissues.gm, nothing, tissues.csf), (1, 1, 1)
        )
