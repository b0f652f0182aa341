"""Time one T1w through everything, report included, and print the stages.

    python benchmarks/structural.py [T1W.nii.gz] [--nprocs 2]

Without an image, a synthetic head at 1 mm is made first. Prints seconds per unit, the wall time of
the whole command, and the peak memory of its largest process.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mriderived.bids.status import read_record
from mriderived.phantom.dataset import write_dataset


def make_dataset(folder: Path, image: Path | None) -> None:
    """Write a BIDS dataset of one participant."""
    if image is None:
        write_dataset(folder, participants=1)
        return
    target = folder / 'sub-01' / 'anat' / f'sub-01_T1w{"".join(image.suffixes[-2:])}'
    target.parent.mkdir(parents=True)
    shutil.copy(image, target)
    description = {'Name': 'Benchmark', 'BIDSVersion': '1.10.0'}
    (folder / 'dataset_description.json').write_text(json.dumps(description))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('image', type=Path, nargs='?')
    parser.add_argument('--nprocs', type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bids_dir, out_dir = Path(name) / 'bids', Path(name) / 'out'
        make_dataset(bids_dir, options.image)
        command = [sys.executable, '-m', 'mriderived', str(bids_dir), str(out_dir), 'participant',
                   '--nprocs', str(options.nprocs), '--omp-nthreads', str(options.nprocs),
                   '--skip-bids-validation']  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, check=True)
        wall = time.perf_counter() - start
        records = read_record(out_dir, '01')
        for record in records:
            unit = f'{record.measure} [{record.variant}]' if record.variant else record.measure
            print(f'{unit:45s} {record.status:8s} {record.seconds:7.1f} s')
        size = sum(path.stat().st_size for path in out_dir.glob('sub-*.html')) / 2**20
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f'all units                {sum(record.seconds for record in records):7.1f} s')
        print(f'wall time of the command {wall:7.1f} s  (goal: 180)')
        print(f'peak memory              {peak:7.2f} GiB (goal: 6)')
        print(f'report                   {size:7.1f} MiB')


if __name__ == '__main__':
    main()
