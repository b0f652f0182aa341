"""The step ``cortex`` and the measures of thickness on two shells of known thickness."""

import json
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.interfaces.sink import remarks_file
from mriderived.measures.region_tables import tabulate_map
from mriderived.measures.thickness import (
    THICKNESS,
    ThicknessFiles,
    collect_thickness,
    draw_thickness,
)
from mriderived.measures.thickness_laplace import measure_field_lines
from mriderived.workflows.anat_cortex import CortexFiles, load_hemispheres, map_cortex
from two_hemispheres import AFFINES, HALVES, render_labels, render_tissue, write, write_table


class Run(NamedTuple):
    """A run of step and measure, and what went in."""

    folder: Path
    tissue: Path
    structures: Path
    cortex: CortexFiles
    measured: ThicknessFiles


def run(folder: Path, affine: np.ndarray) -> Run:
    tissue = write(folder / 'tissue.nii.gz', render_tissue(affine), affine)
    structures = write(folder / 'structures.nii.gz', render_labels(affine), affine)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        cortex = map_cortex(tissue, structures, threads=2)
        measured = collect_thickness(tissue, cortex.thickness_left, cortex.thickness_right)
    return Run(folder, tissue, structures, cortex, measured)


@pytest.fixture(scope='module')
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return {name: run(tmp_path_factory.mktemp(name), affine) for name, affine in AFFINES.items()}


def read_means(found: Run) -> pd.Series:
    return pd.read_csv(found.measured.thickness_means, sep='\t').iloc[0]


@pytest.mark.parametrize('name', AFFINES)
def test_means_of_the_hemispheres(runs: dict[str, Run], name: str) -> None:
    row = read_means(runs[name])
    declared = [column.name for column in THICKNESS.output('thickness_means').columns]
    assert list(row.index) == declared
    for side, half in HALVES.items():
        assert row[f'thickness_{side}'] == pytest.approx(half.thickness, abs=0.1)
        assert 0 < row[f'thickness_std_{side}'] < 0.15


def test_numbers_do_not_depend_on_how_the_axes_run(runs: dict[str, Run]) -> None:
    assert list(read_means(runs['LAS'])) == pytest.approx(list(read_means(runs['RAS'])), abs=2e-3)
    straight, flipped = (
        np.asarray(nb.load(runs[name].measured.thickness).dataobj) for name in AFFINES
    )
    assert np.abs(straight - flipped[::-1]).mean() < 1e-3
    assert np.array_equal(nb.load(runs['LAS'].measured.thickness).affine, AFFINES['LAS'])


@pytest.mark.parametrize('name', AFFINES)
def test_fine_maps_lie_on_their_side(runs: dict[str, Run], name: str) -> None:
    """In scanner coordinates: the left hemisphere is where x is negative."""
    cortex = runs[name].cortex
    for side, path, depth in (
        ('L', cortex.thickness_left, cortex.depth_left),
        ('R', cortex.thickness_right, cortex.depth_right),
    ):
        image, half = nb.load(path), HALVES[side]
        values = np.asarray(image.dataobj)
        points = nb.affines.apply_affine(image.affine, np.argwhere(values > 0))
        assert points.mean(axis=0) == pytest.approx(half.centre, abs=0.1)
        radius = np.linalg.norm(points - half.centre, axis=1)
        assert half.white - 0.5 < radius.min() < half.white + 0.5
        assert half.pial - 0.5 < radius.max() < half.pial + 0.5
        inner = np.asarray(nb.load(depth).dataobj)
        assert inner.max() == 1
        middle = 4 / 3 * np.pi * ((half.white + half.pial) / 2) ** 3
        voxel = np.abs(np.linalg.det(image.affine))
        assert np.count_nonzero(inner > 0.5) * voxel == pytest.approx(middle, rel=0.02)


def test_the_map_has_the_cortex_and_nothing_else(runs: dict[str, Run]) -> None:
    image = nb.load(runs['RAS'].measured.thickness)
    values = np.asarray(image.dataobj)
    shell = sum(4 / 3 * np.pi * (half.pial**3 - half.white**3) for half in HALVES.values())
    # voxels that are cortex to a quarter or more: more than the shells hold, for they are thin
    assert shell < np.count_nonzero(values) < 1.35 * shell
    assert values[values > 0].min() > 2


