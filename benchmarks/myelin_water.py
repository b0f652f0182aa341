"""Our myelin water: time for many voxels, and how far from the truth.

    python benchmarks/myelin_water.py [--voxels 200000] [--echoes 32] [--threads 2] [--snr 200]

The trains have 15 % of water with a T2 of 20 ms and 85 % with one of 80 ms, transmit fields from
0.7 to 1.1 of the nominal one, and Rician noise. The angle of refocusing is fitted in each voxel.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from mriderived.core.epg import echo_train
from mriderived.core.myelin_water import fit_myelin_water


def make_trains(voxels: int, echoes: int, snr: float) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy trains, and the angle of refocusing of each."""
    rng = np.random.default_rng(0)
    angles = rng.integers(126, 199, voxels)
    each = np.arange(126, 199)
    trains = 15 * echo_train(0.02, each, 0.01, echoes) + 85 * echo_train(0.08, each, 0.01, echoes)
    rows = trains.astype(np.float32)[angles - 126]
    noise = np.float32(trains[-1, 0] / snr)
    real = rows + noise * rng.standard_normal(rows.shape, np.float32)
    return np.hypot(real, noise * rng.standard_normal(rows.shape, np.float32)), angles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--voxels', type=int, default=200_000)
    parser.add_argument('--echoes', type=int, default=32)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--snr', type=float, default=200)
    options = parser.parse_args()
    rows, angles = make_trains(options.voxels, options.echoes, options.snr)
    fit_myelin_water(rows[:2], 0.01)  # compile first
    start = time.perf_counter()
    found = fit_myelin_water(rows, 0.01, threads=options.threads)
    seconds = time.perf_counter() - start
    folded = np.minimum(angles, 360 - angles)
    print(f'{options.voxels} voxels x {options.echoes} echoes, {options.threads} threads')
    print(f'time                     {seconds:8.1f} s')
    print(f'myelin water, truth 15 % {np.nanmean(found.myelin):8.2f} % '
          f'± {np.nanstd(found.myelin):.2f}')  # fmt: skip
    off = np.abs(found.refocusing - folded)
    print(f'angle, median error      {np.nanmedian(off):8.2f}°')
    print(f'voxels without a result  {int((found.outcome > 0).sum()):8d}')


if __name__ == '__main__':
    main()
