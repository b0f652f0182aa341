"""The picture of the components of a group, over the template of the space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mriderived.figures.components import draw_components
from mriderived.figures.style import save_svg
from mriderived.group.backgrounds import template_on
from mriderived.group.chapters import Picture, figure_file

Maps = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]


def find_peaks(maps: Maps, mask: Mask, affine: Matrix) -> Matrix:
    """Return where each map (components, voxels of the mask) is largest, in mm."""
    voxels = np.argwhere(mask)[maps.argmax(axis=1)]
    return np.asarray(voxels @ affine[:3, :3].T + affine[:3, 3])


def draw_chapter(out_dir: Path, space: str, maps: Maps, mask: Mask, affine: Matrix) -> Picture:
    """Draw all components and return the picture."""
    volumes = np.zeros((len(maps), *mask.shape), np.float32)
    volumes[:, mask] = maps
    path = figure_file(f'components_{space}')
    figure = draw_components(template_on(space, mask, affine), volumes, mask, affine)
    save_svg(figure, out_dir / path)
    caption = (
        'Each component, in standard deviations over the brain, through its peak; over the '
        'template of the space. Left is left.'
    )
    return Picture(path, f'Components in {space}', caption)
