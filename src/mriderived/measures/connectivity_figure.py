"""The picture of functional connectivity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mriderived.figures.time_courses import draw_matrices


def draw_connectivity(pearson: Path, partial: Path) -> list[Any]:
    """Draw both matrices."""
    matrices = {
        'Correlation': _read(pearson),
        'Partial correlation': _read(partial),
    }
    limits = {name: _limit(values) for name, values in matrices.items()}
    return [draw_matrices(matrices, limits)]


def _read(path: Path) -> Any:
    return pd.read_csv(path, sep='\t', na_values='n/a').to_numpy(np.float64)


def _limit(values: Any) -> float:
    """Return a round number that few values exceed."""
    apart = np.abs(values[~np.eye(len(values), dtype=bool)])
    finite = apart[np.isfinite(apart)]
    return float(np.ceil(10 * np.percentile(finite, 99)) / 10) if finite.size else 1.0
