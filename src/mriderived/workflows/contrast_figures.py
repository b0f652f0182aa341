"""The pictures of T2w and FLAIR images: paths in, matplotlib figures out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.bids.image_checks import load_clean
from mriderived.core.sampling import resample
from mriderived.figures.mosaic import Contour, mosaic
from mriderived.figures.style import CYAN, ROSE
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.volumes import load, load_affine

Array = NDArray[Any]


def draw_t2w_on_t1w(
    raw_t2w: Path, xfm_t2w_to_t1w: Path, wm_probseg: Path, brain_mask: Path
) -> list[Figure]:
    """Draw borders of the T1w on the T2w."""
    return _draw_on_t1w(raw_t2w, xfm_t2w_to_t1w, wm_probseg, brain_mask)


def draw_flair_on_t1w(
    raw_flair: Path, xfm_flair_to_t1w: Path, wm_probseg: Path, brain_mask: Path
) -> list[Figure]:
    """Draw borders of the T1w on the FLAIR."""
    return _draw_on_t1w(raw_flair, xfm_flair_to_t1w, wm_probseg, brain_mask)


def _draw_on_t1w(raw: Path, xfm: Path, wm_probseg: Path, brain_mask: Path) -> list[Figure]:
    image, image_affine = load_clean(raw)
    brain, affine = load(brain_mask), load_affine(brain_mask)
    moved = resample(image, np.linalg.inv(image_affine) @ load_rigid(xfm) @ affine, brain.shape)
    contours = [
        Contour(brain, ROSE, 'brain mask of the T1w'),
        Contour(load(wm_probseg), CYAN, 'border of white matter'),
    ]
    return [mosaic(moved, affine, contours=contours, crop_to=brain > 0, margin=6)]


def draw_t2w_mask(t2w: Path, t2w_mask: Path) -> list[Figure]:
    """Draw the outline of the brain mask on the T2w."""
    return _draw_mask(t2w, t2w_mask)


def draw_flair_mask(flair: Path, flair_mask: Path) -> list[Figure]:
    """Draw the outline of the brain mask on the FLAIR."""
    return _draw_mask(flair, flair_mask)


def _draw_mask(image: Path, mask: Path) -> list[Figure]:
    outline = Contour(load(mask), ROSE, 'brain mask')
    return [mosaic(load(image), load_affine(image), contours=[outline], margin=14)]
