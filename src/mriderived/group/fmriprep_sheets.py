"""What fMRIPrep's confounds say of motion: one number per run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.group.derivatives import Derivatives, Sheet
from mriderived.group.named_files import (
    choose_runs,
    find_named,
    need_columns,
    read_each,
    to_number,
)
from mriderived.group.sheets import read_grid
from mriderived.measures.base import Column

_REFERENCE = 'https://doi.org/10.1038/s41592-018-0235-4'
_COLUMNS = (
    Column('fd_mean', 'Mean framewise displacement (Power), from the second volume.', 'mm', 'FD'),
    Column('fd_max', 'Largest framewise displacement (Power).', 'mm', 'Largest FD'),
    Column('rmsd_mean', 'Mean root mean square displacement (Jenkinson).', 'mm', 'RMSD'),
    Column('std_dvars_mean', 'Mean standardised DVARS.', '1', 'DVARS'),
    Column('volumes', 'Volumes of the run.', '1', 'Volumes'),
    Column('non_steady_state', 'Volumes before the steady state.', '1', 'Non-steady-state'),
    Column('motion_outliers', 'Volumes that have a motion_outlier regressor.', '1', 'Outliers'),
)
#: Our column → fMRIPrep's, and what is made of it.
_SERIES: Mapping[str, tuple[str, Callable[[NDArray[np.float64]], Any]]] = {
    'fd_mean': ('framewise_displacement', np.mean),
    'fd_max': ('framewise_displacement', np.max),
    'rmsd_mean': ('rmsd', np.mean),
    'std_dvars_mean': ('std_dvars', np.mean),
}
_COUNTED = {
    'non_steady_state': 'non_steady_state_outlier',
    'motion_outliers': 'motion_outlier',
}


def read_fmriprep(folder: Path) -> Derivatives:
    """Read the confounds of the run that stands for each participant and session."""
    found = Derivatives()
    sheet = Sheet('fmriprep_bold', 'fMRIPrep confounds', _REFERENCE, _COLUMNS)
    files = [
        *find_named(folder, 'sub-*_desc-confounds_timeseries.tsv'),
        *find_named(folder, 'sub-*_desc-confounds_regressors.tsv'),  # before version 20.2
    ]
    for one, numbers in read_each(choose_runs(files), _summarise, found, sheet.reasons):
        for name, value in numbers.items():
            sheet.add(one.row, '', name, value)
    found.sheets.append(sheet)
    return found


def _summarise(path: Path) -> dict[str, float]:
    grid = read_grid(path)
    need_columns(grid, 'framewise_displacement')
    numbers: dict[str, float] = {}
    for name, (column, summary) in _SERIES.items():
        values = _series(grid.column(column)) if column in grid.header else np.empty(0)
        if len(values):
            numbers[name] = float(summary(values))
    numbers['volumes'] = float(len(grid.column('framewise_displacement')))
    for name, prefix in _COUNTED.items():
        numbers[name] = float(sum(column.startswith(prefix) for column in grid.header))
    return numbers


def _series(cells: list[str]) -> NDArray[np.float64]:
    """Return the numbers of a column; the first volume has no difference, so it lacks."""
    numbers = (to_number(cell) for cell in cells)
    return np.array([number for number in numbers if number is not None])
