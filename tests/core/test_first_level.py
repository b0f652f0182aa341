"""The model of task runs against nilearn's own, and against what was put in."""

from __future__ import annotations

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import FirstLevelModel
from scipy import stats

from mriderived.core.drift import cosine_drift
from mriderived.core.first_level import (
    Events,
    convolve_events,
    find_imitators,
    fit_contrast,
    mark_frames,
)

FRAMES, TR = 160, 2.0
TIMES = TR * np.arange(FRAMES) + TR / 2
ONSETS = np.arange(12.0, 290, 37)
BLOCKS = Events(ONSETS, np.full(len(ONSETS), 15.0), np.ones(len(ONSETS)))


def make_design(keep: np.ndarray | None = None) -> tuple[np.ndarray, list[str]]:
    """Return a block, its derivative, noise for confounds, drifts, left-out frames, 1."""
    rng = np.random.default_rng(3)
    course, names = convolve_events(BLOCKS, TIMES, 'spm + derivative', 'block')
    marks, marked = mark_frames(np.ones(FRAMES, bool) if keep is None else keep)
    drift = cosine_drift(FRAMES, TR)
    parts = [course, rng.normal(size=(FRAMES, 6)), drift, marks, np.ones((FRAMES, 1))]
    names = [*names, *(f'confound{n}' for n in range(6)),
             *(f'drift{n}' for n in range(drift.shape[1])), *marked, 'constant']  # fmt: skip
    return np.hstack(parts), names


def make_series(
    voxels: int, percent: np.ndarray, seed: int = 0, largest: float = 0.3
) -> np.ndarray:
    """Return blocks of some percent in noise of AR(1), standard deviation 1 %."""
    rng = np.random.default_rng(seed)
    coefficient = rng.uniform(0, largest, voxels)  # of the noise of grey matter at 2 s
    noise = rng.normal(size=(voxels, FRAMES))
    for frame in range(1, FRAMES):
        noise[:, frame] += coefficient * noise[:, frame - 1]
    course = convolve_events(BLOCKS, TIMES, 'spm', 'block')[0][:, 0]
    level = rng.uniform(500, 1500, (voxels, 1))
    return (level * (1 + (percent[:, None] * course + noise) / 100)).astype(np.float32)


def first(design: np.ndarray) -> np.ndarray:
    return (np.arange(design.shape[1]) == 0).astype(float)


def test_the_regressor_of_an_event_is_the_response_of_the_integral_1() -> None:
    """Against two gamma densities, integrated finely."""
    fine = np.arange(0, 40, 0.01)
    response = stats.gamma.pdf(fine, 6) - stats.gamma.pdf(fine, 16) / 6
    response /= response.sum()
    box = (fine >= 0) & (fine < 4)
    expected = np.interp(
        TIMES - 30, fine, np.convolve(box, response)[: len(fine)], left=0, right=0
    )
    event = Events(np.array([30.0]), np.array([4.0]), np.array([1.0]))
    course, names = convolve_events(event, TIMES, 'spm', 'event')
    assert names == ['event']
    np.testing.assert_allclose(course[:, 0], expected, atol=0.02 * expected.max())


def test_heights_scale_events() -> None:
    event = Events(np.array([30.0]), np.array([4.0]), np.array([1.0]))
    one, _ = convolve_events(event, TIMES, 'glover', 'event')
    two, names = convolve_events(
        event._replace(heights=np.array([2.0])), TIMES, 'glover + derivative + dispersion', 'event'
    )
    np.testing.assert_allclose(two[:, 0], 2 * one[:, 0], atol=1e-12)
    assert names == ['event', 'event_derivative', 'event_dispersion']


