"""How much of an image a plan reads: all for a run, and for a preview no more than it must."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.bids import known_files
from mriderived.config import Config
from mriderived.workflows import bold_source, contrast_source
from mriderived.workflows.plan import PlannedUnit, plan_participant
from mriderived.workflows.plan_preview import plan_participants

SHAPE = (64, 64, 64)
Edit = Callable[[np.ndarray], None]


@pytest.fixture(autouse=True)
def all_have_rested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_files, 'REST', -1.0)


def head() -> np.ndarray:
    """A ball of noise with a radius of 84 mm."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in SHAPE], indexing='ij'))
    noise = np.random.default_rng(0).normal(800, 30, SHAPE)
    return np.where((grid**2).sum(axis=0) < 0.75, noise, 10).astype(np.float32)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    root = tmp_path / 'bids'
    folder = root / 'sub-01'
    (folder / 'anat').mkdir(parents=True)
    (folder / 'func').mkdir()
    (root / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    nb.save(nb.Nifti1Image(head(), affine), folder / 'anat' / 'sub-01_T1w.nii.gz')
    rng = np.random.default_rng(1)
    series = np.stack([head() + rng.normal(0, 5, SHAPE) for _ in range(4)], axis=-1)
    image = nb.Nifti1Image(series.astype(np.float32), affine)
    image.header.set_zooms((3, 3, 3, 2))
    nb.save(image, folder / 'func' / 'sub-01_task-rest_bold.nii.gz')
    sidecar = {'RepetitionTime': 2.0, 'TaskName': 'rest'}
    (folder / 'func' / 'sub-01_task-rest_bold.json').write_text(json.dumps(sidecar))
    return Config(root, tmp_path / 'out', tmp_path / 'work', measures=('tissue_volume', 'tsnr'))


def preview(config: Config) -> dict[str, PlannedUnit]:
    """Return one unit of each kind of image."""
    units = plan_participants(config, ['01'])
    return {unit.image.split('_')[-1].split('.')[0]: unit for unit in units}


def states(config: Config) -> dict[str, str]:
    units = plan_participant(config, '01').units
    return {unit.image.split('_')[-1].split('.')[0]: unit.state for unit in units}


def save_plan(config: Config) -> None:
    """Plan as a run does."""
    plan = plan_participant(config, '01')
    assert plan.files is not None
    plan.files.save()


@pytest.mark.parametrize('kind', ['T1w', 'bold'])
def test_a_preview_names_a_truncated_file(config: Config, kind: str) -> None:
    (path,) = config.bids_dir.rglob(f'*_{kind}.nii.gz')
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = preview(config)
    assert found[kind].state == 'bad input'
    assert 'truncated' in found[kind].reason
    assert {unit.is_unread for name, unit in found.items() if name != kind} == {True}
    assert states(config)[kind] == 'bad input'


@pytest.mark.parametrize('kind', ['T1w', 'bold'])
def test_values_are_read_by_a_run_and_known_from_then_on(config: Config, kind: str) -> None:
    (path,) = config.bids_dir.rglob(f'*_{kind}.nii.gz')
    image = nb.load(path)
    data = np.asarray(image.dataobj)
    data[20:40, 20:40] = np.nan
    nb.save(nb.Nifti1Image(data, image.affine, image.header), path)
    assert {(unit.state, unit.is_unread) for unit in preview(config).values()} == {
        ('to run', True)
    }
    assert not config.out_dir.exists()
    save_plan(config)
    found = preview(config)
    assert (found[kind].state, found[kind].is_unread) == ('bad input', False)
    assert 'NaN or infinite' in found[kind].reason
    other = next(unit for name, unit in found.items() if name != kind)
    assert (other.state, other.is_unread) == ('to run', False)


def test_what_is_known_is_not_read_again_and_gives_the_same_plan(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = plan_participant(config, '01')
    save_plan(config)

    def refuse(path: Path) -> None:
        raise AssertionError(f'{path} was read again')

    monkeypatch.setattr(contrast_source, 'look_at_volume', refuse)
    monkeypatch.setattr(bold_source, 'look_at_series', refuse)
    monkeypatch.setattr(known_files, 'hash_file', refuse)
    again = plan_participant(config, '01')
    assert again.units == first.units
    assert again.checks == first.checks
