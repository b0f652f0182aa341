"""Rigid transforms: what is written is read again, and ITK applies it as it is meant."""

from __future__ import annotations

from pathlib import Path

import ants
import numpy as np
import pandas as pd
import pytest

from mriderived.core.rigid_search import to_matrix
from mriderived.interfaces.rigid_files import load_rigid, save_rigid

LPS = np.array([-1.0, -1.0, 1.0])


@pytest.mark.parametrize('seed', range(5))
def test_what_is_written_is_read_again(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    matrix = to_matrix(rng.normal(0, 20, 6), rng.normal(0, 40, 3))
    path = save_rigid(matrix, 'bold_to_t1w.h5')
    assert path == tmp_path / 'bold_to_t1w.h5'
    np.testing.assert_allclose(load_rigid(path), matrix, atol=1e-4)


def test_points_of_the_fixed_image_go_where_the_matrix_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    matrix = to_matrix(np.array([5.0, -3, 2, 4, -6, 10]), np.array([0.0, -20, 10]))
    points = np.random.default_rng(9).uniform(-80, 80, (50, 3))
    frame = pd.DataFrame(points * LPS, columns=['x', 'y', 'z'])
    path = save_rigid(matrix, 'x.h5')
    moved = ants.apply_transforms_to_points(3, frame, [str(path)])[['x', 'y', 'z']].to_numpy()
    np.testing.assert_allclose(moved * LPS, points @ matrix[:3, :3].T + matrix[:3, 3], atol=1e-4)


def test_the_identity_stays_the_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.testing.assert_allclose(load_rigid(save_rigid(np.eye(4), 'x.h5')), np.eye(4), atol=1e-6)
