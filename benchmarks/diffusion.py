"""Time a multi-shell diffusion series through everything, and print the stages.

    python benchmarks/diffusion.py [--shape 96 96 60] [--nprocs 2] [--folder DIR]

A synthetic head with a series of 5 + 24 + 36 volumes (b = 0, 1000, 2000) and an image of opposite
phase encoding is made first; the grid is just as large as its brain. Its T1w is processed by a
command of its own, which is not counted. What follows is the stream of diffusion: denoising,
gradient table, motion and eddy currents, distortion, registration, tensor, kurtosis, white-matter
integrity, NODDI, orientations, streamlines and connectomes. Prints seconds per unit, the time of
the processors, which a busy machine does not change much, and the peak memory of the largest
process. With a folder, what was made there before is used again, but the diffusion is not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from functional import OF_T1W, run

from mriderived.bids.status import read_record
from mriderived.phantom.bold_options import EXTENT
from mriderived.phantom.dataset import write_dataset
from mriderived.phantom.dwi_options import DwiOptions

SHELLS = ((1000.0, 24), (2000.0, 36))
#: The head whose brain has the extent that the phantom knows.
ZOOM = 0.97
#: What is reported apart from the maps.
OF_STREAMLINES = ('tractography', 'connectome', 'bundle_profiles')
SKIPPED = ('thickness', 'surface_regions', 'fsaverage_thickness', 't1w_quality')


class Cost(NamedTuple):
    """Seconds that processors worked for a command, and GiB of its largest process."""

    busy: float
    peak: float


def measure(bids_dir: Path, out_dir: Path, nprocs: int) -> Cost:
    """Run the stream of diffusion."""
    command = [sys.executable, '-m', 'mriderived', str(bids_dir), str(out_dir), 'participant',
               '--nprocs', str(nprocs), '--omp-nthreads', str(nprocs), '--skip-bids-validation',
               '--skip-measures', *SKIPPED]  # fmt: skip
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f'the run ended with status {os.waitstatus_to_exitcode(status)}')
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20)


def prepare(folder: Path, shape: list[int], nprocs: int) -> tuple[Path, Path]:
    """Make the dataset and what its T1w gives, unless they are there."""
    bids_dir, out_dir, ready = folder / 'bids', folder / 'out', folder / 'ready'
    if not bids_dir.exists():
        # a little larger, so that rounding adds no voxel
        x, y, z = (float(size) for size in np.array(EXTENT) / shape * (1 + 1e-9))
        wanted = DwiOptions(voxel_mm=(x, y, z), shells=SHELLS, b0s=5, has_compartments=True,
                            keeps_clean=False)  # fmt: skip
        write_dataset(bids_dir, participants=1, zoom=ZOOM, dwi=True, dwi_options=wanted)
    if not ready.exists():
        run(bids_dir, ready, nprocs, '--measures', *OF_T1W)
    shutil.rmtree(out_dir, ignore_errors=True)
    shutil.copytree(ready, out_dir, symlinks=True)
    return bids_dir, out_dir


def report(bids_dir: Path, out_dir: Path, cost: Cost) -> None:
    """Print the table."""
    shape = nb.load(next(bids_dir.glob('sub-*/dwi/*_dwi.nii.gz'))).shape
    units = [u for u in read_record(out_dir, '01') if u.image.endswith('_dwi.nii.gz')]
    for unit in units:
        title = f'{unit.measure} [{unit.variant}]' if unit.variant else unit.measure
        print(f'{title:45s} {unit.status:13s} {unit.seconds:7.1f} s {unit.reason}')
    apart = sum(unit.seconds for unit in units if unit.measure in OF_STREAMLINES)
    total = sum(unit.seconds for unit in units) - apart
    print(f'series                   {" x ".join(map(str, shape))}')
    print(f'from raw to all maps     {total:7.1f} s (goal: 720)')
    print(f'streamlines, connectomes {apart:7.1f} s')
    print(f'processors, all of it    {cost.busy:7.1f} s')
    print(f'peak memory              {cost.peak:7.2f} GiB (goal: 8)')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--shape', type=int, nargs=3, default=[96, 96, 60])
    parser.add_argument('--nprocs', type=int, default=2)
    parser.add_argument('--folder', type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = (options.folder or Path(name)).absolute()
        places = prepare(folder, options.shape, options.nprocs)
        report(*places, measure(*places, options.nprocs))


if __name__ == '__main__':
    main()
