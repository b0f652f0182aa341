"""NODDI and the diffusion-derived gradient as files: values, missing voxels, remarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mriderived.core.gradient_table import Gradients, make_gradients
from mriderived.core.kurtosis_maximum import half_sphere
from mriderived.core.noddi_model import make_protocol, simulate
from mriderived.interfaces.gradient_tables import save_fsl
from mriderived.interfaces.series import save_masked
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, save
from mriderived.measures.diffusion_gradient import COLUMNS, write_diffusion_gradient
from mriderived.measures.noddi import write_noddi

SHAPE = (9, 9, 8)
AFFINE = np.eye(4)
AFFINE[:3, :3] = [[1.6, -1.2, 0], [1.2, 1.6, 0], [0, 0, 2.5]]
MASK = np.zeros(SHAPE, bool)
MASK[1:8, 1:8, 1:7] = True
AXIS = np.array([0.48, 0.6, 0.64])
#: Of the unweighted image, across the fibre.
SLOPE = 0.05 * np.array([0.8, -0.64, 0.0])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def gradients() -> Gradients:
    b = np.repeat([0.0, 700.0, 2000.0], [3, 30, 60])
    return make_gradients(b, np.concatenate([np.zeros((3, 3)), half_sphere(30), half_sphere(60)]))


def write_scan(gradients: Gradients, relative: np.ndarray) -> tuple[Path, Path, Path, Path]:
    """Write one relative signal (n,) everywhere, under an image that grows along SLOPE."""
    points = np.argwhere(MASK) @ AFFINE[:3, :3].T
    base = 500 * np.exp(points @ SLOPE)
    values = (base[:, None] * relative).astype(np.float32)
    values[7] = 0
    series = save_masked(values, MASK, AFFINE, 1.0, 'dwi.nii.gz')
    files = save_fsl(gradients, AFFINE, 'dwi')
    return series, files.bval, files.bvec, save(MASK.astype(np.uint8), AFFINE, 'mask.nii.gz')


def alive() -> np.ndarray:
    found = MASK.copy()
    found[tuple(np.argwhere(MASK)[7])] = False
    return found


def tissue(gradients: Gradients) -> np.ndarray:
    """Return the signal of tissue with ICVF 0.6, OD 0.2, ISOVF 0.1."""
    protocol = make_protocol(gradients.b, gradients.directions)
    numbers = (np.array([value]) for value in (0.6, 0.2, 0.1))
    relative = simulate(protocol, *numbers, AXIS[None] / np.linalg.norm(AXIS))[0]
    relative[gradients.shell == 0] = 1
    return relative


def test_noddi_files(gradients: Gradients) -> None:
    scan = write_scan(gradients, tissue(gradients))
    v1 = np.zeros((*SHAPE, 3), np.float32)
    v1[MASK] = AXIS + np.array([0.1, -0.1, 0])
    found = write_noddi(*scan, save(v1, AFFINE, 'v1.nii.gz'))
    for path, value in zip(found, (0.6, 0.2, 0.1, 0.0), strict=True):
        np.testing.assert_allclose(load(path)[alive()], value, atol=2e-3)
        assert (load(path)[~alive()] == 0).all()
    remarks = json.loads(remarks_file(found.noddi_icvf).read_text())
    assert remarks['VoxelsWithoutValue'] == 1


def test_gradient_files_say_what_they_are(gradients: Gradients) -> None:
    found = write_diffusion_gradient(*write_scan(gradients, tissue(gradients)))
    direction = load(found.gradient_direction)
    known = np.linalg.norm(direction, axis=-1) > 0
    assert known.sum() == alive().sum()
    np.testing.assert_allclose(np.linalg.norm(direction[known], axis=-1), 1, atol=1e-5)
    # dispersed fibres have no gradient: what looks like one is across them
    across = np.degrees(np.arccos(np.abs(direction[known] @ AXIS / np.linalg.norm(AXIS))))
    assert across.min() > 80
    row = pd.read_csv(found.gradient_table, sep='\t').iloc[0]
    assert list(row.index) == [column.name for column in COLUMNS]
    assert row['voxels'] > 20
    assert row['across_fibre_mean'] == pytest.approx(45, abs=2)
    assert row['below_chance'] == pytest.approx(57.29578 - row['mean'], abs=1e-3)
    fibre = min(row['third_axis_mean'], row['across_fibre_mean'])
    assert row['below_fibre'] == pytest.approx(fibre - row['mean'], abs=1e-3)
    remarks = json.loads(remarks_file(found.gradient_table).read_text())
    assert remarks['Notes'][0].startswith('Experimental')
    angle = load(found.gradient_angle)
    assert 0 <= angle.min() <= angle.max() <= 90


def test_gradient_table_without_fibres_says_why(gradients: Gradients) -> None:
    found = write_diffusion_gradient(*write_scan(gradients, np.exp(-gradients.b * 1e-3)))
    row = pd.read_csv(found.gradient_table, sep='\t').iloc[0]
    assert row['voxels'] == 0
    assert np.isnan(row['mean'])
    remarks = json.loads(remarks_file(found.gradient_table).read_text())
    assert set(remarks['MissingReasons']) >= {'mean', 'median', 'below_fibre'}
    assert 'chance_mean' not in remarks['MissingReasons']
