"""Region tables of maps: tissues, zero as missing, reasons, and what the declaration says."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.config import Config
from mriderived.interfaces.sink import remarks_file
from mriderived.measures import MEASURES
from mriderived.measures.region_tables import (
    NO_VALUE,
    init_region_table_wf,
    region_measures,
    tabulate_map,
)
from mriderived.measures.skeleton import SKELETON
from mriderived.measures.thickness import THICKNESS
from two_hemispheres import write_table

ROWS = [(1, 'ctx-a', 'L', 'cortex'), (2, 'nucleus', 'L', 'subcortex'), (3, 'ctx-b', 'R', 'cortex'),
        (4, 'ctx-c', 'R', 'cortex')]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Region 1: 2, 4 and 0; region 2: 8; region 3: only 0; region 4: not in the image."""
    monkeypatch.chdir(tmp_path)
    values = np.float32([[[2, 4, 0]], [[8, 8, 8]], [[0, 0, 0]]])
    labels = np.int32([[[1, 1, 1]], [[2, 2, 2]], [[3, 3, 0]]])
    for name, data in (('map', values), ('dseg', labels)):
        nb.Nifti1Image(data, np.eye(4)).to_filename(tmp_path / f'{name}.nii.gz')
    return {
        'map_file': tmp_path / 'map.nii.gz',
        'atlas_dseg': tmp_path / 'dseg.nii.gz',
        'atlas_labels': write_table(tmp_path / 'labels.tsv', ROWS),
    }


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep='\t', na_values='n/a').set_index('index')


def reasons(path: Path) -> Any:
    return json.loads(remarks_file(path).read_text())


def test_zero_is_a_value_unless_it_is_missing(files: dict[str, Any]) -> None:
    table = read(tabulate_map(**files).table)
    assert table['mean'].tolist()[:3] == [2, 8, 0]
    assert table['n_voxels'].tolist() == [3, 3, 2, 0]
    table = read(tabulate_map(**files, is_zero_missing=True).table)
    assert table['mean'].tolist()[:2] == [3, 8]
    assert table.loc[1, 'median'] == 3
    assert table.loc[1, 'std'] == 1
    assert table['n_voxels'].tolist() == [2, 3, 0, 0]
    assert table.loc[[3, 4], ['mean', 'std', 'median']].isna().all(axis=None)


def test_only_regions_of_the_tissues_have_rows(files: dict[str, Any]) -> None:
    path = tabulate_map(**files, tissues=('cortex',), is_zero_missing=True).table
    table = read(path)
    assert table.index.tolist() == [1, 3, 4]
    assert table['name'].tolist() == ['ctx-a', 'ctx-b', 'ctx-c']
    lost = {'3': NO_VALUE, '4': NO_VALUE}
    assert reasons(path) == {
        'Notes': ['2 of 3 regions have no value: see the sidecar.'],
        'MissingReasons': dict.fromkeys(('mean', 'std', 'median'), lost),
    }
    assert NO_VALUE == 'the map has no value in this region'


def test_an_atlas_without_cortex_gives_an_empty_table(files: dict[str, Any]) -> None:
    path = tabulate_map(**files, tissues=('cerebellum',)).table
    assert path.read_text() == 'index\tname\tmean\tstd\tmedian\tn_voxels\n'
    assert reasons(path) == {'Notes': ['The atlas has no region of cerebellum.']}


def test_the_workflow_passes_on_what_the_output_declares() -> None:
    config = Config(Path('/b'), Path('/o'), Path('/w'))
    thick = THICKNESS.output('thickness')
    plain = dataclasses.replace(thick, tissues=(), is_zero_missing=False)
    node = init_region_table_wf(thick, 'T1w', config).get_node('tabulate_map')
    assert node.inputs.tissues == ('cortex',)
    assert node.inputs.is_zero_missing is True
    node = init_region_table_wf(plain, 'T1w', config).get_node('tabulate_map')
    assert node.inputs.tissues == ()
    assert node.inputs.is_zero_missing is False


def test_what_is_declared_of_the_map_holds_for_its_table() -> None:
    tables = {measure.name: measure for measure in region_measures(MEASURES)}
    assert {'thickness_regions', 'thickness_laplace_regions'} <= tables.keys()
    for name, is_opt_in in (('thickness_regions', False), ('thickness_laplace_regions', True)):
        (output,) = tables[name].outputs
        assert output.tissues == ('cortex',)
        assert tables[name].is_opt_in is is_opt_in
        assert tables[name].over == 'atlas'
        assert output.cohort_columns == ('mean',)
        mean = next(column for column in output.columns if column.name == 'mean')
        assert mean.unit == 'mm'


def test_the_skeleton_is_tabulated_in_white_matter_alone() -> None:
    tables = region_measures([SKELETON])
    assert len(tables) == 4
    for measure in tables:
        assert measure.outputs[0].tissues == ('white',)
        node = measure.init_wf(Config(Path('/b'), Path('/o'), Path('/w'))).get_node('tabulate_map')
        assert node.inputs.tissues == ('white',)


def test_a_region_that_the_image_cuts_has_no_value(files: dict[str, Any]) -> None:
    labels = pd.read_csv(files['atlas_labels'], sep='\t')
    labels['coverage'] = [0.3, *[1.0] * (len(labels) - 1)]
    labels.to_csv(files['atlas_labels'], sep='\t', index=False, na_rep='n/a')
    path = tabulate_map(**files).table
    assert read(path).iloc[0][['mean', 'std', 'median']].isna().all()
    assert read(path)['mean'].tolist()[1:3] == [8, 0]
    first = str(labels['index'][0])
    cut = 'partly outside field of view (30 % inside)'
    assert reasons(path)['MissingReasons']['mean'][first] == cut


def test_a_lesion_leaves_a_region_without_numbers(files: dict[str, Any]) -> None:
    """Of 1 % and less, nothing follows; a region outside of the image has that reason."""
    labels = pd.read_csv(files['atlas_labels'], sep='\t')
    labels['lesion_share'] = [0.38, 0.01, 0.0, 1.0]
    labels['lesion'] = ['a suspected lesion (14.2 mL)'] * 4
    labels['coverage'] = [1.0, 1.0, 1.0, 0.0]
    labels.to_csv(files['atlas_labels'], sep='\t', index=False)
    path = tabulate_map(**files).table
    table = read(path)
    assert table[['mean', 'std', 'median']].loc[[1, 4]].isna().all(axis=None)
    assert table.loc[2, 'mean'] == 8
    why = reasons(path)['MissingReasons']['mean']
    assert set(why) == {'1', '4'}
    assert why['1'].startswith(
        'a suspected lesion (14.2 mL) covers 38 % of it: look at the report'
    )
    assert why['4'] == 'outside field of view'
