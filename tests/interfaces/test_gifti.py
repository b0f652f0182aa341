"""Surfaces and values survive being written, with what other programs want to know."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.gifti import (
    Surface,
    load_surface,
    load_values,
    save_surface,
    save_values,
)

POINTS = np.array([[0, 0, 0], [10.125, 0, 0], [0, -20.5, 0], [0, 0, 30.25]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ('layer', 'named'),
    [('white', 'GrayWhite'), ('midthickness', 'MidThickness'), ('pial', 'Pial')],
)
def test_a_mesh_comes_back(folder: Path, layer: str, named: str) -> None:
    path = save_surface(Surface(POINTS, FACES), 'R', layer, 'mesh.surf.gii')
    assert path == folder / 'mesh.surf.gii'
    points, faces = load_surface(path)
    assert points.dtype == np.float64
    assert np.array_equal(points, POINTS)
    assert faces.dtype == np.int32
    assert np.array_equal(faces, FACES)
    image = nb.load(path)
    (array,) = image.get_arrays_from_intent('NIFTI_INTENT_POINTSET')
    assert array.meta['AnatomicalStructureSecondary'] == named
    assert array.coordsys.dataspace == array.coordsys.xformspace == 1  # scanner coordinates
    assert image.meta['AnatomicalStructurePrimary'] == 'CortexRight'


def test_values_come_back() -> None:
    path = save_values(np.array([0.5, 0, -1]), 'L', 'Sulcal depth', 'x.shape.gii')
    values = load_values(path)
    assert values.dtype == np.float32
    assert values.tolist() == [0.5, 0, -1]
    image = nb.load(path)
    assert image.darrays[0].meta['Name'] == 'Sulcal depth'
    assert image.darrays[0].intent == nb.nifti1.intent_codes['NIFTI_INTENT_SHAPE']
    assert image.meta['AnatomicalStructurePrimary'] == 'CortexLeft'


def test_the_same_values_are_the_same_file(folder: Path) -> None:
    one, two = (save_surface(Surface(POINTS, FACES), 'L', 'white', f'{n}.surf.gii') for n in 'ab')
    assert one.read_bytes() == two.read_bytes()
