"""Published corrections of imperfect spoiling: their digits, and what they do to T1."""

from __future__ import annotations

import pytest

from mriderived.core.spoiling import PUBLISHED, Pair, correct_spoiling, find_spoiling

#: T1 in s of what seems 1 s at a transmit field of 0.8, 1.0 and 1.2: sums of the published digits.
CORRECTED = {
    Pair(0.0237, 0.0187, 6, 20): (0.98113, 0.96152, 0.93643),
    Pair(0.0245, 0.0245, 5, 29): (0.96476, 0.93676, 0.90286),
    Pair(0.024, 0.019, 6, 20): (0.98684, 0.97003, 0.94811),
    Pair(0.0237, 0.0237, 6, 28): (0.96417, 0.93457, 0.89801),
    Pair(0.02525, 0.02525, 5, 29): (0.98598, 0.97001, 0.95052),
    Pair(0.0245, 0.0245, 6, 21): (0.98496, 0.96702, 0.94375),
    Pair(0.025, 0.025, 6, 21): (0.98835, 0.97390, 0.95436),
}


@pytest.mark.parametrize('pair', PUBLISHED)
def test_digits_are_those_that_were_published(pair: Pair) -> None:
    spoiling = find_spoiling(pair)
    assert spoiling is not None
    found = [float(correct_spoiling(1.0, field, spoiling)) for field in (0.8, 1.0, 1.2)]
    assert found == pytest.approx(CORRECTED[pair], abs=2e-5)


@pytest.mark.parametrize('pair', PUBLISHED)
def test_apparent_t1_is_too_long_and_more_so_at_higher_angles(pair: Pair) -> None:
    spoiling = PUBLISHED[pair]
    shares = [float(correct_spoiling(1.2, field, spoiling)) / 1.2 for field in (0.8, 1.0, 1.2)]
    assert 1 > shares[0] > shares[1] > shares[2] > 0.85
