"""The pictures of the diffusion preprocessing: paths in, matplotlib figures out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mriderived.figures.time_courses import draw_traces
from mriderived.workflows.func_figures import (
    draw_bold_mask,
    draw_coregistration,
    draw_distortion,
)


def draw_dwi_coregistration(
    dwi_reference: Path, xfm_dwi_to_t1w: Path, wm_probseg: Path, brain_mask: Path
) -> list[Figure]:
    """Draw the border of white matter and of the brain on the reference."""
    return draw_coregistration(dwi_reference, xfm_dwi_to_t1w, wm_probseg, brain_mask)


def draw_dwi_mask(dwi_reference: Path, dwi_mask: Path) -> list[Figure]:
    """Draw the outline of the brain mask on the reference."""
    return draw_bold_mask(dwi_reference, dwi_mask)


def draw_dwi_distortion(dwi_distorted: Path, dwi_reference: Path) -> list[Figure]:
    """Draw the reference before and after the correction of distortion."""
    return draw_distortion(dwi_distorted, dwi_reference)


def draw_dwi_motion(dwi_motion: Path, dwi_outliers: Path) -> list[Figure]:
    """Draw the position of the head, how far it moved, and the slices that were lost."""
    table = pd.read_csv(dwi_motion, sep='\t', na_values='n/a')
    outliers = pd.read_csv(dwi_outliers, sep='\t').to_numpy(float)
    panels = {
        'shift (mm)': {axis: table[f'trans_{axis}'].to_numpy() for axis in 'xyz'},
        'turn (degrees)': {axis: np.degrees(table[f'rot_{axis}'].to_numpy()) for axis in 'xyz'},
        'FD (mm)': {'FD': table['framewise_displacement'].to_numpy()},
        'outlier slices': {'outlier slices': outliers.sum(axis=1)},
    }
    return [draw_traces(panels, {})]