def test_regions_of_the_cortex_only(runs, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = runs['RAS']
    labels = write_table(tmp_path / 'labels.tsv', [
        (3, 'ctx-lh', 'L', 'cortex'), (4, 'ventricle', 'L', 'csf'), (42, 'ctx-rh', 'R', 'cortex'),
        (77, 'ctx-rh-none', 'R', 'cortex'), (41, 'white', 'R', 'white'),
    ])  # fmt: skip
    path = tabulate_map(
        found.measured.thickness, found.structures, labels, ('cortex',), is_zero_missing=True
    ).table
    table = pd.read_csv(path, sep='\t', na_values='n/a').set_index('index')
    assert table.index.tolist() == [3, 42, 77]
    assert table.loc[3, 'mean'] == pytest.approx(2.5, abs=0.1)
    assert table.loc[42, 'median'] == pytest.approx(3.0, abs=0.1)
    assert table.loc[77, 'n_voxels'] == 0
    reasons = json.loads(remarks_file(path).read_text())['MissingReasons']
    assert reasons['mean'] == {'77': 'the map has no value in this region'}


@pytest.mark.parametrize(('gone', 'name'), [('L', 'left'), ('R', 'right')])
def test_a_hemisphere_that_is_not_there_is_named(runs, tmp_path, gone, name) -> None:
    found = runs['RAS']
    tissue, labels = (np.asarray(nb.load(p).dataobj) for p in (found.tissue, found.structures))
    half = HALVES[gone]
    there = np.isin(labels, (half.white_label, half.cortex_label, half.ventricle_label))
    empty = write(tmp_path / 'labels.nii.gz', np.where(there, 0, labels), AFFINES['RAS'])
    bare = np.where(there, 0, tissue)
    side = slice(0, 60) if gone == 'L' else slice(60, None)
    bare[side] = 0
    hollow = write(tmp_path / 'tissue.nii.gz', bare.astype(np.float32), AFFINES['RAS'])
    with pytest.raises(ValueError, match=f'^{name} hemisphere: the hemisphere is empty'):
        load_hemispheres(hollow, empty, threads=1)
    with pytest.raises(ValueError, match=f'^{name} hemisphere: the hemisphere is empty'):
        measure_field_lines(hollow, empty)


def test_field_lines_agree(runs: dict[str, Run], tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = runs['LAS']
    path = measure_field_lines(found.tissue, found.structures).thickness_laplace
    values, labels = (np.asarray(nb.load(p).dataobj) for p in (path, found.structures))
    for half in HALVES.values():
        mine = values[(labels == half.cortex_label) & (values > 0)]
        assert mine.mean() == pytest.approx(half.thickness, abs=0.1)


def test_unusual_means_are_told(runs, tmp_path, monkeypatch) -> None:
    found = runs['RAS']
    usual = remarks_file(found.measured.thickness_means)
    assert json.loads(usual.read_text())['Notes'] == []
    monkeypatch.chdir(tmp_path)
    image = nb.load(found.cortex.thickness_right)
    thin = write(tmp_path / 'thin.nii.gz', np.asarray(image.dataobj) / 2, image.affine)
    told = collect_thickness(found.tissue, found.cortex.thickness_left, thin).thickness_means
    (note,) = json.loads(remarks_file(told).read_text())['Notes']
    assert note.startswith('The mean thickness of the right hemisphere is 1.')
    assert note.endswith('mm, which is unusual: look at the borders of the tissue.')


def test_cortex_that_is_too_thick_is_told(runs, tmp_path, monkeypatch) -> None:
    found = runs['RAS']
    monkeypatch.chdir(tmp_path)
    image = nb.load(found.cortex.thickness_right)
    thick = write(tmp_path / 'thick.nii.gz', np.asarray(image.dataobj) * 2, image.affine)
    told = collect_thickness(found.tissue, found.cortex.thickness_left, thick).thickness_means
    unusual, share = json.loads(remarks_file(told).read_text())['Notes']
    assert unusual.startswith('The mean thickness of the right hemisphere is 5.9')
    assert share.endswith('% of the cortex is thicker than 5.5 mm: a lesion, or grey matter that '
                          'is none.')  # fmt: skip


def test_a_coarse_run_takes_the_voxels_of_the_image(runs, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = runs['RAS']
    coarse = map_cortex(found.tissue, found.structures, threads=1, sloppy=True)
    assert nb.load(coarse.thickness_left).header.get_zooms() == (1, 1, 1)
    lines = measure_field_lines(found.tissue, found.structures, sloppy=True).thickness_laplace
    values = np.asarray(nb.load(lines).dataobj)
    assert values[values > 0].mean() == pytest.approx(2.75, abs=0.3)


def test_the_figure_names_its_unit(runs: dict[str, Run]) -> None:
    found = runs['RAS']
    (figure,) = draw_thickness(found.tissue, found.measured.thickness)
    texts = [text.get_text() for text in figure.findobj(lambda item: hasattr(item, 'get_text'))]
    assert any('cortical thickness' in text and 'mm' in text for text in texts)
