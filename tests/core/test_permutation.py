"""Permutations: exactness, error rates where there is no effect, and what a tail adds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from mriderived.core.cluster_enhancement import list_neighbours
from mriderived.core.linear_model import DesignError, fit_linear, test_contrast
from mriderived.core.permutation import (
    corrected_p,
    count_arrangements,
    observe,
    pose_problem,
    shuffle,
)
from mriderived.core.tail import Tail, fit_tail, tail_p


def make_data(
    people: int, voxels: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values without an effect of the tested column, that column, and the nuisance."""
    rng = np.random.default_rng(seed)
    tested = rng.normal(size=people)
    nuisance = np.column_stack([np.ones(people), 0.5 * tested + rng.normal(size=people)])
    values = rng.normal(size=(people, voxels)) + nuisance @ rng.normal(size=(2, voxels))
    return values, tested, nuisance


def test_t_is_that_of_least_squares() -> None:
    values, tested, nuisance = make_data(40, 300)
    wanted = test_contrast(fit_linear(values, np.column_stack([nuisance, tested])), [0, 0, 1]).t
    np.testing.assert_allclose(observe(pose_problem(values, tested, nuisance)), wanted, atol=1e-5)


def test_uncorrected_p_of_many_permutations_is_the_parametric_one() -> None:
    values, tested, nuisance = make_data(40, 300)
    problem = pose_problem(values, tested, nuisance)
    found = shuffle(problem, range(4000), seed=1).exceeded / 4000
    wanted = test_contrast(fit_linear(values, np.column_stack([nuisance, tested])), [0, 0, 1]).p
    assert np.corrcoef(found, wanted)[0, 1] > 0.999
    assert np.abs(found - wanted).max() < 0.03


def test_who_runs_which_permutation_does_not_matter() -> None:
    problem = pose_problem(*make_data(20, 50))
    whole = shuffle(problem, range(40), seed=3)
    parts = [shuffle(problem, numbers, seed=3) for numbers in (range(13), range(13, 40))]
    joined = np.concatenate([part.maxima for part in parts])
    np.testing.assert_allclose(whole.maxima, joined, rtol=1e-6)
    np.testing.assert_array_equal(whole.exceeded, sum(part.exceeded for part in parts))
    assert shuffle(problem, range(40), seed=4).maxima[1] != whole.maxima[1]


def test_the_first_permutation_is_none() -> None:
    problem = pose_problem(*make_data(20, 50))
    assert shuffle(problem, [0], seed=0).maxima[0] == np.abs(observe(problem)).max()
    assert corrected_p(observe(problem), shuffle(problem, range(10), 0).maxima).min() >= 0.1


@pytest.mark.parametrize('is_enhanced', [False, True], ids=['t', 'enhanced'])
def test_error_rate_of_500_null_studies_is_five_percent(is_enhanced: bool) -> None:
    mask = np.ones((6, 6, 5), bool)
    neighbours = list_neighbours(mask) if is_enhanced else None
    found = 0
    for study in range(500):
        rng = np.random.default_rng([7, study])
        tested = rng.normal(size=16)
        nuisance = np.column_stack([np.ones(16), 0.5 * tested + rng.normal(size=16)])
        noise = ndimage.gaussian_filter(rng.normal(size=(16, *mask.shape)), (0, 1, 1, 1))
        values = noise[:, mask] + nuisance @ rng.normal(size=(2, mask.sum()))
        problem = pose_problem(values, tested, nuisance)
        shuffled = shuffle(problem, range(100), study, neighbours)
        maxima = shuffled.enhanced_maxima if is_enhanced else shuffled.maxima
        # The first permutation is none: its maximum is what was observed.
        found += corrected_p(maxima[:1], maxima)[0] <= 0.05
    # Two standard errors of a share of 500 are 2 %.
    assert 0.03 <= found / 500 <= 0.07


def test_flips_of_sign_test_a_mean() -> None:
    values = np.random.default_rng(0).normal(0.8, 1, (15, 30))
    problem = pose_problem(values, np.ones(15), np.empty((15, 0)))
    assert problem.is_flipped
    np.testing.assert_allclose(observe(problem), stats.ttest_1samp(values, 0).statistic, rtol=1e-4)
    found = shuffle(problem, range(4000), 0).exceeded / 4000
    wanted = stats.ttest_1samp(values, 0).pvalue
    assert np.corrcoef(found, wanted)[0, 1] > 0.998
    assert np.abs(found - wanted).max() < 0.06


