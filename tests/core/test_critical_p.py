"""The p-value that separates what holds after correction from what does not."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.multiple_tests import CORRECTIONS, critical_p


@pytest.mark.parametrize('correction', CORRECTIONS)
@pytest.mark.parametrize('effect', [0.0, 1.0, 4.0])
def test_it_separates_what_holds(correction: str, effect: float) -> None:
    random = np.random.default_rng(3)
    p = random.uniform(size=200) ** (1 + effect)
    corrected = CORRECTIONS[correction](p)
    threshold = critical_p(corrected, correction, 0.05)
    np.testing.assert_array_equal(p <= threshold, corrected <= 0.05)


def test_where_all_hold_the_false_discovery_rate_asks_no_more_than_alpha() -> None:
    corrected = CORRECTIONS['fdr'](np.full(20, 1e-8))
    assert critical_p(corrected, 'fdr', 0.05) == 0.05
