"""Multi-echo runs are combined by the T2* that their echoes tell."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.core.echo_combination import echo_weights, fit_t2star
from mriderived.interfaces.volumes import load
from mriderived.workflows.func_motion import MATRIX
from mriderived.workflows.func_series import resample_bold

TIMES = (0.012, 0.030, 0.048)
SHAPE, LENGTH = (14, 14, 10), 12
AFFINE = np.diag([3.0, 3, 3, 1])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """T2* of 30 ms on one side and 60 ms on the other; S0 waxes and wanes by 2 %."""
    monkeypatch.chdir(tmp_path)
    t2star = np.full(SHAPE, 0.03)
    t2star[7:] = 0.06
    level = 1000 * (1 + 0.02 * np.sin(np.arange(LENGTH)))
    echoes = []
    for number, time in enumerate(TIMES, 1):
        data = level * np.exp(-time / t2star)[..., None]
        path = tmp_path / f'echo-{number}.nii.gz'
        nb.Nifti1Image(data.astype(np.float32), AFFINE).to_filename(path)
        echoes.append({'path': str(path), 'echo_time': time})
    acquisition = {
        'repetition_time': 2.0, 'slice_times': None, 'slice_axis': 2, 'phase_direction': None,
        'task': 'rest', 'echoes': echoes, 'events': None, 'field_map': None, 'notes': [],
    }  # fmt: skip
    (tmp_path / 'acquisition.json').write_text(json.dumps(acquisition))
    motion = pd.DataFrame(np.tile(np.eye(4)[:3].ravel(), (LENGTH, 1)), columns=list(MATRIX))
    motion.assign(steady=1, spoilt=0).to_csv(tmp_path / 'motion.tsv', sep='\t', index=False)
    nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE).to_filename(tmp_path / 'shift.nii.gz')
    return {
        'raw_bold': tmp_path / 'echo-1.nii.gz',
        'bold_acquisition': tmp_path / 'acquisition.json',
        'bold_motion': tmp_path / 'motion.tsv',
        'bold_displacement': tmp_path / 'shift.nii.gz',
    }


def test_t2star_is_found_exactly_without_noise() -> None:
    t2star = np.linspace(0.01, 0.1, 8, dtype=np.float32).reshape(2, 2, 2)
    means = [(800 * np.exp(-time / t2star)).astype(np.float32) for time in TIMES]
    assert fit_t2star(means, TIMES) == pytest.approx(t2star, rel=1e-4)


def test_a_signal_that_grows_has_no_t2star_and_the_usual_weights() -> None:
    means = [np.full((1, 1, 1), value, np.float32) for value in (100, 110, 120)]
    found = fit_t2star(means, TIMES)
    assert found[0, 0, 0] == 0
    expected = np.array(TIMES) * np.exp(-np.array(TIMES) / 0.045)
    assert echo_weights(found, TIMES).ravel() == pytest.approx(expected / expected.sum(), abs=1e-6)


def test_echoes_are_weighted_where_they_show_most(run: dict[str, Path]) -> None:
    found = load(resample_bold(**run).bold_preproc)
    assert found.shape == (*SHAPE, LENGTH)
    times = np.array(TIMES)
    for x, t2star in ((3, 0.03), (10, 0.06)):
        weights = times * np.exp(-times / t2star)
        level = 1000 * (weights / weights.sum() * np.exp(-times / t2star)).sum()
        course = level * (1 + 0.02 * np.sin(np.arange(LENGTH)))
        assert found[x, 7, 5] == pytest.approx(course, rel=2e-3)


def test_without_echo_times_the_step_fails_with_a_remedy(run: dict[str, Path]) -> None:
    path = run['bold_acquisition']
    content = json.loads(path.read_text())
    content['echoes'][1]['echo_time'] = None
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='needs the EchoTime of every echo'):
        resample_bold(**run)


def test_echo_times_must_ascend() -> None:
    means = [np.ones((1, 1, 1), np.float32)] * 2
    with pytest.raises(ValueError, match='echo times must ascend'):
        fit_t2star(means, (0.03, 0.01))
