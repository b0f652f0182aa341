"""What long runs take of memory: no copy of the series in double precision anywhere."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mriderived.core.confounds import MOTION, expand
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import save
from mriderived.measures.alff import write_alff
from mriderived.measures.reho import write_reho
from mriderived.measures.tsnr import write_tsnr
from mriderived.workflows.func_denoising import remove_confounds

SHAPE, VOLUMES, PERIOD = (26, 26, 26), 700, 1.5
AFFINE = np.diag([3.0, 3, 3, 1])
#: What a few blocks of 2048 voxels take in double precision, in bytes.
BLOCKS = 4 * 2048 * VOLUMES * 8


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('long')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rng = np.random.default_rng(0)
        volumes = (rng.normal(1000, 10, SHAPE).astype(np.float32) for _ in range(VOLUMES))
        preproc = save_series(volumes, AFFINE, SHAPE, VOLUMES, PERIOD, 'preproc.nii.gz')
        mask = save(np.ones(SHAPE, np.uint8), AFFINE, 'mask.nii.gz')
        motion = pd.DataFrame(rng.normal(size=(VOLUMES, 6)), columns=list(MOTION))
        confounds = folder / 'confounds.tsv'
        table = expand(motion, MOTION).assign(framewise_displacement=0.1)
        table.to_csv(confounds, sep='\t', index=False, na_rep='n/a')
        write_remarks(confounds)
    return {'preproc': preproc, 'mask': mask, 'confounds': confounds}


#: Each step, and how many copies of the series in single precision may be in memory at once; ReHo
#: ranks six planes of 26 at a time.
STEPS: dict[str, Callable[[Path, Path, Path], Any]] = {
    'denoising': lambda *run: remove_confounds(*run, '24P', (0.01, 0.1)),
    'alff': lambda *run: write_alff(*run, '24P', (0.01, 0.1)),
    'tsnr': write_tsnr,
    'reho': lambda preproc, mask, _: write_reho(preproc, mask),
}


COPIES = {'denoising': 2.0, 'alff': 2.0, 'tsnr': 1.0, 'reho': 1.3}


@pytest.mark.parametrize('step', STEPS)
def test_a_copy_in_double_precision_would_be_too_much(
    run: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.chdir(tmp_path)
    tracemalloc.start()
    STEPS[step](run['preproc'], run['mask'], run['confounds'])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    series = int(np.prod(SHAPE)) * VOLUMES * 4
    assert peak < COPIES[step] * series + BLOCKS
    assert 2 * series > BLOCKS  # what such a copy takes
