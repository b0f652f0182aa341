"""Find hyperintensities in a real FLAIR, compare them with a mask, and plant more.

    python benchmarks/hyperintensities.py T1W.nii.gz FLAIR.nii.gz WORK_DIR [--truth MASK.nii.gz]
        [--aligned] [--plant]

The T1w goes through the program's own steps (their files stay in WORK_DIR and are used again). The
FLAIR is brought to it by mutual information and freed of bias, unless it is ``--aligned``.
``--truth`` prints the overlap with a mask on the grid of the FLAIR; ``--plant`` puts blurred balls
of several contrasts into white matter far from what was found, and prints what comes back.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import nibabel as nb
import numpy as np
from scipy import ndimage

from mriderived.bids.image_checks import load_clean
from mriderived.core.filters import smooth
from mriderived.core.hyperintensities import Scan, find_hyperintensities
from mriderived.core.hyperintensity_measures import label_components, sum_volumes
from mriderived.core.hyperintensity_territory import distance_mm, weigh
from mriderived.core.mutual_information import register_rigid
from mriderived.core.partial_volume import Fractions
from mriderived.core.sampling import resample
from mriderived.interfaces.bias import correct_bias
from mriderived.interfaces.space_files import load_tissues
from mriderived.interfaces.volumes import load, load_affine, load_ras, save, voxel_size
from mriderived.interfaces.warps import read_grid, warp_channels
from mriderived.spaces import DEFAULT_SPACE, get_space
from mriderived.spaces.delivery import prepare_atlas
from mriderived.spaces.registry import get_atlas
from mriderived.spaces.structures import ATLAS
from mriderived.workflows.anat_brain import prepare_t1w
from mriderived.workflows.anat_registration import register_to_space
from mriderived.workflows.anat_structures import label_structures
from mriderived.workflows.anat_tissue import segment_t1w

VENTRICLES, CHOROID, BELOW = (4, 5, 14, 15, 43, 44), (31, 63), (7, 8, 16, 46, 47)
#: Of the planted balls: radii in mm, and brightness above white matter as a share of it.
RADII, CONTRASTS = (6, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2), (0.35, 0.5, 0.7)
BLUR_MM, APART_MM = 0.6, 8.0


def prepare(t1w: Path, folder: Path, threads: int) -> None:
    """Run the steps of the T1w, and leave their files in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if Path('structures.nii.gz').exists() and Path('priors.nii.gz').exists():
        return
    space = get_space(DEFAULT_SPACE)
    assert space.tissues is not None
    brain = prepare_t1w(t1w, 'auto', 'cpu', threads)
    tissue = segment_t1w(
        brain.t1w, brain.brain_mask, space.brain, space.tissues, threads, sloppy=False
    )
    maps = (brain.t1w, brain.brain_mask, tissue.gm_probseg, tissue.wm_probseg)
    found = register_to_space(*maps, space.brain, threads, False, space.tissues)
    grid = read_grid(brain.t1w)
    priors = load_tissues(space.tissues, ('csf', 'gm', 'wm'))
    affine = nb.as_closest_canonical(nb.loadsave.load(space.tissues)).affine
    warped = warp_channels(priors, affine, grid, found.xfm_from_space)
    atlas = get_atlas(ATLAS)
    label_structures(
        *maps,
        tissue.csf_probseg,
        found.xfm_from_space,
        save(np.zeros(grid.shape, np.uint8), grid.affine, 'lesions.nii.gz'),
        prepare_atlas(atlas, folder),
        atlas.table,
        threads,
    )
    save(np.moveaxis(warped, 0, -1), grid.affine, 'priors.nii.gz')


def read_scan(flair: Path, aligned: bool, threads: int) -> tuple[Scan, np.ndarray]:
    """Bring together what the steps left, and the FLAIR on their grid."""
    t1w, affine = load(Path('t1w.nii.gz')), load_affine(Path('t1w.nii.gz'))
    brain = load(Path('brain_mask.nii.gz'), bool)
    size = voxel_size(affine)
    if aligned:
        image = load_ras(flair)[0]
        matrix = np.eye(4)
    else:
        moving, moving_affine = load_clean(flair)
        found = register_rigid(t1w, affine, brain, moving, moving_affine)
        matrix = np.linalg.inv(moving_affine) @ found.matrix @ affine
        image = resample(moving, matrix, t1w.shape, threads)
        brain &= image > 0
        image = correct_bias(image, brain, size)
    labels = load(Path('structures.nii.gz'), np.int32)
    parts = {name: load(Path(f'{name}_probseg.nii.gz')) for name in ('gm', 'wm', 'csf')}
    scan = Scan(
        image,
        brain,
        np.moveaxis(load(Path('priors.nii.gz')), -1, 0),
        np.isin(labels, VENTRICLES),
        (float(size[0]), float(size[1]), float(size[2])),
        Fractions(**parts),
        np.isin(labels, CHOROID),
        weigh(np.isin(labels, BELOW)),
    )
    return scan, matrix


