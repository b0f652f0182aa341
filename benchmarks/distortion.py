"""Distortion from two EPI of opposite phase encoding: time, error, memory.

    python benchmarks/distortion.py [--shape 96 96 63] [--threads 2]

A head in a known field is drawn twice, as `tests/core/epi_phantoms.py` does, with noise of 2 %.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

READOUT = 0.04


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--shape', type=int, nargs=3, default=(96, 96, 63))
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tests' / 'core'))
    from epi_phantoms import distort, field_hz, head

    from mriderived.core.epi_distortion import Encoded, Solver, estimate_distortion

    shape = tuple(options.shape)
    image, inside = head(shape)
    hz = field_hz(shape)
    shift = hz * np.float32(READOUT)
    rng = np.random.default_rng(0)
    pair = []
    for moved, direction in ((shift, 'j'), (-shift, 'j-')):
        seen = distort(image, moved, 1) + 0.02 * rng.standard_normal(shape, np.float32)
        pair.append(Encoded(np.abs(seen), direction, READOUT))
    estimate_distortion(pair, solver=Solver((4,), (1,), (0.1,)))  # compile first
    start = time.perf_counter()
    found = estimate_distortion(pair, threads=options.threads)
    seconds = time.perf_counter() - start
    error = (found.hz - hz)[inside] * READOUT
    error -= np.median(error)  # a constant field moves the whole image, as registration does
    print(f'{"x".join(map(str, shape))}: {seconds:.1f} s on {options.threads} threads')
    print(f'displacement: {np.sqrt(np.mean(error**2)):.3f} voxels RMS, '
          f'largest true one {np.abs(shift[inside]).max():.1f}')  # fmt: skip
    print(f'correlation of the images: {found.similarity_before:.3f} before, '
          f'{found.similarity_after:.3f} after')  # fmt: skip
    print(f'peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB')


if __name__ == '__main__':
    main()
