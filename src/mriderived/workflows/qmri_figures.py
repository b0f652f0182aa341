"""The pictures of the preprocessing of quantitative MRI: paths in, matplotlib figures out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mriderived.figures.overlays import map_overlay
from mriderived.figures.time_courses import draw_traces
from mriderived.interfaces.volumes import load, load_affine
from mriderived.workflows.func_figures import draw_bold_mask, draw_coregistration

#: Fields beyond these, in percent, have the colours of the ends of the scale.
B1_LIMITS = (60.0, 140.0)


def draw_qmri_motion(qmri_motion: Path) -> list[Figure]:
    """Draw the position of every image of a collection; nothing, if all moved together."""
    table = pd.read_csv(qmri_motion, sep='\t', na_values='n/a')
    if table['acquisition'].nunique() == 1:
        return []
    panels = {
        'shift (mm)': {axis: table[f'trans_{axis}'].to_numpy() for axis in 'xyz'},
        'turn (degrees)': {axis: np.degrees(table[f'rot_{axis}'].to_numpy()) for axis in 'xyz'},
        'displacement (mm)': {'displacement': table['displacement'].to_numpy()},
    }
    return [draw_traces(panels, {}, 'image')]


def draw_qmri_coregistration(
    qmri_reference: Path, xfm_qmri_to_t1w: Path, wm_probseg: Path, brain_mask: Path
) -> list[Figure]:
    """Draw the border of white matter and of the brain on the reference."""
    return draw_coregistration(qmri_reference, xfm_qmri_to_t1w, wm_probseg, brain_mask)


def draw_qmri_mask(qmri_reference: Path, qmri_mask: Path) -> list[Figure]:
    """Draw the outline of the mask on the reference."""
    return draw_bold_mask(qmri_reference, qmri_mask)


def draw_transmit_field(qmri_reference: Path, qmri_mask: Path, qmri_b1: Path) -> list[Figure]:
    """Draw the transmit field over the reference."""
    field, affine = load(qmri_b1), load_affine(qmri_b1)
    shown = (load(qmri_mask) > 0) & (field > 0)
    return [
        map_overlay(load(qmri_reference), affine, 100 * field, label='B1', unit='percent',
                    mask=shown, limits=B1_LIMITS, colours='RdBu_r')
    ]  # fmt: skip
