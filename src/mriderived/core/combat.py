"""ComBat: differences between scanners in level and spread, estimated together and taken off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.linear_model import DesignError, check_design

Matrix = NDArray[np.float64]
Prior = Literal['parametric', 'nonparametric', 'none']

#: Rounds of the parametric estimate end when nothing changes by more than this share.
PRECISION = 1e-4
ROUNDS = 1000
#: A site needs so many people for its spread to be told from its level.
FEWEST = 2
#: So many sites are named in a message.
SHOWN = 4
#: Rows of features whose weights are held at once.
ROWS = 512


class Combat(NamedTuple):
    """What was estimated for m features, s sites and q covariates.

    ``sites`` (s,): their names, sorted; ``level`` and ``spread`` (s, m): what a site adds to
    standardised features, and the factor of their variance; ``mean`` (m,), ``slopes`` (q, m) and
    ``deviation`` (m,): how features are standardised. ``reference``: a site that stays as it is.
    """

    sites: NDArray[np.str_]
    level: Matrix
    spread: Matrix
    mean: Matrix
    slopes: Matrix
    deviation: Matrix
    reference: str | None


def fit_combat(
    values: ArrayLike,
    sites: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    prior: Prior = 'parametric',
    is_mean_only: bool = False,
    reference: str | None = None,
) -> Combat:
    """Estimate what each site adds to and multiplies features by.

    Parameters
    ----------
    values : array (n, m)
        Features, none missing.
    sites : array (n,)
        Site (scanner) of each observation.
    covariates : array (n, q), optional
        What is to be kept, without an intercept; categories as indicator columns.
    prior
        How sites borrow strength over features: from a normal and an inverse gamma law, from
        the empirical distribution of all features, or not.
    is_mean_only
        Sites differ in level alone.
    reference
        The site to whose level and spread the others are brought; else their mean.

    Raises
    ------
    DesignError
        Where there is one site only, a site has one person, covariates follow from the sites, or
        the reference is none of them.

    References
    ----------
    Johnson et al. 2007, doi:10.1093/biostatistics/kxj037; Fortin et al. 2018,
    doi:10.1016/j.neuroimage.2017.11.024.

    Examples
    --------
    >>> values = np.array([[1.0, 5.0], [2.0, 7.0], [3.0, 6.0], [11.0, 16.0], [13.0, 15.0], [12.0, 14.0]])
    >>> sites = ['A', 'A', 'A', 'B', 'B', 'B']
    >>> even = apply_combat(fit_combat(values, sites, prior='none'), values, sites)
    >>> np.round([even[:3].mean(axis=0), even[3:].mean(axis=0)], 6).tolist()
    [[7.0, 10.5], [7.0, 10.5]]
    """  # noqa: E501
    data = np.asarray(values, float)
    names, place = np.unique(np.asarray(sites).astype(str), return_inverse=True)
    kept = _as_columns(covariates, len(data))
    members = place[:, None] == np.arange(len(names))
    _check(names, members, kept, reference, is_mean_only=is_mean_only)
    anchor = None if reference is None else int(np.flatnonzero(names == reference)[0])
    indicator = members.astype(float)
    if anchor is not None:
        indicator[:, anchor] = 1
    design = np.column_stack([indicator, kept])
    coefficients = np.linalg.lstsq(design, data, rcond=None)[0]
    site_part, slopes = coefficients[: len(names)], coefficients[len(names) :]
    mean = members.mean(axis=0) @ site_part if anchor is None else site_part[anchor]
    squares = (data - design @ coefficients) ** 2
    counted = slice(None) if anchor is None else members[:, anchor]
    deviation = np.sqrt(squares[counted].mean(axis=0))
    deviation[deviation == 0] = 1  # what never varies stays as it is
    standard = (data - mean - kept @ slopes) / deviation
    level, spread = _estimate(standard, members, prior, is_mean_only=is_mean_only)
    if anchor is not None:
        level[anchor], spread[anchor] = 0, 1
    return Combat(names, level, spread, mean, slopes, deviation, reference)


def apply_combat(
    found: Combat, values: ArrayLike, sites: ArrayLike, covariates: ArrayLike | None = None
) -> Matrix:
    """Take off what sites were found to add, also from observations that were not in the fit.

    Raises
    ------
    DesignError
        Where a site was not in the fit.
    """
    data, labels = np.asarray(values, float), np.asarray(sites).astype(str)
    unknown = sorted(set(labels.tolist()) - set(found.sites.tolist()))
    if unknown:
        raise DesignError(f'nothing is known of site {_shorten(unknown)}: it was not in the fit')
    kept = _as_columns(covariates, len(data))
    if kept.shape[1] != len(found.slopes):
        raise DesignError(
            f'{kept.shape[1]} covariates are given, and {len(found.slopes)} were in the fit'
        )
    place = np.searchsorted(found.sites, labels)
    expected = found.mean + kept @ found.slopes
    standard = (data - expected) / found.deviation
    even = (standard - found.level[place]) / np.sqrt(found.spread[place])
    harmonised: Matrix = even * found.deviation + expected
    if found.reference is not None:
        own = labels == found.reference
        harmonised[own] = data[own]
    return harmonised


def _shorten(names: Sequence[str] | NDArray[np.str_]) -> str:
    """Return the first names of a list.

    >>> _shorten(list('abcdef'))
    'a, b, c, d, …'
    """
    return ', '.join(names[:SHOWN]) + (', …' if len(names) > SHOWN else '')


def _as_columns(covariates: ArrayLike | None, count: int) -> Matrix:
    if covariates is None:
        return np.empty((count, 0))
    columns: Matrix = np.asarray(covariates, float).reshape(count, -1)
    return columns


def _check(
    names: NDArray[np.str_],
    members: NDArray[np.bool_],
    kept: Matrix,
    reference: str | None,
    *,
    is_mean_only: bool,
) -> None:
    if len(names) < 2:
        raise DesignError(f'everybody is of site {names[0]}: there is nothing to harmonise')
    small = names[members.sum(axis=0) < FEWEST]
    if len(small) and not is_mean_only:
        told, have, them = _shorten(small), 'have', 'them'
        if len(small) == 1:
            have, them = 'has', 'it'
        raise DesignError(
            f'site {told} {have} one person only, so that the spread cannot be told: leave {them} '
            'out'
        )
    if reference is not None and reference not in names:
        raise DesignError(f'the reference {reference} is not among the sites {_shorten(names)}')
    titles = [*(f'site {name}' for name in names), *(f'covariate {k + 1}' for k in range(kept.shape[1]))]  # noqa: E501  # fmt: skip
    check_design(np.column_stack([members, kept]), titles)


def _estimate(
    standard: Matrix, members: NDArray[np.bool_], prior: Prior, *, is_mean_only: bool
) -> tuple[Matrix, Matrix]:
    """Return level and spread (s, m) of all sites."""
    levels, spreads = [], []
    for own in members.T:
        data = standard[own]
        level = data.mean(axis=0)
        spread = np.ones(data.shape[1]) if is_mean_only else data.var(axis=0, ddof=1)
        spread[spread == 0] = 1  # a feature that does not vary at this site
        if prior == 'parametric':
            level, spread = _shrink(data, level, spread, is_mean_only=is_mean_only)
        elif prior == 'nonparametric':
            level, spread = _weigh(data, level, spread)
            spread = np.ones_like(spread) if is_mean_only else spread
        levels.append(level)
        spreads.append(spread)
    return np.array(levels), np.array(spreads)


def _shrink(
    data: Matrix, level: Matrix, spread: Matrix, *, is_mean_only: bool
) -> tuple[Matrix, Matrix]:
    """Draw features towards the laws of all of them: normal levels, inverse gamma spreads."""
    count = len(data)
    centre, width = level.mean(), level.var(ddof=1) if len(level) > 1 else 0.0
    if is_mean_only:
        return (width * level + centre) / (width + 1), np.ones_like(spread)
    mean, variance = spread.mean(), spread.var(ddof=1) if len(spread) > 1 else 0.0
    if variance == 0 or width == 0:
        return level, spread  # one feature, or features that are alike, tell no law
    shape = (2 * variance + mean**2) / variance
    rate = (mean * variance + mean**3) / variance
    old_level, old_spread = level, spread
    for _ in range(ROUNDS):
        new_level = (count * width * level + old_spread * centre) / (count * width + old_spread)
        squares = ((data - new_level) ** 2).sum(axis=0)
        new_spread = (0.5 * squares + rate) / (count / 2 + shape - 1)
        with np.errstate(divide='ignore', invalid='ignore'):
            change = max(
                np.nanmax(np.abs(new_level - old_level) / old_level),
                np.nanmax(np.abs(new_spread - old_spread) / old_spread),
            )
        old_level, old_spread = new_level, new_spread
        if not change > PRECISION:
            break
    return old_level, old_spread


def _weigh(data: Matrix, level: Matrix, spread: Matrix) -> tuple[Matrix, Matrix]:
    """Average over all other features, each by how likely it makes the data of this one."""
    count, features = data.shape
    total, squares = data.sum(axis=0), (data**2).sum(axis=0)
    new_level, new_spread = np.empty(features), np.empty(features)
    constant = -0.5 * count * np.log(2 * np.pi * spread)
    for start in range(0, features, ROWS):
        rows = slice(start, min(start + ROWS, features))
        misfit = squares[rows, None] - 2 * np.outer(total[rows], level) + count * level**2
        likely = np.exp(constant - misfit / (2 * spread))
        likely[np.arange(likely.shape[0]), np.arange(features)[rows]] = 0
        sums = likely.sum(axis=1)
        with np.errstate(invalid='ignore', divide='ignore'):
            new_level[rows] = np.where(sums > 0, likely @ level / sums, level[rows])
            new_spread[rows] = np.where(sums > 0, likely @ spread / sums, spread[rows])
    return new_level, new_spread
