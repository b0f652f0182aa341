"""The pictures of the structural preprocessing: paths in, matplotlib figures out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
from matplotlib.figure import Figure
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from mriderived.core.lesions import NUMBERS
from mriderived.figures.mosaic import Contour, mosaic
from mriderived.figures.overlays import flicker_pair
from mriderived.figures.slices import resample, to_ras
from mriderived.figures.style import AMBER, CYAN, ROSE

Array = NDArray[Any]


def draw_brain_mask(t1w: Path, brain_mask: Path) -> list[Figure]:
    """Draw the outline of the brain mask on the scan."""
    image, affine = _load(t1w)
    outline = Contour(_load(brain_mask)[0], ROSE, 'brain mask')
    return [mosaic(image, affine, contours=[outline], margin=14)]


def draw_partial_volume(
    t1w: Path, brain_mask: Path, gm_probseg: Path, wm_probseg: Path
) -> list[Figure]:
    """Draw where the fractions of tissue say that grey matter begins and ends."""
    image, affine = _load(t1w)
    grey, white = _load(gm_probseg)[0], _load(wm_probseg)[0]
    outlines = [
        Contour(grey + white, AMBER, 'outer border of grey matter'),
        Contour(white, CYAN, 'border of white matter'),
    ]
    mask = _load(brain_mask)[0] > 0
    return [mosaic(image, affine, contours=outlines, crop_to=mask, margin=4)]


def draw_lesions(t1w: Path, brain_mask: Path, lesion_dseg: Path) -> list[Figure]:
    """Draw the outlines of lesions; nothing where there is none."""
    lesions = _load(lesion_dseg)[0]
    if not lesions.any():
        return []
    image, affine = _load(t1w)
    given = lesions == NUMBERS['given']
    kinds = (((lesions > 0) & ~given, ROSE, 'suspected lesion'), (given, AMBER, 'given mask'))
    outlines = [Contour(mask, colour, text) for mask, colour, text in kinds if mask.any()]
    # the whole width of the brain, for the other side is what a lesion is compared with
    shown = np.zeros(lesions.shape, bool)
    brain = np.argwhere((_load(brain_mask)[0] > 0) | (lesions > 0))
    low, high = brain.min(axis=0), brain.max(axis=0) + 1
    shown[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return [mosaic(image, affine, contours=outlines, crop_to=shown, margin=4, focus=lesions > 0)]


def draw_registration(
    t1w_in_space: Path, space_brain: Path, space_tissues: Path | None = None
) -> list[Figure]:
    """Draw the scan in the space and the space's own brain, both with the latter's outlines."""
    template, template_affine = _load(space_brain)
    scan, scan_affine = _load(t1w_in_space)
    affine, shape = _display_grid(template, template_affine)
    after = resample(template, template_affine, affine, shape)
    before = resample(scan, scan_affine, affine, shape)
    pair = flicker_pair(
        before,
        after,
        affine,
        contours=_space_outlines(after, affine, space_tissues),
        crop_to=after > 0.1 * np.percentile(after, 99),
        titles=('Participant, registered', 'Template of the space'),
    )
    return list(pair)


def _load(path: Path) -> tuple[Array, Array]:
    image = nb.loadsave.load(path)
    return np.asarray(image.dataobj), image.affine


def _display_grid(volume: Array, affine: Array) -> tuple[Array, tuple[int, ...]]:
    """Return a 1 mm grid over the box of a volume, which is quick to cut at any resolution."""
    turned, ras = to_ras(volume, affine)
    sizes = voxel_sizes(ras)
    grid = ras @ np.diag([*(1 / sizes), 1.0])
    extent = np.array(turned.shape[:3]) * sizes
    return grid, tuple(int(length) for length in np.ceil(extent))


def _space_outlines(brain: Array, affine: Array, tissues: Path | None) -> list[Contour]:
    if tissues is None:
        return [Contour(brain, AMBER, 'brain of the template', 0.35 * float(brain.max()))]
    maps, maps_affine = _load(tissues)
    grey, white = (resample(maps[..., k], maps_affine, affine, brain.shape) for k in (0, 1))
    return [
        Contour(grey + white, AMBER, 'template: outer border of grey matter'),
        Contour(white, CYAN, 'template: border of white matter'),
    ]
