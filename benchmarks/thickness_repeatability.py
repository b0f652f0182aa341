"""How much regional thickness changes when the same head is turned, mirrored or noisier.

    python benchmarks/thickness_repeatability.py T1W.nii.gz [--keep FOLDER]

Makes a dataset of four participants from one scan: as it is; turned by 10 degrees about an oblique
axis (resampled with cubic splines, which blurs a little as any second scan differs); mirrored
(data and affine, so left becomes right); and with Gaussian noise of 3 % of the mean white matter.
Runs everything needed for thickness on each and compares the 68 Desikan-Killiany regions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
from scipy import ndimage

TURN_DEGREES = 10.0
AXIS = np.array([1.0, 2.0, 3.0]) / np.sqrt(14.0)
NOISE = 0.03


def turned(image: nb.Nifti1Image) -> nb.Nifti1Image:
    """Resample the scan as if the head had been turned in the scanner."""
    x, y, z = AXIS
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(TURN_DEGREES)
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    affine = image.affine
    middle = affine[:3, :3] @ ((np.array(image.shape[:3]) - 1) / 2) + affine[:3, 3]
    world = np.eye(4)
    world[:3, :3] = rotation
    world[:3, 3] = middle - rotation @ middle
    matrix = np.linalg.inv(affine) @ world @ affine
    data = np.asarray(image.dataobj, dtype=np.float32)
    moved = ndimage.affine_transform(data, matrix, order=3, mode='constant')
    return nb.Nifti1Image(np.clip(moved, 0, data.max()), affine)


def mirrored(image: nb.Nifti1Image) -> nb.Nifti1Image:
    """Mirror the head at the middle of the grid: what was left is now right."""
    axis = int(np.argmax(np.abs(image.affine[0, :3])))
    return nb.Nifti1Image(np.flip(np.asarray(image.dataobj, np.float32), axis), image.affine)


def noisy(image: nb.Nifti1Image) -> nb.Nifti1Image:
    """Add noise as a magnitude image has it (Rice)."""
    data = np.asarray(image.dataobj, dtype=np.float64)
    white = np.percentile(data[data > data.mean()], 75)
    random = np.random.default_rng(1)
    real, imaginary = (random.normal(0, NOISE * white, data.shape) for _ in range(2))
    return nb.Nifti1Image(np.hypot(data + real, imaginary).astype(np.float32), image.affine)


def write(folder: Path, label: str, image: nb.Nifti1Image) -> None:
    path = folder / f'sub-{label}' / 'anat' / f'sub-{label}_T1w.nii.gz'
    path.parent.mkdir(parents=True)
    image.to_filename(path)


def means(out_dir: Path, label: str) -> pd.Series:
    """Return mean thickness by the name of the region."""
    folder = out_dir / f'sub-{label}' / 'anat'
    table = pd.read_csv(next(folder.glob('*_atlas-DesikanKilliany_thickness.tsv')), sep='\t')
    return table.set_index('name')['mean']


def swap(name: str) -> str:
    return name.translate(str.maketrans('lr', 'rl')) if name in ('lh', 'rh') else name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('image', type=Path)
    parser.add_argument('--keep', type=Path, help='folder to work in, kept')
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp())
    bids_dir, out_dir = folder / 'bids', folder / 'out'
    if not bids_dir.exists():
        image = nb.load(options.image)
        write(bids_dir, 'same', image)
        for change in (turned, mirrored, noisy):
            write(bids_dir, change.__name__, change(image))
        description = {'Name': 'one head four times', 'BIDSVersion': '1.10.0'}
        (bids_dir / 'dataset_description.json').write_text(json.dumps(description))
    subprocess.run(
        [sys.executable, '-m', 'mriderived', str(bids_dir), str(out_dir), 'participant',
         '--atlases', 'DesikanKilliany', '--measures', 'thickness', 'thickness_regions',
         '--skip-bids-validation'],
        check=True,
    )  # fmt: skip
    first = means(out_dir, 'same')
    for label in ('turned', 'mirrored', 'noisy'):
        other = means(out_dir, label)
        if label == 'mirrored':
            other.index = [
                '-'.join(swap(part) for part in name.split('-')) for name in other.index
            ]
        change = (other - first).dropna()
        size = change.abs()
        r = np.corrcoef(other[change.index], first[change.index])[0, 1]
        print(
            f'{label:9} {len(change)} regions, mean absolute change {size.mean():.3f} mm, '
            f'mean {change.mean():+.3f}, largest {size.max():.3f}, r {r:.3f}'
        )


if __name__ == '__main__':
    main()
