"""The denoised run in a space: what denoising of the same series gives, in half of the bytes."""

import json

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.core.denoising import denoise, make_design
from mriderived.interfaces.bold_spaces import read_space_grid
from mriderived.interfaces.series import load_masked, save_masked, save_masked_coarse
from mriderived.interfaces.sink import remarks_file
from mriderived.measures.denoised_space import denoise_in_space

LENGTH, TR = 120, 2.0
MOTION = [f'{kind}_{axis}' for kind in ('trans', 'rot') for axis in 'xyz']


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = np.zeros((40, 40, 40), np.uint8)
    space[8:32, 8:32, 8:32] = 1
    nb.Nifti1Image(space, np.eye(4)).to_filename('space.nii.gz')
    grid = read_space_grid(tmp_path / 'space.nii.gz')
    rng = np.random.default_rng(0)
    motion = np.cumsum(rng.normal(size=(LENGTH, 6)), axis=0)
    series = rng.normal(500, 5, (int(grid.mask.sum()), LENGTH)) + motion @ rng.normal(size=6)
    series = series.astype(np.float32)
    series[:30] = 0  # outside of the field of view
    bold = save_masked(series, grid.mask, grid.affine, TR, 'bold.nii.gz')
    pd.DataFrame(motion, columns=MOTION).to_csv('confounds.tsv', sep='\t', index=False)
    (tmp_path / 'confounds.json').write_text('{}')
    return {
        'bold_in_space': bold,
        'bold_confounds': tmp_path / 'confounds.tsv',
        'space_mask': tmp_path / 'space.nii.gz',
    }, series, motion  # fmt: skip


def test_values_are_those_of_the_denoising(files):
    paths, series, motion = files
    found = denoise_in_space(**paths, strategy='6P', band=(0.01, 0.1)).bold_denoised_in_space
    design = make_design(motion, np.ones(LENGTH, bool), TR, (0.01, 0.1))
    expected = denoise(series, design).series
    image = nb.load(found)
    grid = read_space_grid(paths['space_mask'])
    step = image.dataobj.slope
    assert image.get_data_dtype() == np.int16
    assert step == pytest.approx(np.abs(expected).max() / 32767, rel=1e-5)
    values = load_masked(found, grid.mask)
    assert values == pytest.approx(expected, abs=0.51 * step)
    # What is lost is far below the noise.
    assert step < 0.001 * expected[30:].std()
    assert (values[:30] == 0).all()
    assert image.header.get_zooms()[:3] == (2, 2, 2)
    said = json.loads(remarks_file(found).read_text())
    assert said['DegreesOfFreedomLeft'] == design.degrees.left
    assert said['CensoredVolumes'] == []


def test_a_run_without_any_signal_is_all_zero(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mask = np.ones((2, 2, 2), bool)
    path = save_masked_coarse(np.zeros((8, 3), np.float32), mask, np.eye(4), TR, 'zero.nii.gz')
    assert not np.asarray(nb.load(path).dataobj).any()
