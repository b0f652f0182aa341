"""The pictures of the functional preprocessing: paths in, matplotlib figures out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.confounds import DVARS_THRESHOLD, FD_THRESHOLD
from mriderived.core.sampling import resample
from mriderived.figures.mosaic import Contour, mosaic
from mriderived.figures.overlays import flicker_pair
from mriderived.figures.style import CYAN, ROSE
from mriderived.figures.time_courses import draw_carpet_plot, draw_traces
from mriderived.interfaces.denoising import read_confounds
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.volumes import load, load_affine

Array = NDArray[Any]

#: Voxels of the BOLD reference are drawn at this size, in mm.
DISPLAY_MM = 1.5
#: The groups of lines of a carpet.
TISSUES = ('grey matter', 'white matter', 'CSF')
#: As many lines of a carpet can be seen.
CARPET_LINES = 600


def draw_coregistration(
    bold_reference: Path, xfm_bold_to_t1w: Path, wm_probseg: Path, brain_mask: Path
) -> list[Figure]:
    """Draw the border of white matter and of the brain on the BOLD reference."""
    fine, affine = _magnify(bold_reference)
    to_t1w = np.linalg.inv(load_rigid(xfm_bold_to_t1w)) @ affine

    def bring(path: Path) -> Any:
        return resample(load(path), np.linalg.inv(load_affine(path)) @ to_t1w, fine.shape)

    brain = bring(brain_mask)
    contours = [
        Contour(brain, ROSE, 'brain mask of the T1w'),
        Contour(bring(wm_probseg), CYAN, 'border of white matter'),
    ]
    return [mosaic(fine, affine, contours=contours, crop_to=brain > 0.5, margin=6)]


def draw_bold_mask(bold_reference: Path, bold_mask: Path) -> list[Figure]:
    """Draw the outline of the brain mask on the BOLD reference."""
    fine, affine = _magnify(bold_reference)
    outline = Contour(_magnify(bold_mask)[0], ROSE, 'brain mask')
    return [mosaic(fine, affine, contours=[outline], margin=10)]


def draw_motion(bold_motion: Path) -> list[Figure]:
    """Draw the position of the head, and how far it moved, over time."""
    table = pd.read_csv(bold_motion, sep='\t', na_values='n/a')
    panels = {
        'shift (mm)': {axis: table[f'trans_{axis}'].to_numpy() for axis in 'xyz'},
        'turn (degrees)': {axis: np.degrees(table[f'rot_{axis}'].to_numpy()) for axis in 'xyz'},
        'FD (mm)': {'FD': table['framewise_displacement'].to_numpy()},
    }
    return [draw_traces(panels, {'FD (mm)': FD_THRESHOLD})]


def draw_carpet(
    bold_preproc: Path,
    bold_mask: Path,
    bold_confounds: Path,
    xfm_bold_to_t1w: Path | None = None,
    gm_probseg: Path | None = None,
    wm_probseg: Path | None = None,
    csf_probseg: Path | None = None,
) -> list[Figure]:
    """Draw every voxel over time, by tissue or, without tissues, the edge of the brain last."""
    mask = load(bold_mask) > 0
    table, _ = read_confounds(bold_confounds)
    series = load_masked(bold_preproc, mask)
    order = _order(mask)
    tissues = (gm_probseg, wm_probseg, csf_probseg)
    if xfm_bold_to_t1w is None or None in tissues:
        rows = order
    else:
        shares = [_bring(path, xfm_bold_to_t1w, bold_mask)[mask] for path in tissues if path]
        rows = sort_by_tissue(np.concatenate(list(order.values())), np.array(shares)) or order
    rows = {name: place[:: max(1, len(place) // CARPET_LINES)] for name, place in rows.items()}
    chosen = np.concatenate(list(rows.values()))
    traces = {
        'FD (mm)': table['framewise_displacement'].to_numpy(),
        'DVARS': table['std_dvars'].to_numpy(),
        'global': table['global_signal'].to_numpy(),
    }
    carpet = _percent(series[chosen])
    groups = {name: len(place) for name, place in rows.items()}
    lines = {'FD (mm)': FD_THRESHOLD, 'DVARS': DVARS_THRESHOLD}
    return [draw_carpet_plot(carpet, groups, traces, lines)]


def _order(mask: NDArray[np.bool_]) -> dict[str, NDArray[np.intp]]:
    """Return the voxels of the brain by their depth: the deepest first."""
    depth = ndimage.distance_transform_edt(mask)[mask]
    order = np.argsort(-depth, kind='stable')
    edge = int((depth > 1.5).sum())
    return {'inside': order[:edge], 'edge': order[edge:]}


def sort_by_tissue(
    order: NDArray[np.intp], shares: NDArray[np.float32]
) -> dict[str, NDArray[np.intp]]:
    """Return the voxels of each tissue, which fills most of them, in the given order.

    ``shares`` has a row for each of :data:`TISSUES` and a column for each voxel; voxels of which
    less than half is of any tissue are left out, and so are tissues without voxels.
    """
    found = np.where(shares.max(axis=0) >= 0.5, shares.argmax(axis=0), -1)[order]
    rows = {name: order[found == number] for number, name in enumerate(TISSUES)}
    return {name: place for name, place in rows.items() if len(place)}


def _bring(path: Path, xfm_bold_to_t1w: Path, bold_mask: Path) -> NDArray[np.float32]:
    """Return a map of the T1w at the voxels of BOLD."""
    to_t1w = np.linalg.inv(load_rigid(xfm_bold_to_t1w)) @ load_affine(bold_mask)
    there = np.linalg.inv(load_affine(path))
    return resample(load(path), there @ to_t1w, load(bold_mask).shape)


def _percent(series: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return series in percent of their means, without a straight trend."""
    time = np.linspace(-1, 1, series.shape[1], dtype=np.float32)
    mean = series.mean(axis=1, keepdims=True)
    slope = (series @ time / (time @ time))[:, None]
    scaled = 100 * (series - mean - slope * time) / np.where(mean == 0, 1, mean)
    return np.asarray(scaled, dtype=np.float32)


