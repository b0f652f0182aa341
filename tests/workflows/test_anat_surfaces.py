"""The step ``surfaces`` on two spheres: areas, sides, which way is out, and who can read it."""

import shutil
import subprocess
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nilearn import surface

from mriderived.interfaces.gifti import load_surface, load_values
from mriderived.workflows.anat_surfaces import (
    LAYERS,
    SURFACES,
    SurfaceFiles,
    draw_surfaces,
    make_surfaces,
)
from two_hemispheres import AFFINES, GREY, HALVES, WHITE, Half, radii, subdivide, write

NAMES = {'L': 'left', 'R': 'right'}
#: Cosine of the angle that the medial wall spans, and what it borders on.
CAP = 0.8
THALAMUS = {'L': 10, 'R': 49}
WORKBENCH = shutil.which('wb_command')


def write_maps(folder: Path, side: str, affine: np.ndarray) -> tuple[Path, Path]:
    """Write exact thickness and depth of one hemisphere on its own grid of 0.5 mm."""
    half = HALVES[side]
    shape = (120, 120, 120)
    grid = subdivide(affine, 2)
    to_voxels = np.linalg.inv(grid)
    middle = to_voxels[:3, :3] @ half.centre + to_voxels[:3, 3]
    grid[:3, 3] += grid[:3, :3] @ np.rint(middle - 60)
    radius = radii(half, grid, shape)
    depth = np.clip((half.pial - radius) / half.thickness, 0, 1).astype(np.float32)
    thickness = np.where((depth > 0) & (depth < 1), half.thickness, 0).astype(np.float32)
    return (
        write(folder / f'thickness_{side}.nii.gz', thickness, grid),
        write(folder / f'depth_{side}.nii.gz', depth, grid),
    )


def write_image(folder: Path, affine: np.ndarray) -> tuple[Path, Path]:
    """Write an image of two values, at 0.5 mm so that steps are steep, and its structures.

    White matter within a cap that looks towards the midline is thalamus: a medial wall.
    """
    grid = subdivide(affine, 2)
    shape = (240, 120, 120)
    image = np.full(shape, GREY, np.float32)
    labels = np.zeros(shape, np.int32)
    x = (grid[0, 0] * np.arange(shape[0]) + grid[0, 3])[:, None, None]
    for side, half in HALVES.items():
        away = radii(half, grid, shape)
        image[away < half.white] = WHITE
        inward = (x - half.centre[0]) * (1 if side == 'L' else -1)
        labels[away < half.pial] = half.cortex_label
        labels[away < half.white] = half.white_label
        labels[(away < half.white) & (inward > CAP * half.white)] = THALAMUS[side]
    return (
        write(folder / 't1w.nii.gz', image, grid),
        write(folder / 'structures.nii.gz', labels, grid),
    )


def wall_share(half: Half) -> float:
    """Return the share of the midthickness that lies within 2 mm of the cap."""
    middle = (half.white + half.pial) / 2
    beyond = np.arccos((middle**2 + half.white**2 - 2.0**2) / (2 * middle * half.white))
    return float((1 - np.cos(np.arccos(CAP) + beyond)) / 2)


