"""Times of the removal of Gibbs ringing, ours and dipy's, and how much they differ.

    python benchmarks/gibbs.py [--size 96] [--slices 20]

Slices of two discs of few Fourier terms, with noise; seconds are of the processor, one thread.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from mriderived.core.gibbs import remove_from_image


def draw_slice(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return the magnitude of discs whose spectrum is cut off, with noise."""
    x, y = np.indices((4 * size, 4 * size)) / (4 * size) - 0.5
    fine = 100.0 * ((x / 0.4) ** 2 + (y / 0.3) ** 2 < 1)
    fine[(x + 0.08) ** 2 + (y - 0.05) ** 2 < 0.1**2] = 160
    spectrum = np.fft.fftshift(np.fft.fft2(fine))
    first = 2 * size - size // 2
    kept = spectrum[first : first + size, first : first + size]
    noise = rng.normal(0, 2, (2, size, size))
    image = np.fft.ifft2(np.fft.ifftshift(kept)) / 16 + noise[0] + 1j * noise[1]
    return np.abs(image).astype(np.float32)


def main() -> None:
    from dipy.denoise.gibbs import gibbs_removal

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', type=int, default=96)
    parser.add_argument('--slices', type=int, default=20)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    images = [draw_slice(options.size, rng) for _ in range(options.slices)]
    remove_from_image(images[0])
    start = time.process_time()
    ours = [remove_from_image(image) for image in images]
    took = time.process_time() - start
    start = time.process_time()
    theirs = [gibbs_removal(image.astype(np.float64), inplace=False) for image in images]
    took_theirs = time.process_time() - start
    away = np.array(ours) - np.array(theirs)
    removed = np.array(theirs) - np.array(images)
    print(f'ours      {1000 * took / len(images):7.1f} ms per slice')
    print(f'dipy      {1000 * took_theirs / len(images):7.1f} ms per slice')
    print(f'ratio     {took_theirs / took:7.1f}')
    print(f'differ by {np.sqrt((away**2).mean() / (removed**2).mean()):7.4f} of what is removed')


if __name__ == '__main__':
    main()
