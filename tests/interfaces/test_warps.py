"""Resampling through composites, on images whose place is known."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.transforms import affine_transform, write_composite
from mriderived.interfaces.warps import (
    Grid,
    crop_grid,
    measure_coverage,
    read_grid,
    warp_labels,
    warp_map,
    warp_sides,
)

LAS = np.array([[-1.0, 0, 0, 20], [0, 1, 0, -20], [0, 0, 1, -20], [0, 0, 0, 1]])


@pytest.fixture
def atlas(tmp_path: Path) -> Path:
    """Label 1 left, 2 right, in a file whose x axis runs to the left."""
    x = 20 - np.arange(41)
    labels = np.zeros((41, 41, 41), np.int32)
    labels[:, 10:30, 10:30] = np.where(x < 0, 1, 2)[:, None, None]
    path = tmp_path / 'atlas.nii.gz'
    nb.Nifti1Image(labels, LAS).to_filename(path)
    return path


def moved_by(shift: tuple[float, float, float], folder: Path, monkeypatch) -> Path:
    """A transform that takes a point of the image to the space by adding ``shift`` mm."""
    monkeypatch.chdir(folder)
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    return write_composite([affine_transform(matrix)], 'xfm.h5')


def grid(shape: tuple[int, ...], size: float, origin: float) -> Grid:
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = origin
    return Grid(shape, affine)


def test_labels_and_sides_follow_the_transform(atlas, tmp_path, monkeypatch) -> None:
    xfm = moved_by((5, 0, 0), tmp_path, monkeypatch)
    here = grid((21, 21, 21), 1.0, -10)
    labels, sides = warp_labels(atlas, here, xfm), warp_sides(atlas, here, xfm)
    x = np.arange(-10, 11)
    assert labels.dtype == np.int32
    assert (labels[:, 10, 10] == np.where(x + 5 < 0, 1, 2)).all()
    assert (sides[:, 3, 17] == np.sign(x + 5)).all()


def test_outside_the_atlas_nothing_is_known(atlas, tmp_path, monkeypatch) -> None:
    xfm = moved_by((0, 0, 0), tmp_path, monkeypatch)
    here = grid((4, 4, 4), 1.0, 40.0)
    assert not warp_labels(atlas, here, xfm).any()
    assert not warp_sides(atlas, here, xfm).any()


def test_a_map_keeps_its_values(tmp_path, monkeypatch) -> None:
    ramp = np.arange(41.0, dtype=np.float32)[:, None, None] * np.ones((1, 41, 41), np.float32)
    path = tmp_path / 'ramp.nii.gz'
    nb.Nifti1Image(ramp, LAS).to_filename(path)
    xfm = moved_by((0.25, 0, 0), tmp_path, monkeypatch)
    found = warp_map(path, grid((9, 3, 3), 2.0, -8), xfm)
    expected = 20 - (np.arange(-8, 9, 2) + 0.25)
    assert found[:, 1, 1] == pytest.approx(expected, abs=1e-4)


def test_coverage_is_the_part_inside_the_image(atlas, tmp_path, monkeypatch) -> None:
    xfm = moved_by((0, 0, 0), tmp_path, monkeypatch)
    index = np.array([1, 2, 77])
    whole = measure_coverage(atlas, grid((60, 60, 60), 1.0, -30), xfm, index)
    assert whole.tolist() == [1.0, 1.0, 1.0]
    upper_half = grid((60, 60, 30), 1.0, -30)
    upper_half.affine[2, 3] = 0
    half = measure_coverage(atlas, upper_half, xfm, index)
    assert half[:2] == pytest.approx(0.5, abs=0.06)  # sampled every 2 mm
    right = grid((30, 60, 60), 1.0, -30)
    right.affine[0, 3] = 1
    assert measure_coverage(atlas, right, xfm, index)[0] == 0.0


def test_a_cropped_grid_lies_where_it_was(atlas) -> None:
    affine = read_grid(atlas).affine
    cropped = crop_grid(affine, (slice(3, 9), slice(0, 5), slice(7, 8)))
    assert cropped.shape == (6, 5, 1)
    assert cropped.affine[:3, 3] == pytest.approx((affine @ [3, 0, 7, 1])[:3])
