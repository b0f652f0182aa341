"""Means of connectivity within and between the networks of an atlas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.connectivity import average_networks
from mriderived.core.series import median_known
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Column
from mriderived.measures.tables import write_table

#: The networks of Yeo et al. 2011, as the names of Schaefer's regions begin with them; those of
#: the 17 networks that divide one of the 7 (VisCent, VisPeri) count as it, TempPar as none.
NETWORKS = {
    'Vis': 'visual',
    'SomMot': 'somatomotor',
    'DorsAttn': 'dorsal attention',
    'SalVentAttn': 'salience and ventral attention',
    'Limbic': 'limbic',
    'Cont': 'control',
    'Default': 'default mode',
}
NO_NETWORKS = 'the regions of this atlas do not belong to networks'


def write_networks(
    names: Sequence[str], z: NDArray[np.float64], effective: NDArray[np.float64]
) -> Path:
    """Write one row of means, with a reason for each network that the atlas lacks."""
    row: dict[str, float] = {
        'mean_z': float(np.nanmean(z)) if np.isfinite(z).any() else np.nan,
        'effective_frames': median_known(effective),
    }
    belongs = [_network(name) for name in names]
    inside = np.flatnonzero([bool(network) for network in belongs])
    reasons: dict[str, str] = {}
    means = {}
    if inside.size:
        table = average_networks(z[np.ix_(inside, inside)], [belongs[i] for i in inside])
        means = {frozenset(pair): mean for *pair, mean, _ in table.itertuples(index=False)}
    for name, pair in _pairs():
        row[name] = means.get(frozenset(pair), np.nan)
        if np.isnan(row[name]):
            reasons[name] = 'no edge of it has a value' if inside.size else NO_NETWORKS
    path = write_table(pd.DataFrame([row]), 'networks.tsv')
    write_remarks(path, MissingReasons=reasons)
    return path


def _network(region: str) -> str:
    """Return the network that a part of the name of a region is of, or ``''``."""
    if 'Networks' not in region:
        return ''
    parts = re.split(r'[_\W]+', region)
    return next((name for name in NETWORKS for part in parts if part.startswith(name)), '')


def _pairs() -> list[tuple[str, tuple[str, str]]]:
    names = list(NETWORKS)
    return [
        (f'z_{first}' if first == second else f'z_{first}_{second}', (first, second))
        for place, first in enumerate(names)
        for second in names[place:]
    ]


def network_columns() -> tuple[Column, ...]:
    """Return what the columns of that row are."""

    def title(first: str, second: str) -> str:
        if first == second:
            return f'Connectivity within the {NETWORKS[first]} network'
        return f'Connectivity between the {NETWORKS[first]} and {NETWORKS[second]} networks'

    return (
        Column('mean_z', "Mean Fisher's z of all pairs of regions.", title='Mean connectivity'),
        Column('effective_frames', 'Median number of independent volumes that the correlation of '
               'two such series has (Bartlett).', title='Effective volumes'),
        *(Column(name, f"Mean Fisher's z: {title(*pair)}.", title=title(*pair))
          for name, pair in _pairs()),
    )  # fmt: skip