def compare(mask: np.ndarray, truth: np.ndarray, voxel_ml: float) -> None:
    """Print the overlap, and how many lesions were found and invented."""
    wanted, got = label_components(truth), label_components(mask)
    seen = len(np.unique(wanted[mask & truth]))
    right = len(np.unique(got[mask & truth]))
    apart = mask & (ndimage.distance_transform_edt(~truth) > 5)
    print(f'  Dice          {2 * (mask & truth).sum() / (mask.sum() + truth.sum()):.3f}')
    print(f'  volume        {mask.sum() * voxel_ml:.2f} mL of {truth.sum() * voxel_ml:.2f} mL')
    print(f'  lesions found {seen} of {wanted.max()}; false {got.max() - right} of {got.max()}')
    print(f'  more than 5 voxels from any lesion: {apart.sum() * voxel_ml:.3f} mL')


def plant(scan: Scan, taken: np.ndarray, contrast: float, threads: int, seed: int) -> None:
    """Plant balls in white matter and print the slope of volumes, and Dice by radius."""
    assert scan.tissues is not None and scan.weight is not None
    rng = np.random.default_rng(seed)
    size = np.array(scan.spacing)
    white = (scan.tissues.wm > 0.9) & (scan.priors[2] > 0.9) & (scan.weight == 1)
    free = distance_mm(~white, scan.spacing) > 3
    candidates = np.argwhere(free & (distance_mm(taken, scan.spacing) > 12))
    grid = np.indices(white.shape, np.float32) * size[:, None, None, None].astype(np.float32)
    balls: list[tuple[np.ndarray, float]] = []
    share = np.zeros(white.shape, np.float32)
    for radius in RADII:
        for _ in range(500):
            place = (candidates[rng.integers(len(candidates))] + rng.uniform(-0.5, 0.5, 3)) * size
            if all(np.linalg.norm(place - p) > radius + r + APART_MM for p, r in balls):
                away = np.sqrt(((grid - place[:, None, None, None]) ** 2).sum(axis=0))
                share = np.maximum(share, np.clip((radius - away) / size.mean() + 0.5, 0, 1))
                balls.append((place, radius))
                break
    level = float(np.median(scan.flair[white]))
    added = contrast * level * smooth(share, BLUR_MM / size, threads)
    found = find_hyperintensities(scan._replace(flair=scan.flair + added), threads).mask
    rows = []
    for place, radius in balls:
        away = np.sqrt(((grid - place[:, None, None, None]) ** 2).sum(axis=0))
        mine, truth = found & (away < radius + 4), (share > 0.5) & (away < radius + 2)
        overlap = 2 * (mine & truth).sum() / (mine.sum() + truth.sum())
        rows.append((radius, share[away < radius + 2].sum(), mine.sum(), overlap))
    radii, wanted, got, dice = np.array(rows).T
    slope = np.polyfit(wanted, got, 1)[0]
    by_radius = ', '.join(f'{r:g} mm {dice[radii == r].mean():.2f}' for r in np.unique(radii))
    print(f'  contrast {contrast:.2f}: slope {slope:.2f}; Dice by radius: {by_radius}', flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('t1w', type=Path)
    parser.add_argument('flair', type=Path)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--truth', type=Path)
    parser.add_argument('--aligned', action='store_true')
    parser.add_argument('--plant', action='store_true')
    parser.add_argument('--threads', type=int, default=1)
    options = parser.parse_args()
    flair, truth = options.flair.resolve(), options.truth and options.truth.resolve()
    prepare(options.t1w.resolve(), options.folder.resolve(), options.threads)
    scan, matrix = read_scan(flair, options.aligned, options.threads)
    voxel_ml = float(np.prod(scan.spacing)) / 1000
    ventricle_mm = distance_mm(scan.ventricles, scan.spacing)
    for name, each in (('FLAIR and T1w', scan), ('FLAIR alone', scan._replace(tissues=None))):
        start = time.perf_counter()
        found = find_hyperintensities(each, options.threads)
        print(f'{name}: {time.perf_counter() - start:.1f} s')
        for key, value in sum_volumes(found.mask, ventricle_mm, scan.spacing).items():
            print(f'  {key:18s} {value:.3f}')
        if truth is not None:
            wanted = load_ras(truth)[0]
            compare(found.mask, resample(wanted, matrix, found.mask.shape) > 0.5, voxel_ml)
    if options.plant:
        taken = find_hyperintensities(scan, options.threads).mask
        for contrast in CONTRASTS:
            plant(scan, taken, contrast, options.threads, seed=0)


if __name__ == '__main__':
    main()
