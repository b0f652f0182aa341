"""What a synthetic head is made of for quantitative MRI, on any grid: one substance per voxel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.phantom.anatomy import load_anatomy
from mriderived.phantom.deformation import Deformation
from mriderived.phantom.rendering import render

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: T1, T2 and T2* in s, proton density, MTsat and myelin water in percent: GM, WM, CSF, and the
#: rest of the head.
TISSUES = {
    't1': (1.4, 0.85, 4.0, 0.4),
    't2': (0.09, 0.075, 1.0, 0.06),
    't2star': (0.055, 0.048, 0.4, 0.03),
    'pd': (0.82, 0.70, 1.0, 0.5),
    'mtsat': (0.8, 1.7, 0.05, 0.5),
    'mwf': (3.0, 14.0, 0.0, 0.0),
}
#: Parameters that are averaged over tissues as rates.
TIMES = ('t1', 't2', 't2star')
#: Voxels are cut into cells of this size in mm: shares need not be as exact as volumes.
CELL_MM = 0.75
#: Brightness of the rest of the head that counts as full.
FULL = 100.0


class Substance(NamedTuple):
    """The parameters of every voxel; the truth, as each voxel is taken for homogeneous.

    ``shares`` (3, x, y, z) are those of GM, WM and CSF.
    """

    t1: Volume
    t2: Volume
    t2star: Volume
    pd: Volume
    mtsat: Volume
    mwf: Volume
    shares: Volume

    @property
    def brain(self) -> NDArray[np.bool_]:
        """Voxels of which at least half is brain."""
        return np.asarray(self.shares.sum(axis=0) >= 0.5)


def draw_substance(
    deformation: Deformation, affine: Matrix, shape: tuple[int, int, int], threads: int = 1
) -> Substance:
    """Average the parameters of tissues over the voxels of a grid."""
    drawn = render(load_anatomy(), deformation, affine, shape, (0.0, 0.0, 0.0), threads, CELL_MM)
    shares = drawn.counts.astype(np.float32) / np.float32(drawn.cells)
    rest = np.clip(drawn.intensity / FULL, 0, 1) * (1 - shares.sum(axis=0))
    parts = np.concatenate([shares, rest[None]]).astype(np.float32)
    total = np.maximum(parts.sum(axis=0), 1e-6)
    found = {}
    for name, values in TISSUES.items():
        given = np.array(values, np.float32)
        if name == 'pd':
            found[name] = np.tensordot(given, parts, 1)
        elif name in TIMES:
            found[name] = total / np.maximum(np.tensordot(1 / given, parts, 1), 1e-6)
        else:
            found[name] = np.tensordot(given, parts, 1) / total
    return Substance(**found, shares=shares)


def draw_transmit(
    affine: Matrix, shape: tuple[int, ...], centre: Matrix, amplitude: float
) -> Volume:
    """Return the transmit field over its nominal value: high in the middle, and tilted."""
    axes = np.meshgrid(*(np.arange(size) for size in shape), indexing='ij')
    points = np.stack([axis.ravel() for axis in axes]).astype(np.float32)
    x, y, z = (affine[:3, :3] @ points + affine[:3, 3:]) - centre[:, None]
    distance = (x / 75) ** 2 + (y / 90) ** 2 + (z / 80) ** 2
    field = 1 + amplitude * (1 - 2 * np.clip(distance, 0, 1)) + 0.05 * amplitude * x / 75
    return np.asarray(field.reshape(shape), np.float32)
