"""A brain of two balls of white matter in shells of cortex, each with a filled ventricle.

The sides differ in radius and thickness, so that they cannot be exchanged unnoticed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Matrix = NDArray[np.float64]


class Half(NamedTuple):
    """One hemisphere, in mm and RAS; labels are FreeSurfer's."""

    centre: tuple[float, float, float]
    white: float
    thickness: float
    white_label: int
    cortex_label: int
    ventricle_label: int

    @property
    def pial(self) -> float:
        """Return the outer radius."""
        return self.white + self.thickness


HALVES = {
    'L': Half((-28.13, 0.21, -0.07), 24.0, 2.5, 2, 3, 4),
    'R': Half((27.87, 0.11, 0.13), 22.5, 3.0, 41, 42, 43),
}
VENTRICLE = 6.0
SHAPE = (120, 60, 60)
WHITE, GREY = 110.0, 80.0
#: From voxels of 1 mm to scanner coordinates: axes to the right, and to the left.
AFFINES = {
    'RAS': np.array([[1.0, 0, 0, -59.5], [0, 1, 0, -29.5], [0, 0, 1, -29.5], [0, 0, 0, 1]]),
    'LAS': np.array([[-1.0, 0, 0, 59.5], [0, 1, 0, -29.5], [0, 0, 1, -29.5], [0, 0, 0, 1]]),
}


def radii(half: Half, affine: Matrix, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the distance of every voxel from the centre of a hemisphere; no oblique grids."""
    x, y, z = (
        np.float32(affine[axis, axis] * np.arange(size) + affine[axis, 3] - half.centre[axis]) ** 2
        for axis, size in enumerate(shape)
    )
    return np.sqrt(x[:, None, None] + y[:, None] + z)


def subdivide(affine: Matrix, parts: int) -> Matrix:
    """Return the affine of the grid whose voxels are ``parts`` times smaller."""
    finer = np.diag([1 / parts] * 3 + [1.0])
    finer[:3, 3] = 0.5 / parts - 0.5
    return np.asarray(affine @ finer)


def render_tissue(affine: Matrix, parts: int = 3) -> NDArray[np.float32]:
    """Return the tissue map with partial volume: 0 outside, 1 CSF, 2 grey, 3 white matter."""
    shape = tuple(parts * size for size in SHAPE)
    fine = np.zeros(shape, np.float32)
    for half in HALVES.values():
        radius = radii(half, subdivide(affine, parts), shape)
        for outer, value in ((half.pial + 4, 1), (half.pial, 2), (half.white, 3), (VENTRICLE, 1)):
            fine[radius < outer] = value
    blocks = fine.reshape([n for size in SHAPE for n in (size, parts)])
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float32)


def render_labels(affine: Matrix) -> NDArray[np.int32]:
    """Return the structures."""
    labels = np.zeros(SHAPE, np.int32)
    for half in HALVES.values():
        radius = radii(half, affine, SHAPE)
        labels[radius < half.pial] = half.cortex_label
        labels[radius < half.white] = half.white_label
        labels[radius < VENTRICLE] = half.ventricle_label
    return labels


def render_image(affine: Matrix) -> NDArray[np.float32]:
    """Return an image of two values, with steps between them where white matter ends."""
    image = np.full(SHAPE, GREY, np.float32)
    for half in HALVES.values():
        image[radii(half, affine, SHAPE) < half.white] = WHITE
    return image


def turn(degrees: float) -> NDArray[np.float64]:
    """Return a rotation about an axis that is parallel to none of the image's."""
    return Rotation.from_rotvec(np.radians(degrees) * np.array([1, 2, 3]) / 14**0.5).as_matrix()


def write(path: Path, data: NDArray[np.generic], affine: Matrix) -> Path:
    """Write an image."""
    nb.Nifti1Image(data, affine).to_filename(path)
    return path


def write_table(path: Path, rows: list[tuple[int, str, str, str]]) -> Path:
    """Write a label table: index, name, hemisphere, tissue."""
    table = pd.DataFrame(rows, columns=['index', 'name', 'hemisphere', 'tissue'])
    table.assign(composition='gm', coverage=1.0).to_csv(path, sep='\t', index=False)
    return path
