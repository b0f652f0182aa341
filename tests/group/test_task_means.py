"""The mean of contrasts over participants."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from scipy import stats

from mriderived.bids.stats_model import Condition, Contrast, StatsModel
from mriderived.group.records import Cohort, Row, Unit
from mriderived.group.task_means import write_task_means
from mriderived.measures.registry import find_measures

SPACE = 'MNI152NLin2009cAsym'
MODEL = StatsModel(
    'm', ('faces',), ('trial_type',), (Condition('trial_type.a', 'spm'),), (),
    (Contrast('a', 'a', ('trial_type.a',), (1.0,)),),
)  # fmt: skip
MEASURES = find_measures(model=MODEL)
AFFINE = np.diag([2.0, 2, 2, 1])
NAME = f'tpl-{SPACE}/func/tpl-{SPACE}_task-faces_res-2_contrast-a_stat-%s_statmap'


def write(out_dir: Path, values: dict[tuple[str, str], np.ndarray]) -> Cohort:
    """Write the map of each session and participant."""
    cohort = Cohort(rows=tuple(Row(*key) for key in values))
    units = {}
    for (session, label), data in values.items():
        name = f'sub-{label}_ses-{session}_effect.nii.gz'
        nb.Nifti1Image(data.astype(np.float32), AFFINE).to_filename(out_dir / name)
        units[Row(session, label)] = Unit('done', '', (name,), 'bold.nii.gz')
    units[Row('1', 'lost')] = Unit('failed', 'no events', (), 'bold.nii.gz')
    cohort.units['task_a_effect_in_space', SPACE] = units
    return cohort


def load(out_dir: Path, stat: str) -> np.ndarray:
    return np.asarray(nb.load(out_dir / f'{NAME % stat}.nii.gz').dataobj)


def test_means_are_over_participants_and_not_over_sessions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    maps = {(s, f'{n}'): rng.normal(1, 1, (3, 3, 3)) for n in range(5) for s in '12'}
    maps['1', '4'][0, 0, 0] = maps['2', '4'][0, 0, 0] = 0  # no value
    for key in list(maps):
        if key[1] != '4':
            maps[key][1, 1, 1] = 0
    (mean,) = write_task_means(tmp_path, write(tmp_path, maps), MEASURES)
    assert mean[:4] == ('a', 'faces', SPACE, 5)
    assert [str(path) for path in mean.paths.values()] == [
        f'{NAME % stat}.nii.gz' for stat in ('effect', 't', 'z', 'number')
    ]
    own = np.array([(maps['1', f'{n}'] + maps['2', f'{n}']) / 2 for n in range(5)])
    known = stats.ttest_1samp(own, 0)
    np.testing.assert_allclose(load(tmp_path, 'effect')[2], own.mean(axis=0)[2], rtol=1e-5)
    np.testing.assert_allclose(load(tmp_path, 't')[2], known.statistic[2], rtol=1e-4)
    np.testing.assert_allclose(
        2 * stats.norm.sf(np.abs(load(tmp_path, 'z')[2])), known.pvalue[2], rtol=1e-3
    )
    number = load(tmp_path, 'number')
    assert (number[0, 0, 0], number[1, 1, 1], number[2, 2, 2]) == (4, 1, 5)
    # fewer than half of the participants make no mean
    assert load(tmp_path, 'effect')[1, 1, 1] == load(tmp_path, 't')[1, 1, 1] == 0
    sidecar = json.loads((tmp_path / f'{NAME % "t"}.json').read_text())
    assert sidecar['NumberOfParticipants'] == 5
    assert len(sidecar['Sources']) == 10
    assert sidecar['Units'] == '1'


def test_too_few_participants_are_a_warning_and_leave_nothing_behind(tmp_path: Path) -> None:
    maps = {('1', f'{n}'): np.ones((2, 2, 2)) + n for n in range(3)}
    write_task_means(tmp_path, write(tmp_path, maps), MEASURES)
    assert (tmp_path / f'{NAME % "t"}.nii.gz').exists()
    del maps['1', '2']
    cohort = write(tmp_path, maps)
    assert write_task_means(tmp_path, cohort, MEASURES) == ()
    assert cohort.warnings == [f'no mean of a in {SPACE}: 2 participants have it, 3 are needed']
    assert not list((tmp_path / f'tpl-{SPACE}').rglob('*statmap*'))


@pytest.mark.parametrize('measures', [find_measures(), ()])
def test_without_a_model_there_is_nothing(tmp_path: Path, measures: tuple) -> None:
    assert write_task_means(tmp_path, Cohort(), measures) == ()


def test_a_damaged_map_is_left_out_with_a_warning(tmp_path: Path) -> None:
    maps = {('1', f'{n}'): np.full((4, 4, 4), 1.0 + n) for n in range(5)}
    cohort = write(tmp_path, maps)
    for label, (start, end) in {'0': (0, 60), '3': (0, -20)}.items():
        path = tmp_path / f'sub-{label}_ses-1_effect.nii.gz'
        path.write_bytes(path.read_bytes()[start:end])
    (mean,) = write_task_means(tmp_path, cohort, MEASURES)
    assert mean.participants == 3
    np.testing.assert_allclose(load(tmp_path, 'effect'), (2 + 3 + 5) / 3, rtol=1e-6)
    assert [warning.partition(' cannot be read')[0] for warning in cohort.warnings] == [
        'sub-0_ses-1: sub-0_ses-1_effect.nii.gz',
        'sub-3_ses-1: sub-3_ses-1_effect.nii.gz',
    ]


def test_the_grid_is_that_of_most(tmp_path: Path) -> None:
    """The first has another shape, the second lies elsewhere."""
    maps = {('1', f'{n}'): np.full((4, 4, 4), 1.0 + n) for n in range(6)}
    maps['1', '0'] = np.ones((5, 4, 4))
    cohort = write(tmp_path, maps)
    moved = AFFINE.copy()
    moved[0, 3] = 10
    path = tmp_path / 'sub-1_ses-1_effect.nii.gz'
    nb.Nifti1Image(np.full((4, 4, 4), 2, np.float32), moved).to_filename(path)
    (mean,) = write_task_means(tmp_path, cohort, MEASURES)
    assert mean.participants == 4
    np.testing.assert_allclose(load(tmp_path, 'effect'), (3 + 4 + 5 + 6) / 4, rtol=1e-6)
    assert [warning[:11] for warning in cohort.warnings] == ['sub-0_ses-1', 'sub-1_ses-1']
    assert all('is not that of most' in warning for warning in cohort.warnings)
