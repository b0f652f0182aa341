"""Memory of a voxel-wise model: the same for any number of participants.

Run: python benchmarks/map_memory.py [participants ...]

Maps of noise at 2 mm are written once and linked as those of more participants. Each number of
participants is fitted in a process of its own, whose largest resident memory is told.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nb
import numpy as np
import pandas as pd

from mriderived.group.map_files import MapSet
from mriderived.group.map_models import fit_maps
from mriderived.group.model_files import Model
from mriderived.group.records import Row
from mriderived.measures.base import Output

SHAPE = (97, 115, 97)
AFFINE = np.diag([2.0, 2, 2, 1])
#: So many maps differ; more participants have links to them.
DISTINCT = 12
NUMBERS = (20, 80, 320)
OUTPUT = Output('reho', 'func', 'boldmap', 'Noise.', '.nii.gz', entities={'stat': 'reho'})


def write_maps(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f'{number}.nii.gz'
        if number < DISTINCT:
            values = rng.normal(size=SHAPE).astype(np.float32)
            nb.Nifti1Image(values, AFFINE).to_filename(path)
        else:
            path.symlink_to(folder / f'{number % DISTINCT}.nii.gz')


def fit(folder: Path, count: int) -> None:
    """Fit a model, and tell time and memory."""
    rows = [Row('', str(number)) for number in range(count)]
    files = {row: f'{row.participant}.nii.gz' for row in rows}
    maps = MapSet(OUTPUT, 'MNI152NLin2009cAsym', files, AFFINE, SHAPE, {})
    age = np.random.default_rng(1).uniform(20, 80, count)
    start = time.perf_counter()
    fitted = fit_maps(Model('m', 'reho', 'age'), maps, rows, pd.DataFrame({'age': age}), folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f'{count:5d} maps, {fitted.mask.sum()} voxels: {peak:6.0f} MiB, {seconds:.1f} s')


def main() -> None:
    if sys.argv[1:2] == ['--fit']:
        fit(Path(sys.argv[2]), int(sys.argv[3]))
        return
    numbers = [int(word) for word in sys.argv[1:]] or list(NUMBERS)
    with TemporaryDirectory() as folder:
        write_maps(Path(folder), max(numbers))
        for number in numbers:
            subprocess.run([sys.executable, __file__, '--fit', folder, str(number)], check=True)


if __name__ == '__main__':
    main()
