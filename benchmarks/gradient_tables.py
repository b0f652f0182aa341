"""Is a right gradient table ever called wrong? A real series, made worse in many ways.

    python benchmarks/gradient_tables.py DWI.nii.gz [--rounds 8]

Some of its directions only, noise on top, thick slices, slabs; each also with a reversed row, to
see how many of the wrong tables are found. The table beside the series has to be right.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nibabel as nb
import numpy as np
from scipy import ndimage

NOISE = (0.05, 0.1, 0.2)
DIRECTIONS = (6, 7, 10)
SLAB_MM = 40.0


def find_head(series: np.ndarray, unweighted: np.ndarray) -> np.ndarray:
    """Return the largest bright part of the mean without weighting."""
    mean = series[..., unweighted].mean(axis=3)
    labels, _ = ndimage.label(ndimage.binary_opening(mean > 0.3 * np.percentile(mean, 98)))
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])


def thicken(values: np.ndarray, axis: int) -> np.ndarray:
    """Return means of pairs of planes."""
    pairs = np.moveaxis(values, axis, 0)
    pairs = pairs[: len(pairs) // 2 * 2]
    return np.moveaxis((pairs[::2] + pairs[1::2]) / 2, 0, axis)


def slabs(mask: np.ndarray, voxel_mm: np.ndarray) -> Iterator[np.ndarray]:
    """Give overlapping slabs of a mask along each axis."""
    for axis in range(3):
        width = round(SLAB_MM / voxel_mm[axis])
        for start in range(0, mask.shape[axis] - width, max(1, width // 2)):
            part = np.zeros_like(mask)
            planes = [slice(None)] * 3
            planes[axis] = slice(start, start + width)
            part[tuple(planes)] = mask[tuple(planes)]
            if part.sum() > 500:
                yield part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('series', type=Path)
    parser.add_argument('--rounds', type=int, default=8)
    options = parser.parse_args()

    from mriderived.bids.gradient_files import read_gradient_files
    from mriderived.core.gradient_orientation import apply_transform, rank_tables
    from mriderived.core.gradient_table import make_gradients, select, world_from_fsl

    image = nb.load(options.series)
    stem = str(options.series).removesuffix('.gz').removesuffix('.nii')
    table = read_gradient_files(Path(f'{stem}.bval'), Path(f'{stem}.bvec'), image.shape[3])
    affine = image.affine
    series = np.asarray(image.dataobj, np.float32)[..., table.used]
    gradients = make_gradients(
        table.b[table.used], world_from_fsl(table.directions[table.used], affine)
    )
    unweighted, weighted = (np.flatnonzero(gradients.shell == 0), np.flatnonzero(gradients.shell))
    mask = find_head(series, unweighted)
    signals = series[mask]
    level = signals[:, unweighted].mean()
    rng = np.random.default_rng(0)
    seen: dict[str, Counter[str]] = {}

    def judge(name: str, values: np.ndarray, inside: np.ndarray, chosen: np.ndarray, grid) -> None:
        right = select(gradients, chosen)
        counts = seen.setdefault(name, Counter())
        counts[rank_tables(values, inside, right, grid).verdict] += 1
        flip = np.diag(np.where(np.arange(3) == rng.integers(3), -1.0, 1.0))
        found = rank_tables(values, inside, apply_transform(right, flip, grid), grid)
        named = found.verdict == 'wrong' and np.allclose(found.transforms[0], flip)
        counts['reversed row found' if named else 'reversed row not found'] += 1

    whole = np.arange(len(gradients))
    judge('as it is', signals, mask, whole, affine)
    for count in DIRECTIONS:
        for _ in range(options.rounds):
            chosen = np.r_[unweighted, rng.choice(weighted, count, replace=False)]
            try:
                judge(f'{count} directions', np.ascontiguousarray(signals[:, chosen]), mask,
                      chosen, affine)  # fmt: skip
            except ValueError:
                continue  # these do not determine a tensor
    for sigma in NOISE:
        noise = (sigma * level * rng.standard_normal((2, *signals.shape))).astype(np.float32)
        judge(f'noise of {sigma:g}', np.hypot(signals + noise[0], noise[1]), mask, whole, affine)
    for axis in range(3):
        grid = affine.copy()
        grid[:3, axis] *= 2
        inside = thicken(mask.astype(np.float32), axis) > 0.5
        judge('thick slices', thicken(series, axis)[inside], inside, whole, grid)
    for part in slabs(mask, np.linalg.norm(affine[:3, :3], axis=0)):
        judge('slabs of 40 mm', series[part], part, whole, affine)
    for name, counts in seen.items():
        print(f'{name:15} {dict(sorted(counts.items()))}')
    print(f'right tables called wrong: {sum(counts["wrong"] for counts in seen.values())}')


if __name__ == '__main__':
    main()
