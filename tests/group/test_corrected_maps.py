"""p-values over all voxels, as the group level makes them: honest with the tail, too."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.permutation import count_arrangements, observe, pose_problem, shuffle
from mriderived.group.map_models import correct


def corrected(people: int, study: int, permutations: int) -> tuple[float, bool]:
    """Return the smallest p of a study without an effect, two groups, and whether of a tail."""
    random = np.random.default_rng([11, study])
    tested = (np.arange(people) % 2).astype(float)
    problem = pose_problem(random.normal(size=(people, 40)), tested, np.ones(people))
    maxima = shuffle(problem, range(permutations), study).maxima
    p, has_tail = correct(observe(problem), maxima, count_arrangements(problem), study)
    return float(p.min()), has_tail


def test_error_rate_of_500_null_studies_with_the_tail() -> None:
    found = [corrected(16, study, 100) for study in range(500)]
    assert np.mean([has_tail for _, has_tail in found]) > 0.5
    # Two standard errors of a share of 500 are 2 %.
    assert 0.03 <= np.mean([p <= 0.05 for p, _ in found]) <= 0.07


@pytest.mark.parametrize('study', range(3))
def test_no_p_is_below_what_so_few_people_can_give(study: int) -> None:
    random = np.random.default_rng(study)
    tested = np.repeat([0.0, 1.0], 4)
    values = random.normal(size=(8, 30)) + 6 * tested[:, None]
    problem = pose_problem(values, tested, np.ones(8))
    maxima = shuffle(problem, range(500), study).maxima
    p, has_tail = correct(observe(problem), maxima, count_arrangements(problem), study)
    assert not has_tail
    # 35 arrangements: about one permutation in 35 is the observed one or its mirror image.
    assert p.min() == pytest.approx(1 / 35, abs=0.02)
    assert p.min() >= 1 / 35
