"""Head motion and eddy currents of a diffusion series, as the step ``dwi_motion`` writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.eddy_terms import EddyMotion
from mriderived.core.rigid import COLUMNS
from mriderived.interfaces.motion_files import read_motion
from mriderived.interfaces.volumes import load

#: Displacement in voxels at the edge of the image along each axis of the array.
EDDY = ('eddy_i', 'eddy_j', 'eddy_k')
#: The column with the axis of the phase encoding.
AXIS = 'phase_axis'

#: The part of a shift that is of eddy currents.
SHIFT = 'eddy_shift'
#: 1 for volumes that have the position of their neighbours.
UNTOLD = 'untold'


def add_eddy(table: pd.DataFrame, motion: EddyMotion) -> pd.DataFrame:
    """Return a table of motion with the columns of eddy currents, and what was untold."""
    table[list(EDDY)] = motion.eddy[:, : len(EDDY)]
    table[AXIS] = motion.axes
    table[SHIFT] = motion.shift
    table[UNTOLD] = motion.untold.astype(int)
    return table


def write_outliers(outliers: NDArray[np.bool_], name: str) -> Path:
    """Write volumes (rows) and slices (columns) to the current folder."""
    path = Path.cwd() / name
    columns = [f'slice_{number}' for number in range(outliers.shape[1])]
    pd.DataFrame(outliers.astype(int), columns=columns).to_csv(path, sep='\t', index=False)
    return path


def read_eddy(motion: Path, outliers: Path, reference: Path) -> EddyMotion:
    """Read what the step has written; losses are not kept."""
    table, matrices, _ = read_motion(motion)
    lost = pd.read_csv(outliers, sep='\t').to_numpy() > 0
    return EddyMotion(
        matrices=matrices,
        eddy=table[list(EDDY)].to_numpy(np.float64),
        axes=table[AXIS].to_numpy(np.int64),
        outliers=lost,
        losses=np.full(lost.shape, np.nan),
        reference=load(reference),
        parameters=table[list(COLUMNS)].to_numpy(np.float64),
        centre=np.zeros(3),
        fit=table['fit'].to_numpy(np.float64),
        untold=table[UNTOLD].to_numpy() > 0,
        shift=table[SHIFT].to_numpy(np.float64),
    )
