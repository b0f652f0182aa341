"""Task runs as files: the design, the maps of contrasts, and why there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mriderived.bids.events import EventsError
from mriderived.bids.stats_model import Condition, Contrast, StatsModel
from mriderived.core.confounds import MOTION
from mriderived.core.first_level import Events, convolve_events
from mriderived.interfaces.series import save_masked
from mriderived.interfaces.sink import remarks_file, write_remarks
from mriderived.interfaces.volumes import load, save
from mriderived.measures.task_design import write_design
from mriderived.measures.task_glm import draw_design, task_measures, write_contrast

SHAPE, FRAMES, TR = (10, 9, 8), 150, 2.0
AFFINE = np.diag([3.0, 3, 3, 1])
MASK = np.zeros(SHAPE, bool)
MASK[1:9, 1:8, 1:7] = True
#: Percent of the mean: faces on the left, houses on the right, nothing in between.
PERCENT = {'face': 1.5, 'house': 0.8}
X = np.nonzero(MASK)[0]
WHERE = {'face': X <= 3, 'house': X >= 6, 'neither': (X == 4) | (X == 5)}
ONSETS = {'face': np.arange(10.0, 280, 48), 'house': np.arange(34.0, 280, 48)}
LAST = 14.0
SLICES = (0.0, 0.5, 1.0, 1.5)
MODEL = StatsModel(
    name='faces',
    tasks=('faces',),
    factors=('trial_type',),
    conditions=(Condition('trial_type.*', 'spm'),),
    confounds=('trans_*', 'rot_*'),
    contrasts=(
        Contrast('face', 'face', ('trial_type.face',), (1.0,)),
        Contrast('f > h', 'fH', ('trial_type.face', 'trial_type.house'), (1.0, -1.0)),
    ),
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_events(**changes: Any) -> Path:
    rows = [
        {'onset': onset, 'duration': LAST, 'trial_type': kind}
        for kind, onsets in ONSETS.items()
        for onset in onsets
    ]
    table = pd.DataFrame(rows).sort_values('onset').assign(**changes)
    path = Path('sub-01_task-faces_events.tsv').absolute()
    table.to_csv(path, sep='\t', index=False, na_rep='n/a')
    return path


def write_confounds(outliers: tuple[int, ...] = (), unsteady: int = 0) -> Path:
    table = pd.DataFrame(np.random.default_rng(5).normal(size=(FRAMES, 6)), columns=list(MOTION))
    table['trans_x_derivative1'] = table['trans_x'].diff()
    marked = {
        f'{prefix}{number:02d}': (np.arange(FRAMES) == frame).astype(int)
        for prefix, frames in (
            ('non_steady_state_outlier', range(unsteady)),
            ('motion_outlier', outliers),
        )
        for number, frame in enumerate(frames)
    }
    table = pd.concat([table, pd.DataFrame(marked)], axis=1)
    path = Path('confounds.tsv').absolute()
    table.to_csv(path, sep='\t', index=False, na_rep='n/a')
    write_remarks(path, RepetitionTime=TR)
    return path


def write_acquisition(slices: tuple[float, ...] | None = SLICES) -> Path:
    content = {
        'repetition_time': TR, 'slice_times': slices, 'slice_axis': 2, 'phase_direction': None,
        'task': 'faces', 'echoes': [{'path': 'bold.nii.gz', 'echo_time': 0.03}],
        'events': None, 'field_map': None, 'notes': [],
    }  # fmt: skip
    path = Path('acquisition.json').absolute()
    path.write_text(json.dumps(content))
    return path


def write_run(noise: float = 1.0) -> tuple[Path, Path]:
    """Write the responses, at the middle of the slices' times, in noise of some percent."""
    times = 0.75 + TR * np.arange(FRAMES)
    rng = np.random.default_rng(2)
    percent = noise * rng.normal(size=(MASK.sum(), FRAMES))
    percent += np.linspace(-1, 1, FRAMES)
    for kind, onsets in ONSETS.items():
        events = Events(onsets, np.full(len(onsets), LAST), np.ones(len(onsets)))
        course = convolve_events(events, times, 'spm', kind)[0][:, 0]
        percent[WHERE[kind]] += PERCENT[kind] * course
    level = rng.uniform(600, 1200, (MASK.sum(), 1))
    series = (level * (1 + percent / 100)).astype(np.float32)
    path = save_masked(series, MASK, AFFINE, TR, 'bold.nii.gz')
    return path, save(MASK.astype(np.uint8), AFFINE, 'mask.nii.gz')


