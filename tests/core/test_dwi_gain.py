"""Parts of a series that differ in gain are recognised."""

from pathlib import Path

import epi_phantoms
import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.dwi_gain import find_gain_between, find_gains
from mriderived.interfaces.dwi_acquisition import DwiAcquisition, DwiPart
from mriderived.interfaces.dwi_parts import join_scaled


@pytest.fixture(scope='module')
def head() -> np.ndarray:
    rng = np.random.default_rng(3)
    smooth = ndimage.gaussian_filter(rng.random((24, 28, 20)), 2)
    return (500 * smooth / smooth.mean()).astype(np.float32)


@pytest.mark.parametrize('gain', [0.4, 0.9, 1.7])
def test_a_gain_is_found_in_spite_of_noise_and_of_a_shift(head: np.ndarray, gain: float) -> None:
    rng = np.random.default_rng(0)
    moved = np.roll(head, 1, axis=1) / gain + rng.normal(0, 20 / gain, head.shape)
    found = find_gains([head, moved.astype(np.float32)], head > 0)
    np.testing.assert_allclose(found, [1, gain], rtol=0.01)


def test_the_first_that_is_known_is_the_measure(head: np.ndarray) -> None:
    found = find_gains([None, head, head / 2], head > 0)
    np.testing.assert_allclose(found, [np.nan, 1, 2], rtol=1e-6)


def test_a_part_that_shows_nothing_is_not_scaled(head: np.ndarray) -> None:
    assert np.isnan(find_gains([head, np.zeros_like(head)], head > 0)[1])
    assert np.isnan(find_gains([head, head], np.zeros(head.shape, bool))[1])


def test_images_that_show_nothing_have_no_gain(head: np.ndarray) -> None:
    assert np.isnan(find_gain_between(head, np.zeros_like(head), head > 0))
    assert np.isnan(find_gain_between(head, head, np.zeros(head.shape, bool)))


@pytest.fixture(scope='module')
def seen() -> dict[str, np.ndarray]:
    """Give a head as images of opposite phase encodings show it."""
    shape = (36, 40, 24)
    head, _ = epi_phantoms.head(shape)
    shift = 0.03 * epi_phantoms.field_hz(shape)
    return {
        direction: 800 * epi_phantoms.distort(head, sign * shift, 1)
        for direction, sign in (('j', 1), ('j-', -1))
    }


@pytest.mark.parametrize('gain', [1.0, 1.3])
def test_opposite_distortion_feigns_no_gain(
    seen: dict[str, np.ndarray], gain: float, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    parts = []
    known = [('j', 1), ('j', 0.5), ('j-', gain), ('j-', gain / 2)]
    for number, (direction, factor) in enumerate(known):
        noise = rng.normal(0, 16, (2, *seen[direction].shape))
        data = np.hypot(seen[direction] + noise[0], noise[1]).astype(np.float32) / factor
        path = tmp_path / f'{number}.nii'
        nb.Nifti1Image(data.astype(np.float32), np.eye(4)).to_filename(path)
        parts.append(DwiPart(path, (0,), np.zeros(1), np.zeros((1, 3)), direction, 0.03))
    joined = join_scaled(DwiAcquisition(5.0, None, 2, tuple(parts), None, ()))
    np.testing.assert_allclose(joined.gains, [factor for _, factor in known], rtol=0.01)
