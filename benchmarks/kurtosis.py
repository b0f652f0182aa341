"""Our kurtosis fit and dipy's, on the same signals in one process: time, agreement, memory.

    python benchmarks/kurtosis.py [--voxels 100000] [--dipy 3000] [--threads 1] [--repeats 3]

Both fit D and W by least squares with weights from a first, unweighted fit (that is what dipy's
WLS does; our default weighs once more, which is timed as well). dipy works on fewer voxels; times
are per voxel, the median of repeats in turn. Set OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from diffusion_data import dipy_table, fibre_signals, table


def clock(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that a call takes, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def peak(function: Callable[[], Any]) -> float:
    """Return the most memory that a call has at a time, its result included, in GiB."""
    tracemalloc.start()
    result = function()
    most = tracemalloc.get_traced_memory()[1] / 2**30
    tracemalloc.stop()
    del result
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--voxels', type=int, default=100_000)
    parser.add_argument('--dipy', type=int, default=3000)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=3)
    options = parser.parse_args()
    threads = options.threads

    from dipy.reconst.dki import DiffusionKurtosisModel

    from mriderived.core.kurtosis import fit_kurtosis
    from mriderived.core.kurtosis_measures import measure_kurtosis

    gradients = table({1000: 32, 2500: 32})
    signals = fibre_signals(options.voxels, gradients, sigma=20).astype(np.float32)
    some = signals[: options.dipy].astype(np.float64)
    model = DiffusionKurtosisModel(dipy_table(gradients), fit_method='WLS')
    warm = fit_kurtosis(signals[:1000], gradients)
    measure_kurtosis(warm.tensor, warm.kurtosis)
    model.fit(some[:10]).mk(analytical=True)

    times: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        for name, iterations in (('ours, one reweighting', 1), ('ours, two reweightings', 2)):
            seconds, fit = clock(partial(fit_kurtosis, signals, gradients, iterations, threads))
            times.setdefault(name, []).append(len(signals) / seconds)
        seconds, measures = clock(partial(measure_kurtosis, fit.tensor, fit.kurtosis))
        times.setdefault('ours, MK AK RK KFA MKT', []).append(len(signals) / seconds)
    ours_memory = peak(lambda: fit_kurtosis(signals, gradients, 2, threads))
    for _ in range(options.repeats):
        seconds, theirs = clock(lambda: model.fit(some))
        times.setdefault('dipy, fit', []).append(len(some) / seconds)
    seconds, (mk, _, _) = clock(lambda: (theirs.mk(), theirs.ak(), theirs.rk()))
    times['dipy, MK AK RK'] = [len(some) / seconds]

    median = {name: float(np.median(values)) for name, values in times.items()}
    print(f'{len(gradients)} volumes, {threads} thread(s) for ours, one for dipy')
    for name, speed in median.items():
        low, high = min(times[name]), max(times[name])
        print(f'{name:26s} {speed:10,.0f} voxels/s   ({low:,.0f} to {high:,.0f})')
    same = median['ours, one reweighting'] / median['dipy, fit']
    more = median['ours, two reweightings'] / median['dipy, fit']
    print(f'ratio of the fit: {same:.0f} (same estimator), {more:.0f} (one more reweighting)')
    scalars = median['ours, MK AK RK KFA MKT'] / median['dipy, MK AK RK']
    print(f'ratio of the measures: {scalars:.0f}')
    once = fit_kurtosis(some, gradients, 1)
    good = ~measure_kurtosis(once.tensor, once.kurtosis).implausible
    print(f'largest difference of W: {np.abs(once.kurtosis - theirs.kt)[good].max():.1e}', end='')
    difference = np.abs(measure_kurtosis(once.tensor, once.kurtosis).mk - mk)[good]
    print(f', of MK: {difference.max():.1e} (99 % below {np.percentile(difference, 99):.1e})')
    print(f'memory of ours beyond the signals ({signals.nbytes / 2**30:.2f} GiB): ', end='')
    print(f'{ours_memory:.2f} GiB, of which results {fit.kurtosis.nbytes * 22 / 15 / 2**30:.2f}')
    print(f'implausible voxels: {100 * measures.implausible.mean():.1f} %')


if __name__ == '__main__':
    main()
