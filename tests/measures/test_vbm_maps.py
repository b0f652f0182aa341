"""Maps in a space keep the volume of the image, through affine and warp."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.transforms import affine_transform, field_transform, write_composite
from mriderived.measures.vbm import VBM, draw_grey, make_maps

SPACE = np.diag([1.5, 1.5, 1.5, 1.0])
SPACE[:3, 3] = -45
SHAPE = (61, 61, 61)
NATIVE = np.array([[0, 0, 1.0, -45], [-1.0, 0, 0, 45], [0, 1.0, 0, -45], [0, 0, 0, 1]])


def write_fractions(folder: Path) -> dict[str, Path]:
    """Two balls with soft edges, in a native grid with permuted and flipped axes."""
    voxels = np.indices((91, 91, 91)).reshape(3, -1)
    points = NATIVE[:3, :3] @ voxels + NATIVE[:3, 3:]
    paths = {}
    for name, centre, radius in (('gm', (4, -3, 2), 21.0), ('wm', (-6, 0, 5), 14.0)):
        distance = np.linalg.norm(points - np.array(centre)[:, None], axis=0)
        data = np.clip(radius + 0.5 - distance, 0, 1).reshape(91, 91, 91).astype(np.float32)
        paths[name] = folder / f'{name}.nii.gz'
        nb.Nifti1Image(data, NATIVE).to_filename(paths[name])
    return paths


def volume(path: Path) -> float:
    image = nb.load(path)
    return float(np.asarray(image.dataobj, float).sum() * abs(np.linalg.det(image.affine[:3, :3])))


def wave(amplitude: float) -> tuple[np.ndarray, np.ndarray]:
    """A smooth field in voxels of the space, and its exact Jacobian determinant."""
    x, y, z = np.indices(SHAPE) / 60 * 2 * np.pi
    rate = amplitude * 2 * np.pi / 60
    field = amplitude * np.stack([np.sin(x) * np.cos(y), np.sin(y) * np.cos(z), np.sin(z)])
    gradient = np.zeros((*SHAPE, 3, 3))
    gradient[..., 0, 0] = 1 + rate * np.cos(x) * np.cos(y)
    gradient[..., 0, 1] = -rate * np.sin(x) * np.sin(y)
    gradient[..., 1, 1] = 1 + rate * np.cos(y) * np.cos(z)
    gradient[..., 1, 2] = -rate * np.sin(y) * np.sin(z)
    gradient[..., 2, 2] = 1 + rate * np.cos(z)
    return field.astype(np.float32), np.linalg.det(gradient)


@pytest.mark.parametrize(
    ('zoom', 'amplitude'), [(1.0, 0.0), (1.1, 0.0), (0.8, 0.0), (1.0, 2.0), (0.9, 3.0)]
)
def test_the_native_volume_is_kept(zoom, amplitude, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = write_fractions(tmp_path)
    matrix = np.diag([zoom, zoom * 1.05, zoom, 1.0])
    matrix[:3, :3] = matrix[:3, :3] @ rotation(0.2)
    matrix[:3, 3] = (2, -1, 0.5)
    field, determinant = wave(amplitude)
    xfm = write_composite([field_transform(field, SPACE), affine_transform(matrix)], 'xfm.h5')
    change = np.log(determinant * np.linalg.det(matrix[:3, :3])).astype(np.float32)
    nb.Nifti1Image(change, SPACE).to_filename(tmp_path / 'jacobian.nii.gz')
    maps = make_maps(paths['gm'], paths['wm'], xfm, tmp_path / 'jacobian.nii.gz')
    for name in ('gm', 'wm'):
        native = volume(paths[name])
        assert volume(getattr(maps, f'{name}_modulated')) == pytest.approx(native, rel=0.005)
        assert volume(getattr(maps, f'{name}_modulated_smooth')) == pytest.approx(native, rel=0.01)
    largest = np.asarray(nb.load(maps.gm_modulated).dataobj).max()
    assert largest == pytest.approx(np.exp(change[largest_place(maps)]), rel=0.05)


def rotation(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def largest_place(maps) -> tuple[int, ...]:
    data = np.asarray(nb.load(maps.gm_modulated).dataobj)
    return tuple(int(i) for i in np.unravel_index(data.argmax(), data.shape))


def test_sidecars_say_that_values_exceed_one() -> None:
    for output in VBM.outputs:
        assert 'exceed 1' in output.description
        assert output.sidecar['Modulated'] is True
    smoothed = [output for output in VBM.outputs if output.field.endswith('smooth')]
    assert {output.entities['desc'] for output in smoothed} == {'modulatedSm8'}
    assert {output.sidecar['SmoothingFWHM'] for output in smoothed} == {8.0}


def test_the_figure_is_drawn(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    grey = write_fractions(tmp_path)['gm']
    assert len(draw_grey(grey, grey)) == 1
