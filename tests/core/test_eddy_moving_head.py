"""Framewise displacement of a head that moves is that of the head, and its positions are true."""

from __future__ import annotations

import numpy as np
import pytest
from dwi_phantoms import CENTRE, Truth, draw_series, make_affine, make_table, make_truth

from mriderived.core.eddy_head import remove_eddy_shift
from mriderived.core.eddy_motion import estimate_eddy
from mriderived.core.motion_measures import framewise_displacement
from mriderived.core.rigid import rigid_matrix, rigid_parameters

SHAPE = (40, 45, 28)
DEGREE = np.radians(1.0)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


@pytest.mark.parametrize(('b', 'shift', 'turn'), [(1000.0, 0.04, 0.1), (2500.0, 0.08, 0.12)])
def test_a_head_that_jumps_twice(b: float, shift: float, turn: float) -> None:
    gradients = make_table({b: 20}, b0_every=8)
    count = len(gradients)
    rng = np.random.default_rng(0)
    moves = np.zeros((count, 6))
    for volume in (count // 3, 2 * count // 3):
        moves[volume:] += rng.uniform(-1, 1, 6) * ([1.0] * 3 + [DEGREE] * 3)
    eddy = make_truth(gradients, 1e-9, 1e-9, 1.0).eddy
    truth = Truth(moves, np.stack([rigid_matrix(move, CENTRE) for move in moves]), eddy)
    affine = make_affine(SHAPE, 4.8)
    found = estimate_eddy(draw_series(SHAPE, affine, gradients, truth), affine, gradients, 1)

    along = affine[:3, 1] / np.linalg.norm(affine[:3, 1])
    alone = remove_eddy_shift(found.parameters, found.shift, along)
    displacement = np.nanmean(framewise_displacement(alone))
    wanted = np.nanmean(framewise_displacement(moves))
    # 0.31 mm; volumes one by one make 0.5 and 1.8 mm of it
    assert displacement == pytest.approx(wanted, rel=0.3)

    apart = np.linalg.inv(truth.matrices) @ found.matrices
    resting = rigid_parameters(apart[gradients.shell == 0], CENTRE).mean(axis=0)
    error = rigid_parameters(apart @ np.linalg.inv(rigid_matrix(resting, CENTRE)), CENTRE)
    weighted = gradients.shell > 0
    assert rms(error[weighted, :3]) < shift  # mm
    assert np.degrees(rms(error[weighted, 3:])) < turn
    assert rms(found.eddy[weighted] - eddy[weighted]) < 0.12  # voxels at the edge