def design(model: StatsModel = MODEL, **changes: Any) -> Path:
    writers = {
        'bold_confounds': write_confounds,
        'bold_acquisition': write_acquisition,
        'bold_events': write_events,
    }
    for name, write in writers.items():
        if name not in changes:
            changes[name] = write()
    return write_design(model=model.to_json(), **changes).task_design


def contrast(path: Path, number: int, **changes: Any) -> Any:
    wanted = MODEL.contrasts[number]
    given = {'name': wanted.name, 'conditions': wanted.conditions, 'weights': wanted.weights}
    return write_contrast(*write_run(), path, **(given | changes))


def said(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remarks_file(path).read_text())
    return found


def test_the_design_holds_what_the_model_names() -> None:
    path = design()
    table = pd.read_csv(path, sep='\t')
    expected = ['trial_type.face', 'trial_type.house', 'trans_x', 'trans_x_derivative1',
                'trans_y', 'trans_z', 'rot_x', 'rot_y', 'rot_z']  # fmt: skip
    assert sorted(expected) == sorted(list(table)[:9])
    drifts = [name for name in table if name.startswith('drift_')]
    assert len(drifts) == int(2 * FRAMES * TR / 128) - 1
    assert list(table)[-1] == 'constant'
    np.testing.assert_allclose(table[expected[2:]].std(ddof=0), 1, rtol=0.02)
    remarks = said(path)
    # the middle of the times of the slices, to which the series was brought
    assert remarks['StartTime'] == 0.75
    assert remarks['HighPassHz'] == 1 / 128
    assert remarks['DegreesOfFreedomLeft'] == FRAMES - table.shape[1]
    assert remarks['Notes'] == []
    assert draw_design(path)[0].axes


def test_without_slice_times_volumes_stand_for_their_middle() -> None:
    assert said(design(bold_acquisition=write_acquisition(None)))['StartTime'] == TR / 2


def test_effects_are_recovered_in_percent() -> None:
    path = design()
    found = contrast(path, 0)
    effect = load(found.effect)[MASK]
    assert effect[WHERE['face']].mean() == pytest.approx(1.5, rel=0.05)
    assert effect[WHERE['neither']].mean() == pytest.approx(0, abs=0.05)
    assert np.median(load(found.z)[MASK][WHERE['face']]) > 5
    assert not load(found.t)[~MASK].any()
    remarks = said(found.effect)
    assert remarks['Contrast'] == {'trial_type.face': 1.0}
    assert remarks['NoiseModel'] == 'AR(1)'
    assert remarks['DegreesOfFreedom'] == said(path)['DegreesOfFreedomLeft']
    difference = load(contrast(path, 1).effect)[MASK]
    assert difference[WHERE['house']].mean() == pytest.approx(-0.8, rel=0.05)
    assert difference[WHERE['face']].mean() == pytest.approx(1.5, rel=0.05)


def test_left_out_volumes_get_a_column_each() -> None:
    confounds = write_confounds(outliers=(60, 61), unsteady=2)
    plain = design(bold_confounds=confounds)
    assert said(plain)['CensoredVolumes'] == [0, 1]
    scrubbed = design(bold_confounds=confounds, censor=True)
    assert said(scrubbed)['CensoredVolumes'] == [0, 1, 60, 61]
    asked = MODEL.__class__(**{**MODEL.__dict__, 'confounds': ('trans_*', 'motion_outlier*')})
    path = design(asked, bold_confounds=confounds)
    assert said(path)['CensoredVolumes'] == [0, 1, 60, 61]
    names = list(pd.read_csv(path, sep='\t'))
    assert [name for name in names if 'outlier' in name or 'censored' in name] == [
        'censored_000', 'censored_001', 'censored_060', 'censored_061',
    ]  # fmt: skip
    assert said(contrast(path, 0).effect)['VolumesCensored'] == 4


