"""Where the head lies in every volume of a run, as the step ``bold_motion`` writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: The rows of the matrix of a volume, from mm of the reference to mm of the volume.
MATRIX = tuple(f'matrix_{row}{column}' for row in range(3) for column in range(4))


def read_spoilt(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return the volumes that stand out or in which the head moved, from the table of a run."""
    return np.asarray(table['spoilt'] == 1)


def read_motion(path: Path) -> tuple[pd.DataFrame, NDArray[np.float64], int]:
    """Return the table of a run, its matrices, and its volumes before steady state."""
    table = pd.read_csv(path, sep='\t', na_values='n/a')
    matrices = np.tile(np.eye(4), (len(table), 1, 1))
    matrices[:, :3] = table[list(MATRIX)].to_numpy().reshape(-1, 3, 4)
    return table, matrices, int((table['steady'] == 0).sum())
