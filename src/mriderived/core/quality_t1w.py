"""All quality metrics of one T1w scan, and for each that cannot be had the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core import quality, quality_air, quality_noise, quality_tissue
from mriderived.core.masks import find_box, find_foreground, is_brain_extracted
from mriderived.core.quality_masks import coarsen, erode, erode_faces
from mriderived.core.quality_reasons import MIN_TISSUE, NO_AIR, TISSUES, explain
from mriderived.core.smoothness import estimate_fwhm

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Labels of the segmentation.
LABELS = {'csf': 3, 'gm': 1, 'wm': 2}
#: White matter has this median after intensities are scaled.
WM_LEVEL = 1000.0
#: Coarser voxels than this (mm) are eroded by their faces only: little would be left.
MAX_ERODED_MM = 1.9


@dataclass(frozen=True)
class T1wScan:
    """What the metrics are made from; all arrays on one RAS grid.

    ``raw`` and ``image`` are intensities as acquired and bias-corrected, ``segmentation``
    labels (1 GM, 2 WM, 3 CSF), ``tissues`` fractions of CSF, GM and WM in this order,
    ``templates`` the template's probabilities in the same order within
    ``find_box(brain, (0, 0, 0))``, ``voxel_to_space`` the affine from voxel indices to MNI152
    coordinates in mm.
    """

    raw: Volume
    image: Volume
    brain: Mask
    segmentation: NDArray[np.uint8]
    tissues: tuple[Volume, Volume, Volume]
    spacing: tuple[float, float, float]
    voxel_to_space: NDArray[np.float64]
    templates: tuple[Volume, Volume, Volume] | None = None


class T1wQuality(NamedTuple):
    """Values by column (NaN where there is none), reasons for NaN, and what lies where."""

    values: dict[str, float]
    reasons: dict[str, str]
    labels: NDArray[np.uint8]
    noise: quality_noise.NoiseFit | None


def measure_t1w_quality(scan: T1wScan) -> T1wQuality:
    """Measure the quality of a T1w scan.

    Intensities are scaled so that white matter has a median of 1000. Those of tissues are
    taken from the bias-corrected image; those of air, and the metrics of the whole image
    (``efc``, ``fber``, ``qi_1``, ``qi_2``, ``fwhm_*``), from the image as acquired, because
    the bias field is known in the brain only.

    Parameters
    ----------
    scan : T1wScan
        The scan and its segmentation.

    Returns
    -------
    T1wQuality
        Every value that is NaN has a reason, and no other has.

    Raises
    ------
    ValueError
        If the brain mask is empty or the arrays differ in shape.

    References
    ----------
    Esteban et al. 2017, https://doi.org/10.1371/journal.pone.0184661
    """
    _check(scan)
    pure = _pure_masks(scan)
    gain, raw_gain = _gains(scan, pure['wm'])
    summaries = {
        name: quality.summarise(scan.image[mask] * gain, MIN_TISSUE) for name, mask in pure.items()
    }
    labels = quality_air.label_air(
        scan.raw, scan.image, scan.brain, scan.spacing, scan.voxel_to_space
    )
    no_air = _explain_no_air(scan, labels)
    air = scan.raw[labels == quality_air.AIR] * raw_gain
    noise = None if no_air else quality_noise.fit_noise(air)
    summaries['bg'] = quality.summarise(air)
    values = {
        **_contrasts(summaries),
        **_background(scan, labels, noise),
        **_whole_image(scan, labels, summaries['wm'].median / gain),
        **_tissue_maps(scan),
        **_smoothness(scan),
        **_statistics(summaries),
        **_geometry(scan),
    }
    counts = {name: summary.n for name, summary in summaries.items()}
    reasons = explain(values, counts, no_air, coarse=quality_noise.is_coarse(air))
    return T1wQuality({k: np.nan if k in reasons else v for k, v in values.items()},
                      reasons, labels, noise)  # fmt: skip


def _check(scan: T1wScan) -> None:
    if not scan.brain.any():
        raise ValueError('the brain mask is empty; look at the brain extraction')
    shapes = {
        array.shape
        for array in (scan.raw, scan.image, scan.brain, scan.segmentation, *scan.tissues)
    }
    if len(shapes) > 1:
        raise ValueError(f'the images are not on one grid: {sorted(shapes)}')


def _pure_masks(scan: T1wScan) -> dict[str, Mask]:
    """Return the voxels of each tissue that have no other tissue next to them.

    Fractions do not decide: where they follow from intensity, a threshold on them would cut the
    very distribution that is to be described.
    """
    shrink = erode if max(scan.spacing) < MAX_ERODED_MM else erode_faces
    masks = {}
    for name in TISSUES:
        mask = scan.segmentation == LABELS[name]
        if mask.any():
            box = find_box(mask, (1, 1, 1))
            mask[box] = shrink(mask[box])
        masks[name] = mask
    return masks


def _gains(scan: T1wScan, wm: Mask) -> tuple[float, float]:
    if np.count_nonzero(wm) < MIN_TISSUE:
        return 1.0, 1.0
    corrected = quality.ratio(WM_LEVEL, float(np.median(scan.image[wm])))
    return corrected, quality.ratio(WM_LEVEL, float(np.median(scan.raw[wm])))


def _explain_no_air(scan: T1wScan, labels: NDArray[np.uint8]) -> str | None:
    if _is_brain_only(scan):
        return NO_AIR
    air = scan.raw[labels == quality_air.AIR]
    if air.size < quality_noise.MIN_VOXELS:
        padding = int(np.count_nonzero(labels == quality_air.PADDING))
        share = padding / max(int(np.count_nonzero(labels != quality_air.HEAD)), 1)
        cause = ', and nearly all around the head is filled with one value' if share > 0.9 else ''
        return f'only {air.size} voxels show air above the plane through brow and inion{cause}'
    if float(np.median(air)) <= max(float(scan.raw.min()), 0.0):
        return 'most of the air is zero, so its noise cannot be measured'
    return None


def _is_brain_only(scan: T1wScan) -> bool:
    factors = quality_air.block_factors(scan.spacing)
    blocks = [size * factor for size, factor in zip(scan.spacing, factors, strict=True)]
    foreground = coarsen(find_foreground(scan.raw).view(np.uint8), factors) > 0.5
    brain = coarsen(scan.brain.view(np.uint8), factors) > 0.5
    return is_brain_extracted(foreground, brain, blocks)


def _contrasts(summaries: dict[str, quality.Summary]) -> dict[str, float]:
    gm, wm, air = summaries['gm'], summaries['wm'], summaries['bg']
    snr = {name: quality.snr(summaries[name]) for name in TISSUES}
    snrd = {name: quality.snr_dietrich(summaries[name], air) for name in TISSUES}
    return {
        'cjv': quality.cjv(wm, gm),
        'cnr': quality.cnr(wm, gm, air),
        **{f'snr_{name}': value for name, value in snr.items()},
        'snr_total': float(np.mean(list(snr.values()))),
        **{f'snrd_{name}': value for name, value in snrd.items()},
        'snrd_total': float(np.mean(list(snrd.values()))),
    }


def _background(
    scan: T1wScan, labels: NDArray[np.uint8], noise: quality_noise.NoiseFit | None
) -> dict[str, float]:
    counts = np.bincount(labels.ravel(), minlength=6)
    head = scan.raw[labels == quality_air.HEAD]
    around = scan.raw[np.isin(labels, (quality_air.AIR, quality_air.ARTEFACT, quality_air.BELOW))]
    return {
        'fber': quality.energy_ratio(head, around),
        'qi_1': quality_noise.artefact_share(
            int(counts[quality_air.AIR]), int(counts[quality_air.ARTEFACT])
        ),
        'qi_2': noise.misfit if noise else float('nan'),
    }


def _whole_image(scan: T1wScan, labels: NDArray[np.uint8], wm_median: float) -> dict[str, float]:
    median, spread = quality.nonuniformity(scan.raw[scan.brain], scan.image[scan.brain])
    return {
        'efc': quality.entropy_focus(scan.raw[labels != quality_air.PADDING]),
        'wm2max': quality.wm_to_max(wm_median, scan.image),
        'inu_med': median,
        'inu_range': spread,
    }


def _tissue_maps(scan: T1wScan) -> dict[str, float]:
    # templates may count all that is not brain as CSF: they are compared inside the brain
    box = find_box(scan.brain, (0, 0, 0))
    maps = [np.clip(fraction[box], 0, 1) for fraction in scan.tissues]
    shares = quality_tissue.volume_fractions(maps)
    values = {f'icvs_{name}': share for name, share in zip(TISSUES, shares, strict=True)}
    for name, fraction in zip(TISSUES, maps, strict=True):
        values[f'rpve_{name}'] = quality_tissue.residual_partial_volume(fraction)
    for index, name in enumerate(TISSUES):
        values[f'tpm_overlap_{name}'] = (
            quality_tissue.fuzzy_jaccard(maps[index], scan.templates[index] * scan.brain[box])
            if scan.templates
            else float('nan')
        )
    return values


def _smoothness(scan: T1wScan) -> dict[str, float]:
    box = find_box(scan.brain, (0, 0, 0))
    voxels = np.array(estimate_fwhm(scan.raw[box], scan.brain[box]))
    values = {}
    for suffix, widths in (('', voxels), ('_mm', voxels * scan.spacing)):
        for axis, width in zip('xyz', widths, strict=True):
            values[f'fwhm_{axis}{suffix}'] = float(width)
        values[f'fwhm_avg{suffix}'] = float(np.mean(widths))
    return values


def _statistics(summaries: dict[str, quality.Summary]) -> dict[str, float]:
    return {
        f'summary_{region}_{name}': float(value)
        for region in ('bg', *TISSUES)
        for name, value in summaries[region]._asdict().items()
    }


def _geometry(scan: T1wScan) -> dict[str, float]:
    faces = sum(
        np.count_nonzero(np.take(scan.brain, end, axis)) for axis in range(3) for end in (0, -1)
    )
    return {
        **{f'size_{a}': float(n) for a, n in zip('xyz', scan.brain.shape, strict=True)},
        **{f'spacing_{a}': float(s) for a, s in zip('xyz', scan.spacing, strict=True)},
        'anisotropy': max(scan.spacing) / min(scan.spacing),
        'brain_at_border_n': float(faces),
    }
