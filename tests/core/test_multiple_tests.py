"""Corrections for many tests against statsmodels, ties and single tests included."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from mriderived.core.multiple_tests import CORRECTIONS

THEIRS = {'bonferroni': 'bonferroni', 'holm': 'holm', 'fdr': 'fdr_bh'}


@pytest.mark.parametrize('name', THEIRS)
@pytest.mark.parametrize('count', [1, 2, 7, 1000])
def test_they_are_those_of_statsmodels(name: str, count: int) -> None:
    rng = np.random.default_rng(count)
    p = rng.uniform(size=count) ** 3
    p[count // 2 :] = np.round(p[count // 2 :], 1)  # ties, zeros and ones
    wanted = multipletests(p, method=THEIRS[name])[1]
    np.testing.assert_allclose(CORRECTIONS[name](p), wanted, rtol=1e-14, atol=0)


@pytest.mark.parametrize('name', THEIRS)
def test_no_test_gives_none(name: str) -> None:
    assert CORRECTIONS[name](np.empty(0)).shape == (0,)
