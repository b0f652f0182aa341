"""Thickness on fsaverage5: what corresponds is found through the transform, on the right bank."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial import cKDTree

from mriderived.core.surface_mesh import vertex_normals
from mriderived.core.surface_transfer import match_vertices
from mriderived.interfaces.gifti import Surface, load_values, save_surface, save_values
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.transforms import affine_transform, write_composite
from mriderived.measures.fsaverage_thickness import (
    FSAVERAGE_THICKNESS,
    FsaverageFiles,
    draw_fsaverage,
    map_to_image,
    transfer_thickness,
)
from mriderived.spaces.fsaverage import Side, load_fsaverage

SIDES: tuple[tuple[Side, str], ...] = (('L', 'left'), ('R', 'right'))
#: From the space to the image: turned about z, larger, and moved.
MATRIX = np.array([[1.08, -0.1, 0, 6], [0.1, 1.05, 0.05, -9], [0, -0.05, 1.1, 12], [0, 0, 0, 1.0]])


def move(points: np.ndarray) -> np.ndarray:
    return np.asarray(nb.affines.apply_affine(MATRIX, points))


def truth(side: Side) -> np.ndarray:
    """Return a thickness that differs between places and sides."""
    points = load_fsaverage(side).midthickness
    return 2.5 + points[:, 1] / 200 + (0.5 if side == 'R' else 0)


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, lost: float = 0.0) -> FsaverageFiles:
    """Give a participant the template's own cortex in other coordinates, vertices shuffled."""
    monkeypatch.chdir(folder)
    rng = np.random.default_rng(0)
    files = []
    for side, name in SIDES:
        mesh = load_fsaverage(side)
        order = rng.permutation(len(mesh.midthickness))
        place = np.argsort(order)
        points = move(mesh.midthickness)[order]
        values = np.where(mesh.is_cortex, truth(side), 0)
        values[mesh.midthickness[:, 1] < np.quantile(mesh.midthickness[:, 1], lost)] = 0
        surface = Surface(points, place[mesh.triangles].astype(np.int32))
        files += [
            save_surface(surface, side, 'midthickness', f'mid_{name}.surf.gii'),
            save_values(values[order], side, 'Cortical thickness', f'thick_{name}.shape.gii'),
        ]
    # the transform that resamples the image in the space takes points of the space to the image
    xfm = write_composite([affine_transform(MATRIX)], 'xfm.h5')
    return transfer_thickness(xfm, *files)


def test_points_of_the_space_go_to_the_image(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    xfm = write_composite([affine_transform(MATRIX)], 'xfm.h5')
    points = np.random.default_rng(1).normal(0, 50, (20, 3))
    assert map_to_image(points, xfm) == pytest.approx(move(points), abs=1e-4)


def test_every_vertex_finds_its_own(tmp_path, monkeypatch) -> None:
    found = run(tmp_path, monkeypatch)
    for (side, _), path in zip(SIDES, found, strict=True):
        mesh = load_fsaverage(side)
        values = load_values(path)
        assert len(values) == 10242
        assert (values[~mesh.is_cortex] == 0).all()
        assert values[mesh.is_cortex] == pytest.approx(truth(side)[mesh.is_cortex], abs=1e-5)
        image = nb.load(path)
        structure = {'L': 'CortexLeft', 'R': 'CortexRight'}[side]
        assert image.meta['AnatomicalStructurePrimary'] == structure
        assert not remarks_file(path).exists()


def test_what_has_no_counterpart_is_told(tmp_path, monkeypatch) -> None:
    """The participant lacks the hindmost tenth, of which a part is still within reach."""
    found = run(tmp_path, monkeypatch, lost=0.1)
    for (side, _), path in zip(SIDES, found, strict=True):
        mesh = load_fsaverage(side)
        values = load_values(path)
        lost = (values[mesh.is_cortex] == 0).mean()
        assert 0.02 < lost < 0.1
        (note,) = json.loads(remarks_file(path).read_text())['Notes']
        percent = f'{100 * lost:.0f}'
        assert note == f'{percent} % of the cortex of fsaverage5 has no counterpart ({side}).'
        known = mesh.is_cortex & (values > 0)
        assert np.abs(values[known] - truth(side)[known]).max() < 0.06


def test_the_right_bank_of_a_sulcus_is_chosen() -> None:
    """Two sheets 1.5 mm apart that face each other; the template lies nearer to the wrong one."""
    across = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0)), axis=-1).reshape(-1, 2)
    banks = [np.insert(across, 0, x, axis=1) for x in (0.0, 1.5)]
    facing = [np.tile([sign, 0.0, 0.0], (400, 1)) for sign in (1, -1)]
    for bank, x in ((0, 1.4), (1, 0.1)):
        points = np.insert(across + 0.2, 0, x, axis=1)
        index, distance = match_vertices(
            points, facing[bank], np.concatenate(banks), np.concatenate(facing)
        )
        assert (index // 400 == bank).all()
        assert (index % 400 == np.arange(400)).all()
        assert distance == pytest.approx(np.sqrt(1.4**2 + 2 * 0.2**2))
    # and where both face alike, the nearest
    index, _ = match_vertices(
        np.insert(across, 0, 1.4, axis=1), facing[0], np.concatenate(banks),
        np.concatenate([facing[0], facing[0]]),
    )  # fmt: skip
    assert (index // 400 == 1).all()


def test_a_shifted_template_keeps_to_its_bank() -> None:
    """fsaverage5 moved by 3 mm against itself: distance alone would mix the banks of sulci."""
    mesh = load_fsaverage('L')
    points = mesh.midthickness + np.array([1.8, 1.8, 1.5])
    normals = vertex_normals(mesh.midthickness, mesh.triangles)
    index, _ = match_vertices(points, normals, mesh.midthickness, normals)
    nearest = cKDTree(mesh.midthickness).query(points)[1]
    ours, plain = ((normals * normals[found]).sum(axis=1) for found in (index, nearest))
    assert (ours < 0).mean() < 0.001
    assert (plain < 0).mean() > 0.05


def test_the_figure_shows_both_sides(tmp_path, monkeypatch) -> None:
    (figure,) = draw_fsaverage(*run(tmp_path, monkeypatch))
    assert [axes.get_title() for axes in figure.axes[:4]] == [
        'left, lateral', 'left, medial', 'right, medial', 'right, lateral',
    ]  # fmt: skip
    assert figure.axes[4].get_xlabel() == 'cortical thickness (mm)'


def test_outputs_are_named_for_the_template() -> None:
    for output, side in zip(FSAVERAGE_THICKNESS.outputs, 'LR', strict=True):
        assert output.entities == {'hemi': side, 'space': 'fsaverage', 'den': '10k'}