def test_numbers_in_a_column_of_the_events_are_heights() -> None:
    rating = np.where(np.arange(len(write_events().read_text().splitlines()) - 1) % 3, 2.0, np.nan)
    model = MODEL.__class__(**{**MODEL.__dict__, 'conditions': (Condition('rating', 'glover'),)})
    table = pd.read_csv(design(model, bold_events=write_events(rating=rating)), sep='\t')
    onsets = pd.read_csv('sub-01_task-faces_events.tsv', sep='\t')['onset'].to_numpy()
    known = onsets[~np.isnan(rating)]
    events = Events(known, np.full(len(known), LAST), np.full(len(known), 2.0))
    course = convolve_events(events, 0.75 + TR * np.arange(FRAMES), 'glover', 'rating')[0][:, 0]
    np.testing.assert_allclose(table['rating'], course, atol=1e-9)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'onset': 1e6}, 'begin after the end of the run'),
        ({'duration': np.nan}, 'events of trial_type.face have no duration of 0 s or more'),
        ({'trial_type': 'n/a'}, r'holds no events of trial_type.\*'),
    ],
)
def test_events_that_cannot_be_used_fail_with_a_reason(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(EventsError, match=message):
        design(bold_events=write_events(**changes))


def test_missing_events_columns_and_confounds_fail_with_a_reason() -> None:
    with pytest.raises(EventsError, match=r'there is no events.tsv for this run of faces'):
        design(bold_events=None)
    events = write_events()
    events.write_text(events.read_text().replace('trial_type', 'kind'))
    with pytest.raises(EventsError, match='has no column trial_type'):
        design(bold_events=events)
    model = MODEL.__class__(**{**MODEL.__dict__, 'confounds': ('csf',)})
    with pytest.raises(ValueError, match="'csf', which is neither a condition"):
        design(model)
    text = MODEL.__class__(**{**MODEL.__dict__, 'conditions': (Condition('trial_type', 'spm'),)})
    with pytest.raises(EventsError, match='trial_type is not a number in lines 2, 3'):
        design(text)


def test_a_condition_without_events_fails_its_contrasts_only() -> None:
    both = (Condition('trial_type.face', 'spm'), Condition('trial_type.house', 'spm'))
    model = MODEL.__class__(**{**MODEL.__dict__, 'conditions': both})
    path = design(model, bold_events=write_events(trial_type='face'))
    assert said(path)['ConditionsWithoutEvents'] == ['trial_type.house']
    assert said(path)['Notes'] == ['No events of trial_type.house in this run.']
    assert load(contrast(path, 0).z).any()
    with pytest.raises(ValueError, match=r"'f > h' needs trial_type.house, of which this run has"):
        contrast(path, 1)


def test_a_collinear_design_fails_the_contrasts_that_it_spoils() -> None:
    path = design()
    table = pd.read_csv(path, sep='\t')
    table.insert(2, 'twin', table['trial_type.house'] * 2)
    table.to_csv(path, sep='\t', index=False)
    assert load(contrast(path, 0).z).any()
    with pytest.raises(ValueError, match=r'collinear \(trial_type.house, twin can stand for'):
        contrast(path, 1)


def test_too_few_degrees_of_freedom_are_an_error() -> None:
    with pytest.raises(ValueError, match=r'degrees of freedom are left \(130 volumes left out'):
        design(bold_confounds=write_confounds(unsteady=130))


def test_a_model_adds_a_design_and_its_contrasts() -> None:
    names = [measure.name for measure in task_measures(MODEL)]
    assert names == ['task_glm', 'task_glm_face', 'task_glm_f_h']
    assert {measure.scope.family for measure in task_measures(MODEL)} == {'task_glm'}
    other = MODEL.__class__(**{**MODEL.__dict__, 'high_pass_hz': 0.01})
    assert task_measures(other)[1].scope.key != task_measures(MODEL)[1].scope.key
