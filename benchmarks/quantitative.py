"""Fits of quantitative maps: time for many voxels, bias and spread at a signal-to-noise ratio.

    python benchmarks/quantitative.py [--voxels 200000] [--threads 2] [--snr 50]

Bias is that of the mean, spread the standard deviation, both over the truth. Noise is Rician (of
both parts of complex images where those are used), relative to the largest signal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from mriderived.core.epg import echo_train
from mriderived.core.exponential_decay import fit_decay
from mriderived.core.inversion_recovery import fit_inversion_recovery
from mriderived.core.mp2rage import fit_uniform, uniform_image
from mriderived.core.mp2rage_signal import Protocol, simulate
from mriderived.core.multi_parameter import Weighting, map_rates
from mriderived.core.spin_echo_t2 import fit_spin_echoes
from mriderived.core.variable_flip_angle import fit_flip_angles, spoiled_signal


def noisy(signals: np.ndarray, voxels: int, snr: float) -> tuple[np.ndarray, float]:
    """Return magnitudes, one row per voxel, and their noise."""
    rng = np.random.default_rng(0)
    noise = float(np.abs(signals).max() / snr)
    shape = (voxels, len(signals))
    real = signals.astype(np.float32) + np.float32(noise) * rng.standard_normal(shape, np.float32)
    return np.hypot(real, np.float32(noise) * rng.standard_normal(shape, np.float32)), noise


def report(name: str, truth: float, run: Callable[[slice], np.ndarray]) -> None:
    """Print time, bias and spread of a fit that takes a slice of the voxels."""
    run(slice(2))  # compile first
    start = time.perf_counter()
    found = run(slice(None))
    seconds = time.perf_counter() - start
    bias, spread = np.nanmean(found) / truth - 1, np.nanstd(found) / truth
    missing = int(np.isnan(found).sum())
    print(f'{name:34s} {seconds:6.1f} s  bias {100 * bias:6.2f} %  spread {100 * spread:5.2f} %'
          f'  without a result {missing}')  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--voxels', type=int, default=200_000)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--snr', type=float, default=50)
    options = parser.parse_args()
    voxels, threads, snr = options.voxels, options.threads, options.snr
    print(f'{voxels} voxels, {threads} threads, signal-to-noise ratio {snr:g}')

    times = np.arange(1, 33) * 0.01
    rows, noise = noisy(np.exp(-times / 0.08), voxels, snr)
    report('T2, exponential, 32 echoes', 0.08,
           lambda v: fit_decay(rows[v], times, noise=noise, threads=threads).time)  # fmt: skip
    short = np.arange(1, 9) * 0.005
    rows, noise = noisy(np.exp(-short / 0.03), voxels, snr)
    report('T2*, 8 echoes', 0.03,
           lambda v: fit_decay(rows[v], short, noise=noise, threads=threads).time)  # fmt: skip
    rows, noise = noisy(echo_train(0.08, 150, 0.01, 32), voxels, snr)
    report('T2, phase graphs, field fitted', 0.08,
           lambda v: fit_spin_echoes(rows[v], 0.01, noise=noise,
                                     threads=threads).time)  # fmt: skip
    report('T2, phase graphs, field given', 0.08,
           lambda v: fit_spin_echoes(rows[v], 0.01, noise=noise, transmit=150 / 180,
                                     threads=threads).time)  # fmt: skip
    angles = [3.0, 6.0, 12.0, 20.0]
    rows, _ = noisy(spoiled_signal(1.0, angles, 0.0237), voxels, snr)
    report('T1, 4 flip angles', 1.0,
           lambda v: fit_flip_angles(rows[v], angles, 0.0237, threads=threads).time)  # fmt: skip
    protocol = Protocol(5.0, (0.7, 2.5), (4.0, 5.0), 0.007, 80, 80)
    first, second = simulate(1.0, protocol)
    rng = np.random.default_rng(0)
    noise = max(abs(first), abs(second)) / snr
    both = [
        signal + noise * (rng.standard_normal(voxels) + 1j * rng.standard_normal(voxels))
        for signal in (first, second)
    ]
    field = rng.uniform(0.999, 1.001, voxels)
    report('T1, MP2RAGE with field', 1.0,
           lambda v: fit_uniform(uniform_image(both[0][v], both[1][v]), protocol,
                                 transmit=field[v], threads=threads).time)  # fmt: skip
    delays = np.array([0.05, 0.2, 0.4, 0.7, 1.1, 1.7, 2.5])
    rows, _ = noisy(np.abs(1 - 1.9 * np.exp(-delays / 0.9)), voxels, snr)
    report('T1, 7 inversion times', 0.9,
           lambda v: fit_inversion_recovery(rows[v], delays, threads=threads).time)  # fmt: skip
    echoes = np.r_[1:9, 1:9, 1:7] * 0.0023
    contrasts = np.repeat([0, 1, 2], [8, 8, 6])
    levels = np.r_[spoiled_signal(1.0, [6, 21], 0.025), 0.06]
    rows, noise = noisy(levels[contrasts] * np.exp(-20 * echoes), voxels, snr)

    def rates(v: slice) -> np.ndarray:
        decay = fit_decay(rows[v], echoes, contrasts=contrasts, noise=noise, threads=threads)
        pair = decay.amplitude[:, :2]
        return map_rates(pair, Weighting(6, 0.025), Weighting(21, 0.025)).rate

    report('R2* and R1 of 22 echoes (R1 shown)', 1.0, rates)


if __name__ == '__main__':
    main()
