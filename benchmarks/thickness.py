"""Our thickness and ANTs' DiReCT on the same cortex: time, agreement with FreeSurfer, memory.

    python benchmarks/thickness.py FREESURFER_DIR OUT/sub-X/anat [--threads 2] [--rounds 45]

Takes the tissue and structures that a run wrote in the grid of the FreeSurfer folder, cuts out the
left hemisphere at 1 mm and gives it to both: `ants.kelly_kapowski` with its usual settings
(45 rounds, gradient step 0.025, smoothing 1.5), and our chain with everything after the tissue
segmentation. Region means are over FreeSurfer's own regions, so that only thickness is compared.
DiReCT takes many minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
from freesurfer_agreement import read_stats


def find(folder: Path, ending: str) -> Path:
    """Return the one file with that ending."""
    (path,) = folder.glob(f'*{ending}')
    return path


def load(path: Path, dtype: type = np.float32) -> np.ndarray:
    return np.asarray(nb.loadsave.load(path).dataobj, dtype=dtype)


def score(name: str, thickness: np.ndarray, labels: np.ndarray, stats: dict[int, float]) -> None:
    """Print how region means compare with FreeSurfer's."""
    means = np.array([thickness[(labels == index) & (thickness > 0)].mean() for index in stats])
    reference = np.array(list(stats.values()))
    r = np.corrcoef(means, reference)[0, 1]
    error = np.abs(means - reference).mean()
    print(f'{name:8} r {r:.3f}   mean absolute difference {error:.3f} mm')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('freesurfer', type=Path)
    parser.add_argument('anat', type=Path)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=45)
    options = parser.parse_args()
    os.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] = str(options.threads)

    import ants

    from mriderived.core.hemisphere import find_territories, gather, prepare_hemisphere
    from mriderived.core.thickness import find_cortex, project_thickness
    from mriderived.spaces import get_label_table

    def ours(tissue: np.ndarray, side: np.ndarray, filled: np.ndarray) -> np.ndarray:
        half = prepare_hemisphere(tissue, side, filled, (1, 1, 1))
        fine = project_thickness(find_cortex(half.tissue)) * half.voxel_mm
        total, count = gather(fine, half.matrix, tissue.shape)
        return np.where(count > 0, total / np.maximum(count, 1), 0)

    tissue = load(find(options.anat, '_tissuemap.nii.gz'))
    structures = load(find(options.anat, '_seg-aseg_dseg.nii.gz'), np.int32)
    labels = load(options.freesurfer / 'mri' / 'aparc+aseg.nii.gz', np.int32)
    names = pd.read_csv(get_label_table('DesikanKilliany'), sep='\t').set_index('index')['name']
    table = read_stats(options.freesurfer, names)['thickness']
    stats = {index: value for index, value in table.items() if 1000 < index < 2000}
    territories = find_territories(structures, tissue)
    side = territories.sides == 1
    box = tuple(slice(part[0], part[1]) for part in _bounds(side))
    tissue, side, filled = tissue[box], side[box], territories.filled[box] & side[box]
    labels = labels[box]

    ours(tissue, side, filled)  # compile first
    start = time.perf_counter()
    mine = ours(tissue, side, filled)
    seconds = time.perf_counter() - start

    cut = np.where(side, np.where(filled, 3, np.maximum(tissue, 1)), 1).astype(np.float32)
    gm, wm = (np.clip(1 - np.abs(cut - peak), 0, 1) for peak in (2, 3))
    segmentation = np.rint(cut)
    start = time.perf_counter()
    peer = ants.kelly_kapowski(
        *(ants.from_numpy(np.asarray(part, dtype=np.float32)) for part in (segmentation, gm, wm)),
        its=options.rounds, r=0.025, m=1.5,
    ).numpy()  # fmt: skip
    theirs = time.perf_counter() - start

    print(f'left hemisphere, {tissue.shape}, {options.threads} threads for DiReCT, one for ours')
    print(f'ours     {seconds:7.1f} s')
    print(f'DiReCT   {theirs:7.1f} s   ratio {theirs / seconds:.0f}')
    score('ours', mine, labels, stats)
    score('DiReCT', peer, labels, stats)
    both = (mine > 0) & (peer > 0)
    print(
        f'agreement of the two, voxel by voxel: r {np.corrcoef(mine[both], peer[both])[0, 1]:.3f}'
    )
    print(f'peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB')


def _bounds(mask: np.ndarray, margin: int = 4) -> list[tuple[int, int]]:
    where = np.argwhere(mask)
    return [
        (max(low - margin, 0), high + margin + 1)
        for low, high in zip(where.min(axis=0), where.max(axis=0), strict=True)
    ]


if __name__ == '__main__':
    main()
