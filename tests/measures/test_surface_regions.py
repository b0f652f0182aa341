"""Regions on the surface: areas of half spheres, the medial wall, and what is missing says why."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mriderived.core.surface_geometry import vertex_areas
from mriderived.interfaces.gifti import Surface, load_values, save_surface, save_values
from mriderived.interfaces.sink import remarks_file
from mriderived.measures.surface_regions import (
    FILES,
    NUMBERS,
    SURFACE_REGIONS,
    draw_areas,
    tabulate_surface,
)
from two_hemispheres import AFFINES, HALVES, SHAPE, radii, turn, write, write_table

NAMES = {'L': 'left', 'R': 'right'}
#: Front and back of each hemisphere, one that nobody has, and one that is no cortex.
TABLE = [
    (1001, 'ctx-lh-front', 'L', 'cortex'), (2001, 'ctx-rh-front', 'R', 'cortex'),
    (1002, 'ctx-lh-back', 'L', 'cortex'), (2002, 'ctx-rh-back', 'R', 'cortex'),
    (1003, 'ctx-lh-none', 'L', 'cortex'), (17, 'Left-Hippocampus', 'L', 'subcortex'),
]  # fmt: skip
FRONT, BACK = 2.25, 3.0


def sphere(radius: float, centre: tuple[float, float, float], rounds: int = 5) -> Surface:
    """Divide an octahedron: (4 ** rounds) * 8 triangles, counter-clockwise from outside."""
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4],
                      [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])  # fmt: skip
    for _ in range(rounds):
        corners = points[faces]
        middles = (corners + np.roll(corners, -1, axis=1)) / 2
        a, b, c = np.moveaxis(corners, 1, 0)
        ab, bc, ca = np.moveaxis(middles, 1, 0)
        parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        flat = np.concatenate([np.stack(part, axis=1) for part in parts]).reshape(-1, 3)
        points, number = np.unique(flat.round(9), axis=0, return_inverse=True)
        points = points / np.linalg.norm(points, axis=1)[:, None]
        faces = number.reshape(-1, 3)
    # turned, so that no row of vertices lies where regions meet
    turned = points @ turn(25).T
    return Surface(turned * radius + centre, faces.astype(np.int32))


def make_files(folder: Path, affine: np.ndarray) -> dict[str, Any]:
    """Write two spheres; the inner third of each (towards the midline) is the medial wall."""
    labels = np.zeros(SHAPE, np.int32)
    y = (affine[:3, :3] @ np.indices(SHAPE).reshape(3, -1) + affine[:3, 3:])[1].reshape(SHAPE)
    files: dict[str, Any] = {}
    for side, half in HALVES.items():
        away = radii(half, affine, SHAPE)
        base = 1000 if side == 'L' else 2000
        shell = (away > half.white) & (away < half.pial)
        labels[shell] = np.where(y > half.centre[1], base + 1, base + 2)[shell]
        labels[away < 5] = 17
        white = sphere(half.white, half.centre)
        meshes = {
            'midthickness': sphere((half.white + half.pial) / 2, half.centre),
            'pial': sphere(half.pial, half.centre),
        }
        away_from_midline = (white.points[:, 0] - half.centre[0]) * (-1 if side == 'L' else 1)
        is_wall = away_from_midline < -half.white / 3
        is_front = white.points[:, 1] > half.centre[1]
        values = {
            'thickness': np.where(is_wall, 0, np.where(is_front, FRONT, BACK)),
            'area': vertex_areas(white.points, white.faces),
            'curv': np.full(len(is_wall), -1 / half.pial),
            'contrast': np.where(is_wall, 1e6, np.where(is_front, 20, 30)),
        }
        for name, mesh in meshes.items():
            files[f'{name}_{NAMES[side]}'] = save_surface(mesh, side, name, f'{name}_{side}.gii')
        for name, data in values.items():
            key = f'{name}_vertices_{NAMES[side]}'
            files[key] = save_values(data, side, name, f'{name}_{side}.shape.gii')
    files['atlas_dseg'] = write(folder / 'dseg.nii.gz', labels, affine)
    files['atlas_labels'] = write_table(folder / 'labels.tsv', TABLE)
    return files


@pytest.fixture(params=AFFINES)
def files(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    return make_files(tmp_path, AFFINES[request.param])


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep='\t', na_values='n/a').set_index('index')


def test_areas_without_the_medial_wall(files: dict[str, Any]) -> None:
    table = read(tabulate_surface(**files).surface_regions)
    declared = [column.name for column in SURFACE_REGIONS.output('surface_regions').columns]
    assert ['index', *table.columns] == declared
    assert table.index.tolist() == [1001, 2001, 1002, 2002, 1003]  # cortex, in the table's order
    for side, half in HALVES.items():
        base = 1000 if side == 'L' else 2000
        for number in (base + 1, base + 2):
            # a zone of height h of a sphere has the area 2 pi r h: all but the wall, halved
            zone = 2 * np.pi * half.white**2 * (4 / 3) / 2
            assert table.loc[number, 'area'] == pytest.approx(zone, rel=0.03)
            ratio = (half.pial / half.white) ** 2
            assert table.loc[number, 'area_pial'] == pytest.approx(zone * ratio, rel=0.03)
            assert table.loc[number, 'curvature'] == pytest.approx(-1 / half.pial, rel=1e-5)
            assert table.loc[number, 'hemisphere'] == side
        assert table.loc[base + 1, 'thickness'] == pytest.approx(FRONT, abs=0.03)
        assert table.loc[base + 2, 'thickness'] == pytest.approx(BACK, abs=0.03)
        assert table.loc[base + 1, 'thickness_std'] < 0.15
        assert table.loc[base + 1, 'contrast'] == pytest.approx(20, abs=0.5)
        assert table.loc[base + 2, 'contrast'] == pytest.approx(30, abs=0.5)
        cortex = np.count_nonzero(load_values(files[f'thickness_vertices_{NAMES[side]}']))
        assert table.loc[[base + 1, base + 2], 'n_vertices'].sum() == cortex


def test_a_region_that_is_not_there_has_a_reason(files: dict[str, Any]) -> None:
    path = tabulate_surface(**files).surface_regions
    row = read(path).loc[1003]
    assert row[['area', 'area_pial', 'thickness', 'thickness_std', 'contrast']].isna().all()
    assert row['n_vertices'] == 0
    remarks = json.loads(remarks_file(path).read_text())
    missing = {'1003': 'the region is not on the surface'}
    assert set(SURFACE_REGIONS.output('surface_regions').cohort_columns) <= set(NUMBERS)
    assert remarks['MissingReasons'] == dict.fromkeys(NUMBERS, missing)
    assert remarks['Notes'] == ['1 of 5 regions have no number: see the sidecar.']


def test_labels_never_cross_the_midline(files: dict[str, Any], tmp_path: Path) -> None:
    """With the labels of one side only, the other has none, however near."""
    import nibabel as nb

    image = nb.load(files['atlas_dseg'])
    labels = np.asarray(image.dataobj)
    files['atlas_dseg'] = write(tmp_path / 'left.nii.gz', np.where(labels < 2000, labels, 0),
                                image.affine)  # fmt: skip
    whole = read(tabulate_surface(**files).surface_regions)
    assert whole.loc[[2001, 2002], 'area'].isna().all()
    assert whole.loc[1001, 'area'] > 1000


def test_names_of_inputs_are_those_that_steps_offer() -> None:
    from mriderived.workflows.steps import preprocessing_steps

    offered = {output.field for step in preprocessing_steps() for output in step.outputs}
    assert set(SURFACE_REGIONS.needs) <= offered
    assert len(FILES) * 2 + 2 == len(SURFACE_REGIONS.needs)


def test_the_figure_has_a_point_per_pair(files: dict[str, Any]) -> None:
    (figure,) = draw_areas(tabulate_surface(**files).surface_regions)
    (points,) = figure.axes[0].collections
    offsets = np.asarray(points.get_offsets())
    assert len(offsets) == 2
    # left is across, right is up: the left hemisphere is the larger
    assert (offsets[:, 0] > offsets[:, 1]).all()
    assert figure.axes[0].get_xlabel() == 'Area, left (mm²)'


def test_an_atlas_without_cortex_gives_an_empty_table(files: dict[str, Any]) -> None:
    write_table(files['atlas_labels'], [(17, 'Left-Hippocampus', 'L', 'subcortex')])
    path = tabulate_surface(**files).surface_regions
    declared = [column.name for column in SURFACE_REGIONS.output('surface_regions').columns]
    assert path.read_text() == '\t'.join(declared) + '\n'
    notes = json.loads(remarks_file(path).read_text())['Notes']
    assert notes == ['The atlas has no region of the cortex.']
    (figure,) = draw_areas(path)
    assert figure.axes[0].get_ylabel() == 'Area, right (mm²)'


def test_a_table_without_any_area_can_be_drawn(files: dict[str, Any]) -> None:
    path = tabulate_surface(**files).surface_regions
    table = pd.read_csv(path, sep='\t', keep_default_na=False)
    table['area'] = 'n/a'
    table.to_csv(path, sep='\t', index=False)
    (figure,) = draw_areas(path)
    assert figure.axes[0].get_ylabel() == 'Area, right (mm²)'
