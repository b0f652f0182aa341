"""Bring a template's maps and coordinates to a scan, through the transform between the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ants
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.masks import find_box
from mriderived.core.quality_air import fit_affine
from mriderived.interfaces.volumes import voxel_size

Affine = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: ITK keeps worlds in LPS, NIfTI in RAS.
FLIP = np.array([-1.0, -1.0, 1.0])
#: Points of the brain from which the affine to the template is fitted.
POINTS = 1000


def fit_voxel_to_space(brain: Mask, affine: Affine, xfm_from_space: Path) -> Affine:
    """Return the affine that comes closest, in the brain, to the transform to the template.

    A transform that resamples images of the space on the scan's grid maps points of the scan
    to the space, so the file is used as it is.
    """
    indices = np.argwhere(brain).astype(np.float64)
    indices = indices[:: max(1, len(indices) // POINTS)]
    world = (indices @ affine[:3, :3].T + affine[:3, 3]) * FLIP
    points = pd.DataFrame(world, columns=['x', 'y', 'z'])
    moved = ants.apply_transforms_to_points(3, points, [str(xfm_from_space)])
    return fit_affine(indices, moved[['x', 'y', 'z']].to_numpy() * FLIP)


def warp_to_brain(
    brain: Mask, affine: Affine, maps: Path, xfm_from_space: Path
) -> NDArray[np.float32]:
    """Return a 4D image of the space on the scan's grid, within the box around the brain."""
    box = find_box(brain, (0, 0, 0))
    start = np.array([part.start for part in box], dtype=np.float64)
    spacing = voxel_size(affine)
    fixed: Any = ants.from_numpy(
        np.zeros(brain[box].shape, np.float32),
        origin=list((affine[:3, :3] @ start + affine[:3, 3]) * FLIP),
        spacing=list(spacing),
        direction=FLIP[:, None] * (affine[:3, :3] / spacing),
    )
    warped = ants.apply_transforms(
        fixed,
        ants.image_read(str(maps)),
        transformlist=[str(xfm_from_space)],
        interpolator='linear',
        imagetype=3,
    )
    return np.asarray(warped.numpy(), dtype=np.float32)
