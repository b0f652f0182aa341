"""Our denoising by principal components and dipy's on the same series: speed and error.

    OPENBLAS_NUM_THREADS=1 python benchmarks/mppca.py [--size 24]

Two phantoms of 68 volumes (b = 0, 1000 and 2500 s/mm²) with Gaussian noise of 3 % of the brighter
tissue: one in which fibres turn smoothly, as they do in a brain, and one in which every voxel has
a direction of its own, which is the hardest case for a method that looks for shared patterns.
Errors are root mean squares against the truth. Both run on one thread.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

SIGMA = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--size', type=int, default=24)
    options = parser.parse_args()

    from dipy.denoise.localpca import mppca

    from mriderived.core.mppca import denoise

    rng = np.random.default_rng(0)
    b, directions = _table(rng)
    denoise(np.asarray(rng.random((6, 6, 6, 12)), np.float32))  # compile first
    for name, fibre in (('smooth', _turn(options.size)), ('random', _draw(options.size, rng))):
        truth = _signals(fibre, b, directions)
        noisy = truth + SIGMA * rng.standard_normal(truth.shape).astype(np.float32)
        print(f'{name}: noisy {_rms(noisy - truth):.3f}')
        start = time.perf_counter()
        theirs, level = mppca(noisy, patch_radius=2, return_sigma=True, suppress_warning=True)
        seconds = time.perf_counter() - start
        _report('dipy', theirs - truth, level, truth, seconds, seconds)
        for stride in (1, 2, 3):
            for shrink in (False, True):
                start = time.perf_counter()
                ours = denoise(noisy, stride=stride, shrink=shrink)
                taken = time.perf_counter() - start
                label = f'ours, stride {stride}' + (', shrunk' if shrink else '')
                _report(label, ours.series - truth, ours.sigma, truth, taken, seconds)


def _table(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    directions = rng.normal(size=(68, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.repeat([0, 1000, 2500], [4, 32, 32]), directions


def _turn(size: int) -> np.ndarray:
    x, y, z = np.indices((size,) * 3) / 4
    return np.stack([np.sin(x + y / 2), np.cos(y - z / 3), np.sin(0.7 * z + x)], axis=-1)


def _draw(size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(size, size, size, 3))


def _signals(fibre: np.ndarray, b: np.ndarray, directions: np.ndarray) -> np.ndarray:
    x, y, z = np.indices(fibre.shape[:3]) / 4
    cosine = fibre / np.linalg.norm(fibre, axis=-1, keepdims=True) @ directions.T
    excess = (1.0e-3 * (0.6 + 0.4 * np.sin(1.3 * x) * np.cos(y)))[..., None]
    baseline = (100 + 60 * (np.sin(2 * x) > 0.3) * (np.cos(z * 1.5) > 0))[..., None]
    return np.asarray(baseline * np.exp(-b * (0.4e-3 + excess * cosine**2)), np.float32)


def _report(
    name: str, error: np.ndarray, sigma: np.ndarray, truth: np.ndarray, taken: float, theirs: float
) -> None:
    voxels = truth.size / truth.shape[-1]
    print(
        f'  {name:22} error {_rms(error):.3f}, noise found {np.median(sigma):.2f} of {SIGMA:g}, '
        f'{voxels / taken:7.0f} voxels/s, {theirs / taken:5.1f} times dipy'
    )


def _rms(difference: np.ndarray) -> float:
    return float(np.sqrt((difference.astype(float) ** 2).mean()))


if __name__ == '__main__':
    main()