def _magnify(path: Path) -> tuple[Array, NDArray[np.float64]]:
    """Return an image on finer voxels, and its affine."""
    values, affine = load(path), load_affine(path)
    factor = DISPLAY_MM / voxel_sizes(affine)
    scale = np.diag([*factor, 1.0])
    shape = tuple(int(n) for n in np.ceil((np.array(values.shape) - 1) / factor) + 1)
    return resample(values, scale, shape), affine @ scale


def _find_outline(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the largest bright body of an image, without what is dark inside of it."""
    bright = ndimage.binary_opening(image > 0.25 * np.percentile(image, 98), iterations=2)
    labels, count = ndimage.label(bright)
    if not count:
        return np.ones(image.shape, np.bool_)
    head = np.asarray(labels == np.bincount(labels[labels > 0]).argmax())
    # the image cuts the head, so that what is inside is open to one side but not in all planes
    for axis in range(3):
        planes = np.moveaxis(head, axis, 0)
        for plane in planes:
            plane[...] = ndimage.binary_fill_holes(plane)
    return head


def draw_distortion(bold_distorted: Path, bold_reference: Path) -> list[Figure]:
    """Draw the reference before and after the correction of distortion."""
    before, affine = _magnify(bold_distorted)
    after = _magnify(bold_reference)[0]
    head = _find_outline(after)
    outline = [Contour(head.astype(np.float32), CYAN, 'head, corrected')]
    pair = flicker_pair(
        before, after, affine, contours=outline, crop_to=head, titles=('As acquired', 'Corrected')
    )
    return list(pair)


def draw_bold_in_space(bold_space_reference: Path, space_brain: Path) -> list[Figure]:
    """Draw the mean of a run in a space and the template of the space."""
    mean, affine = load(bold_space_reference), load_affine(bold_space_reference)
    template, there = load(space_brain), load_affine(space_brain)
    after = resample(template, np.linalg.inv(there) @ affine, mean.shape)
    inside = after > 0.1 * np.percentile(after, 99)
    outline = [Contour(inside.astype(np.float32), CYAN, 'brain of the template')]
    pair = flicker_pair(
        mean, after, affine, contours=outline, crop_to=inside,
        titles=('BOLD, in the space', 'Template of the space'),
    )  # fmt: skip
    return list(pair)
