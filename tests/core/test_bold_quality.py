"""Quality metrics of BOLD runs: against formulas, and which way they move."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mriderived.core.bold_quality import (
    BoldRun,
    map_tsnr,
    measure_bold_quality,
    summarise_displacement,
)
from mriderived.core.dvars import compute_dvars
from mriderived.core.ghosts import ghost_ratio
from mriderived.core.volume_outliers import outlier_fraction, quality_index

FRAMES = 40
COLUMNS = {
    *('aor', 'aqi', 'dummy_trs', 'dvars_nstd', 'dvars_std', 'dvars_vstd', 'efc', 'fber'),
    *('fd_mean', 'fd_num', 'fd_perc', 'fwhm_x', 'fwhm_y', 'fwhm_z', 'fwhm_avg', 'gcor'),
    *('gsr_x', 'gsr_y', 'snr', 'tsnr'),
    *(
        f'summary_{part}_{name}'
        for part in ('bg', 'fg')
        for name in ('mean', 'median', 'mad', 'stdv', 'k', 'p05', 'p95', 'n')
    ),
}


def make_run(ghost: float = 0.0) -> BoldRun:
    rng = np.random.default_rng(0)
    shape = (24, 24, 10)
    x, y = np.mgrid[:24, :24]
    brain = np.zeros(shape, bool)
    brain[(x - 11.5) ** 2 + (y - 11.5) ** 2 < 49] = True
    truth = np.where(brain, 1000 + 50 * rng.normal(size=shape), 0)
    truth = truth + ghost * np.roll(truth, 12, axis=1)
    volume = truth[..., None] + rng.normal(20, 5, (*shape, FRAMES))
    air = ~brain
    air[2:22, :] = False
    displacement = np.concatenate([[np.nan], np.full(FRAMES - 1, 0.1)])
    mean = volume.mean(axis=3).astype(np.float32)
    return BoldRun(volume[brain].astype(np.float32), mean, brain, air, 0, displacement)


def test_all_columns_are_there_and_known() -> None:
    found = measure_bold_quality(make_run())
    assert set(found.values) == COLUMNS
    assert found.reasons == {}
    assert np.isfinite(list(found.values.values())).all()


def test_values_agree_with_their_formulas() -> None:
    run = make_run()
    values = measure_bold_quality(run).values
    series = run.series.astype(np.float64)
    tsnr = series.mean(axis=1) / series.std(axis=1)
    np.testing.assert_allclose(map_tsnr(run.series), tsnr, rtol=1e-6)
    assert values['tsnr'] == pytest.approx(np.median(tsnr), rel=1e-6)
    assert values['dvars_nstd'] == pytest.approx(compute_dvars(run.series).dvars[1:].mean())
    z = (series - series.mean(axis=1, keepdims=True)) / series.std(axis=1, keepdims=True)
    course = z.mean(axis=0)
    assert values['gcor'] == pytest.approx(course @ course / FRAMES, rel=1e-6)
    inside = run.mean[run.brain].astype(np.float64)
    assert values['snr'] == pytest.approx(np.median(inside) / inside.std(ddof=1), rel=1e-4)
    squares = [
        np.mean(np.square(run.mean[part], dtype=np.float64)) for part in (run.brain, run.air)
    ]
    assert values['fber'] == pytest.approx(squares[0] / squares[1], rel=1e-6)
    assert (values['fd_mean'], values['fd_num']) == (pytest.approx(0.1), 0)


def test_a_ghost_shows_along_its_axis_only() -> None:
    clean, ghosted = (measure_bold_quality(make_run(share)).values for share in (0, 0.1))
    assert ghosted['gsr_y'] == pytest.approx(0.1, abs=0.01)
    assert abs(clean['gsr_y']) < 0.002
    assert abs(ghosted['gsr_x']) < 0.05
    assert ghosted['fber'] < clean['fber'] or ghosted['efc'] > clean['efc']


def test_the_ghost_ratio_needs_room() -> None:
    brain = np.ones((6, 6, 2), bool)
    assert np.isnan(ghost_ratio(np.ones(brain.shape), brain, 1))


def test_outliers_follow_the_rule_of_afni() -> None:
    rng = np.random.default_rng(1)
    series = rng.normal(100, 1, (300, FRAMES)).astype(np.float32)
    series[:60, 7] += 50
    series[0] = 5
    limit = stats.norm.isf(0.001 / FRAMES) * np.sqrt(np.pi / 2)
    counts = np.zeros(FRAMES)
    for row in series[1:].astype(np.float64):
        distance = np.abs(row - np.median(row))
        counts += distance > limit * np.median(distance)
    found = outlier_fraction(series)
    np.testing.assert_allclose(found, counts / 299, atol=1e-12)
    assert found[7] == pytest.approx(0.2, abs=0.01)


def test_the_quality_index_is_one_minus_spearman_with_the_median_volume() -> None:
    rng = np.random.default_rng(2)
    series = np.round(rng.normal(100, 20, (500, 1)) + rng.normal(0, 2, (500, 9)))
    series[:, 4] = rng.permutation(series[:, 4])
    found = quality_index(series.astype(np.float32))
    middle = np.median(series, axis=1)
    expected = [1 - stats.spearmanr(series[:, frame], middle).statistic for frame in range(9)]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found.argmax() == 4 and found[4] > 0.8
    np.testing.assert_array_equal(quality_index(series.astype(np.float32), 3), found)


def test_displacement_counts_all_frames() -> None:
    values = np.array([np.nan, *[0.1] * 15, *[0.3] * 4])
    assert summarise_displacement(values) == (pytest.approx(2.7 / 19), 4, 20.0)
    assert summarise_displacement(values, 0.5)[1] == 0


def test_dummies_are_left_out_of_what_changes_over_time() -> None:
    run = make_run()
    bright = run.series.copy()
    bright[:, :3] *= 3
    spoilt = measure_bold_quality(replace(run, series=bright, dummies=3)).values
    plain = measure_bold_quality(replace(run, series=run.series[:, 3:], displacement=None)).values
    assert spoilt['dummy_trs'] == 3
    for name in ('tsnr', 'dvars_std', 'gcor', 'aor', 'aqi'):
        assert spoilt[name] == plain[name]


def test_what_cannot_be_had_has_a_reason() -> None:
    run = make_run()
    nothing = np.zeros_like(run.air)
    found = measure_bold_quality(replace(run, air=nothing, displacement=None))
    assert found.reasons['fd_mean'] == 'there are no motion parameters'
    assert found.reasons['fber'] == 'there is no air around the head'
    assert found.reasons['summary_bg_mean'] == 'there is no air around the head'
    assert set(found.reasons) == {n for n, v in found.values.items() if not np.isfinite(v)}
    still = measure_bold_quality(replace(run, series=np.full_like(run.series, 7)))
    assert {'tsnr', 'gcor', 'aqi', 'dvars_std'} <= set(still.reasons)
    short = measure_bold_quality(replace(run, series=run.series[:, :2], displacement=None))
    assert short.reasons['dvars_std'].endswith('or there are fewer than three frames')


def test_impossible_runs_are_refused() -> None:
    run = make_run()
    with pytest.raises(ValueError, match='the brain mask is empty'):
        measure_bold_quality(replace(run, brain=run.brain & ~run.brain))
    with pytest.raises(ValueError, match='shapes differ'):
        measure_bold_quality(replace(run, series=run.series[1:]))
    with pytest.raises(ValueError, match='has 40 frames, and 42 are needed'):
        measure_bold_quality(replace(run, dummies=40))
