"""Which columns and frames a named strategy takes."""

import numpy as np
import pandas as pd
import pytest

from mriderived.core.confounds import MOTION, SIGNALS, expand, mark_frames
from mriderived.core.denoising import make_design
from mriderived.core.strategies import STRATEGIES, find_kept, select_confounds, settle_strategy

FRAMES = 60


def make_table(outliers: tuple[int, ...] = (20, 24, 40)) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = [*MOTION, *SIGNALS]
    table = expand(pd.DataFrame(rng.normal(size=(FRAMES, len(names))), columns=names), names)
    components = [f'{prefix}_comp_cor_{n:02d}' for prefix in 'acw' for n in range(7)]
    table[components] = rng.normal(size=(FRAMES, len(components)))
    table[['cosine_00', 'cosine_01']] = 1.0
    frame = np.arange(FRAMES)
    marked = mark_frames(np.isin(frame, outliers), 'motion_outlier')
    return pd.concat([table, mark_frames(frame < 2, 'non_steady_state_outlier'), marked], axis=1)


def make_metadata() -> dict[str, dict[str, str]]:
    kept = {name: {'Mask': 'x'} for name in make_table() if 'comp_cor' in name}
    return {**kept, 'dropped_0': {'Mask': 'CSF'}}


@pytest.mark.parametrize(
    ('name', 'count'),
    [
        ('6P', 6),
        ('8P', 8),
        ('9P', 9),
        ('24P', 24),
        ('24P+GSR', 28),
        ('36P', 36),
        ('24P+aCompCor', 34),
        ('24P+aCompCor50', 38),
    ],
)
def test_each_strategy_has_its_number_of_columns(name: str, count: int) -> None:
    found = select_confounds(name, make_table(), make_metadata())
    assert found.confounds.shape == (FRAMES, count)
    assert len(set(found.columns)) == count
    assert np.flatnonzero(~found.keep).tolist() == [0, 1]
    high = select_confounds(name, make_table(), make_metadata(), high_pass=True)
    assert len(high.columns) == count + 2


def test_components_of_both_tissues_in_their_order() -> None:
    found = select_confounds('24P+aCompCor', make_table(), make_metadata())
    expected = [f'{prefix}_comp_cor_{n:02d}' for prefix in 'cw' for n in range(5)]
    assert list(found.columns[24:]) == expected


def test_scrubbing_censors_outliers_and_short_runs() -> None:
    found = select_confounds('36P+scrub', make_table(), make_metadata())
    assert np.flatnonzero(~found.keep).tolist() == [0, 1, 20, 21, 22, 23, 24, 40]
    assert find_kept(make_table((3, 57)), True).tolist() == [4 <= n < 57 for n in range(FRAMES)]


def test_a_difference_from_a_censored_frame_is_no_confound() -> None:
    table = make_table()
    found = select_confounds('36P+scrub', table, make_metadata())
    missing = np.isnan(found.confounds)
    is_difference = np.array(['_derivative1' in name for name in found.columns])
    after = np.flatnonzero(~np.concatenate([[False], found.keep[:-1]]))
    assert not missing[:, ~is_difference].any()
    assert np.array_equal(np.flatnonzero(missing[:, is_difference].all(axis=1)), after)
    assert np.array_equal(np.flatnonzero(missing.any(axis=1)), after)
    # the frame before which one was censored is the mean of its column: no spike
    table.loc[40, 'global_signal'] += 1e6
    spiked = expand(table[['global_signal']], ['global_signal'])
    table[spiked.columns] = spiked
    again = select_confounds('36P+scrub', table, make_metadata())
    one = make_design(found.confounds, found.keep, 2.0, None, 1).basis
    other = make_design(again.confounds, again.keep, 2.0, None, 1).basis
    assert np.abs(one @ one.T - other @ other.T).max() < 1e-8


def test_steady_frames_all_stay_without_outliers() -> None:
    assert find_kept(make_table(()), True).sum() == FRAMES - 2


def test_every_strategy_is_listed_with_scrubbing() -> None:
    assert {'36P', '36P+scrub', '24P+aCompCor', '24P+aCompCor+scrub', '6P', '9P'} <= set(
        STRATEGIES
    )
    for name in STRATEGIES:
        select_confounds(name, make_table(), make_metadata())


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no strategy '42P'; there are 6P, 6P\\+scrub"):
        select_confounds('42P', make_table(), {})
    with pytest.raises(ValueError, match='9P needs confounds that are not there: csf'):
        select_confounds('9P', make_table().drop(columns='csf'), {})
    with pytest.raises(ValueError, match='there are no columns c_comp_cor_XX'):
        select_confounds('24P+aCompCor', make_table(), {})


@pytest.mark.parametrize('ending', ['', '+scrub'])
def test_auto_does_without_tissues_where_one_of_them_lacks(ending: str) -> None:
    table = make_table()
    assert settle_strategy(f'auto{ending}', table) == (f'36P{ending}', ())
    found = settle_strategy(f'auto{ending}', table.drop(columns='csf'))
    assert found == (f'24P+GSR{ending}', ('csf',))
    columns = select_confounds(found.strategy, table, {}).columns
    assert columns[24:] == tuple(
        f'global_signal{suffix}'
        for suffix in ('', '_derivative1', '_power2', '_derivative1_power2')
    )


def test_a_strategy_that_was_named_is_never_another() -> None:
    bare = make_table().drop(columns=['csf', 'white_matter'])
    for name in STRATEGIES:
        assert settle_strategy(name, bare) == (name, ())
