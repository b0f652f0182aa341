"""Write transforms that other programs read: composites in ITK's HDF5 format."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.interfaces.itk import FLIP, to_ants

Matrix = NDArray[np.float64]
Field = NDArray[np.float32]

#: Displacements are rounded to this many mm, which halves the file once more: it is far below
#: what a registration can tell.
RESOLUTION_MM = 1 / 1024
#: Farther from a head than any field of displacements reaches.
FAR_MM = 4000.0


def write_composite(parts: list[Any], name: str) -> Path:
    """Write transforms, in the order in which they move a point, to ``name`` in this folder."""
    import ants

    path = Path.cwd() / name
    with TemporaryDirectory(dir=path.parent) as scratch:
        plain = Path(scratch) / 'plain.h5'
        ants.write_transform(ants.compose_ants_transforms(parts), str(plain))
        _pack(plain, path)
    return path


def _pack(plain: Path, packed: Path) -> None:
    """Write a composite anew in single precision, compressed: a quarter of the size.

    ``ants.write_transform`` knows only doubles without compression; antsApplyTransforms can.
    """
    from ants.internal import get_lib_fn, process_arguments

    unused = to_ants(np.zeros((2, 2, 2)), np.eye(4))
    arguments = {
        'dimensionality': '3',
        'input': unused,
        'reference-image': unused,
        'transform': str(plain),
        'output': f'CompositeTransform[{packed}]',
        'float': '1',
    }
    command = [word for key, value in arguments.items() for word in (f'--{key}', value)]
    failed = get_lib_fn('antsApplyTransforms')(process_arguments(command))
    if failed or not packed.is_file():
        raise RuntimeError(f'antsApplyTransforms could not write the transform {packed}')


def measure_scaling(xfm: Path) -> float:
    """Return the determinant of the affine part of a composite."""
    return float(np.linalg.det(read_affine(xfm)[:3, :3]))


def read_affine(xfm: Path) -> Matrix:
    """Return the affine part of a composite: how it moves points, in mm (RAS).

    Fields end, and displace nothing beyond their grid: points far away are moved by the affine
    alone. Four of them determine it.
    """
    import ants

    points = FAR_MM * np.vstack([np.eye(3), np.ones(3)])
    frame = pd.DataFrame(points, columns=['x', 'y', 'z'])
    moved = ants.apply_transforms_to_points(3, frame, [str(xfm)])[['x', 'y', 'z']].to_numpy()
    column = np.ones((4, 1))
    before, after = np.hstack([points, column]), np.hstack([moved, column])
    return np.asarray(FLIP @ np.linalg.solve(before, after).T @ FLIP, dtype=np.float64)


def affine_transform(matrix: Matrix) -> Any:
    """Return the ITK transform of a 4 x 4 matrix between RAS coordinates in mm."""
    import ants

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
    import ants

    in_mm = np.einsum('ab,bxyz->xyza', FLIP[:3, :3] @ affine[:3, :3], field)
    rounded = np.round(in_mm / RESOLUTION_MM) * RESOLUTION_MM
    return ants.transform_from_displacement_field(to_ants(rounded, affine, is_vectors=True))
