"""Write transforms that other programs read: composites in ITK's HDF5 format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ants
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Field = NDArray[np.float32]

#: ITK counts left and posterior as positive, NIfTI right and anterior.
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_composite(parts: list[Any], name: str) -> Path:
    """Write transforms, in the order in which they move a point, to ``name`` in this folder."""
    path = Path.cwd() / name
    ants.write_transform(ants.compose_ants_transforms(parts), str(path))
    return path


def affine_transform(matrix: Matrix) -> Any:
    """Return the ITK transform of a 4 x 4 matrix between RAS coordinates in mm."""
    flipped = FLIP @ matrix @ FLIP
    return ants.create_ants_transform(
        transform_type='AffineTransform',
        precision='float',
        dimension=3,
        matrix=flipped[:3, :3],
        offset=flipped[:3, 3],
    )


def field_transform(field: Field, affine: Matrix) -> Any:
    """Return the ITK transform of displacements in voxels on the grid of ``affine``."""
    in_mm = np.einsum('ab,bxyz->xyza', FLIP[:3, :3] @ affine[:3, :3], field)
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    image = ants.from_numpy(
        in_mm.astype(np.float32),
        origin=(FLIP @ affine)[:3, 3].tolist(),
        spacing=size.tolist(),
        direction=FLIP[:3, :3] @ affine[:3, :3] / size,
        has_components=True,
    )
    return ants.transform_from_displacement_field(image)
