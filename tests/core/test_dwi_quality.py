"""Quality of diffusion series: each metric on a case with a known answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.core.corpus_callosum import find_callosum
from mriderived.core.dwi_quality import DwiRun, measure_dwi_quality
from mriderived.core.dwi_signal_quality import (
    b0_snr,
    contrast_to_noise,
    neighbouring_correlation,
    spiked_share,
)
from mriderived.core.gradient_table import Gradients, make_gradients
from mriderived.core.spherical_harmonics import count_harmonics, even_harmonics

SHAPE = (20, 20, 12)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0]) + np.outer([1, 1, 1, 0], [0, 0, 0, 1]) * -19.0


def draw_directions(count: int, seed: int = 0) -> NDArray[np.float64]:
    vectors = np.random.default_rng(seed).standard_normal((count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def make_table(shells: tuple[float, ...] = (1000.0, 2000.0), each: int = 40) -> Gradients:
    b = np.concatenate([np.zeros(4), *(np.full(each, shell) for shell in shells)])
    return make_gradients(b, np.concatenate([np.zeros((4, 3)), draw_directions(len(b) - 4)]))


def decay(gradients: Gradients, axis: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the signal of a stick-like tensor along an axis."""
    cosine = gradients.directions @ np.array(axis)
    return np.asarray(1000 * np.exp(-gradients.b * (0.3e-3 + 1.4e-3 * cosine**2)))


def make_run(noise: float = 20.0) -> DwiRun:
    gradients = make_table()
    brain = np.zeros(SHAPE, bool)
    brain[3:17, 3:17, 2:10] = True
    rng = np.random.default_rng(1)
    clean = np.tile(decay(gradients, (1, 0, 0)), (int(brain.sum()), 1))
    signals = (clean + noise * rng.standard_normal(clean.shape)).astype(np.float32)
    first = np.zeros((*SHAPE, 3), np.float32)
    first[..., 0] = 1
    return DwiRun(signals, signals, gradients, brain, AFFINE, fa=brain * np.float32(0.8),
                  first=first)  # fmt: skip


def test_harmonics_are_orthonormal() -> None:
    directions = draw_directions(200_000)
    basis = even_harmonics(directions, 6)
    assert basis.shape[1] == count_harmonics(6)
    product = 4 * np.pi * basis.T @ basis / len(directions)
    assert np.abs(product - np.eye(len(product))).max() < 0.03


def test_harmonics_do_not_know_the_sign_of_a_direction() -> None:
    directions = draw_directions(50)
    assert np.allclose(even_harmonics(directions, 8), even_harmonics(-directions, 8), atol=1e-12)


def test_b0_snr_is_that_of_the_noise() -> None:
    rng = np.random.default_rng(0)
    b0 = (1000 + 25 * rng.standard_normal((4000, 40))).astype(np.float32)
    assert b0_snr(b0) == pytest.approx(40, rel=0.03)
    assert b0_snr(b0, np.full(4000, 25, np.float32)) == pytest.approx(40, rel=0.01)
    assert np.isnan(b0_snr(b0[:, :1]))


@pytest.mark.parametrize('shell', [1, 2])
def test_contrast_to_noise_is_that_of_the_signal(shell: int) -> None:
    run = make_run()
    mine = run.gradients.shell == shell
    expected = decay(run.gradients, (1, 0, 0))[mine].std() / 20
    assert contrast_to_noise(run.signals, run.gradients, shell)[0] == pytest.approx(
        expected, rel=0.05
    )


def test_contrast_needs_directions() -> None:
    table = make_table((1000.0,), each=6)
    signals = np.ones((5, len(table)), np.float32)
    value, reason = contrast_to_noise(signals, table, 1)
    assert np.isnan(value)
    assert reason == 'shell 1 has 6 directions, fewer than 12'
    assert contrast_to_noise(signals, table, 2)[1] == 'there is no shell 2'


