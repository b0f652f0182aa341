"""Our regional homogeneity and a plain loop over voxels: time, agreement, memory.

    python benchmarks/reho.py [--shape 64 64 36 200] [--voxels 500] [--threads 2]

The loop ranks every neighbourhood with `scipy.stats.rankdata` and writes Kendall's W out, as most
programs do; it runs on some voxels and its time is scaled to all of them.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from scipy import stats


def plain(series: np.ndarray, place: np.ndarray) -> float:
    """Return Kendall's W of a voxel and its 26 neighbours."""
    x, y, z = place
    block = series[x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2].reshape(27, -1)
    ranks = stats.rankdata(block, axis=1)
    m, frames = ranks.shape
    tied = 0.0
    for row in ranks:
        counts = np.unique(row, return_counts=True)[1].astype(float)
        tied += np.sum(counts**3 - counts)
    totals = ranks.sum(axis=0)
    spread = np.sum((totals - totals.mean()) ** 2)
    return float(12 * spread / (m**2 * (frames**3 - frames) - m * tied))


def peak() -> float:
    """Return the peak memory of this process in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--shape', type=int, nargs=4, default=(64, 64, 36, 200))
    parser.add_argument('--voxels', type=int, default=500)
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()

    from mriderived.core.reho import measure_reho

    rng = np.random.default_rng(0)
    shape = tuple(options.shape)
    series = rng.standard_normal(shape, np.float32)
    series += rng.standard_normal(shape[3], np.float32)
    mask = np.ones(shape[:3], bool)
    measure_reho(series[:4, :4, :4], mask[:4, :4, :4])  # compile first
    before = peak()
    start = time.perf_counter()
    found = measure_reho(series, mask, threads=options.threads)
    seconds = time.perf_counter() - start
    extra = peak() - before

    places = np.column_stack([rng.integers(1, size - 1, options.voxels) for size in shape[:3]])
    start = time.perf_counter()
    expected = np.array([plain(series, place) for place in places])
    theirs = (time.perf_counter() - start) * mask.sum() / options.voxels
    difference = np.abs(found.reho[tuple(places.T)] - expected).max()

    print(f'{" x ".join(map(str, shape))}, all voxels, {options.threads} threads for ours')
    print(f'ours          {seconds:7.1f} s')
    print(f'plain loop    {theirs:7.1f} s   ratio {theirs / seconds:.0f}')
    print(f'largest difference at {options.voxels} voxels {difference:.1e}')
    print(f'memory beyond the series ({series.nbytes / 2**30:.2f} GiB): {extra:.2f} GiB')


if __name__ == '__main__':
    main()
