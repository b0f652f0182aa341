"""Fast morphology against scipy, and coarse grids."""

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core import quality_masks

EDGES = ndimage.generate_binary_structure(3, 2)
FACES = ndimage.generate_binary_structure(3, 1)


def blobs(seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(21, 18, 24)), 1.2)
    return noise > -0.02


@pytest.mark.parametrize('seed', range(3))
def test_morphology_equals_scipys(seed: int) -> None:
    mask = blobs(seed)
    expected = {
        'erode': ndimage.binary_erosion(mask, EDGES),
        'erode_faces': ndimage.binary_erosion(mask, FACES),
        'open_edges': ndimage.binary_opening(mask, EDGES),
        'open_faces': ndimage.binary_opening(mask, FACES),
    }
    for name, result in expected.items():
        assert result.any()
        np.testing.assert_array_equal(getattr(quality_masks, name)(mask), result)


def test_the_input_stays_as_it_is() -> None:
    mask = blobs(0)
    before = mask.copy()
    quality_masks.erode(mask)
    np.testing.assert_array_equal(mask, before)


def test_blocks_keep_the_mean_and_refine_back() -> None:
    volume = np.random.default_rng(0).random((8, 9, 4)).astype(np.float32)
    coarse = quality_masks.coarsen(volume, (2, 3, 1))
    assert coarse.shape == (4, 3, 4)
    assert coarse.mean() == pytest.approx(volume.mean(), rel=1e-6)
    assert coarse[1, 2, 3] == pytest.approx(volume[2:4, 6:9, 3].mean(), rel=1e-6)
    fine = quality_masks.refine(coarse, (2, 3, 1), volume.shape)
    assert fine.shape == volume.shape
    assert fine[3, 8, 3] == coarse[1, 2, 3]


def test_blocks_at_an_uneven_end_repeat_the_edge() -> None:
    volume = np.arange(5, dtype=np.float32).reshape(5, 1, 1)
    assert quality_masks.coarsen(volume, (2, 1, 1)).ravel().tolist() == [0.5, 2.5, 4.0]
