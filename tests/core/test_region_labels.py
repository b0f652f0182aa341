"""Growing and fitting labels, on arrays with known answers."""

import numpy as np
import pandas as pd
import pytest

from mriderived.core.labels import fill_labels, smooth_borders, spread_labels
from mriderived.core.partial_volume import Fractions


def table(*rows: tuple[int, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=['index', 'hemisphere', 'tissue', 'composition'])


CORTEX = table((1, 'L', 'cortex', 'gm'), (2, 'R', 'cortex', 'gm'))


def tissues_of(kind: np.ndarray) -> Fractions:
    """Fractions from a map of 1 grey, 2 white, 3 fluid."""
    return Fractions(*((kind == value).astype(np.float32) for value in (1, 2, 3)))


def slab() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A folded sheet of grey matter in two hemispheres, its middle line labelled."""
    kind = np.full((40, 24, 24), 2)
    x, y, _ = np.indices(kind.shape)
    height = 12 + np.round(4 * np.sin(x / 3)).astype(int)
    kind[np.abs(y - height) <= 2] = 1
    labels = np.where(y == height, np.where(x < 20, 1, 2), 0).astype(np.int32)
    side = np.where(x < 20, -1, 1).astype(np.int8)
    return kind, labels, side


def test_a_folded_sheet_is_filled_and_nothing_else() -> None:
    kind, labels, side = slab()
    filled = fill_labels(labels, CORTEX, tissues_of(kind), side, (1, 1, 1))
    assert ((filled > 0) == (kind == 1)).all()
    assert (filled[:20][kind[:20] == 1] == 1).all()
    assert (filled[20:][kind[20:] == 1] == 2).all()


def test_a_mirrored_image_has_its_sides_exchanged() -> None:
    kind, labels, side = slab()
    kind[5:8] = 3
    filled = fill_labels(labels, CORTEX, tissues_of(kind), side, (1, 1, 1))
    exchange = np.array([0, 2, 1], np.int32)
    mirrored = fill_labels(
        exchange[labels[::-1]], CORTEX, tissues_of(kind[::-1]), -side[::-1], (1, 1, 1)
    )
    assert filled.any()
    assert (exchange[mirrored[::-1]] == filled).all()


def test_cortex_stays_in_its_hemisphere() -> None:
    """A misplaced label of the left, nearer than those of the right, is not taken there."""
    labels = np.zeros((9, 3, 3), np.int32)
    labels[4, 1, 1], labels[8, 1, 1] = 1, 2
    side = np.where(np.arange(9) < 4, -1, 1).astype(np.int8)[:, None, None] * np.ones((1, 3, 3))
    filled = fill_labels(labels, CORTEX, tissues_of(np.ones((9, 3, 3))), side, (1, 1, 1))
    assert (filled[5, 1, 1], filled[3, 1, 1]) == (2, 1)
    assert filled[4, 1, 1] == 2


def test_grey_matter_that_is_nearer_to_another_structure_is_left_out() -> None:
    known = table((1, 'both', 'cortex', 'gm'), (3, 'both', 'brainstem', 'gm+wm'))
    labels = np.zeros((12, 1, 1), np.int32)
    labels[[1, 6, 10], 0, 0] = 1, 3, -1
    kind = np.ones(labels.shape)
    filled = fill_labels(labels, known, tissues_of(kind), np.zeros_like(labels, np.int8),
                         (1, 1, 1), 9.0)  # fmt: skip
    # Label 3 is kept, the context (-1) vanishes, and both keep the cortex away.
    assert filled.ravel().tolist() == [1, 1, 1, 1, 0, 0, 3, 0, 0, 0, 0, 0]


@pytest.mark.parametrize('size', [0.5, 1.0, 2.0])
def test_the_limit_is_in_mm(size: float) -> None:
    labels = np.zeros((30, 1, 1), np.int32)
    labels[0] = 1
    filled = spread_labels(labels, np.ones(labels.shape, bool), (size, 9.0, 9.0), 5.0)
    assert np.count_nonzero(filled) == 1 + int(5.0 / size)


def test_spreading_uses_the_shape_of_the_voxels() -> None:
    labels = np.zeros((5, 1, 5), np.int32)
    labels[0, 0, 2], labels[2, 0, 0] = 7, 9
    spread = spread_labels(labels, np.ones(labels.shape, bool), (3.0, 1.0, 1.0), 50.0)
    assert spread[2, 0, 2] == 9  # 2 mm away, against 6 mm
    thin = spread_labels(labels, np.ones(labels.shape, bool), (1.0, 1.0, 3.0), 50.0)
    assert thin[2, 0, 2] == 7


def test_subcortical_regions_follow_the_tissue_at_the_ventricle() -> None:
    known = table((5, 'L', 'subcortex', 'gm'), (6, 'L', 'csf', 'csf'))
    labels = np.array([5, 5, 5, 6, 6, 6, 0], np.int32)[:, None, None]
    kind = np.array([2, 1, 3, 3, 1, 3, 1])[:, None, None]
    left = np.full(labels.shape, -1, np.int8)
    filled = fill_labels(labels, known, tissues_of(kind), left, (1, 1, 1))
    # White and fluid are taken from the nucleus; the grey voxel in the ventricle goes to it.
    assert filled.ravel().tolist() == [0, 5, 0, 6, 5, 6, 0]


def test_borders_are_straightened_but_nothing_gained_or_lost() -> None:
    rng = np.random.default_rng(0)
    x = np.indices((24, 24, 8))[0]
    clean = np.where(x < 12, 3, 8).astype(np.int32)
    clean[:, :3] = 0
    noisy = np.where((rng.random(x.shape) < 0.15) & (clean > 0), 11 - clean, clean)
    smoothed = smooth_borders(noisy.astype(np.int32), (1, 1, 1))
    assert ((smoothed > 0) == (clean > 0)).all()
    assert (noisy != clean).mean() > 0.1
    assert (smoothed != clean).mean() < 0.01


def test_an_image_without_labels_stays_so() -> None:
    nothing = np.zeros((4, 4, 4), np.int32)
    kind = np.ones(nothing.shape)
    assert not fill_labels(nothing, CORTEX, tissues_of(kind), nothing.astype(np.int8),
                           (1, 1, 1)).any()  # fmt: skip
