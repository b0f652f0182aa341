"""Compare the outputs of one participant with a FreeSurfer folder of the same image.

    python benchmarks/freesurfer_agreement.py FREESURFER_SUBJECT_DIR OUT_DIR/sub-X/anat

The T1w must be FreeSurfer's own grid or at least the same head position. Cerebral tissue is
compared with the ribbon, away from cerebellum, brain stem and deep nuclei.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
from scipy import ndimage

CORTEX = [base + i for base in (1000, 2000) for i in range(1, 36) if i != 4]
DEEP = (10, 11, 12, 13, 17, 18, 26, 49, 50, 51, 52, 53, 54, 58)
BELOW = (7, 8, 15, 16, 46, 47)
PAIRS = {
    'thalamus': (10, 49),
    'caudate': (11, 50),
    'putamen': (12, 51),
    'pallidum': (13, 52),
    'hippocampus': (17, 53),
    'amygdala': (18, 54),
    'accumbens': (26, 58),
    'ventral_dc': (28, 60),
    'lateral_ventricle': (4, 43),
    'brain_stem': (16,),
    'cerebellar_cortex': (8, 47),
    'cerebellar_white_matter': (7, 46),
}


#: FreeSurfer's columns of ``?h.aparc.stats``.
STATS = ['name', 'vertices', 'area', 'volume', 'thickness']


def read_stats(folder: Path, names: pd.Series) -> pd.DataFrame:
    """Return FreeSurfer's table of the Desikan-Killiany regions, by number.

    ``names`` maps numbers to names such as ``ctx-lh-cuneus``.
    """
    parts = []
    for side in ('lh', 'rh'):
        table = pd.read_csv(
            folder / 'stats' / f'{side}.aparc.stats', sep=r'\s+', comment='#', header=None
        )
        table = table.iloc[:, : len(STATS)].set_axis(STATS, axis=1)
        parts.append(table.assign(name=f'ctx-{side}-' + table['name']))
    numbers = {name: number for number, name in names.items()}
    stats = pd.concat(parts)
    return stats.assign(index=stats['name'].map(numbers)).set_index('index')


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the overlap of two masks."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


class FreeSurfer:
    """A FreeSurfer folder, and our outputs on the grid of its images."""

    def __init__(self, folder: Path, outputs: Path) -> None:
        self.folder, self.outputs = folder, outputs
        self.like = nb.load(folder / 'mri' / 'aparc+aseg.nii.gz')
        self.labels = np.asarray(self.like.dataobj)
        self.ribbon = self.read('ribbon')
        below = ndimage.binary_dilation(np.isin(self.labels, BELOW), iterations=3)
        self.cerebrum = ~below & ~np.isin(self.labels, DEEP)

    def read(self, name: str) -> np.ndarray:
        """Return an image of the FreeSurfer folder."""
        return np.asarray(nb.load(self.folder / 'mri' / f'{name}.nii.gz').dataobj)

    def ours(self, name: str, order: int) -> np.ndarray:
        """Return one of our images on FreeSurfer's grid."""
        stem = self.outputs.glob('*_desc-brain_mask.nii.gz')
        source = next(stem).name.removesuffix('_desc-brain_mask.nii.gz')
        image = nb.load(self.outputs / f'{source}_{name}.nii.gz')
        matrix = np.linalg.inv(image.affine) @ self.like.affine
        data = np.asarray(image.dataobj, dtype=np.float32)
        return ndimage.affine_transform(data, matrix, output_shape=self.labels.shape, order=order)

    def mask_dice(self) -> float:
        """Return the overlap of the brain masks."""
        return dice(self.ours('desc-brain_mask', 0) > 0, self.read('brainmask') > 0)

    def tissue(self) -> dict[str, float]:
        """Return the overlap of cerebral tissue and the ratio of grey matter volumes."""
        keep = self.cerebrum
        gm, wm, csf = (self.ours(f'label-{name}_probseg', 1) for name in ('GM', 'WM', 'CSF'))
        best = np.argmax(np.stack([np.full_like(gm, 0.05), csf, gm, wm]), axis=0)
        grey = np.isin(self.ribbon, [3, 42]) & keep
        return {
            'gm_dice': dice((best == 2) & keep, grey),
            'wm_dice': dice((best == 3) & keep, np.isin(self.ribbon, [2, 41]) & keep),
            'gm_volume_ratio': float(gm[keep].sum() / grey.sum()),
        }

    def region_dice(self) -> list[float]:
        """Return the overlap of each Desikan-Killiany region of the cortex."""
        ours = np.rint(self.ours('atlas-DesikanKilliany_dseg', 0)).astype(int)
        return [dice(ours == i, self.labels == i) for i in CORTEX]

    def structure_dice(self) -> dict[str, float]:
        """Return the overlap of each structure, the mean of left and right."""
        ours = np.rint(self.ours('seg-aseg_dseg', 0)).astype(int)
        return {
            name: float(np.mean([dice(ours == i, self.labels == i) for i in numbers]))
            for name, numbers in PAIRS.items()
        }

    def structure_volumes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return our volumes and FreeSurfer's (aseg.stats, mm3) of the structures of PAIRS."""
        table = next(self.outputs.glob('*_seg-aseg_morph.tsv'))
        ours = pd.read_csv(table, sep='\t', na_values='n/a').set_index('index')['volume']
        lines = (self.folder / 'stats' / 'aseg.stats').read_text().splitlines()
        rows = [line.split() for line in lines if line and not line.startswith('#')]
        theirs = {int(row[1]): float(row[3]) for row in rows}
        numbers = [i for pair in PAIRS.values() for i in pair]
        return ours[numbers].to_numpy(), np.array([theirs[i] for i in numbers])

    def region_volumes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return our volumes and FreeSurfer's (by voxels, mm3) of the regions of the cortex."""
        table = next(self.outputs.glob('*_atlas-DesikanKilliany_morph.tsv'))
        ours = pd.read_csv(table, sep='\t').set_index('index')['volume'][CORTEX].to_numpy()
        voxel = abs(np.linalg.det(self.like.affine[:3, :3]))
        return ours, np.array([(self.labels == i).sum() * voxel for i in CORTEX])

    def stats(self) -> pd.DataFrame:
        """Return FreeSurfer's own table of the regions of the cortex, in the order of ours."""
        labels = next(self.outputs.glob('*_atlas-DesikanKilliany_dseg.tsv'))
        names = pd.read_csv(labels, sep='\t').set_index('index')['name']
        return read_stats(self.folder, names).loc[CORTEX]

    def thickness(self) -> dict[str, float]:
        """Compare mean thickness in FreeSurfer's regions, then in ours, with FreeSurfer's."""
        values = self.ours('thickness', 0)
        reference = self.stats()['thickness'].to_numpy()
        theirs = np.array([values[(self.labels == i) & (values > 0)].mean() for i in CORTEX])
        table = next(self.outputs.glob('*_atlas-DesikanKilliany_thickness.tsv'))
        ours = pd.read_csv(table, sep='\t').set_index('index')['mean'][CORTEX].to_numpy()
        return {
            'thickness_r': float(np.corrcoef(theirs, reference)[0, 1]),
            'thickness_difference': float(np.abs(theirs - reference).mean()),
            'thickness_bias': float((theirs - reference).mean()),
            'thickness_r_own_regions': float(np.corrcoef(ours, reference)[0, 1]),
        }

    def surface(self) -> dict[str, float]:
        """Compare area and thickness on our surfaces, by our regions, with FreeSurfer's."""
        table = next(self.outputs.glob('*_atlas-DesikanKilliany_desc-surface_morph.tsv'))
        ours = pd.read_csv(table, sep='\t').set_index('index').loc[CORTEX]
        stats = self.stats()
        return {
            'area_r': float(np.corrcoef(ours['area'], stats['area'])[0, 1]),
            'area_ratio': float(ours['area'].sum() / stats['area'].sum()),
            'surface_thickness_r': float(np.corrcoef(ours['thickness'], stats['thickness'])[0, 1]),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('freesurfer', type=Path)
    parser.add_argument('outputs', type=Path)
    options = parser.parse_args()
    pair = FreeSurfer(options.freesurfer, options.outputs)
    ours, theirs = pair.region_volumes()
    overlaps = pair.region_dice()
    structures = np.array(pair.structure_volumes())
    small = structures[:, structures[1] < 10_000]
    figures = {
        'mask_dice': pair.mask_dice(),
        **pair.tissue(),
        'region_volume_r': float(np.corrcoef(ours, theirs)[0, 1]),
        'region_volume_ratio': float(ours.sum() / theirs.sum()),
        'region_dice_mean': float(np.mean(overlaps)),
        'region_dice_min': float(min(overlaps)),
        **pair.thickness(),
        **pair.surface(),
        **{f'{name}_dice': value for name, value in pair.structure_dice().items()},
        'structure_volume_r': float(np.corrcoef(structures)[0, 1]),
        'deep_volume_r': float(np.corrcoef(small)[0, 1]),
    }
    for name, value in figures.items():
        print(f'{name:28s} {value:.4f}')


if __name__ == '__main__':
    main()
