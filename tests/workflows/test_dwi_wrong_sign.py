"""A gradient table with a wrong sign is found from the files of a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from dwi_datasets import write_root
from dwi_rings import AFFINE, Head, draw_rings
from mriderived.config import Config
from mriderived.core.gradient_table import fsl_from_world
from mriderived.interfaces.gradient_tables import read_gradients
from mriderived.interfaces.sink import remarks_file
from mriderived.workflows.dwi_gradients import check_gradients
from mriderived.workflows.sources import find_sources


@pytest.fixture(scope='module')
def head() -> Head:
    return draw_rings()


def write_run(folder: Path, head: Head, signs: list[int]) -> tuple[Path, Path]:
    """Write a dataset whose directions have signs of their own; return image and acquisition."""
    raw = write_root(folder / 'raw') / 'sub-01' / 'dwi' / 'sub-01_dwi.nii.gz'
    raw.parent.mkdir(parents=True)
    series = np.zeros((*head.mask.shape, len(head.gradients)), np.float32)
    series[head.mask] = head.signals
    nb.Nifti1Image(series, AFFINE).to_filename(raw)
    rows = fsl_from_world(head.gradients.directions, AFFINE).T * np.array(signs)[:, None]
    np.savetxt(raw.with_name('sub-01_dwi.bvec'), rows, fmt='%.6f')
    np.savetxt(raw.with_name('sub-01_dwi.bval'), head.gradients.b[None], fmt='%g')
    raw.with_name('sub-01_dwi.json').write_text(json.dumps({
        'RepetitionTime': 4.0, 'PhaseEncodingDirection': 'j', 'TotalReadoutTime': 0.05,
    }))  # fmt: skip
    config = Config(folder / 'raw', folder / 'out', folder / 'work')
    (source,) = find_sources(config, '01', ('dwi',), is_hashed=False)
    acquisition = folder / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    return raw, acquisition


def test_the_right_table_is_found_right(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = check_gradients(*write_run(tmp_path, head, [1, 1, 1])).dwi_gradients
    said = json.loads(remarks_file(table).read_text())
    assert said['FibreCoherence']['Verdict'] == 'right'
    assert said['FibreCoherence']['StandardErrorsAhead'] > 3


@pytest.mark.parametrize('row', [0, 1, 2])
def test_a_wrong_sign_is_found_and_mended(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: int
) -> None:
    monkeypatch.chdir(tmp_path)
    signs = [-1 if number == row else 1 for number in range(3)]
    raw, acquisition = write_run(tmp_path, head, signs)
    with pytest.raises(ValueError, match=rf'where {"xyz"[row]} reversed .*sub-01_dwi\.bvec'):
        check_gradients(raw, acquisition)
    mended, _ = read_gradients(check_gradients(raw, acquisition, is_fixed=True).dwi_gradients)
    same = np.abs((mended.directions * head.gradients.directions).sum(axis=1))
    np.testing.assert_allclose(same[head.gradients.shell > 0], 1, atol=1e-5)
