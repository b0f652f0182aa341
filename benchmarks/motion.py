"""Our estimation of head motion and ANTs' on the same series: time, error, memory.

    python benchmarks/motion.py [BOLD.nii.gz] [--volumes 10] [--threads 2] [--ours-only]

Without an image, a phantom of 96 x 96 x 63 voxels moves by up to 3 mm and 3 degrees with noise of
1 % of its brightest tissue, and errors against the truth are printed, up to where the reference
lies. With an image, volumes are taken evenly from the series, and the correlations of the two sets
of parameters and the temporal standard deviations left in the head are printed. ANTs aligns with
our reference, by the transform that its users take (BOLDRigid); its result varies from run to run
by the sampling of its metric unless its seed is set, as it is here.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

SHAPE, VOXEL = (96, 96, 63), (2.26, 2.26, 2.5)
FLIP = np.diag([-1.0, -1, 1, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('image', type=Path, nargs='?')
    parser.add_argument('--volumes', type=int, default=10)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--ours-only', action='store_true')
    options = parser.parse_args()
    os.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] = str(options.threads)

    from mriderived.core.motion_reference import weigh_head
    from mriderived.core.rigid import rigid_parameters
    from mriderived.core.rigid_series import align_volumes, estimate_series, read_volume
    from mriderived.core.rigid_volume import prepare_target

    truth = None
    if options.image:
        series, affine = load_some(options.image, options.volumes)
    else:
        series, affine, truth = _draw(options.volumes)
    estimate_series(series[..., :2], affine, threads=options.threads)  # compile first

    start = time.perf_counter()
    ours = estimate_series(series, affine, threads=options.threads)
    elapsed = (time.perf_counter() - start) / series.shape[3]
    target = prepare_target(ours.reference, affine, weigh_head(ours.reference), options.threads)
    volumes = (read_volume(series, index) for index in range(series.shape[3]))
    start = time.perf_counter()
    list(align_volumes(volumes, target, options.threads))
    alone = (time.perf_counter() - start) / series.shape[3]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f'{series.shape[:3]} voxels, {series.shape[3]} volumes, {options.threads} threads')
    print(
        f'ours  {1000 * elapsed:7.1f} ms per volume with the reference, {1000 * alone:.1f} ms '
        f'without; peak memory {peak:.2f} GiB, {series.nbytes / 2**30:.2f} of it the series'
    )
    found = {'ours': ours.matrices}
    if not options.ours_only:
        start = time.perf_counter()
        found['ANTs'] = run_ants(series, affine, ours.reference)
        theirs = (time.perf_counter() - start) / series.shape[3]
        print(
            f'ANTs  {1000 * theirs:7.1f} ms per volume; ratio {theirs / elapsed:.1f} and '
            f'{theirs / alone:.1f}'
        )
    for name, matrices in found.items():
        if truth is None:
            left = measure_left(series, affine, matrices, options.threads)
            print(f'{name}: temporal standard deviation left {left:.3f} % of the mean')
        else:
            print(f'{name}: RMS error ' + _measure_error(matrices, truth, ours.centre))
    if truth is None and 'ANTs' in found:
        pair = [rigid_parameters(each, ours.centre) for each in found.values()]
        names = ('trans_x', 'trans_y', 'trans_z', 'rot_x', 'rot_y', 'rot_z')
        for column, name in enumerate(names):
            first, second = (each[:, column] for each in pair)
            unit = 'mm' if column < 3 else 'rad'
            r = np.corrcoef(first, second)[0, 1]
            print(f'{name}: r {r:.3f}, standard deviation {first.std():.4f} {unit}')


def load_some(path: Path, volumes: int) -> tuple[np.ndarray, np.ndarray]:
    import nibabel as nb

    image = nb.load(path)
    chosen = np.linspace(0, image.shape[3] - 1, min(volumes, image.shape[3])).astype(int)
    return np.asarray(image.dataobj, np.float32)[..., chosen], image.affine


def _draw(volumes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tests' / 'core'))
    from bold_phantoms import CENTRE, draw_series, make_affine, make_motion

    from mriderived.core.rigid import rigid_matrix

    affine = make_affine(SHAPE, VOXEL)
    truth = np.stack([rigid_matrix(each, CENTRE) for each in make_motion(volumes)])
    return draw_series(SHAPE, affine, truth), affine, truth


def run_ants(series: np.ndarray, affine: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return ANTs' matrices in RAS mm, reference to volume."""
    import ants

    lps = FLIP @ affine
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    place: dict[str, Any] = {
        'origin': lps[:3, 3].tolist(), 'spacing': size.tolist(), 'direction': lps[:3, :3] / size
    }  # fmt: skip
    fixed = ants.from_numpy(reference, **place)
    direction = np.eye(4)
    direction[:3, :3] = place['direction']
    moving = ants.from_numpy(
        series,
        origin=[*place['origin'], 0.0],
        spacing=[*place['spacing'], 1.0],
        direction=direction,
    )
    result = ants.motion_correction(
        moving, fixed=fixed, type_of_transform='BOLDRigid', random_seed=1
    )
    matrices = []
    for files in result['motion_parameters']:
        transform = ants.read_transform(files[0])
        centre = np.array(transform.fixed_parameters[:3])
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(transform.parameters[:9], (3, 3))
        matrix[:3, 3] = transform.parameters[9:12] + centre - matrix[:3, :3] @ centre
        matrices.append(FLIP @ matrix @ FLIP)
    return np.stack(matrices)


def _measure_error(found: np.ndarray, truth: np.ndarray, centre: np.ndarray) -> str:
    from mriderived.core.rigid import rigid_matrix, rigid_parameters

    apart = np.linalg.inv(truth) @ found
    common = rigid_matrix(rigid_parameters(apart, centre).mean(axis=0), centre)
    error = rigid_parameters(apart @ np.linalg.inv(common), centre)
    shift, turn = (np.sqrt((part**2).mean()) for part in (error[:, :3], error[:, 3:]))
    return f'{shift:.4f} mm, {np.degrees(turn):.4f} degrees'


def measure_left(
    series: np.ndarray, affine: np.ndarray, matrices: np.ndarray, threads: int
) -> float:
    from mriderived.core.motion_reference import weigh_head
    from mriderived.core.rigid_series import read_volume
    from mriderived.core.series_route import plan_route
    from mriderived.core.series_sampling import resample_series

    shape = series.shape[:3]
    route = plan_route(shape, affine, shape, affine)
    volumes = (read_volume(series, index) for index in range(series.shape[3]))
    aligned = np.stack(list(resample_series(volumes, matrices, route, threads)))
    mean = aligned.mean(axis=0)
    ones = [np.ones(shape, np.float32)] * len(matrices)
    covered = np.all([volume > 0.5 for volume in resample_series(ones, matrices, route)], axis=0)
    head = covered & (weigh_head(mean) > 0)
    return float(100 * aligned.std(axis=0)[head].mean() / mean[head].mean())


if __name__ == '__main__':
    main()
