"""Ringing of a cut-off spectrum is removed; what has none stays."""

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.gibbs import remove_along_rows, remove_from_image, remove_ringing


def _ringing() -> tuple[np.ndarray, np.ndarray]:
    """Return an image of few Fourier terms and the same image without ringing."""
    fine = np.zeros((256, 256))
    x, y = np.indices(fine.shape)
    fine[(x - 128) ** 2 / 90**2 + (y - 128) ** 2 / 70**2 < 1] = 100
    fine[(x - 110) ** 2 + (y - 140) ** 2 < 25**2] = 160
    spectrum = np.fft.fftshift(np.fft.fft2(fine))[96:160, 96:160]
    coarse = np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum))) / 16
    return coarse.astype(np.float32), fine.reshape(64, 4, 64, 4).mean(axis=(1, 3))


def _cleaned(series: np.ndarray, *arguments: object, **options: object) -> np.ndarray:
    found = series.copy()
    remove_ringing(found, *arguments, **options)
    return found


def test_ringing_beside_an_edge_is_halved() -> None:
    ringing, truth = _ringing()
    found = remove_from_image(ringing)
    # inside the large disc, away from both edges
    flat = ndimage.binary_erosion(truth == 100, iterations=3)
    before = np.sqrt(((ringing - truth)[flat] ** 2).mean())
    after = np.sqrt(((found - truth)[flat] ** 2).mean())
    assert after < 0.5 * before


@pytest.mark.parametrize('shape', [(64, 64), (57, 64), (50, 41)])
def test_the_same_as_with_dipy(shape: tuple[int, int]) -> None:
    gibbs = pytest.importorskip('dipy.denoise.gibbs')
    ringing, _ = _ringing()
    rng = np.random.default_rng(3)
    noisy = ringing + rng.normal(0, 1, ringing.shape) + 1j * rng.normal(0, 1, ringing.shape)
    image = np.ascontiguousarray(np.abs(noisy)[: shape[0], : shape[1]], np.float32)
    # dipy works in double precision
    exact = image.astype(np.float64)
    rows = remove_along_rows(image)
    theirs = gibbs._gibbs_removal_1d(exact, axis=1)
    np.testing.assert_allclose(rows, theirs, atol=1e-3)
    columns = remove_along_rows(image.T).T
    np.testing.assert_allclose(columns, gibbs._gibbs_removal_1d(exact, axis=0), atol=1e-3)
    # its weights put the frequency 0 half a step off
    found, whole = remove_from_image(image), gibbs._gibbs_removal_2d(exact)
    removed = whole - image
    assert np.abs(found - whole).max() < 0.02 * np.abs(removed).max()
    assert np.sqrt(((found - whole) ** 2).mean()) < 0.03 * np.sqrt((removed**2).mean())


def test_slices_along_any_axis_and_any_number_of_threads_give_the_same() -> None:
    ringing, _ = _ringing()
    stack = np.stack([ringing, ringing[::-1], ringing.T], axis=-1)[..., None]
    series = np.concatenate([stack, 2 * stack, stack**0.5], axis=-1)
    along = _cleaned(series, 2)
    first = _cleaned(np.ascontiguousarray(np.moveaxis(series, 2, 0)), 0, threads=2)
    np.testing.assert_allclose(np.moveaxis(first, 0, 2), along, atol=1e-4)
    np.testing.assert_array_equal(_cleaned(series, threads=3), along)
    np.testing.assert_array_equal(_cleaned(series[..., 1:2])[..., 0], along[..., 1])


def test_slices_without_a_head_stay() -> None:
    ringing, _ = _ringing()
    series = np.repeat(ringing[:, :, None, None], 3, axis=2)
    mask = np.zeros(series.shape[:3], bool)
    mask[30, 30, 1] = True
    found = _cleaned(series, 2, mask)
    np.testing.assert_array_equal(found[:, :, [0, 2]], series[:, :, [0, 2]])
    np.testing.assert_array_equal(found[:, :, 1, 0], remove_from_image(ringing))


def test_a_smooth_image_stays() -> None:
    x, y = np.indices((32, 32))
    smooth = (100 * np.exp(-((x - 15.5) ** 2 + (y - 15.5) ** 2) / 40)).astype(np.float32)
    np.testing.assert_allclose(remove_from_image(smooth), smooth, atol=1)


@pytest.mark.parametrize(
    ('series', 'axis', 'mask', 'said'),
    [
        (np.zeros((4, 4), np.float32), 2, None, 'has four axes'),
        (np.zeros((4, 4, 4, 2), np.float32), 3, None, 'must be 0, 1 or 2'),
        (np.full((4, 4, 4, 2), np.nan, np.float32), 2, None, 'not finite'),
        (np.zeros((4, 4, 4, 2), np.float32), 2, np.ones((4, 4, 3), bool), 'the mask has shape'),
    ],
)
def test_what_cannot_be_processed_is_said(series, axis, mask, said) -> None:
    with pytest.raises(ValueError, match=said):
        remove_ringing(series, axis, mask)