@pytest.mark.parametrize('is_group', [False, True])
def test_flips_of_sign_test_a_level_beside_other_regressors(is_group: bool) -> None:
    """The mean at some age, and that of one group: places would change nothing of either."""
    rng = np.random.default_rng(1)
    ones = np.ones(24)
    if is_group:
        tested, nuisance = (np.arange(24) < 12).astype(float), (np.arange(24) >= 12).astype(float)
    else:
        tested, nuisance = ones, rng.normal(size=24)
        nuisance[0] = 3.0
    values = rng.normal(0, 1, (24, 4000))
    values += 2 * nuisance[:, None]
    values[:, :1000] += tested[:, None]
    problem = pose_problem(values, tested, nuisance)
    assert problem.is_flipped
    found = shuffle(problem, range(400), 0).exceeded / 400
    wanted = test_contrast(fit_linear(values, np.column_stack([tested, nuisance])), [1, 0]).p
    # The power of the law of t where there is a level, and its error where there is none.
    assert (found[:1000] <= 0.05).mean() == pytest.approx((wanted[:1000] <= 0.05).mean(), abs=0.03)
    assert (found[1000:] <= 0.05).mean() == pytest.approx(0.05, abs=0.015)
    # A slope beside a constant is none of these.
    assert not pose_problem(values, rng.normal(size=24), ones).is_flipped
    assert not pose_problem(values, rng.normal(size=24), np.empty((24, 0))).is_flipped


def test_blocks_keep_their_members() -> None:
    rng = np.random.default_rng(0)
    blocks = np.repeat(np.arange(6), 4)
    level = np.repeat(rng.normal(0, 50, 6), 4)  # differs between blocks alone
    tested = np.tile([-1.0, -1.0, 1.0, 1.0], 6)
    values = level[:, None] + rng.normal(size=(24, 20))
    problem = pose_problem(values, tested, np.ones((24, 1)), blocks)
    within = shuffle(problem, range(300), 0).maxima
    across = shuffle(pose_problem(values, tested, np.ones((24, 1))), range(300), 0).maxima
    # Places change only where the level is the same, so chance is small as well.
    assert within.max() < 0.2 < np.median(across)


def test_voxels_that_do_not_vary_have_no_statistic() -> None:
    values, tested, nuisance = make_data(20, 5)
    values[:, 2] = 7.5
    problem = pose_problem(values, tested, nuisance)
    assert observe(problem)[2] == 0 and np.abs(observe(problem)[[0, 1, 3, 4]]).min() > 0


def test_what_cannot_be_tested_is_refused() -> None:
    values, tested, nuisance = make_data(20, 5)
    with pytest.raises(DesignError, match='follows from the nuisance'):
        pose_problem(values, nuisance[:, 1] + 2, nuisance)
    with pytest.raises(DesignError, match='no degrees of freedom'):
        pose_problem(values[:3], tested[:3], nuisance[:3])


@pytest.mark.parametrize(
    ('law', 'shape'),
    [(stats.norm, 0.0), (stats.genpareto(-0.2), -0.2), (stats.genpareto(0.1), 0.1)],
    ids=['normal', 'bounded', 'heavy'],
)
def test_a_tail_of_500_tells_the_p_of_one_in_5000(law: object, shape: float) -> None:
    rng = np.random.default_rng(2)
    wanted = 1 / 5000
    far = law.isf(wanted)  # type: ignore[attr-defined]
    found = []
    for _ in range(40):
        maxima = law.rvs(size=500, random_state=rng)  # type: ignore[attr-defined]
        tail = fit_tail(maxima)
        if tail is not None:
            found.append(float(tail_p([far], tail, corrected_p([far], maxima))[0]))
    assert len(found) >= 30
    # 500 permutations alone could only say 0.002 or less.
    assert np.exp(np.mean(np.log(found))) == pytest.approx(wanted, rel=0.75)


def test_a_law_with_an_end_gives_no_zero() -> None:
    tail = Tail(threshold=1.0, shape=-0.5, scale=1.0, share=0.1, number=1000)
    assert tail_p([50.0], tail, [0.001])[0] == pytest.approx(1 / 100_000)


def test_too_few_maxima_have_no_tail() -> None:
    assert fit_tail(np.random.default_rng(0).normal(size=60)) is None


def test_what_is_observed_counts_among_the_permutations() -> None:
    values, tested, nuisance = make_data(20, 50)
    assert (shuffle(pose_problem(values, tested, nuisance), [0], seed=0).exceeded == 1).all()


def test_arrangements_are_those_that_change_something() -> None:
    values, tested, nuisance = make_data(20, 5)
    assert count_arrangements(pose_problem(values, tested, nuisance)) == np.inf
    groups = np.repeat([0.0, 1.0], [3, 6])  # 84 ways, and none is the mirror image of another
    few = pose_problem(values[:9], groups, np.ones(9))
    assert count_arrangements(few) == 84
    pairs = pose_problem(
        values[:8], np.tile([0.0, 1.0], 4), np.ones(8), np.repeat([0, 1, 2, 3], 2)
    )
    assert count_arrangements(pairs) == 2**4 / 2
    flips = pose_problem(values[:8], np.ones(8), np.empty((8, 0)), np.repeat([0, 1, 2, 3], 2))
    assert count_arrangements(flips) == 2**4 / 2
