"""Harmonisation against the reference outputs, and against what was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mriderived.core.combat import Prior, apply_combat, fit_combat
from mriderived.core.linear_model import DesignError

SITES = ['1'] * 5 + ['2'] * 5
SEX = np.array([[0.0, 1.0] * 5]).T


def make_cohort(
    people: int = 300, features: int = 40, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return values, sites, ages and the slopes of age, of three sites of different ages."""
    rng = np.random.default_rng(seed)
    place = np.repeat([0, 1, 2], people // 3)
    ages = rng.normal(np.array([40.0, 50.0, 55.0])[place], 10)
    slopes = rng.normal(-0.02, 0.005, features)
    level, spread = rng.normal(0, 1, (3, features)), rng.uniform(0.6, 1.6, (3, features))
    noise = rng.normal(size=(people, features)) * spread[place]
    values = 3 + level[place] + ages[:, None] * slopes + noise
    return values, np.array(['a', 'b', 'c'])[place], ages[:, None], slopes


@pytest.mark.parametrize('reference', [None, '1'], ids=['', 'batchref'])
@pytest.mark.parametrize('is_mean_only', [False, True], ids=['', 'meanonly'])
@pytest.mark.parametrize('prior', ['parametric', 'nonparametric', 'none'])
@pytest.mark.parametrize('is_adjusted', [False, True], ids=['unadjusted', 'adjusted'])
def test_reference_outputs_are_met(
    test_data: Path, is_adjusted: bool, prior: Prior, is_mean_only: bool, reference: str | None
) -> None:
    folder = test_data / 'tables' / 'combat-reference' / 'Testing'
    name = _name(is_adjusted, prior, is_mean_only, reference, folder)
    values = np.genfromtxt(folder / 'inputData' / 'testdata.csv', delimiter=',', skip_header=1).T
    covariates = SEX if is_adjusted else None
    found = fit_combat(
        values, SITES, covariates, prior=prior, is_mean_only=is_mean_only, reference=reference
    )
    wanted = np.genfromtxt(folder / 'outputData' / name, delimiter=',').T
    np.testing.assert_allclose(apply_combat(found, values, SITES, covariates), wanted, atol=1e-6)


def _name(
    is_adjusted: bool, prior: Prior, is_mean_only: bool, reference: str | None, folder: Path
) -> str:
    """Return the file of the reference; its words are not always in the same order."""
    words = {
        'nonparametric' if prior == 'nonparametric' else 'parametric',
        'adjusted' if is_adjusted else 'unadjusted',
        *(['noeb'] * (prior == 'none')),
        *(['meanonly'] * is_mean_only),
        *(['batchref'] * (reference is not None)),
    }
    stem = 'testdata_combat_'
    for path in sorted((folder / 'outputData').glob(f'{stem}*_python.csv')):
        if set(path.stem.removeprefix(stem).removesuffix('_python').split('_')) == words:
            return path.name
    pytest.skip(f'there is no reference output for {sorted(words)}')


def test_sites_cannot_be_told_apart_afterwards_and_age_is_kept() -> None:
    values, sites, ages, slopes = make_cohort()
    even = apply_combat(fit_combat(values, sites, ages), values, sites, ages)
    design = np.column_stack([np.ones(len(ages)), ages])
    found = np.linalg.lstsq(design, even, rcond=None)[0][1]
    # The mean slope: bias below 5 %, where without harmonisation it is off by far more.
    raw = np.linalg.lstsq(design, values, rcond=None)[0][1]
    assert found.mean() == pytest.approx(slopes.mean(), rel=0.05)
    assert np.abs(found - slopes).mean() < 0.4 * np.abs(raw - slopes).mean()
    left = even - ages * slopes
    means = np.array([left[sites == name].mean(axis=0) for name in 'abc'])
    deviations = np.array([left[sites == name].std(axis=0) for name in 'abc'])
    assert np.ptp(means, axis=0).max() < 0.2  # 1 before, and more
    ratio = deviations.max(axis=0) / deviations.min(axis=0)
    assert ratio.mean() < 1.1 and ratio.max() < 1.25  # up to 2.6 before


def test_a_second_time_changes_little() -> None:
    values, sites, ages, _ = make_cohort()
    once = apply_combat(fit_combat(values, sites, ages), values, sites, ages)
    twice = apply_combat(fit_combat(once, sites, ages), once, sites, ages)
    assert np.abs(twice - once).max() < 0.1 * np.abs(once - values).max()


def test_what_was_fitted_on_some_holds_for_others() -> None:
    values, sites, ages, _ = make_cohort(600)
    train = np.arange(600) % 2 == 0
    found = fit_combat(values[train], sites[train], ages[train])
    even = apply_combat(found, values[~train], sites[~train], ages[~train])
    means = [even[sites[~train] == name].mean(axis=0) for name in 'ab']
    before = [values[~train][sites[~train] == name].mean(axis=0) for name in 'ab']
    assert np.abs(means[0] - means[1]).mean() < 0.4 * np.abs(before[0] - before[1]).mean()


def test_the_reference_stays_as_it_is() -> None:
    values, sites, ages, _ = make_cohort()
    even = apply_combat(fit_combat(values, sites, ages, reference='b'), values, sites, ages)
    np.testing.assert_array_equal(even[sites == 'b'], values[sites == 'b'])


@pytest.mark.parametrize(
    ('sites', 'covariates', 'reference', 'message'),
    [
        (['a'] * 6, None, None, 'everybody is of site a'),
        (['a'] * 5 + ['b'], None, None, 'site b has one person only'),
        (['a'] * 3 + ['b'] * 3, None, 'c', 'the reference c is not among the sites a, b'),
        (['a'] * 3 + ['b'] * 3, [0, 0, 0, 1, 1, 1], None, "'covariate 1' follows from the other"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    sites: list[str], covariates: list[float] | None, reference: str | None, message: str
) -> None:
    values = np.random.default_rng(0).normal(size=(6, 4))
    with pytest.raises(DesignError) as caught:
        fit_combat(values, sites, covariates, reference=reference)
    assert message in str(caught.value)


def test_an_unknown_site_is_refused() -> None:
    values, sites, ages, _ = make_cohort(60)
    with pytest.raises(DesignError, match='nothing is known of site d'):
        apply_combat(fit_combat(values, sites, ages), values[:1], ['d'], ages[:1])


def test_levels_and_spreads_are_those_of_the_posterior() -> None:
    """Both conditional means of Johnson et al. 2007 hold at once, written out for one site."""
    values, sites, ages, _ = make_cohort()
    found = fit_combat(values, sites, ages)
    expected = found.mean + ages @ found.slopes
    mine = ((values - expected) / found.deviation)[sites == 'b']
    count, level, variance = len(mine), mine.mean(axis=0), mine.var(axis=0, ddof=1)
    mean, tau = level.mean(), level.var(ddof=1)
    shape = 2 + variance.mean() ** 2 / variance.var(ddof=1)
    scale = variance.mean() * (shape - 1)
    got, spread = found.level[1], found.spread[1]
    wanted_level = (count * tau * level + spread * mean) / (count * tau + spread)
    squares = ((mine - got) ** 2).sum(axis=0)
    wanted_spread = (scale + 0.5 * squares) / (count / 2 + shape - 1)
    np.testing.assert_allclose(got, wanted_level, rtol=1e-3)
    np.testing.assert_allclose(spread, wanted_spread, rtol=1e-3)