def test_neighbouring_correlation_falls_with_noise_and_a_broken_volume() -> None:
    rng = np.random.default_rng(0)
    table = make_table((1000.0,))
    clean = np.outer(rng.uniform(0.5, 1.5, 3000), decay(table, (0, 0, 1))).astype(np.float32)
    assert neighbouring_correlation(clean, table)[0] == pytest.approx(1, abs=1e-6)
    noisy = clean.copy()
    noisy[:, 10] = rng.standard_normal(3000)
    share, _ = neighbouring_correlation(noisy, table)
    assert 0.85 < share < 1 - 1 / 40  # the volume, and whoever it is the neighbour of


def test_neighbour_is_the_nearest_axis_of_the_same_weighting() -> None:
    table = make_gradients(
        [1000, 1000, 3000, 3000],
        [[1, 0, 0], [0.96, 0.28, 0], [-1, 0, 0], [-0.96, -0.28, 0]],
    )
    signals = np.float32([[1, 1, 5, 5], [2, 2, 1, 1], [3, 3, 4, 4]])
    assert neighbouring_correlation(signals, table)[0] == pytest.approx(1, abs=1e-6)


def test_a_correlation_that_cannot_be_had_says_why() -> None:
    run = make_run()
    flat = run.raw.copy()
    flat[:, [7, 20]] = 3
    found = measure_dwi_quality(replace(run, raw=flat))
    assert np.isnan(found.values['ndc_raw'])
    assert found.reasons['ndc_raw'] == (
        'volumes [7, 20] (from 0) have the same value in all of the brain'
    )
    assert 'ndc' not in found.reasons
    one = make_gradients([0, 0, 1000], [[0, 0, 0], [0, 0, 0], [1, 0, 0]])
    value, reason = neighbouring_correlation(run.signals[:, :3], one)
    assert np.isnan(value)
    assert reason == 'there are fewer than two weighted volumes'


def test_spikes_are_counted_by_slice() -> None:
    rng = np.random.default_rng(0)
    air, shell = 10 + rng.standard_normal((50, 20)), np.ones(50, int)
    assert spiked_share(air, shell)[0] < 0.002
    air[7, 3] = air[20, 11] = 60
    assert spiked_share(air, shell)[0] == pytest.approx(2 / 1000, abs=0.001)
    air[:, 5] = np.nan
    assert spiked_share(air, shell)[0] == pytest.approx(2 / 950, abs=0.001)
    value, reason = spiked_share(np.full((3, 2), np.nan), np.zeros(3, int))
    assert np.isnan(value)
    assert reason == 'there is no air around the head'


@pytest.mark.parametrize(('unweighted', 'compared'), [(10, 70), (3, 60)])
def test_bright_air_of_unweighted_volumes_is_no_spike(unweighted: int, compared: int) -> None:
    rng = np.random.default_rng(1)
    shell = np.repeat([0, 1, 2], [unweighted, 40, 20])
    air = 10 + 0.3 * rng.standard_normal((len(shell), 25))
    air[shell == 0] *= 2.5
    assert spiked_share(air, shell) == (0, '')
    air[-1, 4] = air[unweighted, 8] = 20
    assert spiked_share(air, shell)[0] == pytest.approx(2 / (compared * 25), rel=1e-9)


def test_too_few_volumes_of_every_shell_have_no_share() -> None:
    value, reason = spiked_share(np.ones((14, 5)), np.repeat([0, 1], 7))
    assert np.isnan(value)
    assert reason == 'no shell, nor b = 0, has 8 volumes to compare'
    run = replace(make_run(), air=np.full((84, 12), 3.0))
    brighter = np.where(run.gradients.shell[:, None] == 0, 8.0, 3.0) * np.ones((84, 12))
    assert measure_dwi_quality(replace(run, air=brighter)).values['spikes'] == 0


