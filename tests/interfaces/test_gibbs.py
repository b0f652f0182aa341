"""Ringing of a cut-off spectrum is removed; what has none stays."""

import numpy as np
import pytest
from scipy import ndimage

from mriderived.interfaces.gibbs import remove_ringing


def _ringing() -> tuple[np.ndarray, np.ndarray]:
    """Return an image of few Fourier terms and the same image without ringing."""
    fine = np.zeros((256, 256))
    x, y = np.indices(fine.shape)
    fine[(x - 128) ** 2 / 90**2 + (y - 128) ** 2 / 70**2 < 1] = 100
    fine[(x - 110) ** 2 + (y - 140) ** 2 < 25**2] = 160
    spectrum = np.fft.fftshift(np.fft.fft2(fine))[96:160, 96:160]
    coarse = np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum))) / 16
    return coarse.astype(np.float32), fine.reshape(64, 4, 64, 4).mean(axis=(1, 3))


def test_ringing_beside_an_edge_is_halved() -> None:
    ringing, truth = _ringing()
    found = remove_ringing(np.repeat(ringing[:, :, None], 2, axis=2))
    # inside the large disc, away from both edges
    flat = ndimage.binary_erosion(truth == 100, iterations=3)
    before = np.sqrt(((ringing - truth)[flat] ** 2).mean())
    after = np.sqrt(((found[..., 0] - truth)[flat] ** 2).mean())
    assert after < 0.5 * before


def test_slices_along_any_axis_and_any_number_of_threads_give_the_same() -> None:
    ringing, _ = _ringing()
    stack = np.stack([ringing, ringing[::-1], ringing.T], axis=-1)[..., None]
    series = np.concatenate([stack, 2 * stack, stack**0.5], axis=-1)
    along = remove_ringing(series, slice_axis=2)
    first = remove_ringing(np.moveaxis(series, 2, 0), slice_axis=0, threads=2)
    np.testing.assert_allclose(np.moveaxis(first, 0, 2), along, atol=1e-4)
    np.testing.assert_array_equal(remove_ringing(series, threads=3), along)
    np.testing.assert_array_equal(remove_ringing(series[..., 1]), along[..., 1])


def test_a_smooth_image_stays() -> None:
    x, y, z = np.indices((32, 32, 3))
    smooth = (100 * np.exp(-((x - 15.5) ** 2 + (y - 15.5) ** 2) / 40 - z / 9)).astype(np.float32)
    np.testing.assert_allclose(remove_ringing(smooth), smooth, atol=1)


@pytest.mark.parametrize(
    ('series', 'axis', 'said'),
    [
        (np.zeros((4, 4), np.float32), 2, 'has four axes'),
        (np.zeros((4, 4, 4), np.float32), 3, 'must be 0, 1 or 2'),
        (np.full((4, 4, 4), np.nan, np.float32), 2, 'not finite'),
    ],
)
def test_what_cannot_be_processed_is_said(series, axis, said) -> None:
    with pytest.raises(ValueError, match=said):
        remove_ringing(series, axis)
