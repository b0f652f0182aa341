"""The table of regional volumes: what is missing says why."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.interfaces.sink import remarks_file
from mriderived.measures.regional_volume import (
    REGIONAL_VOLUME,
    draw_volumes,
    tabulate_regions,
)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    affine = np.diag([2.0, 1.0, 1.0, 1.0])
    labels = np.zeros((12, 6, 6), np.int32)
    labels[:5], labels[6:10], labels[10:] = 1001, 2001, 16
    gm = np.where(labels > 1000, 0.75, 0.25).astype(np.float32)
    images = {'gm': gm, 'wm': 1 - gm, 'csf': 0 * gm, 'dseg': labels}
    for name, data in images.items():
        nb.Nifti1Image(data, affine).to_filename(tmp_path / f'{name}.nii.gz')
    pd.DataFrame(
        {
            'index': [1001, 2001, 16, 17, 53, 54],
            'name': ['ctx-lh-x', 'ctx-rh-x', 'Brain-Stem', 'Left-a', 'Right-a', 'NA'],
            'hemisphere': ['L', 'R', 'both', 'L', 'R', 'R'],
            'tissue': ['cortex', 'cortex', 'brainstem', 'subcortex', 'subcortex', 'cortex'],
            'composition': ['gm', 'gm', 'gm+wm', 'gm', 'gm', 'gm'],
            'coverage': [1.0, 0.99, 0.4, 0.0, 1.0, 1.0],
        }
    ).to_csv(tmp_path / 'labels.tsv', sep='\t', index=False)
    files = (tmp_path / f'{name}.nii.gz' for name in images)
    return tabulate_regions(*files, tmp_path / 'labels.tsv').regional_morph


def test_volumes(table: Path) -> None:
    found = pd.read_csv(table, sep='\t', keep_default_na=False, na_values='n/a').set_index('index')
    declared = [column.name for column in REGIONAL_VOLUME.output('regional_morph').columns]
    assert ['index', *found.columns] == declared
    grey = 0.75 * 36 * 2
    # The plane between them is mostly white; its quarter of grey goes to either.
    total = found.loc[[1001, 2001], 'volume'].sum()
    assert total == pytest.approx(9 * grey + 0.25 * 36 * 2, rel=1e-6)
    assert found.loc[1001, 'n_voxels'] == 180
    assert found.loc[54, 'name'] == 'NA'


def test_what_is_missing_says_why(table: Path) -> None:
    text = table.read_text().splitlines()
    assert [line.split('\t')[4] for line in text[3:]] == ['n/a'] * 4
    remarks = json.loads(remarks_file(table).read_text())
    assert remarks['MissingReasons'] == {
        'volume': {
            '16': 'partly outside field of view (40 % inside)',
            '17': 'outside field of view',
            '53': 'no voxel of the image fits this region',
            '54': 'no voxel of the image fits this region',
        }
    }
    assert remarks['Notes'] == ['4 of 6 regions have no volume: see the sidecar.']


def test_the_figure_has_a_point_per_pair(table: Path) -> None:
    (figure,) = draw_volumes(table)
    (points,) = figure.axes[0].collections
    assert len(points.get_offsets()) == 1
