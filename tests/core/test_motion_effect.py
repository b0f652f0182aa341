"""Motion in connectivity: planted effects are found again, and nothing is found in noise."""

import numpy as np
import pytest
from scipy import stats

from mriderived.core.motion_effect import (
    MotionCorrelation,
    p_values,
    q_values,
    summarise_effect,
)


def plant(participants, edges, share, r, seed=0):
    """Return motion (participants,) and edges that correlate with it by exactly ``r`` or 0."""
    rng = np.random.default_rng(seed)
    motion = rng.gamma(2, 0.1, participants)
    unit = (motion - motion.mean()) / np.linalg.norm(motion - motion.mean())
    noise = rng.normal(size=(participants, edges))
    noise -= noise.mean(axis=0) + np.outer(unit, unit @ noise)
    noise /= np.linalg.norm(noise, axis=0)
    planted = np.where(np.arange(edges) < share * edges, r, 0.0)
    return motion, planted * unit[:, None] + np.sqrt(1 - planted**2) * noise, planted


def correlate(motion, edges):
    found = MotionCorrelation(edges.shape[1])
    for one, values in zip(motion, edges, strict=True):
        found.add(values, one)
    return found


def test_planted_correlations_are_found():
    motion, edges, planted = plant(40, 500, 0.3, 0.6)
    found = correlate(motion, 3 + 0.2 * edges)
    assert found.correlation() == pytest.approx(planted, abs=1e-9)
    effect = summarise_effect(found.correlation(), found.number, np.arange(500.0))
    # r of 0.6 over 40 has p of 4e-5, and 0 has 1: the share is that which was planted.
    assert (effect.share, effect.share_fdr) == (0.3, 0.3)
    assert effect.median == pytest.approx(0, abs=1e-9)


def test_effects_amid_noise_are_found_in_their_share():
    rng = np.random.default_rng(1)
    motion = rng.gamma(2, 0.1, 60)
    driven = np.arange(2000) < 500
    unit = (motion - motion.mean()) / motion.std()
    edges = np.where(driven, 0.75 * unit[:, None], 0) + rng.normal(size=(60, 2000))
    found = correlate(motion, edges)
    r, distance = found.correlation(), np.where(driven, 30.0, 90) + rng.uniform(0, 40, 2000)
    # A slope of 0.75 amid noise of 1 is r = 0.6.
    assert r[driven].mean() == pytest.approx(0.6, abs=0.02)
    effect = summarise_effect(r, found.number, distance)
    assert effect.share_fdr == pytest.approx(0.25, abs=0.03)
    assert effect.distance < -0.5


def test_noise_gives_what_chance_gives():
    rng = np.random.default_rng(2)
    found = correlate(rng.gamma(2, 0.1, 30), rng.normal(size=(30, 20000)))
    effect = summarise_effect(found.correlation(), found.number, np.full(20000, np.nan))
    assert effect.median == pytest.approx(effect.chance, abs=0.003)
    assert effect.chance == pytest.approx(0.129, abs=0.001)
    assert effect.share == pytest.approx(0.05, abs=0.006)
    assert effect.share_fdr < 0.001
    assert np.isnan(effect.distance)


def test_an_edge_that_some_lack_is_of_the_others():
    rng = np.random.default_rng(3)
    motion, edges = rng.gamma(2, 0.1, 15), rng.normal(size=(15, 3))
    edges[:4, 1] = np.nan
    edges[:6, 2] = np.nan
    found = correlate(motion, edges)
    naive = [stats.pearsonr(motion, edges[:, 0]), stats.pearsonr(motion[4:], edges[4:, 1])]
    assert found.correlation()[:2] == pytest.approx([one.statistic for one in naive], abs=1e-10)
    assert np.isnan(found.correlation()[2])
    p = p_values(found.correlation(), found.number)
    assert p[:2] == pytest.approx([one.pvalue for one in naive], abs=1e-10)
    assert q_values(p)[:2] == pytest.approx(stats.false_discovery_control(p[:2]))
    assert np.isnan(q_values(p)[2])


def test_what_never_varies_has_no_correlation():
    found = correlate(np.full(12, 0.1), np.random.default_rng(4).normal(size=(12, 3)))
    assert np.isnan(found.correlation()).all()
    with pytest.raises(ValueError, match='no edge has a correlation'):
        summarise_effect(found.correlation(), found.number, np.zeros(3))
