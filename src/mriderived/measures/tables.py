"""Tables as measures write them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def write_table(table: pd.DataFrame, name: str) -> Path:
    """Write a table to the current folder; what is missing is n/a."""
    path = Path.cwd() / name
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    return path
