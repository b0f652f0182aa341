"""Denoising of parts of opposite phase encoding: each among its own volumes, in their order."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from dwi_datasets import write_dwi, write_root
from mriderived.config import Config
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.gradient_tables import load_fsl
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load
from mriderived.workflows.dwi_denoising import denoise_dwi
from mriderived.workflows.sources import find_sources


@pytest.mark.parametrize('count', [12, 6])
def test_parts_are_denoised_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    raw = write_root(tmp_path / 'raw')
    first = write_dwi(raw / 'sub-01/dwi/sub-01_dir-AP_dwi.nii.gz', {1000.0: 14}, b0s=2)
    other = write_dwi(
        raw / 'sub-01/dwi/sub-01_dir-PA_dwi.nii.gz', {1000.0: count}, direction='j', b0s=2
    )
    # the second part is half as bright, and made as bright as the first
    image = nb.load(other)
    nb.Nifti1Image(np.asarray(image.dataobj) / 2, image.affine).to_filename(other)
    config = Config(raw, tmp_path / 'out', tmp_path / 'work')
    (source,) = find_sources(config, '01', ('dwi',), is_hashed=False)
    acquisition = tmp_path / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    monkeypatch.chdir(tmp_path)
    found = denoise_dwi(first, acquisition)
    series = load(found.dwi_denoised)
    assert series.shape[3] == 16 + count + 2
    written = load_fsl(found.dwi_denoised_bval, found.dwi_denoised_bvec, image.affine)
    expected = read_dwi_acquisition(acquisition).gradients
    np.testing.assert_allclose(written.b, expected.b, rtol=1e-5)
    np.testing.assert_allclose(written.directions, expected.directions, atol=1e-6)
    assert not remarks_file(found.dwi_denoised_bval).exists()
    ball = load(first)[..., 0] > 450
    means = series[ball].mean(axis=0)
    assert means[:2] == pytest.approx(900, rel=0.05)
    assert means[16:18] == pytest.approx(900, rel=0.05)
    assert 0 < np.median(load(found.dwi_noise)[ball]) < 4
    joined, gains, *rest = json.loads(remarks_file(found.dwi_denoised).read_text())['Notes']
    assert joined.startswith('sub-01_dir-AP_dwi.nii.gz, sub-01_dir-PA_dwi.nii.gz were joined: ')
    assert gains.startswith('Brightness was multiplied to that of the first: sub-01_dir-PA_dwi')
    assert rest == (
        [] if count == 12
        else ['Noise was not removed: of 8 volumes principal components tell none.']
    )  # fmt: skip
