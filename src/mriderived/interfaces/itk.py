"""Hand images to ITK, which counts left and posterior as positive; NIfTI right and anterior.

ANTs and torch take seconds to import, so each is imported where it is used: what checks inputs,
plans or writes reports does without.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.interfaces.volumes import voxel_size

Matrix = NDArray[np.float64]

#: From RAS to LPS coordinates and back.
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def to_ants(data: NDArray[Any], affine: Matrix, *, is_vectors: bool = False) -> Any:
    """Return an image of float32 on the grid of a RAS affine.

    A fourth axis holds further volumes, or with ``is_vectors`` the components of each voxel.
    """
    import ants

    spacing = voxel_size(affine)
    flipped = FLIP @ affine
    origin, direction = flipped[:3, 3], flipped[:3, :3] / spacing
    if data.ndim == 4 and not is_vectors:
        wide = np.eye(4)
        wide[:3, :3] = direction
        origin, spacing, direction = np.append(origin, 0.0), np.append(spacing, 1.0), wide
    return ants.from_numpy(
        np.asarray(data, dtype=np.float32),
        origin=origin.tolist(),
        spacing=spacing.tolist(),
        direction=direction,
        has_components=is_vectors,
    )
