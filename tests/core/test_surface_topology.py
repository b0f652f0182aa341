"""Handles, cavities and touching sheets: every object becomes a ball, every mesh a sphere."""

import numpy as np
import pytest

from mriderived.core.surface_mesh import boundary_mesh, component_count, euler_number
from mriderived.core.surface_topology import make_ball


def topology(mask):
    _, faces = boundary_mesh(mask, mask.astype(np.float32))
    return euler_number(faces), component_count(faces)


def torus(large, small, shape=(64, 64, 24)):
    """Return a field that is 0.5 on a torus and falls by 1 over four voxels."""
    x, y, z = (np.indices(shape).T - (np.array(shape) - 1) / 2).T
    tube = np.hypot(np.hypot(x, y) - large, z)
    return np.clip(0.5 + (small - tube) / 4, 0, 1).astype(np.float32)


def test_a_wide_handle_is_cut_across_its_thinnest_point():
    field = torus(20, 6)
    x, y, _ = (np.indices(field.shape).T - (np.array(field.shape) - 1) / 2).T
    # Thinner where x is largest.
    field -= np.float32(0.5) * ((x > 10) & (np.abs(y) < 3)) * (field < 0.95)
    assert topology(field > 0.5) == (0, 1)

    ball = make_ball(field)

    assert topology(ball.mask) == (2, 1)
    assert ball.filled.sum() == 0
    where = np.argwhere(ball.cut)
    assert (where[:, 0] > 32).all()
    assert 10 < ball.changed < 120


def test_a_narrow_tunnel_is_filled():
    field = torus(6, 5, (32, 32, 24))
    assert topology(field > 0.5) == (0, 1)

    ball = make_ball(field)

    assert topology(ball.mask) == (2, 1)
    assert ball.cut.sum() == 0
    assert 0 < ball.filled.sum() <= 12


def test_a_cavity_is_filled():
    field = np.zeros((16, 16, 16), np.float32)
    field[2:14, 2:14, 2:14] = 1
    field[6:9, 6:9, 6:9] = 0
    ball = make_ball(field)
    assert (ball.filled.sum(), ball.cut.sum()) == (27, 0)
    assert topology(ball.mask) == (2, 1)


def test_of_two_blobs_that_touch_at_an_edge_the_larger_one_is_kept():
    field = np.zeros((12, 12, 12), np.float32)
    field[2:6, 2:6, 2:9] = 1
    field[6:9, 6:9, 2:9] = 1
    ball = make_ball(field)
    assert ball.mask.sum() == 4 * 4 * 7
    assert topology(ball.mask) == (2, 1)


def test_blobs_joined_by_two_bridges_keep_one():
    field = np.zeros((30, 16, 10), np.float32)
    field[2:10, 2:14, 2:8] = field[20:28, 2:14, 2:8] = 1
    field[10:20, 3:5, 4:6] = 0.9
    field[10:20, 11:13, 4:6] = 0.7
    assert topology(field > 0.5) == (0, 1)
    ball = make_ball(field)
    assert topology(ball.mask) == (2, 1)
    assert ball.mask[10:20, 3:5, 4:6].all()
    assert set(np.unique(field[ball.cut])) == {np.float32(0.7)}


@pytest.mark.parametrize('seed', range(8))
def test_random_objects_become_balls_and_their_meshes_are_spheres(seed):
    """Noise has every way in which voxels can touch."""
    field = np.zeros((16, 17, 18), np.float32)
    field[1:-1, 1:-1, 1:-1] = np.random.default_rng(seed).random((14, 15, 16))
    ball = make_ball(field, 0.45)
    assert topology(ball.mask) == (2, 1)
    _, faces = boundary_mesh(ball.mask, field, 0.45)
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert set(np.unique(edges, axis=0, return_counts=True)[1]) == {2}


def test_touching_sheets_stay_apart():
    mask = np.zeros((4, 4, 4), bool)
    mask[1, 1, 1] = mask[2, 2, 1] = True
    points, faces = boundary_mesh(mask, mask.astype(np.float32))
    assert (len(points), len(faces)) == (16, 24)
    assert euler_number(faces) == 4
    assert component_count(faces) == 2


def test_normals_point_outward_and_the_volume_is_right():
    mask = np.zeros((7, 7, 7), bool)
    mask[2:5, 2:5, 2:5] = True
    points, faces = boundary_mesh(mask, mask.astype(np.float32))
    a, b, c = np.moveaxis(points[faces], 1, 0)
    volume = np.einsum('ij,ij->i', a, np.cross(b, c)).sum() / 6
    assert 20 < volume < 27  # corners and edges are cut off


def test_an_empty_hemisphere_and_one_that_is_cut_off_are_refused():
    with pytest.raises(ValueError, match=r'The hemisphere is empty: no voxel .* above 0\.5'):
        make_ball(np.zeros((5, 5, 5), np.float32))
    with pytest.raises(ValueError, match='touches the edge of the volume'):
        make_ball(np.ones((5, 5, 5), np.float32))
