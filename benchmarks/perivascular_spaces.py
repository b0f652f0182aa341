"""Plant dark tubes in the white matter of a processed head, and find them again.

    python benchmarks/perivascular_spaces.py OUT/sub-01/anat/sub-01 [--count 25] [--threads 2]

The argument is an output folder of a participant and the beginning of its file names. What is
found without planted tubes is printed first: in a synthetic head all of it is false. A tube is
found if objects cover half of its middle line.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.masks import find_box
from mriderived.core.perivascular_regions import find_perivascular_region
from mriderived.core.tube_components import keep_spaces
from mriderived.core.tubes import find_tubes
from mriderived.interfaces.volumes import load, load_affine, voxel_size

#: Widths in voxels, and how much darker than white matter.
CASES = (((1, 2), 0.4), ((2, 3), 0.3), ((2, 3), 0.4), ((3, 4), 0.4))
LENGTH_VOXELS, APART_VOXELS, PARTS = (8, 18), 12, 4


class Tube(NamedTuple):
    centre: NDArray[np.float64]
    direction: NDArray[np.float64]
    length: float


def plant(
    region: NDArray[np.bool_], widths: tuple[float, float], count: int, seed: int
) -> tuple[NDArray[np.float32], list[Tube]]:
    """Return the share of tubes in each voxel, and the tubes; they lie inside of the region."""
    rng = np.random.default_rng(seed)
    share = np.zeros(region.shape, np.float32)
    deep = ndimage.binary_erosion(region)
    places = np.argwhere(deep)
    steps = (np.arange(PARTS) + 0.5) / PARTS - 0.5
    tubes: list[Tube] = []
    for _ in range(40_000):
        if len(tubes) == count:
            break
        centre = places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 3)
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        tube = Tube(centre, direction, rng.uniform(*LENGTH_VOXELS))
        reach = tube.length / 2 + 4
        far = (centre < reach).any() or (centre > np.array(region.shape) - reach).any()
        if far or not deep[tuple(line(tube, 30).T)].all():
            continue
        if any(np.linalg.norm(centre - other.centre) < APART_VOXELS for other in tubes):
            continue
        low = np.floor(centre - reach).astype(int)
        size = 2 * int(np.ceil(reach)) + 1
        axes = [(np.arange(a, a + size)[:, None] + steps).ravel() - c
                for a, c in zip(low, centre, strict=True)]  # fmt: skip
        x, y, z = np.meshgrid(*axes, indexing='ij', sparse=True)
        along = x * direction[0] + y * direction[1] + z * direction[2]
        away = x**2 + y**2 + z**2 - along**2
        inside = (away < (rng.uniform(*widths) / 2) ** 2) & (np.abs(along) < tube.length / 2)
        part = inside.reshape(size, PARTS, size, PARTS, size, PARTS).mean(axis=(1, 3, 5))
        target = tuple(slice(a, min(a + size, n)) for a, n in zip(low, region.shape, strict=True))
        share[target] += part[tuple(slice(0, t.stop - t.start) for t in target)]
        tubes.append(tube)
    return np.clip(share, 0, 1), tubes


def line(tube: Tube, count: int) -> NDArray[np.int64]:
    steps = np.linspace(0.5 - tube.length / 2, tube.length / 2 - 0.5, count)
    return np.rint(tube.centre + steps[:, None] * tube.direction).astype(int)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('prefix')
    parser.add_argument('--count', type=int, default=25)
    parser.add_argument('--threads', type=int, default=2)
    given = parser.parse_args()
    t1w, mask, fluid, structures = (
        Path(f'{given.prefix}_{name}.nii.gz')
        for name in ('desc-preproc_T1w', 'desc-brain_mask', 'label-CSF_probseg', 'seg-aseg_dseg')
    )
    spacing = voxel_size(load_affine(t1w)).tolist()
    brain = load(mask) > 0
    box = find_box(brain, (4, 4, 4))
    image = np.ascontiguousarray(load(t1w)[box])
    labels = load(structures, np.int32)[box]
    region = find_perivascular_region(labels, load(fluid)[box], brain[box], spacing)
    white = float(np.median(image[region]))
    started = time.perf_counter()
    found = find_tubes(image, region, spacing, threads=given.threads)
    spaces = keep_spaces(found.mask, spacing)
    took = time.perf_counter() - started
    litres = region.sum() * np.prod(spacing) / 1e6
    print(f'{litres:.2f} L searched in {took:.1f} s; without planted tubes: '
          f'{len(spaces.table)} objects')  # fmt: skip
    print('width (voxels)  darker by  planted  recall  other objects')
    for widths, contrast in CASES:
        share, tubes = plant(region, widths, given.count, seed=0)
        planted = (image - contrast * white * share).clip(0).astype(np.float32)
        spaces = keep_spaces(
            find_tubes(planted, region, spacing, threads=given.threads).mask, spacing
        )
        hits = [(spaces.labels[tuple(line(tube, 15).T)] > 0).mean() >= 0.5 for tube in tubes]
        numbers = spaces.table['index']
        false = sum(share[spaces.labels == number].max() < 0.1 for number in numbers)
        print(f'{widths[0]}-{widths[1]:<13} {contrast:<10} {len(tubes):<8} '
              f'{np.mean(hits):<7.2f} {false}')  # fmt: skip


if __name__ == '__main__':
    main()
