"""How much two tables of the same model agree: with and without somebody, or of two pipelines."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Fewer pairs give no correlation.
FEWEST = 3


class Agreement(NamedTuple):
    """Pairs of estimates and t (k,), their correlations, and what holds in one or both.

    ``changed`` names those that hold after correction in one only, the first's before ``first``.
    """

    names: list[str]
    estimates: NDArray[np.float64]
    t: NDArray[np.float64]
    r_estimate: float
    r_t: float
    both: int
    first_only: list[str]
    second_only: list[str]
    #: What was compared.
    kinds: tuple[str, str] = ('estimate', 't')


def compare(
    first: pd.DataFrame, second: pd.DataFrame, key: str, corrected: str, alpha: float
) -> Agreement:
    """Compare rows of two tables (see ``region_models.COLUMNS``) that have the same ``key``.

    What was tested at once has neither estimate nor t: partial R² and F stand for them.

    >>> table = pd.DataFrame({'region': list('abc'), 'estimate': [1.0, 2.0, 3.0],
    ...                       't': [1.0, 2.0, 3.0], 'p_fdr': [0.5, 0.01, 0.01]})
    >>> found = compare(table, table.assign(estimate=table['estimate'] * 2), 'region', 'p_fdr', 0.05)
    >>> round(found.r_estimate, 6), found.both, found.first_only
    (1.0, 2, [])
    """  # noqa: E501
    both = first.merge(second, on=key, suffixes=('', '_other'), validate='one_to_one')
    is_joint = bool((first.get('dof_tested', pd.Series([1])) > 1).any())
    effect, statistic = ('partial_r2', 'f') if is_joint else ('estimate', 't')
    both = both[both[[statistic, f'{statistic}_other']].notna().all(axis=1)]
    one, other = both[corrected] <= alpha, both[f'{corrected}_other'] <= alpha
    estimates = both[[effect, f'{effect}_other']].to_numpy(float)
    t = both[[statistic, f'{statistic}_other']].to_numpy(float)
    return Agreement(
        both[key].tolist(), estimates, t, _correlate(estimates), _correlate(t),
        int((one & other).sum()), both.loc[one & ~other, key].tolist(),
        both.loc[other & ~one, key].tolist(),
        ('partial R²', 'F') if is_joint else ('estimate', 't'),
    )  # fmt: skip


def _correlate(pairs: NDArray[np.float64]) -> float:
    if len(pairs) < FEWEST or (pairs.std(axis=0) == 0).any():
        return float('nan')
    return float(np.corrcoef(pairs.T)[0, 1])
