"""Steps of diffusion that are short: tissues on its grid, and what parts need to be joined."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dwi_datasets import write_dwi, write_root
from mriderived.config import Config
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.volumes import load, save
from mriderived.workflows.dwi_distortion import require_displacement
from mriderived.workflows.dwi_tissue import bring_tissues
from mriderived.workflows.sources import find_sources

#: The T1w has voxels of 1 mm, the series of 2 mm that lie 6 mm further to the right in it.
T1W = np.diag([1.0, 1, 1, 1])
SERIES = np.diag([2.0, 2, 2, 1])
APART = np.array([6.0, 0, 0])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_tissue_is_brought_to_its_own_file_and_place() -> None:
    shape = (40, 40, 40)
    blocks = {'gm': slice(8, 16), 'wm': slice(16, 24), 'csf': slice(24, 32)}
    files = []
    for name, block in blocks.items():
        share = np.zeros(shape, np.float32)
        share[block] = 1
        files.append(save(share, T1W, f'{name}_t1w.nii.gz'))
    # what is at x of the T1w is at x + 6 mm of the series
    move = np.eye(4)
    move[:3, 3] = APART
    mask = save(np.ones((30, 20, 20), np.uint8), SERIES, 'mask.nii.gz')
    found = bring_tissues(mask, save_rigid(move, 'xfm.h5'), *files)
    assert list(found._fields) == ['dwi_gm', 'dwi_wm', 'dwi_csf']
    for path, (name, block) in zip(found, blocks.items(), strict=True):
        values = load(path)[:, 10, 10]
        # from mm of the T1w to mm, then voxels, of the series
        first, last = (block.start + 6) / 2, (block.stop - 1 + 6) / 2
        places = np.arange(30)
        inner = (places > first + 1) & (places < last - 1)
        assert inner.any()
        np.testing.assert_allclose(values[inner], 1, atol=0.05, err_msg=name)
        outer = (places < first - 1.5) | (places > last + 1.5)
        np.testing.assert_allclose(values[outer], 0, atol=0.05, err_msg=name)
        assert 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize('count', [1, 2])
def test_opposite_parts_are_not_joined_as_distorted_as_they_are(
    tmp_path: Path, count: int
) -> None:
    raw = write_root(tmp_path / 'raw')
    directions = {'AP': 'j-', 'PA': 'j'}
    for label, direction in list(directions.items())[:count]:
        write_dwi(raw / f'sub-01/dwi/sub-01_dir-{label}_dwi.nii.gz', {1000.0: 12}, direction, 2)
    config = Config(raw, tmp_path / 'out', tmp_path / 'work')
    (source,) = find_sources(config, '01', ('dwi',), is_hashed=False)
    acquisition = tmp_path / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    flat = save(np.zeros((4, 4, 4), np.float32), SERIES, 'flat.nii.gz')
    bent = save(np.full((4, 4, 4), 0.5, np.float32), SERIES, 'bent.nii.gz')
    require_displacement(bent, acquisition)
    if count == 1:
        require_displacement(flat, acquisition)
        return
    with pytest.raises(ValueError, match=r'dir-AP.*dir-PA.* opposite phase encodings') as caught:
        require_displacement(flat, acquisition)
    assert 'B0FieldSource' in str(caught.value)


def test_the_step_asks_whether_parts_can_be_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field map that cannot be used leaves displacements of 0, with which nothing is joined."""
    from mriderived.workflows import dwi_distortion

    raw = write_root(tmp_path / 'raw')
    for label, direction in (('AP', 'j-'), ('PA', 'j')):
        write_dwi(raw / f'sub-01/dwi/sub-01_dir-{label}_dwi.nii.gz', {1000.0: 12}, direction, 2)
    config = Config(raw, tmp_path / 'out', tmp_path / 'work')
    (source,) = find_sources(config, '01', ('dwi',), is_hashed=False)
    acquisition = tmp_path / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    flat = save(np.zeros((4, 4, 4), np.float32), SERIES, 'flat.nii.gz')
    monkeypatch.setattr(dwi_distortion, 'undo_distortion', lambda *_: (flat, flat))
    with pytest.raises(ValueError, match='opposite phase encodings'):
        dwi_distortion.find_dwi_distortion(flat, acquisition)
