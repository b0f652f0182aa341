"""Fibres in oblique layers tell the axes and signs of the gradient table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from mriderived.core.gradient_orientation import apply_transform, describe_transform, rank_tables
from mriderived.core.gradient_table import Gradients, make_gradients
from mriderived.phantom.deformation import Deformation, draw_field, draw_matrix
from mriderived.phantom.dwi import Dwi, draw_dwi, take_dwi
from mriderived.phantom.dwi_fibres import LAYER_MM, LAYERS, lay_fibres, lay_template_layers
from mriderived.phantom.dwi_options import DwiOptions

OPTIONS = DwiOptions(
    voxel_mm=(4.0, 4.0, 4.0), shells=((1000.0, 12),), b0s=2, motion_mm=0.0, motion_degrees=0.0,
    eddy_voxels=0.0, dropouts=0, bias=0.0, field=0.0, snr=30.0, crop=(28, 28, 20),
    fibres='layers',
)  # fmt: skip


class Scan(NamedTuple):
    """A run, the signals of its brain and its table."""

    dwi: Dwi
    signals: np.ndarray
    gradients: Gradients


def head() -> Deformation:
    rng = np.random.default_rng(5)
    return Deformation(draw_matrix(rng, 0.93, flip=False), draw_field(rng))


@pytest.fixture(scope='module')
def scan() -> Scan:
    dwi = draw_dwi(head(), 0.93, (1,), OPTIONS)
    series = np.stack(list(take_dwi(dwi)), axis=-1).astype(np.float32)
    return Scan(dwi, series[dwi.brain_mask], make_gradients(dwi.b, dwi.directions))


def test_fibres_run_on_within_their_layer() -> None:
    np.testing.assert_allclose(LAYERS @ LAYERS.T, np.eye(3), atol=1e-12)
    start = np.random.default_rng(0).uniform(-40, 40, (50, 3))
    first = lay_template_layers(start).first
    for step in (3.0, 50.0, -70.0):
        np.testing.assert_array_equal(lay_template_layers(start + step * first).first, first)
    # the next layer is crossed by those at a right angle
    beyond = lay_template_layers(start + LAYER_MM * LAYERS[0]).first
    np.testing.assert_allclose((beyond * first).sum(axis=1), 0, atol=1e-12)


def test_the_layout_is_that_of_the_option(scan: Scan) -> None:
    points = np.array([[10.0, -20.0, 30.0], [-25.0, 5.0, 20.0]])
    layers, populations = (lay_fibres(points, head(), kind) for kind in ('layers', 'populations'))
    assert np.abs((layers.first * populations.first).sum(axis=1)).max() < 0.99
    assert not layers.share.any()
    assert not scan.dwi.tissue.fibres.share.any()


def test_the_right_table_is_found_right(scan: Scan) -> None:
    ranking = rank_tables(scan.signals, scan.dwi.brain_mask, scan.gradients, scan.dwi.affine)
    assert (ranking.verdict, ranking.place) == ('right', 0)
    assert ranking.z > 4  # 6.0


@pytest.mark.parametrize('row', [0, 1, 2])
def test_a_wrong_sign_is_found(scan: Scan, row: int) -> None:
    signs = np.where(np.arange(3) == row, -1.0, 1.0)
    wrong = apply_transform(scan.gradients, np.diag(signs), scan.dwi.affine)
    ranking = rank_tables(scan.signals, scan.dwi.brain_mask, wrong, scan.dwi.affine)
    assert ranking.verdict == 'wrong'
    assert describe_transform(ranking.transforms[0]) == f'{"xyz"[row]} reversed'


def test_other_fibres_are_refused() -> None:
    with pytest.raises(ValueError, match="'rings' are not populations or layers"):
        DwiOptions(fibres='rings')  # type: ignore[arg-type]
