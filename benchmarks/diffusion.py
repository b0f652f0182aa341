"""Time a multi-shell diffusion series through everything, and print the stages.

    python benchmarks/diffusion.py [--voxel 2.0] [--nprocs 2]

A synthetic head with a series of 5 + 24 + 36 volumes (b = 0, 1000, 2000) and an image of opposite
phase encoding is made first. Its T1w is processed by a command of its own, which is not counted.
What follows is the stream of diffusion: denoising, gradient table, motion and eddy currents,
distortion, registration, tensor, kurtosis, white-matter integrity, NODDI, orientations,
streamlines and connectomes. Prints seconds per unit, and the peak memory of the largest process.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

import nibabel as nb
from functional import OF_T1W, run

from mriderived.bids.status import read_record
from mriderived.phantom.dataset import write_dataset
from mriderived.phantom.dwi_options import DwiOptions

SHELLS = ((1000.0, 24), (2000.0, 36))
#: What is reported apart from the maps.
OF_STREAMLINES = ('tractography', 'connectome', 'bundle_profiles')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--voxel', type=float, default=2.0)
    parser.add_argument('--nprocs', type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bids_dir, out_dir = Path(name) / 'bids', Path(name) / 'out'
        wanted = DwiOptions(voxel_mm=(options.voxel,) * 3, shells=SHELLS, b0s=5,
                            has_compartments=True, keeps_clean=False)  # fmt: skip
        write_dataset(bids_dir, participants=1, dwi=True, dwi_options=wanted)
        shape = nb.load(next(bids_dir.glob('sub-*/dwi/*_dwi.nii.gz'))).shape
        run(bids_dir, out_dir, options.nprocs, '--measures', *OF_T1W)
        skipped = ('thickness', 'surface_regions', 'fsaverage_thickness', 't1w_quality')
        run(bids_dir, out_dir, options.nprocs, '--skip-measures', *skipped)
        units = [u for u in read_record(out_dir, '01') if u.image.endswith('_dwi.nii.gz')]
        for unit in units:
            title = f'{unit.measure} [{unit.variant}]' if unit.variant else unit.measure
            print(f'{title:45s} {unit.status:13s} {unit.seconds:7.1f} s {unit.reason}')
        apart = sum(unit.seconds for unit in units if unit.measure in OF_STREAMLINES)
        total = sum(unit.seconds for unit in units) - apart
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f'series                   {" x ".join(map(str, shape))}')
        print(f'from raw to all maps     {total:7.1f} s (goal: 720)')
        print(f'streamlines, connectomes {apart:7.1f} s')
        print(f'peak memory              {peak:7.2f} GiB (goal: 8)')


if __name__ == '__main__':
    main()
