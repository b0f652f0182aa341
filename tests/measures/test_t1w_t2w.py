"""The T1w/T2w ratio: its values, what is left out, the surface, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mriderived.core.surface_geometry import vertex_areas
from mriderived.interfaces.gifti import Surface, load_values, save_surface, save_values
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, save
from mriderived.measures.t1w_t2w import draw_ratio, map_ratio
from mriderived.measures.t1w_t2w_surface import sample_ratio, tabulate_ratio
from two_hemispheres import AFFINES, HALVES, SHAPE, radii, write_table

#: White matter, grey matter, fluid.
T1W, T2W = (100.0, 90.0, 30.0), (60.0, 70.0, 200.0)
SIDES = {'L': 'left', 'R': 'right'}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_images(tilt: float = 0.0, noise: float = 0.0) -> dict[str, Path]:
    """Write a brain of two balls; the T2w lies on a grid that is shifted by whole voxels."""
    affine = AFFINES['RAS']
    white, brain = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    fluid = np.zeros(SHAPE, bool)
    for half in HALVES.values():
        away = radii(half, affine, SHAPE)
        brain |= away < half.pial
        white |= away < half.white
        fluid |= away < 6
    parts = np.stack([white & ~fluid, brain & ~white, fluid])
    coil = 1 + tilt * np.linspace(-1, 1, SHAPE[0])[:, None, None]
    t1w, t2w = (coil * np.tensordot(levels, parts, 1) for levels in (T1W, T2W))
    t1w = t1w * np.exp(np.random.default_rng(0).normal(0, noise, SHAPE))
    moved = affine.copy()
    moved[:3, 3] += (4, -3, 2)
    matrix = np.eye(4)
    matrix[:3, 3] = (4, -3, 2)
    images = {'t1w': t1w, 'brain_mask': brain, 'wm_probseg': parts[0], 'csf_probseg': parts[2]}
    files = {
        name: save(data.astype(np.float32), affine, f'{name}.nii.gz')
        for name, data in images.items()
    }
    files['t2w'] = save(t2w.astype(np.float32), moved, 't2w.nii.gz')
    files['xfm_t2w_to_t1w'] = save_rigid(matrix, 'rigid.h5')
    return files


def test_the_coil_cancels_and_tissues_have_their_ratio(folder: Path) -> None:
    files = write_images(tilt=0.3)
    found = load(map_ratio(**files, threads=1).t1w_t2w_ratio)
    assert np.median(found[load(files['wm_probseg']) > 0]) == pytest.approx(100 / 60, rel=1e-3)
    assert not found[load(files['brain_mask']) == 0].any()


def test_outliers_and_voids_are_left_out_and_counted(folder: Path) -> None:
    files = write_images(noise=0.1)
    t2w = load(files['t2w'])
    t2w[25, 20, 30], t2w[25, 38, 31] = 0, 4000
    files['t2w'] = save(t2w, _moved(), 't2w.nii.gz')
    path = map_ratio(**files, threads=1).t1w_t2w_ratio
    remarks = json.loads(remarks_file(path).read_text())
    values = load(path)
    assert values[25, 20, 30] == values[25, 38, 31] == 0
    fluid = np.count_nonzero(load(files['csf_probseg']))
    # fluid is far from all tissue, and is an outlier, too
    assert remarks['VoidVoxels'] == 1
    assert remarks['OutlierVoxels'] == pytest.approx(1 + fluid, abs=60)
    assert remarks['MedianRatio'] == pytest.approx(1.6, abs=0.05)
    assert remarks['IsCalibrated'] is False
    assert len(draw_ratio(files['t1w'], files['brain_mask'], path)) == 1


def _moved() -> np.ndarray:
    moved = AFFINES['RAS'].copy()
    moved[:3, 3] += (4, -3, 2)
    return moved


def test_an_image_whose_fluid_is_dark_is_refused(folder: Path) -> None:
    files = write_images()
    dark = load(files['t2w'])
    files['t2w'] = save(np.where(dark > 150, 20, dark), _moved(), 't2w.nii.gz')
    with pytest.raises(ValueError, match='fluid is no brighter than white matter in the T2w'):
        map_ratio(**files, threads=1)


def octahedron(radius: float, centre: tuple[float, float, float]) -> Surface:
    """Divide an octahedron into 512 triangles on a sphere."""
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4],
                      [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])  # fmt: skip
    for _ in range(3):
        corners = points[faces]
        a, b, c = np.moveaxis(corners, 1, 0)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        flat = np.concatenate([np.stack(part, axis=1) for part in parts]).reshape(-1, 3)
        points, number = np.unique(flat.round(9), axis=0, return_inverse=True)
        points = points / np.linalg.norm(points, axis=1)[:, None]
        faces = number.reshape(-1, 3)
    return Surface(points * radius + centre, faces.astype(np.int32))


def test_on_the_surface_regions_have_the_mean_over_their_area(folder: Path) -> None:
    affine = AFFINES['RAS']
    ratio, labels = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.int32)
    y = (affine[1, 1] * np.arange(SHAPE[1]) + affine[1, 3])[:, None]
    sampled: dict[str, Path] = {}
    meshes = {}
    for side, half in HALVES.items():
        away = radii(half, affine, SHAPE)
        shell = (away > half.white - 2) & (away < half.pial + 2)
        front = np.broadcast_to(y > half.centre[1], SHAPE)
        base = 1000 if side == 'L' else 2000
        ratio[shell] = np.where(front, 1.2, 1.6)[shell] + (0.1 if side == 'R' else 0)
        labels[shell] = np.where(front, base + 1, base + 2)[shell]
        mesh = octahedron((half.white + half.pial) / 2, half.centre)
        meshes[side] = mesh
        wall = np.abs(mesh.points[:, 2] - half.centre[2]) > 22
        name = SIDES[side]
        sampled[f'midthickness_{name}'] = save_surface(mesh, side, 'midthickness', f'{side}.gii')
        sampled[f'thickness_vertices_{name}'] = save_values(
            np.where(wall, 0, 2.5), side, 'thickness', f'{side}.shape.gii'
        )
    # a hole in the map
    ratio[:, :, 30:32] = 0
    path = save(ratio, affine, 'ratio.nii.gz')
    vertices = sample_ratio(path, **sampled)
    for side, file in zip('LR', vertices, strict=True):
        values = load_values(file)
        wall = np.abs(meshes[side].points[:, 2] - HALVES[side].centre[2]) > 22
        assert not values[wall].any()
        hole = np.abs(meshes[side].points[:, 2] - 1) < 0.5
        assert not values[hole].any()
        assert set(np.unique(values[values > 0].round(1))) <= {
            np.float32(x).round(1) for x in np.arange(1.2, 1.75, 0.1)
        }
    table = write_table(
        folder / 'labels.tsv',
        [(1001, 'ctx-lh-front', 'L', 'cortex'), (2001, 'ctx-rh-front', 'R', 'cortex'),
         (1002, 'ctx-lh-back', 'L', 'cortex'), (2002, 'ctx-rh-back', 'R', 'cortex'),
         (1003, 'ctx-lh-none', 'L', 'cortex')],
    )  # fmt: skip
    dseg = save(labels, affine, 'dseg.nii.gz')
    out = tabulate_ratio(
        dseg,
        table,
        sampled['midthickness_left'],
        vertices.t1w_t2w_vertices_left,
        sampled['midthickness_right'],
        vertices.t1w_t2w_vertices_right,
    ).t1w_t2w_surface_regions
    rows = pd.read_csv(out, sep='\t', na_values='n/a').set_index('index')
    for number, wanted in ((1001, 1.2), (1002, 1.6), (2001, 1.3), (2002, 1.7)):
        assert rows.loc[number, 'mean'] == pytest.approx(wanted, abs=0.04)  # the mesh is coarse
    assert pd.isna(rows.loc[1003, 'mean'])
    reasons = json.loads(remarks_file(out).read_text())['MissingReasons']
    assert 'the region is not on the surface' in json.dumps(reasons)
    assert rows['n_vertices'].sum() == sum(
        np.count_nonzero(load_values(file)) for file in vertices
    )
    assert vertex_areas(meshes['L'].points, meshes['L'].faces).sum() > 0
