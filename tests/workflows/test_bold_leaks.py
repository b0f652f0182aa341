"""What a spoilt volume, bright first volumes or dead voxels must not reach."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from tiny_bold import SHAPE, VOLUMES, T1w, write_acquisition, write_run, write_t1w

from mriderived.interfaces.motion_files import read_motion, read_spoilt
from mriderived.interfaces.volumes import load
from mriderived.workflows.func_confounds import find_confounds
from mriderived.workflows.func_denoising import remove_confounds
from mriderived.workflows.func_distortion import find_distortion
from mriderived.workflows.func_mask import mask_epi
from mriderived.workflows.func_motion import estimate_motion
from mriderived.workflows.func_series import resample_bold

SPOILT = 45
TIMES = np.linspace(0, 1.8, SHAPE[2]).tolist()
BAND = (0.01, 0.2)


class Steps(NamedTuple):
    """Files of a run up to its confounds."""

    motion: Path
    mask: Path
    preproc: Path
    confounds: Path


def change(raw: Path, factors: dict[int, float]) -> None:
    """Multiply volumes of a run."""
    image = nb.load(raw)
    series = np.asarray(image.dataobj, np.float32)
    for t, factor in factors.items():
        series[..., t] *= factor
    nb.save(nb.Nifti1Image(series, image.affine, image.header), raw)


def take_steps(folder: Path, raw: Path) -> Steps:
    acquisition = write_acquisition(folder, raw, slice_times=TIMES)
    t1w: T1w = write_t1w(folder)
    motion = estimate_motion(raw)
    distortion = find_distortion(motion.bold_distorted, acquisition)
    mask = mask_epi(distortion.bold_reference, t1w.xfm_bold_to_t1w, t1w.brain_mask, raw,
                    distortion.bold_displacement, acquisition)  # fmt: skip
    series = resample_bold(raw, acquisition, motion.bold_motion, distortion.bold_displacement)
    confounds = find_confounds(
        series.bold_preproc, mask.mask, motion.bold_motion, t1w.xfm_bold_to_t1w,
        t1w.gm_probseg, t1w.wm_probseg, t1w.csf_probseg,
    )  # fmt: skip
    return Steps(motion.bold_motion, mask.mask, series.bold_preproc, confounds.bold_confounds)


def run_steps(folder: Path, patch: pytest.MonkeyPatch, factors: dict[int, float]) -> Steps:
    folder.mkdir()
    patch.chdir(folder)
    raw = write_run(folder)
    change(raw, factors)
    return take_steps(folder, raw)


def test_a_censored_volume_reaches_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for factor in (1.25, 1.6):
        steps = run_steps(tmp_path / str(factor), monkeypatch, {SPOILT: factor})
        path = remove_confounds(steps.preproc, steps.mask, steps.confounds, '9P+scrub', BAND)
        found.append(load(path.bold_denoised)[load(steps.mask) > 0])
        assert read_spoilt(read_motion(steps.motion)[0])[SPOILT]
    one, other = found
    assert one.shape == other.shape
    spread = one.std(axis=1, keepdims=True)
    away = np.sqrt(np.mean(((one - other) / spread) ** 2, axis=0))
    assert away.max() < 0.05


def test_bright_first_volumes_change_no_dvars_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = [
        pd.read_csv(run_steps(tmp_path / name, monkeypatch, factors).confounds, sep='\t',
                    na_values='n/a')
        for name, factors in (('flat', {}), ('bright', {0: 3.0, 1: 2.0, 2: 1.5}))
    ]  # fmt: skip
    flat, bright = (table['std_dvars'].to_numpy() for table in tables)
    assert np.isnan(bright[:4]).all()
    assert np.median(bright[4:] / flat[4:]) == pytest.approx(1, abs=0.05)
    outliers = [sum(name.startswith('motion_outlier') for name in table) for table in tables]
    assert outliers[0] == outliers[1]


def test_voxels_that_never_change_are_not_in_the_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = write_run(tmp_path)
    image = nb.load(raw)
    series = np.asarray(image.dataobj, np.float32)
    dead = (slice(8, 11), slice(9, 12), slice(6, 8))
    series[dead] = 700
    nb.save(nb.Nifti1Image(series, image.affine, image.header), raw)
    steps = take_steps(tmp_path, raw)
    mask = load(steps.mask) > 0
    assert not mask[dead].any()
    assert mask[12:14, 9:12, 6:8].all()
    assert load(steps.preproc).shape[3] == VOLUMES