@pytest.mark.filterwarnings('ignore')
def test_maps_equal_those_of_nilearn() -> None:
    shape = (9, 8, 7)
    voxels = int(np.prod(shape))
    design, names = make_design()
    series = make_series(voxels, np.linspace(-2, 2, voxels))
    vector = first(design)
    found = fit_contrast(series, design, vector, np.ones(FRAMES, bool), threads=2)
    # in double precision, or nilearn scales in single
    image = nb.Nifti1Image(series.reshape(*shape, FRAMES).astype(np.float64), np.eye(4))
    model = FirstLevelModel(
        t_r=TR, mask_img=nb.Nifti1Image(np.ones(shape, np.uint8), np.eye(4)), signal_scaling=0,
        noise_model='ar1', standardize=False, minimize_memory=False,
    ).fit(image, design_matrices=pd.DataFrame(design, columns=names))  # fmt: skip
    known = model.compute_contrast(vector, output_type='all')
    for name, mine in (('effect_size', found.effect), ('effect_variance', found.variance),
                       ('stat', found.t), ('z_score', found.z)):  # fmt: skip
        theirs = known[name].get_fdata().ravel()
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6 * np.abs(theirs).max())
    assert found.degrees == FRAMES - design.shape[1]


def test_the_effect_is_recovered_and_z_of_nothing_is_normal() -> None:
    design, _ = make_design()
    truth = np.repeat([0.0, 2.0], [8000, 400])
    found = fit_contrast(make_series(8400, truth), design, first(design), np.ones(FRAMES, bool))
    assert np.mean(found.effect[truth > 0]) == pytest.approx(2, rel=0.02)
    beyond = np.abs(found.z[truth == 0]) > 1.96
    assert 0.03 < beyond.mean() < 0.07
    assert np.std(found.z[truth == 0]) == pytest.approx(1, abs=0.07)
    # the variance that is told is that of the effects
    assert found.variance[truth > 0].mean() == pytest.approx(
        found.effect[truth > 0].var(), rel=0.2
    )


def test_left_out_frames_have_no_influence() -> None:
    keep = np.ones(FRAMES, bool)
    keep[[0, 1, 40, 41, 90]] = False
    design, _ = make_design(keep)
    series = make_series(300, np.full(300, 1.5))
    found = fit_contrast(series, design, first(design), keep)
    spoilt = series.copy()
    spoilt[:, ~keep] *= 3
    other = fit_contrast(spoilt, design, first(design), keep)
    np.testing.assert_allclose(other.effect, found.effect, rtol=1e-4)
    np.testing.assert_allclose(other.z, found.z, rtol=1e-4, atol=1e-4)
    assert found.degrees == FRAMES - design.shape[1]
    assert found.effect.mean() == pytest.approx(1.5, rel=0.05)


def test_voxels_without_a_signal_have_no_value() -> None:
    design, _ = make_design()
    series = make_series(6, np.ones(6))
    series[1], series[2], series[3, 5] = 0, 700, np.nan
    series[4] -= 5000
    found = fit_contrast(series, design, first(design), np.ones(FRAMES, bool))
    assert np.isnan(found.z).tolist() == [False, True, True, True, True, False]


def test_threads_change_nothing() -> None:
    design, _ = make_design()
    series = make_series(5000, np.ones(5000))
    one, three = (
        fit_contrast(series, design, first(design), np.ones(FRAMES, bool), threads)
        for threads in (1, 3)
    )
    for a, b in zip(one[:4], three[:4], strict=True):
        np.testing.assert_array_equal(a, b)


def test_collinear_columns_are_named() -> None:
    design, names = make_design()
    twin = np.column_stack([design, 2 * design[:, 0]])
    share, imitators = find_imitators(twin, [*names, 'twin'], first(twin))
    assert imitators == ['block', 'twin']
    assert share < 0.8
    # what is not in question can be estimated all the same
    assert find_imitators(twin, [*names, 'twin'], (np.arange(twin.shape[1]) == 1) * 1.0) is None
    assert find_imitators(design, names, first(design)) is None


def test_lengths_must_agree() -> None:
    design, _ = make_design()
    with pytest.raises(ValueError, match='do not belong together'):
        fit_contrast(
            make_series(2, np.ones(2))[:, 1:], design, first(design), np.ones(FRAMES, bool)
        )
