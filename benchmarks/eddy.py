"""Head motion and eddy currents of a diffusion series: time, memory, error against the truth.

    python benchmarks/eddy.py [--volumes 65] [--threads 2] [--scale 1.0]

A synthetic head of 96 x 96 x 60 voxels of 2.2 mm, two shells (b = 1000 and 2500 s/mm²) with b = 0
in between, moves by up to 3 mm and 3 degrees, with eddy currents of up to 2 voxels and noise of
1/30 of white matter at b = 0.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tests' / 'core'))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--volumes', type=int, default=65)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument(
        '--scale', type=float, default=1.0, help='of the number of voxels per axis'
    )
    options = parser.parse_args()

    from dwi_phantoms import CENTRE, draw_series, make_affine, make_table, make_truth

    from mriderived.core.eddy_motion import estimate_eddy
    from mriderived.core.eddy_repair import repair_volumes
    from mriderived.core.eddy_sampling import plan_eddy_route, resample_eddy
    from mriderived.core.gradient_table import select
    from mriderived.core.rigid import rigid_matrix, rigid_parameters

    shape = tuple(round(n * options.scale) for n in (96, 96, 60))
    affine = make_affine(shape, 2.2 / options.scale)
    weighted = round(options.volumes * 10 / 11)
    gradients = make_table({1000.0: weighted // 2, 2500.0: weighted - weighted // 2})
    truth = make_truth(gradients)
    series = draw_series(shape, affine, gradients, truth)
    some = np.arange(12)
    coarse = affine @ np.diag([2.0, 2, 2, 1])
    estimate_eddy(series[::2, ::2, ::2, some], coarse, select(gradients, some), 1)  # compile first

    count = len(gradients)
    start = time.perf_counter()
    found = estimate_eddy(series, affine, gradients, 1, threads=options.threads)
    estimated = time.perf_counter()
    plan = plan_eddy_route(shape, affine, shape, affine, threads=options.threads)
    volumes = repair_volumes(series, affine, gradients, found, threads=options.threads)
    for _ in resample_eddy(volumes, found, plan, threads=options.threads):
        pass
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f'{shape} voxels, {count} volumes, {options.threads} threads: '
        f'{(estimated - start) / count:.2f} s per volume to estimate, '
        f'{(ended - estimated) / count:.2f} s to resample; peak memory {peak:.2f} GiB, '
        f'{series.nbytes / 2**30:.2f} of it the series'
    )
    apart = np.linalg.inv(truth.matrices) @ found.matrices
    resting = rigid_parameters(apart[gradients.shell == 0], CENTRE).mean(axis=0)
    error = rigid_parameters(apart @ np.linalg.inv(rigid_matrix(resting, CENTRE)), CENTRE)
    for shell, b in enumerate(gradients.shells):
        chosen = gradients.shell == shell
        shift, turn, eddy = (
            float(np.sqrt((part[chosen] ** 2).mean()))
            for part in (error[:, :3], np.degrees(error[:, 3:]), found.eddy - truth.eddy)
        )
        print(
            f'b = {b:g}: RMS error {shift:.3f} mm, {turn:.3f} degrees, {eddy:.3f} voxels at the '
            f'edge, slices called outliers {found.outliers[chosen].mean():.2%} (none was planted)'
        )


if __name__ == '__main__':
    main()