def test_callosum_is_the_piece_in_the_middle_that_runs_across() -> None:
    brain = np.ones(SHAPE, bool)
    fa = np.full(SHAPE, 0.2, np.float32)
    first = np.zeros((*SHAPE, 3), np.float32)
    first[..., 1] = 1
    across = (slice(4, 16), slice(6, 14), slice(6, 8))
    fa[across] = 0.75
    first[across] = (1, 0, 0)
    fa[8:12, 6:14, 1:3] = 0.75  # a bundle from front to back
    found = find_callosum(fa, first, brain, AFFINE)
    middle = np.abs(np.arange(20) * 2.0 - 19) <= 6
    assert found.sum() == middle.sum() * 8 * 2
    assert found[across].sum() == found.sum()
    assert not find_callosum(fa * 0.1, first, brain, AFFINE).any()


def test_all_metrics_of_a_run() -> None:
    run = replace(
        make_run(),
        displacement=np.array([np.nan, *np.full(83, 0.1)]),
        untold=np.zeros(84, bool),
        outliers=np.eye(84, 12, dtype=bool),
        air=np.full((84, 12), 3.0),
        noise=np.full(14 * 14 * 8, 20, np.float32),
    )
    found = measure_dwi_quality(run)
    assert found.values['volumes'] == 84
    assert found.values['shells'] == 2
    assert found.values['b_max'] == 2000
    assert found.values['snr_b0'] == pytest.approx(50, rel=0.02)
    assert found.values['fd_mean'] == pytest.approx(0.1)
    assert found.values['outlier_slices'] == pytest.approx(100 / 84)
    assert found.values['spikes'] == 0
    assert found.values['fa_callosum'] == pytest.approx(0.8, abs=1e-6)
    assert found.reasons == {'cnr_3': 'there is no shell 3'}


def test_what_is_missing_has_a_reason() -> None:
    found = measure_dwi_quality(replace(make_run(), fa=None, first=None))
    missing = {name for name, value in found.values.items() if np.isnan(value)}
    assert missing == set(found.reasons)
    assert found.reasons['fa_callosum'] == 'there is no tensor'
    assert found.reasons['fd_mean'] == 'there are no motion parameters'
    with pytest.raises(ValueError, match='brain mask is empty'):
        measure_dwi_quality(replace(make_run(), brain=np.zeros(SHAPE, bool)))


def test_spikes_and_raw_neighbours_are_sought_within_a_phase_encoding() -> None:
    rng = np.random.default_rng(4)
    air = 10 + rng.uniform(-1, 1, (20, 30))
    encoding = np.repeat([0, 1], [15, 5])
    # ghosts of the other encoding lie elsewhere: brighter, but no spikes
    air[encoding == 1] += 30
    shell = np.ones(20, int)
    assert spiked_share(air, shell)[0] == pytest.approx(0.25)
    assert spiked_share(air, shell, encoding)[0] == 0
    air[3, 7] = 50
    assert spiked_share(air, shell, encoding)[0] == pytest.approx(1 / (15 * 30))
    assert spiked_share(air[10:], shell[10:], encoding[10:])[1].startswith('no shell')

    table = make_gradients([1000.0] * 4, np.eye(3)[[0, 1, 0, 1]])
    brain = rng.standard_normal((500, 2)).astype(np.float32)
    # the same axis in the other encoding looks unlike; another axis of the same, alike
    signals = brain[:, [0, 0, 1, 1]]
    assert abs(neighbouring_correlation(signals, table)[0]) < 0.15
    ours = np.array([0, 0, 1, 1])
    assert neighbouring_correlation(signals, table, ours)[0] == pytest.approx(1, abs=1e-6)
    reason = neighbouring_correlation(signals, table, np.arange(4))[1]
    assert reason == 'no phase encoding has two weighted volumes'


def test_untold_volumes_are_counted() -> None:
    run = make_run()
    assert np.isnan(measure_dwi_quality(run).values['untold_volumes'])
    untold = np.arange(len(run.gradients)) % 20 == 3
    assert measure_dwi_quality(replace(run, untold=untold)).values['untold_volumes'] == 5
