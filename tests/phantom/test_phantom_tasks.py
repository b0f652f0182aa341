"""What was planted in synthetic runs of a task, and of several echoes, and what the steps find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mriderived.bids.sidecar import write_json
from mriderived.bids.stats_model import Condition, Contrast, StatsModel
from mriderived.config import Config
from mriderived.core.first_level import Events, convolve_events
from mriderived.interfaces.volumes import load, save
from mriderived.measures.t2star import write_t2star
from mriderived.measures.task_design import write_design
from mriderived.measures.task_glm import write_contrast
from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.bold_scene import T2STAR
from mriderived.phantom.bold_tasks import LENGTH, list_onsets, respond
from mriderived.phantom.bold_truth import BoldTruth
from mriderived.phantom.dataset import bold_truth, truth, write_dataset
from mriderived.workflows.func_confounds import find_confounds
from mriderived.workflows.func_distortion import find_distortion
from mriderived.workflows.func_motion import estimate_motion
from mriderived.workflows.func_series import resample_bold
from mriderived.workflows.sources import find_sources

#: A quiet head, so that what is left is the noise of the scanner.
QUIET = {'network_percent': 0.0, 'csf_percent': 0.0, 'white_percent': 0.0, 'field_map': 'none',
         'field': 0.0, 'apart_mm': 0.0, 'apart_degrees': 0.0}  # fmt: skip
TASK = BoldOptions(
    voxel_mm=(4.5, 4.5, 4.5), volumes=150, motion_mm=0.3, motion_degrees=0.3, jumps=0,
    task='blocks', task_percent=2.0, tsnr=100.0, **QUIET,
)  # fmt: skip
ECHOES = BoldOptions(
    voxel_mm=(4.5, 4.5, 4.5), volumes=40, motion_mm=0.3, motion_degrees=0.3, jumps=0, tsnr=100.0,
    echo_times=(0.012, 0.03, 0.048), **QUIET,
)  # fmt: skip
MODEL = StatsModel(
    name='blocks',
    tasks=('blocks',),
    factors=('trial_type',),
    conditions=(Condition('trial_type.see', 'spm'), Condition('trial_type.move', 'spm')),
    confounds=('trans_*', 'rot_*'),
    contrasts=(Contrast('see', 'see', ('trial_type.see',), (1.0,)),),
)


class Run(NamedTuple):
    """The files of the steps and the truth."""

    files: dict[str, Path]
    truth: BoldTruth


def process(folder: Path, options: BoldOptions, **entities: str) -> Run:
    """Draw a run and take it through motion and series; the brain is the true one."""
    write_dataset(folder / 'bids', participants=1, voxel_mm=3.0, bold=True, bold_options=options)
    known = bold_truth(folder / 'bids', '01', **entities)
    sources = find_sources(Config(folder / 'bids', folder / 'out', folder / 'work'), '01')
    (bold,) = (source for source in sources if source.image.suffix == 'bold')
    assert bold.fault == ''
    write_json(folder / 'acquisition.json', bold.acquisition)
    moved = estimate_motion(known.bold, 2)
    flat = find_distortion(moved.bold_distorted, folder / 'acquisition.json', 2)
    mask = known.load('brain_mask') > 0
    return Run(
        {
            'raw': known.bold,
            'acquisition': folder / 'acquisition.json',
            'motion': moved.bold_motion,
            'displacement': flat.bold_displacement,
            'mask': save(mask.astype(np.uint8), nb.load(known.bold).affine, 'mask.nii.gz'),
        },
        known,
    )


@pytest.fixture(scope='module')
def task(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp('task')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run = process(folder, TASK, task='blocks')
        files = run.files
        series = resample_bold(
            *(files[name] for name in ('raw', 'acquisition', 'motion', 'displacement')), 2
        ).bold_preproc
        confounds = find_confounds(series, files['mask'], files['motion'], threads=2)
        files |= {'series': series, 'confounds': confounds.bold_confounds}
        yield run


def test_the_planted_response_is_that_of_the_model_but_for_its_steps_of_time() -> None:
    times = 1.0 + 2 * np.arange(150)
    onsets = list_onsets(300.0)['see']
    events = Events(onsets, np.full(len(onsets), LENGTH), np.ones(len(onsets)))
    course, _ = convolve_events(events, times, 'spm', 'see')
    planted = respond(onsets, times)
    assert np.corrcoef(course[:, 0], planted)[0, 1] > 0.999
    assert course[:, 0] @ planted / (course[:, 0] @ course[:, 0]) == pytest.approx(1, abs=0.02)


@pytest.mark.slow
def test_events_are_found_and_written(task: Run) -> None:
    (path,) = task.truth.bold.parent.glob('*_events.tsv')
    assert path.name == 'sub-01_task-blocks_events.tsv'
    assert set(pd.read_csv(path, sep='\t')['trial_type']) == {'see', 'move'}


@pytest.mark.slow
def test_the_planted_effect_is_recovered_and_nothing_else(
    task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = task.files
    (events,) = task.truth.bold.parent.glob('*_events.tsv')
    design = write_design(
        files['confounds'], files['acquisition'], MODEL.to_json(), False, events
    ).task_design
    effects = task.truth.load('effects')
    inside = ndimage.binary_erosion(load(files['mask']) > 0, iterations=2)
    silent = inside & (effects.sum(axis=-1) < 1e-3)
    for condition, network in (('see', 'Visual'), ('move', 'Somatomotor')):
        found = write_contrast(
            files['series'], files['mask'], design, condition, (f'trial_type.{condition}',),
            (1.0,), 2,
        )  # fmt: skip
        known = effects[..., task.truth.names.index(network)]
        strong = known > 0.5 * known.max()
        assert strong.sum() > 50
        ratio = load(found.effect)[strong].sum() / known[strong].sum()
        print(condition, 'ratio', ratio, 'voxels', strong.sum())
        assert ratio == pytest.approx(1, abs=0.05)
        z = load(found.z)[silent]
        print('silent', silent.sum(), (np.abs(z) > 1.96).mean(), z.std())
        assert 0.03 < (np.abs(z) > 1.96).mean() < 0.07
        assert np.median(load(found.z)[strong]) > 3


@pytest.mark.slow
def test_t2star_of_pure_voxels_is_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = process(tmp_path, ECHOES, echo='1')
    files = run.files
    found = write_t2star(
        *(files[name] for name in ('raw', 'acquisition', 'motion', 'displacement', 'mask')), 2
    )
    values = load(found.t2star)
    head = truth(tmp_path / 'bids', '01')
    for name, known in (('gm_probseg', T2STAR[0]), ('wm_probseg', T2STAR[1])):
        share = nb.load(getattr(head, name))
        print(name, share.shape)
        pure = _pure(run, share)
        error = np.abs(values[pure] / known - 1)
        print(name, pure.sum(), np.median(error), np.median(values[pure]))
        assert pure.sum() >= 8
        assert np.median(error) < 0.02


def _pure(run: Run, share: nb.Nifti1Image) -> np.ndarray:
    """Return voxels of BOLD around which there is only one tissue; the head is where it was."""
    there = np.linalg.inv(share.affine) @ nb.load(run.truth.bold).affine
    shape = load(run.files['mask']).shape
    least = ndimage.minimum_filter(np.asarray(share.dataobj, np.float32), 3)
    moved = ndimage.affine_transform(least, there[:3, :3], there[:3, 3], shape, order=1)
    return moved > 0.9