@pytest.fixture(scope='module')
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SurfaceFiles]:
    found = {}
    for name, affine in AFFINES.items():
        folder = tmp_path_factory.mktemp(name)
        (thick_left, depth_left), (thick_right, depth_right) = (
            write_maps(folder, side, affine) for side in HALVES
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            found[name] = make_surfaces(
                *write_image(folder, affine),
                thick_left, thick_right, depth_left, depth_right, threads=2,
            )  # fmt: skip
    return found


def get(files: SurfaceFiles, name: str, side: str) -> Path:
    return Path(getattr(files, f'{name}_{NAMES[side]}'))


@pytest.mark.parametrize('name', AFFINES)
@pytest.mark.parametrize('side', HALVES)
def test_layers_are_spheres_on_their_side(runs, name: str, side: str) -> None:
    half = HALVES[side]
    expected = {
        'white': half.white,
        'midthickness': half.white + half.thickness / 2,
        'pial': half.pial,
    }
    for layer, radius in expected.items():
        away = load_surface(get(runs[name], layer, side)).points - half.centre
        found = np.linalg.norm(away, axis=1)
        assert found.mean() == pytest.approx(radius, abs=0.15)
        assert found.std() < 0.05
        assert np.abs(away.mean(axis=0)).max() < 0.1


@pytest.mark.parametrize('name', AFFINES)
def test_areas(runs, name: str) -> None:
    row = pd.read_csv(runs[name].surface_quality, sep='\t').iloc[0]
    declared = [column.name for column in SURFACES.output('surface_quality').columns]
    assert list(row.index) == declared
    for side, half in HALVES.items():
        area = load_values(get(runs[name], 'area_vertices', side))
        assert area.sum() == pytest.approx(4 * np.pi * half.white**2, rel=0.02)
        kept = 4 * np.pi * (1 - wall_share(half))
        assert row[f'area_white_{side}'] == pytest.approx(kept * half.white**2, rel=0.02)
        assert row[f'area_pial_{side}'] == pytest.approx(kept * half.pial**2, rel=0.02)
        assert row[f'euler_number_{side}'] == 2
        assert row[f'components_{side}'] == 1
        assert row[f'intersecting_white_pial_{side}'] == 0


@pytest.mark.parametrize('name', AFFINES)
@pytest.mark.parametrize('side', HALVES)
def test_triangles_face_outward_whichever_way_the_axes_run(runs, name: str, side: str) -> None:
    for layer in LAYERS:
        mesh = load_surface(get(runs[name], layer, side))
        a, b, c = np.moveaxis(mesh.points[mesh.faces], 1, 0)
        outward = (a + b + c) / 3 - HALVES[side].centre
        assert ((np.cross(b - a, c - a) * outward).sum(axis=1) > 0).all()
        # the volume that counter-clockwise triangles enclose is positive
        volume = np.einsum('nd,nd->', a, np.cross(b, c)) / 6
        assert volume == pytest.approx(4 / 3 * np.pi * np.linalg.norm(a - HALVES[side].centre,
                                       axis=1).mean() ** 3, rel=0.02)  # fmt: skip


@pytest.mark.parametrize('name', AFFINES)
@pytest.mark.parametrize('side', HALVES)
def test_values_at_the_vertices(runs, name: str, side: str) -> None:
    half, files = HALVES[side], runs[name]
    thickness = load_values(get(files, 'thickness_vertices', side))
    assert thickness[thickness > 0] == pytest.approx(half.thickness, abs=1e-4)
    assert (thickness == 0).mean() == pytest.approx(wall_share(half), abs=0.02)
    inward = load_surface(get(files, 'midthickness', side)).points[:, 0] - half.centre[0]
    inward *= 1 if side == 'L' else -1
    assert inward[thickness == 0].min() > inward[thickness > 0].max() - 1
    curvature = load_values(get(files, 'curv_vertices', side))
    middle = half.white + half.thickness / 2
    assert np.median(curvature) == pytest.approx(-1 / middle, rel=0.05)
    depth = load_values(get(files, 'sulc_vertices', side))
    assert np.abs(depth).max() < 1
    contrast = load_values(get(files, 'contrast_vertices', side))
    assert np.median(contrast) == pytest.approx(200 * (WHITE - GREY) / (WHITE + GREY), rel=0.01)
    assert contrast.mean() == pytest.approx(200 * (WHITE - GREY) / (WHITE + GREY), rel=0.03)


def test_other_programs_read_the_meshes(runs) -> None:
    for side, structure in (('L', 'CortexLeft'), ('R', 'CortexRight')):
        for layer in LAYERS:
            path = get(runs['RAS'], layer, side)
            image = nb.load(path)
            assert image.meta['AnatomicalStructurePrimary'] == structure
            (points,) = image.get_arrays_from_intent('NIFTI_INTENT_POINTSET')
            assert points.coordsys.xform == pytest.approx(np.eye(4))
            assert points.meta['GeometricType'] == 'Anatomical'
            mesh = surface.load_surf_mesh(path)
            ours = load_surface(path)
            assert np.asarray(mesh.coordinates) == pytest.approx(ours.points)
            assert np.array_equal(mesh.faces, ours.faces)
        values = surface.load_surf_data(get(runs['RAS'], 'area_vertices', side))
        assert len(values) == len(load_surface(get(runs['RAS'], 'white', side)).points)


@pytest.mark.skipif(WORKBENCH is None, reason='needs wb_command of Connectome Workbench')
@pytest.mark.parametrize('side', HALVES)
def test_workbench_reads_them(runs, side: str) -> None:
    for layer in LAYERS:
        path = get(runs['LAS'], layer, side)
        mesh = load_surface(path)
        told = ask_workbench('-surface-information', path)
        assert told['Type'] == 'Anatomical'
        assert int(told['Number of Vertices']) == len(mesh.points)
        assert int(told['Number of Triangles']) == len(mesh.faces)
    told = ask_workbench('-file-information', get(runs['LAS'], 'white', side))
    assert told['Structure'] == {'L': 'CortexLeft', 'R': 'CortexRight'}[side]
    assert told['Surface Type (Secondary)'] == 'GrayWhite'
    assert told['Normal Vectors Correct'] == 'true'
    sphere = 4 * np.pi * HALVES[side].white ** 2
    assert float(told['Surface Area']) == pytest.approx(sphere, rel=0.02)


def ask_workbench(command: str, path: Path) -> dict[str, str]:
    done = subprocess.run(
        [str(WORKBENCH), command, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    pairs = (line.partition(':') for line in done.stdout.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def test_an_empty_hemisphere_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    affine = AFFINES['RAS']
    left = write_maps(tmp_path, 'L', affine)
    empty = write(tmp_path / 'empty.nii.gz', np.zeros((20, 20, 20), np.float32), affine)
    with pytest.raises(ValueError, match=r'^right hemisphere: '):
        make_surfaces(*write_image(tmp_path, affine), left[0], empty, left[1], empty, threads=1)


def test_the_figure_draws_both_surfaces(runs) -> None:
    files = runs['RAS']
    meshes = (files.white_left, files.white_right, files.pial_left, files.pial_right)
    (figure,) = draw_surfaces(files.white_left.with_name('t1w.nii.gz'), *meshes)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['pial surface', 'white surface']
    assert len(figure.axes[0].patches) == 2
