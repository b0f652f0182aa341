"""Images of a ball, whole or broken in one way, for tests of what is read and refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (48, 56, 52)
VOXEL = 4.0


def draw_ball(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """A ball of 80 mm with some texture, far from the borders (4 mm voxels)."""
    centre = (np.array(shape) - 1) / 2
    grid = np.indices(shape)
    radius = np.sqrt(sum((VOXEL * (grid[i] - centre[i])) ** 2 for i in range(3)))
    texture = 200 + 3 * grid[0] + 2 * grid[1] + grid[2]
    return np.where(radius < 80, texture, 5 + grid[0] % 3).astype(np.int16)


def make_image(
    data: np.ndarray | None = None, affine: np.ndarray | None = None
) -> nib.Nifti1Image:
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0]) if affine is None else affine
    return nib.Nifti1Image(draw_ball() if data is None else data, affine)


def save_image(image: nib.Nifti1Image, path: Path) -> Path:
    nib.save(image, path)
    return path


def patch_header(path: Path, **fields: object) -> Path:
    """Write the head uncompressed, then change header fields in the file itself."""
    raw = bytearray(make_image().to_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]))
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    return path


def damage_gzip(path: Path, change: Callable[[bytes], bytes]) -> Path:
    path.write_bytes(change(gzip.compress(make_image().to_bytes())))
    return path


def flip_bytes(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(255 - b for b in data[middle : middle + 64]) + data[middle + 64 :]


def annexed(path: Path) -> Path:
    path.symlink_to('../../.git/annex/objects/aa/bb/MD5E-s1--c.nii.gz/MD5E-s1--c.nii.gz')
    return path


def broken_link(path: Path) -> Path:
    path.symlink_to('nowhere.nii.gz')
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def store(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    return save_image(make_image(data, affine), path)


def ball_with_nan(share: float) -> np.ndarray:
    data = draw_ball().astype(np.float32)
    inside = np.argwhere(data > 100)
    for index in inside[:: int(1 / share)]:
        data[tuple(index)] = np.nan
    return data


def store_rgb(path: Path) -> Path:
    return save_image(
        nib.Nifti1Image(np.zeros(SHAPE, [(c, 'u1') for c in 'RGB']), np.eye(4)), path
    )


def turn(image: nib.Nifti1Image, axes: str) -> nib.Nifti1Image:
    change = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(tuple(axes))
    )
    return image.as_reoriented(change)
