"""The gradient table of a diffusion series between the steps, and in the files of FSL."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.gradient_table import (
    Gradients,
    fsl_from_world,
    make_gradients,
    world_from_fsl,
)
from mriderived.interfaces.dwi_acquisition import DwiAcquisition

#: The columns of a direction in world axes.
WORLD = ('x', 'y', 'z')


class FslFiles(NamedTuple):
    """b-values in s/mm², and directions along the axes of the voxels."""

    bval: Path
    bvec: Path


def write_gradients(gradients: Gradients, acquisition: DwiAcquisition, name: str) -> Path:
    """Write one row for each volume of all parts to the current folder."""
    parts = [
        {
            'part': number,
            'phase_direction': part.phase_direction,
            'readout_time': part.readout_time,
        }
        for number, part in enumerate(acquisition.parts)
        for _ in part.b
    ]
    table = pd.DataFrame(parts)
    table['b'] = gradients.b
    for axis, column in enumerate(WORLD):
        table[column] = gradients.directions[:, axis]
    table['shell'] = [gradients.shells[index] for index in gradients.shell]
    path = Path.cwd() / name
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.9g')
    return path


def read_gradients(path: Path) -> tuple[Gradients, pd.DataFrame]:
    """Return the table of a series, and the part and readout of every volume."""
    table = pd.read_csv(path, sep='\t', na_values='n/a')
    return make_gradients(table['b'].to_numpy(), table[list(WORLD)].to_numpy()), table


def save_fsl(gradients: Gradients, affine: NDArray[np.float64], stem: str) -> FslFiles:
    """Write ``.bval`` and ``.bvec`` to the current folder, for images with this affine."""
    files = FslFiles(Path.cwd() / f'{stem}.bval', Path.cwd() / f'{stem}.bvec')
    np.savetxt(files.bval, gradients.b[None], fmt='%g')
    np.savetxt(files.bvec, fsl_from_world(gradients.directions, affine).T, fmt='%.8f')
    return files


def load_fsl(bval: Path, bvec: Path, affine: NDArray[np.float64]) -> Gradients:
    """Read the table of an image that we wrote."""
    b = np.loadtxt(bval, ndmin=1)
    return make_gradients(b, world_from_fsl(np.loadtxt(bvec, ndmin=2).T, affine))
