"""The largest kurtosis over all directions, ours and dipy's, on the same tensors in one process.

    python benchmarks/wmti.py [--voxels 50000] [--dipy 200] [--threads 1]

dipy works on fewer voxels; times are per voxel. Set OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse

import numpy as np
from diffusion_data import fibre_signals, table
from kurtosis import clock, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--voxels', type=int, default=50_000)
    parser.add_argument('--dipy', type=int, default=200)
    parser.add_argument('--threads', type=int, default=1)
    options = parser.parse_args()
    threads = options.threads

    from dipy.reconst.dki import kurtosis_maximum
    from dipy.reconst.dki_micro import diffusion_components

    from mriderived.core.kurtosis import fit_kurtosis
    from mriderived.core.kurtosis_maximum import find_maximum
    from mriderived.core.symmetric_matrices import decompose
    from mriderived.core.white_matter_integrity import measure_integrity

    gradients = table({1000: 32, 2500: 32})
    signals = fibre_signals(options.voxels, gradients, sigma=20).astype(np.float32)
    fit = fit_kurtosis(signals, gradients)
    values, vectors = decompose(fit.tensor)
    parameters = np.hstack([values, vectors.reshape(-1, 9), fit.kurtosis])[: options.dipy]
    find_maximum(fit.tensor[:100], fit.kurtosis[:100])
    measure_integrity(fit.tensor[:100], fit.kurtosis[:100])

    seconds, found = clock(lambda: find_maximum(fit.tensor, fit.kurtosis, threads))
    ours = options.voxels / seconds
    seconds, whole = clock(lambda: measure_integrity(fit.tensor, fit.kurtosis, None, threads))
    ours_whole = options.voxels / seconds
    memory = peak(lambda: measure_integrity(fit.tensor, fit.kurtosis, None, threads))
    seconds, expected = clock(lambda: kurtosis_maximum(parameters))
    theirs = len(parameters) / seconds
    awf = expected / (expected + 3)
    seconds, _ = clock(lambda: diffusion_components(parameters, awf=awf))
    theirs_whole = 1 / (1 / theirs + seconds / len(parameters))

    print(f'{threads} thread(s) for ours, one for dipy')
    print(f'largest kurtosis  ours {ours:9,.0f} voxels/s   dipy {theirs:5,.0f}', end='')
    print(f'   ratio {ours / theirs:,.0f}')
    print(
        f'all of WMTI       ours {ours_whole:9,.0f} voxels/s   dipy {theirs_whole:5,.0f}', end=''
    )
    print(f'   ratio {ours_whole / theirs_whole:,.0f}')
    print(f'voxels with values: {100 * whole.valid.mean():.1f} %')
    difference = found.value[: len(expected)] - expected
    print(f'ours - dipy: {np.nanmin(difference):.1e} to {np.nanmax(difference):.1e}')
    print(f'memory of ours: {memory:.2f} GiB')


if __name__ == '__main__':
    main()
