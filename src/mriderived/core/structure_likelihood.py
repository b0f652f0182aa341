"""How well the intensity of a voxel fits a structure, learnt from the image itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.filters import smooth
from mriderived.core.labels import Mask
from mriderived.core.partial_volume import Fractions
from mriderived.core.slabs import run_slabs
from mriderived.core.structure_classes import Class, Kind, may_have
from mriderived.core.structure_field import score_histogram, score_normal

Volume = NDArray[np.float32]
Numbers = NDArray[np.int16]

#: Distance in mm over which intensities of a structure are taken together.
MEAN_MM = 4.0
#: Grid in mm of local histograms.
CELL_MM = 3.0
#: Share of a structure, the outer one, that is not learnt from.
RIM = 1 / 3
#: Voxels of pure tissue, and the least number of voxels that say how bright a structure is.
PURE = 0.95
FEW = 10
#: Weight of the mean of the whole where hardly a voxel of a structure is near.
SHRINK = 0.05


@dataclass(frozen=True)
class Scan:
    """An image and what is known of its structures before they are refined."""

    image: Volume
    labels: Numbers
    active: Mask
    fluid: Mask
    size: NDArray[np.float64]
    noise: float
    #: Median intensity of fluid, grey and white matter.
    levels: tuple[float, float, float]
    threads: int

    @classmethod
    def learn(
        cls,
        image: Volume,
        labels: Numbers,
        active: Mask,
        tissues: Fractions,
        size: NDArray[np.float64],
        threads: int,
    ) -> Scan:
        """Measure the tissues; the noise is the spread of white matter around its local mean."""
        parts = {'CSF': tissues.csf, 'grey matter': tissues.gm, 'white matter': tissues.wm}
        levels = []
        for name, part in parts.items():
            core = part > PURE
            if not core.any():
                raise ValueError(f'no voxel of the brain is {name}; check the tissue segmentation')
            levels.append(float(np.median(image[core])))
        _, sigma = local_mean(image, tissues.wm > PURE, 2 * MEAN_MM / size, threads)
        least = 1e-3 * abs(levels[2] - levels[0]) + 1e-6
        return cls(image, labels, active, tissues.csf > 0.5, size, max(sigma, least),
                   (levels[0], levels[1], levels[2]), threads)  # fmt: skip


def local_mean(
    image: Volume, core: Mask, width: NDArray[np.float64], threads: int
) -> tuple[Volume, float]:
    """Return the mean of a core around every voxel, and the spread of the core around it."""
    centre = float(np.median(image[core]))
    spread = _deviation(image[core] - centre)
    kept = core & (np.abs(image - centre) <= 3 * spread)
    weight = kept.astype(np.float32)
    near = smooth(weight, width, threads) + np.float32(SHRINK)
    total = smooth(weight * image, width, threads) + np.float32(SHRINK * centre)
    mean = (total / near).astype(np.float32)
    return mean, _deviation((image - mean)[kept])


def _deviation(values: NDArray[np.float32]) -> float:
    return 1.4826 * float(np.median(np.abs(values)))


def score_structure(
    scan: Scan, position: int, each: Class, classes: Numbers, priors: Volume, scores: Volume
) -> None:
    """Score a structure by a normal distribution around its local mean."""
    listed = (classes == position).any(axis=0) & scan.active
    found = ndimage.find_objects(listed.astype(np.uint8))
    if not found:
        return
    grow = np.ceil(3 * MEAN_MM / scan.size).astype(int)
    box = tuple(
        slice(max(part.start - int(add), 0), min(part.stop + int(add), end))
        for part, add, end in zip(found[0], grow, listed.shape, strict=True)
    )
    core = _find_core(scan, position, each, classes, priors, box)
    image = scan.image[box]
    mean: Volume
    if each.is_mixed:
        # any share of either is as likely: the mean and the deviation of a uniform distribution
        fluid, grey, _ = scan.levels
        mean, sigma = (
            np.full(image.shape, (fluid + grey) / 2, np.float32),
            (grey - fluid) / 12**0.5,
        )
    elif np.count_nonzero(core) < FEW:
        level = scan.levels[0 if each.kind is Kind.FLUID else 1]
        mean, sigma = np.full(image.shape, level, np.float32), scan.noise
    else:
        mean, sigma = local_mean(image, core, MEAN_MM / scan.size, scan.threads)
    corner = np.array([part.start for part in box])
    run_slabs(score_normal, mean.shape[0], scan.threads, scan.image, mean,
              max(sigma, scan.noise), corner, position, classes, priors, scores)  # fmt: skip


def _find_core(
    scan: Scan,
    position: int,
    each: Class,
    classes: Numbers,
    priors: Volume,
    box: tuple[slice, ...],
) -> Mask:
    """Return the inner voxels of a structure, as far as they are of its tissue."""
    core = (scan.labels[box] == position) & may_have(each, scan.fluid[box])
    inside = (slice(None), *box)
    prior = np.where(classes[inside] == position, priors[inside], 0).sum(axis=0)
    prior = np.where(scan.active[box], prior, 1)
    if core.any():
        core &= prior >= np.quantile(prior[core], RIM)
    return np.asarray(core, dtype=bool)


def score_territory(
    scan: Scan, position: int, each: Class, classes: Numbers, priors: Volume, scores: Volume
) -> None:
    """Score a territory, a mixture of tissues, by the histogram of its voxels nearby."""
    mine = (scan.labels == position) & (scan.fluid == (each.kind is Kind.OUTSIDE))
    if not mine.any():
        return
    cell = np.maximum(np.rint(CELL_MM / scan.size), 1).astype(int)
    shape = tuple(-(-end // int(step)) for end, step in zip(mine.shape, cell, strict=True))
    values = scan.image[mine]
    bins = int(np.percentile(values, 99.9) / scan.noise) + 1
    rows = np.clip((values / scan.noise).astype(int), 0, bins - 1)
    flat = np.ravel_multi_index((rows, *(np.argwhere(mine) // cell).T), (bins, *shape))
    count = np.bincount(flat, minlength=bins * int(np.prod(shape)))
    histogram = count.reshape(bins, *shape).astype(np.float32)
    overall = histogram.sum(axis=(1, 2, 3), dtype=np.float64)
    overall /= overall.sum()
    width = MEAN_MM / (scan.size * cell)
    near = np.stack([smooth(each_bin, width, scan.threads) for each_bin in histogram])
    near = ndimage.gaussian_filter1d(near, 1.0, axis=0, mode='nearest')
    shared = 0.5 * overall[:, None, None, None]
    local = ((near + shared) / (near.sum(axis=0) + 0.5)).astype(np.float32)
    run_slabs(score_histogram, mine.shape[0], scan.threads, scan.image, local, cell, scan.noise,
              position, classes, priors, scores)  # fmt: skip
