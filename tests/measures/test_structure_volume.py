"""The table of structure volumes: scaling, and what is missing says why."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.transforms import affine_transform, measure_scaling, write_composite
from mriderived.measures.structure_volume import STRUCTURE_VOLUME, tabulate_structures


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    labels = np.zeros((20, 6, 6), np.int32)
    labels[:4], labels[4:8], labels[8:12], labels[12:16] = 11, 50, 10, 4
    gm = np.where(np.isin(labels, (11, 50)), 1.0, np.where(labels == 10, 0.4, 0))
    csf = np.where(np.isin(labels, (0, 4)), 1.0, 0)
    for name, data in {'gm': gm, 'wm': 1 - gm - csf, 'csf': csf, 'dseg': labels}.items():
        data = data if name == 'dseg' else data.astype(np.float32)
        nb.Nifti1Image(data, np.diag([2.0, 1, 1, 1])).to_filename(tmp_path / f'{name}.nii.gz')
    pd.DataFrame(
        {
            'index': [4, 10, 11, 49, 50, 53],
            'name': ['v', 'Left-t', 'Left-c', 'Right-t', 'Right-c', 'Right-h'],
            'hemisphere': ['L', 'L', 'L', 'R', 'R', 'R'],
            'tissue': ['csf', *['subcortex'] * 5],
            'composition': ['csf', 'gm+wm', 'gm', 'gm+wm', 'gm', 'gm'],
            'coverage': [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
            'agreement': [9.0, 0.98, 1.1, 0.0, 0.31, 'n/a'],
        }
    ).to_csv(tmp_path / 'labels.tsv', sep='\t', index=False)
    xfm = write_composite([affine_transform(np.diag([1.1, 1.2, 1.3, 1]))], 'xfm.h5')
    files = [tmp_path / f'{name}.nii.gz' for name in ('gm', 'wm', 'csf', 'dseg')]
    return tabulate_structures(*files, tmp_path / 'labels.tsv', xfm).structure_morph


def test_volumes_and_their_scaling(table: Path) -> None:
    found = pd.read_csv(table, sep='\t', na_values='n/a').set_index('index')
    declared = [column.name for column in STRUCTURE_VOLUME.output('structure_morph').columns]
    assert ['index', *found.columns] == declared
    assert found['volume'][[4, 10, 11]].tolist() == [288, 288, 288]
    scaling = 1.1 * 1.2 * 1.3
    assert found['normalised_volume'][11] == pytest.approx(288 * scaling, rel=1e-4)
    assert (found['tiv_volume'] == 20 * 36 * 2).all()


def test_what_is_missing_says_why(table: Path) -> None:
    found = pd.read_csv(table, sep='\t', na_values='n/a').set_index('index')
    assert found['volume'][[49, 50, 53]].isna().all()
    reasons = {
        '49': 'no voxel of the image fits this region',
        '50': '31 % of the voxels that the warped atlas has there fit it',
        '53': 'outside field of view',
    }
    remarks = json.loads(remarks_file(table).read_text())
    assert remarks['MissingReasons'] == {'volume': reasons, 'normalised_volume': reasons}
    assert remarks['Notes'] == ['3 of 6 regions have no volume: see the sidecar.']


def test_a_field_does_not_change_the_scaling(tmp_path, monkeypatch) -> None:
    from mriderived.interfaces.transforms import field_transform

    monkeypatch.chdir(tmp_path)
    grid = np.diag([3.0, 3, 3, 1])
    grid[:3, 3] = -30
    field = np.random.default_rng(0).normal(0, 1, (3, 20, 20, 20)).astype(np.float32)
    for name, turn in (('plain', 1), ('mirrored', -1)):
        matrix = np.diag([turn * 1.1, 0.9, 1.2, 1])
        xfm = write_composite(
            [affine_transform(matrix), field_transform(field, grid)], f'{name}.h5'
        )
        assert measure_scaling(xfm) == pytest.approx(turn * 1.1 * 0.9 * 1.2, rel=1e-4)
