"""Memory of a long BOLD run, step by step, against what each step declares and what --mem is.

    python benchmarks/long_bold.py [--shape 64 64 36] [--volumes 1200] [--threads 2] [--mem 5]

A head of plain shapes with noise, slow waves and small shifts is written as int16. The steps and
measures of BOLD that hold a whole series then run, each in a process of its own, which imports
what the app imports, so that each has a peak of its own; regions, seeds and tasks, which read
less, are not among them. Prints seconds and peak memory of each, what its declaration says, and
whether the largest fits into --mem (GiB), which is what the app sets aside for a participant.
Ends with 1 where something is over.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np

from mriderived.config import PARTICIPANT_GB
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.series import save_series
from mriderived.interfaces.transforms import field_transform, write_composite
from mriderived.measures.registry import find_measures
from mriderived.spaces import DEFAULT_SPACE, get_space
from mriderived.workflows.func import FUNC_STEPS

PERIOD, VOXEL = 1.5, (3.4, 3.4, 3.8)
STRATEGY, BAND = '36P', (0.01, 0.1)
DECLARED = {m.name: m.memory_gb for m in (*FUNC_STEPS, *find_measures())}

Files = dict[str, Path]


class Peak(NamedTuple):
    """What a step wrote, and its cost."""

    files: Files
    seconds: float
    gib: float


def write_run(folder: Path, shape: tuple[int, int, int], volumes: int) -> Files:
    """Write the run, its acquisition, and tissues on its own grid."""
    affine = np.diag([*VOXEL, 1.0])
    affine[:3, 3] = -np.array(VOXEL) * (np.array(shape) - 1) / 2
    grid = np.indices(shape, np.float32)
    away = (
        sum(((axis - (n - 1) / 2) / (0.36 * n)) ** 2 for axis, n in zip(grid, shape, strict=True))
        ** 0.5
    )
    x, y, z = grid
    head = (900 + 100 * (np.cos(x / 3) + np.sin(y / 4) + np.cos(z / 3))) * (away < 1)
    slope = np.gradient(head, axis=1)
    phase = np.random.default_rng(0).uniform(0, 6, shape)
    os.chdir(folder)

    def draw() -> Any:
        for t in range(volumes):
            rng = np.random.default_rng([1, t])
            wave = 1 + 0.01 * np.sin(2 * np.pi * 0.04 * PERIOD * t + phase)
            moved = head - 0.1 * np.sin(t / 40) * slope
            yield np.abs(moved * wave + rng.normal(0, 12, shape)).astype(np.float32)

    raw = save_series(draw(), affine, shape, volumes, PERIOD, 'raw.nii.gz')
    parts = {
        'brain_mask': away < 0.95, 'csf': away < 0.35, 'wm': (away >= 0.35) & (away < 0.7),
        'gm': (away >= 0.7) & (away < 0.95),
    }  # fmt: skip
    for name, part in parts.items():
        nb.Nifti1Image(part.astype(np.float32), affine).to_filename(folder / f'{name}.nii.gz')
    acquisition = folder / 'acquisition.json'
    acquisition.write_text(json.dumps({
        'repetition_time': PERIOD, 'slice_axis': 2, 'phase_direction': 'j', 'task': 'rest',
        'slice_times': [PERIOD * k / shape[2] for k in range(shape[2])],
        'echoes': [{'path': str(raw), 'echo_time': 0.03}], 'events': None, 'field_map': None,
        'notes': [],
    }))  # fmt: skip
    files = {name: folder / f'{name}.nii.gz' for name in parts}
    return {**files, 'raw': raw, 'acquisition': acquisition,
            'xfm': save_rigid(np.eye(4), 'xfm.h5')}  # fmt: skip


def write_warp(space_mask: Path) -> Path:
    """Write a smooth way to the space, of up to 3 voxels, as a registration does."""
    image = nb.load(space_mask)
    places = np.indices(image.shape, np.float32)
    field = 3 * np.sin(places / 25)
    return write_composite([field_transform(field, image.affine)], 'to_space.h5')


def list_steps(threads: int) -> dict[str, Callable[[Files], Any]]:
    """Return the steps that read the series, in their order."""
    from mriderived.measures.alff import write_alff
    from mriderived.measures.bold_quality import measure_run
    from mriderived.measures.denoised_space import denoise_in_space
    from mriderived.measures.reho import write_reho
    from mriderived.measures.tsnr import write_tsnr
    from mriderived.workflows.func_confounds import find_confounds
    from mriderived.workflows.func_denoising import remove_confounds
    from mriderived.workflows.func_distortion import find_distortion
    from mriderived.workflows.func_figures import draw_carpet
    from mriderived.workflows.func_mask import mask_epi
    from mriderived.workflows.func_motion import estimate_motion
    from mriderived.workflows.func_series import resample_bold
    from mriderived.workflows.func_spaces import bring_to_space

    return {
        'bold_motion': lambda f: estimate_motion(f['raw'], threads),
        'bold_distortion': lambda f: find_distortion(
            f['bold_distorted'], f['acquisition'], threads
        ),
        'bold_mask': lambda f: {
            'bold_mask': mask_epi(
                f['bold_reference'], f['xfm'], f['brain_mask'], f['raw'], f['bold_displacement'],
                f['acquisition'],
            ).mask
        },
        'bold_series': lambda f: resample_bold(
            f['raw'], f['acquisition'], f['bold_motion'], f['bold_displacement'], threads
        ),
        'bold_confounds': lambda f: find_confounds(
            f['bold_preproc'], f['bold_mask'], f['bold_motion'], f['xfm'], f['gm'], f['wm'],
            f['csf'], threads,
        ),
        'bold_denoising': lambda f: remove_confounds(
            f['bold_preproc'], f['bold_mask'], f['bold_confounds'], STRATEGY, BAND, threads
        ),
        'carpet': lambda f: draw_carpet(f['bold_preproc'], f['bold_mask'], f['bold_confounds']),
        'alff': lambda f: write_alff(
            f['bold_preproc'], f['bold_mask'], f['bold_confounds'], STRATEGY, BAND,
            threads=threads,
        ),
        'reho': lambda f: write_reho(f['bold_denoised'], f['bold_mask'], threads),
        'tsnr': lambda f: write_tsnr(f['bold_preproc'], f['bold_mask'], f['bold_confounds']),
        'bold_quality': lambda f: measure_run(
            f['bold_preproc'], f['bold_reference'], f['bold_mask'], f['bold_confounds'], threads
        ),
        'bold_space': lambda f: bring_to_space(
            f['raw'], f['acquisition'], f['bold_motion'], f['bold_displacement'], f['xfm'],
            f['xfm_to_space'], f['space_mask'], threads,
        ),
        'denoised_in_space': lambda f: denoise_in_space(
            f['bold_in_space'], f['bold_confounds'], f['space_mask'], STRATEGY, BAND, threads
        ),
    }  # fmt: skip


def run_step(name: str, files: Files, folder: Path, threads: int) -> Peak:
    """Run one step in this process, which runs no other."""
    steps = list_steps(threads)
    os.chdir(folder)
    start = time.perf_counter()
    found = steps[name](files) if name in steps else {}
    seconds = time.perf_counter() - start
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    made = found._asdict() if hasattr(found, '_asdict') else found
    return Peak(dict(made) if isinstance(made, dict) else {}, seconds, gib)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--shape', type=int, nargs=3, default=(64, 64, 36))
    parser.add_argument('--volumes', type=int, default=1200)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--mem', type=float, default=PARTICIPANT_GB)
    parser.add_argument('--without', nargs='*', default=[], help='steps to leave out')
    options = parser.parse_args()
    shape = tuple(options.shape)
    size = np.prod(shape) * options.volumes * 4 / 2**30
    print(
        f'run {" x ".join(map(str, (*shape, options.volumes)))}: {size:.2f} GiB as float32',
        flush=True,
    )
    context = mp.get_context('spawn')
    over = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_run(folder, shape, options.volumes)
        files['space_mask'] = get_space(DEFAULT_SPACE).mask
        # a process starts with the peak of the one that starts it, so this one stays small
        with context.Pool(1) as pool:
            files['xfm_to_space'] = pool.apply(write_warp, (files['space_mask'],))
        for step in ('imports', *list_steps(1)):
            if step in options.without:
                continue
            with context.Pool(1, maxtasksperchild=1) as pool:
                peak = pool.apply(run_step, (step, files, folder, options.threads))
            files |= peak.files
            limit = DECLARED.get(step, DECLARED['bold_confounds'])
            mark = 'OVER' if peak.gib > min(limit, options.mem) else ''
            over += [step] * bool(mark)
            print(f'{step:20s} {peak.seconds:7.1f} s   peak {peak.gib:5.2f} GiB   declared '
                  f'{limit:4.1f} {mark}', flush=True)  # fmt: skip
    print(f'over what is declared or --mem {options.mem:g}: {", ".join(over) or "nothing"}')
    return 1 if over else 0


if __name__ == '__main__':
    sys.exit(main())
