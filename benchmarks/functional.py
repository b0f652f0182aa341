"""Time a BOLD run through everything, and print the stages.

    python benchmarks/functional.py [--volumes 200] [--nprocs 2]

A synthetic head with a run of BOLD and its field map is made first. Its T1w is processed by a
command of its own, which is not counted. What follows is the functional stream: motion,
distortion, registration, series on its own grid and in the default space, confounds, denoising,
every measure that runs without being named, and the report. Prints seconds per unit, the wall
time, and the peak memory of the largest process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nb

from mriderived.bids.status import read_record
from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.dataset import write_dataset

#: What the T1w has to give before a run of BOLD begins.
OF_T1W = ('regional_volume', 'vbm')


def run(bids_dir: Path, out_dir: Path, nprocs: int, *options: str) -> float:
    """Run the participant level and return its seconds."""
    command = [sys.executable, '-m', 'mriderived', str(bids_dir), str(out_dir), 'participant',
               '--nprocs', str(nprocs), '--omp-nthreads', str(nprocs),
               '--skip-bids-validation', *options]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--volumes', type=int, default=200)
    parser.add_argument('--nprocs', type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bids_dir, out_dir = Path(name) / 'bids', Path(name) / 'out'
        write_dataset(bids_dir, participants=1, bold=True,
                      bold_options=BoldOptions(volumes=options.volumes))  # fmt: skip
        shape = nb.load(next(bids_dir.glob('sub-*/func/*_bold.nii.gz'))).shape
        run(bids_dir, out_dir, options.nprocs, '--measures', *OF_T1W)
        skipped = ('thickness', 'surface_regions', 'fsaverage_thickness', 't1w_quality')
        wall = run(bids_dir, out_dir, options.nprocs, '--skip-measures', *skipped)
        units = [u for u in read_record(out_dir, '01') if u.image.endswith('_bold.nii.gz')]
        for unit in units:
            title = f'{unit.measure} [{unit.variant}]' if unit.variant else unit.measure
            print(f'{title:45s} {unit.status:8s} {unit.seconds:7.1f} s')
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f'run                      {" x ".join(map(str, shape))}')
        print(f'all units of BOLD        {sum(unit.seconds for unit in units):7.1f} s (goal: 300)')
        print(f'wall time of the command {wall:7.1f} s  (cortex and surfaces of the T1w included)')
        print(f'peak memory              {peak:7.2f} GiB (goal: 6)')


if __name__ == '__main__':
    main()
