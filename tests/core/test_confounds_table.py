"""The table of confounds: columns, expansions, outliers, and whether nilearn takes it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds_strategy

from mriderived.core.compcor import anatomical_compcor, temporal_compcor
from mriderived.core.confounds import (
    MOTION,
    Confounds,
    assemble_confounds,
    expand,
    find_outliers,
    mark_frames,
    mean_signals,
)
from mriderived.core.dvars import compute_dvars

FRAMES, TR, DUMMIES = 160, 2.0, 2


def make_series() -> np.ndarray:
    rng = np.random.default_rng(0)
    series = rng.normal(1000, 10, (1200, FRAMES))
    series += 5 * rng.normal(size=(1200, 1)) * rng.normal(size=FRAMES)
    series[:, :DUMMIES] += 300
    series[:, 80] += 60
    return series.astype(np.float32)


def make_motion() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    values = np.cumsum(rng.normal(0, 0.01, (FRAMES, 6)), axis=0)
    motion = pd.DataFrame(values, columns=list(MOTION))
    motion['framewise_displacement'] = rng.uniform(0.05, 0.2, FRAMES)
    motion.loc[[40, 41], 'framewise_displacement'] = 0.9
    motion.loc[0, 'framewise_displacement'] = np.nan
    return motion


@pytest.fixture(scope='module')
def confounds() -> Confounds:
    series = make_series()
    place = np.arange(len(series))
    csf, wm = place < 400, (place >= 400) & (place < 800)
    brain = place >= 0
    components = (
        temporal_compcor(series, brain, TR, DUMMIES),
        anatomical_compcor(series, csf, wm, TR, DUMMIES),
    )
    signals = mean_signals(series, brain, csf, wm)
    return assemble_confounds(
        make_motion(), signals, compute_dvars(series), components, TR, DUMMIES
    )


def test_the_columns_are_those_of_fmriprep(confounds: Confounds) -> None:
    table = confounds.table
    assert len(table) == FRAMES
    assert not table.columns.duplicated().any()
    for name in ('csf', 'white_matter', 'global_signal', *MOTION):
        for suffix in ('', '_derivative1', '_power2', '_derivative1_power2'):
            assert name + suffix in table
    for name in ('csf_wm', 'dvars', 'std_dvars', 'framewise_displacement', 'cosine_00'):
        assert name in table
    for name in ('a_comp_cor_00', 'c_comp_cor_00', 'w_comp_cor_00', 't_comp_cor_00'):
        assert name in table
    assert [name for name in table if name.startswith('non_steady')] == [
        'non_steady_state_outlier00',
        'non_steady_state_outlier01',
    ]
    assert set(confounds.metadata) & set(table) == {name for name in table if 'comp_cor' in name}


def test_only_the_first_frame_has_missing_values(confounds: Confounds) -> None:
    missing = confounds.table.isna()
    assert not missing.iloc[1:].to_numpy().any()
    assert missing.loc[0, 'trans_x_derivative1'] and missing.loc[0, 'dvars']


@pytest.mark.parametrize('strategy', ['simple', 'scrubbing', 'compcor'])
@pytest.mark.filterwarnings('ignore')
def test_nilearn_loads_the_table(strategy: str, confounds: Confounds, tmp_path: Path) -> None:
    stem = tmp_path / 'sub-1_task-rest_desc-confounds_timeseries'
    confounds.table.to_csv(stem.with_suffix('.tsv'), sep='\t', index=False, na_rep='n/a')
    stem.with_suffix('.json').write_text(json.dumps(confounds.metadata))
    image = tmp_path / 'sub-1_task-rest_space-T1w_desc-preproc_bold.nii.gz'
    image.touch()
    loaded, kept = load_confounds_strategy(str(image), denoise_strategy=strategy)
    assert len(loaded) == FRAMES
    assert np.isfinite(loaded.to_numpy()).all()
    assert {'trans_x_derivative1_power2', 'cosine_00'} <= set(loaded)
    assert ('a_comp_cor_00' in loaded) == (strategy == 'compcor')
    # All leave out what is not in steady state, scrubbing also what moved.
    dropped = {0, 1, 40, 41, 80} if strategy == 'scrubbing' else {0, 1}
    assert not set(kept) & dropped


def test_outliers_are_marked_one_by_one(confounds: Confounds) -> None:
    columns = [name for name in confounds.table if name.startswith('motion_outlier')]
    assert columns == [f'motion_outlier{number:02d}' for number in range(len(columns))]
    marked = confounds.table[columns].to_numpy()
    assert (marked.sum(axis=0) == 1).all()
    assert {40, 41, 80, 81} <= set(marked.argmax(axis=0))
    assert mark_frames(np.zeros(5, bool), 'x').shape == (5, 0)
    assert find_outliers([np.nan, 0.5, 0.5], [np.nan, 1.5, 1.6]).tolist() == [False, False, True]


def test_expansions_agree_with_plain_differences() -> None:
    values = np.random.default_rng(2).normal(size=50)
    wide = expand(pd.DataFrame({'rot_x': values}), ['rot_x'])
    np.testing.assert_array_equal(wide['rot_x_derivative1'][1:], np.diff(values))
    np.testing.assert_array_equal(wide['rot_x_power2'], values**2)
    np.testing.assert_array_equal(wide['rot_x_derivative1_power2'][1:], np.diff(values) ** 2)


def test_signals_are_the_means_of_their_masks() -> None:
    series = make_series()
    place = np.arange(len(series))
    csf, wm = place < 10, place >= 1100
    found = mean_signals(series, place >= 0, csf, wm)
    np.testing.assert_allclose(found.csf, series[:10].mean(axis=0, dtype=np.float64), rtol=1e-12)
    both = series[csf | wm].mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(found.csf_wm, both, rtol=1e-12)
    assert np.isnan(mean_signals(series, place >= 0, csf, place < 0).white_matter).all()


def test_a_signal_without_voxels_has_no_columns() -> None:
    series = make_series()
    none = np.zeros(len(series), bool)
    signals = mean_signals(series, ~none, none, none)
    found = assemble_confounds(make_motion(), signals, compute_dvars(series), (), TR)
    assert 'global_signal_power2' in found.table
    assert not any(name.startswith(('csf', 'white')) for name in found.table)
    assert found.metadata == {}


def test_missing_motion_is_named() -> None:
    series = make_series()
    everywhere = np.ones(len(series), bool)
    signals = mean_signals(series, everywhere, everywhere, everywhere)
    motion = make_motion()
    with pytest.raises(ValueError, match='motion lacks rot_z'):
        assemble_confounds(motion.drop(columns='rot_z'), signals, compute_dvars(series), (), TR)
    with pytest.raises(ValueError, match='motion has 150 frames and DVARS 160'):
        assemble_confounds(motion[:150], signals, compute_dvars(series), (), TR)
