"""A broken run of BOLD is failed, with its reason; nothing else is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest

from mriderived.config import Config
from mriderived.workflows.participant import init_participant_wf
from mriderived.workflows.plan import plan_participant

SHAPE = (40, 40, 40)
Change = Callable[[np.ndarray, dict[str, Any]], np.ndarray]


def draw_series(volumes: int = 12) -> np.ndarray:
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in SHAPE], indexing='ij'))
    rng = np.random.default_rng(0)
    head = np.where((grid**2).sum(axis=0) < 0.75, rng.normal(800, 30, SHAPE), 10)
    noise = rng.normal(0, 5, (*SHAPE, volumes))
    return np.asarray(np.abs(head[..., None] + noise), np.float32)


def without_time(series: np.ndarray, sidecar: dict[str, Any]) -> np.ndarray:
    del sidecar['RepetitionTime']
    return series


def in_milliseconds(series: np.ndarray, sidecar: dict[str, Any]) -> np.ndarray:
    sidecar['RepetitionTime'] = 2000
    return series


def other_time(series: np.ndarray, sidecar: dict[str, Any]) -> np.ndarray:
    sidecar['RepetitionTime'] = 3.1
    return series


def one_volume(series: np.ndarray, sidecar: dict[str, Any]) -> np.ndarray:
    return series[..., :1]


def three_volumes(series: np.ndarray, sidecar: dict[str, Any]) -> np.ndarray:
    return series[..., :3]


def volume_without_numbers(series: np.ndarray, sidecar: dict[str, Any]) -> np.ndarray:
    series[..., 5] = np.nan
    return series


def copies(series: np.ndarray, sidecar: dict[str, Any]) -> np.ndarray:
    return np.repeat(series[..., :1], 12, axis=3)


FAULTS: dict[str, tuple[Change, str]] = {
    'no repetition time': (without_time, 'RepetitionTime'),
    'time in ms': (in_milliseconds, 'milliseconds'),
    'header and sidecar disagree': (other_time, 'RepetitionTime'),
    'one volume': (one_volume, 'one volume'),
    'three volumes': (three_volumes, 'volumes'),
    'a volume of NaN': (volume_without_numbers, 'NaN or infinite'),
    'copies of one volume': (copies, 'copies'),
}


def write_run(folder: Path, task: str, change: Change | None) -> None:
    sidecar: dict[str, Any] = {'RepetitionTime': 2.0, 'TaskName': task}
    series = draw_series()
    if change:
        series = change(series, sidecar)
    image = nb.Nifti1Image(series, np.diag([4.0, 4.0, 4.0, 1.0]))
    image.header.set_zooms((4, 4, 4, 2))
    image.header.set_xyzt_units('mm', 'sec')
    stem = folder / f'sub-01_task-{task}_bold'
    nb.save(image, f'{stem}.nii.gz')
    Path(f'{stem}.json').write_text(json.dumps(sidecar))


@pytest.mark.parametrize('fault', FAULTS)
def test_a_broken_run_fails_and_the_other_is_processed(fault: str, tmp_path: Path) -> None:
    change, words = FAULTS[fault]
    root = tmp_path / 'bids'
    folder = root / 'sub-01' / 'func'
    folder.mkdir(parents=True)
    (root / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    write_run(folder, 'broken', change)
    write_run(folder, 'sound', None)
    config = Config(root, tmp_path / 'out', tmp_path / 'work', measures=('tsnr',))
    plan = plan_participant(config, '01')
    broken = [unit for unit in plan.units if '_task-broken_' in unit.image]
    assert {unit.state for unit in broken} == {'bad input'}
    assembly = init_participant_wf(config, plan)
    (first, reason), *others = [assembly.refused[unit.key] for unit in broken]
    assert first == 'failed'
    assert words in reason
    assert 'sub-01_task-broken_bold.nii.gz' in reason
    assert {status for status, _ in others} <= {'skipped', 'not_available'}
    done = {unit.measure.name for unit in assembly.units.values() if 'sound' in unit.image}
    assert {'bold_motion', 'tsnr'} <= done
