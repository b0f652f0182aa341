"""Motion, eddy currents and lost slices are recovered from series drawn with known ones."""

from typing import NamedTuple

import numpy as np
import pytest
from dwi_phantoms import (
    CENTRE,
    Truth,
    brain_at,
    draw_series,
    make_affine,
    make_table,
    make_truth,
)
from scipy import ndimage

from mriderived.core.eddy_motion import estimate_eddy
from mriderived.core.eddy_repair import repair_volumes
from mriderived.core.eddy_sampling import plan_eddy_route, resample_eddy
from mriderived.core.eddy_terms import (
    EddyMotion,
    displace_all,
    rotations_to_reference,
    scale_places,
    still_motion,
)
from mriderived.core.gradient_table import Gradients, make_gradients, rotate, select
from mriderived.core.rigid import rigid_matrix, rigid_parameters

SHAPE, VOXEL, AXIS = (60, 68, 42), 3.2, 1
AFFINE = make_affine(SHAPE, VOXEL)
BRAIN = brain_at(SHAPE, AFFINE)


class Scan(NamedTuple):
    """A series with what is known of it."""

    series: np.ndarray
    gradients: Gradients
    truth: Truth
    dropped: np.ndarray
    found: EddyMotion
    #: Where the reference lies against the resting head.
    rest: np.ndarray


def _drop_slices(series: np.ndarray, gradients: Gradients, count: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    dropped = np.zeros((series.shape[3], series.shape[2]), bool)
    for index in rng.choice(np.flatnonzero(gradients.shell), count, replace=False):
        first = rng.integers(9, series.shape[2] - 10)
        for place in (first, first + 3):
            series[:, :, place, index] *= rng.uniform(0.2, 0.5)
            dropped[index, place] = True
    return dropped


@pytest.fixture(scope='module')
def scan() -> Scan:
    gradients = make_table({1000.0: 20, 2500.0: 24}, b0_every=8)
    truth = make_truth(gradients)
    series = draw_series(SHAPE, AFFINE, gradients, truth, AXIS)
    dropped = _drop_slices(series, gradients, 8)
    found = estimate_eddy(series, AFFINE, gradients, AXIS)
    unweighted = gradients.shell == 0
    apart = np.linalg.inv(truth.matrices) @ found.matrices
    rest = rigid_matrix(rigid_parameters(apart[unweighted], CENTRE).mean(axis=0), CENTRE)
    return Scan(series, gradients, truth, dropped, found, rest)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((np.asarray(values, float) ** 2).mean()))


@pytest.mark.slow
def test_motion_of_3_mm_and_3_degrees_is_recovered_in_every_shell(scan) -> None:
    apart = np.linalg.inv(scan.truth.matrices) @ scan.found.matrices
    error = rigid_parameters(apart @ np.linalg.inv(scan.rest), CENTRE)
    for shell in range(3):
        chosen = scan.gradients.shell == shell
        # slices that were lost cost a little: without them it is below 0.1 mm and degrees
        assert _rms(error[chosen, :3]) < (0.01, 0.1, 0.12)[shell]  # mm
        assert np.degrees(_rms(error[chosen, 3:])) < (0.02, 0.1, 0.12)[shell]
    assert scan.found.fit.min() > 0.9


@pytest.mark.slow
def test_eddy_currents_of_two_voxels_are_recovered(scan) -> None:
    voxels = np.argwhere(BRAIN)
    scale = scale_places(SHAPE)
    places = np.stack([scale[a, 0] * voxels[:, a] + scale[a, 1] for a in range(3)])
    error = np.stack([displace_all(e, places) for e in scan.found.eddy - scan.truth.eddy])
    assert np.abs(scan.truth.eddy).max() == pytest.approx(2)
    for shell in (1, 2):
        assert _rms(error[scan.gradients.shell == shell]) < 0.1  # voxels
    assert not scan.found.eddy[scan.gradients.shell == 0].any()


@pytest.mark.slow
def test_all_slices_that_lost_half_of_their_signal_are_found_and_hardly_any_other(scan) -> None:
    assert scan.dropped.sum() == 16
    assert (scan.found.outliers & scan.dropped).sum() == 16
    false = scan.found.outliers & ~scan.dropped
    assert false.sum() < 0.01 * false.size
    assert (scan.found.losses[scan.dropped] > 0.35).all()


@pytest.mark.slow
def test_anisotropy_after_correction(scan) -> None:
    plan = plan_eddy_route(SHAPE, AFFINE, SHAPE, AFFINE, np.linalg.inv(scan.rest))
    repaired = repair_volumes(scan.series, AFFINE, scan.gradients, scan.found)
    corrected = np.stack(list(resample_eddy(repaired, scan.found, plan)), axis=-1)
    turned = rotate(scan.gradients, rotations_to_reference(scan.found.matrices))
    turned = rotate(turned, scan.rest[:3, :3])
    low = np.flatnonzero(scan.gradients.shell < 2)
    inside = ndimage.binary_erosion(BRAIN)
    clean = draw_series(SHAPE, AFFINE, select(scan.gradients, low), snr=0)
    wanted, fibre = _fit(clean[inside], select(scan.gradients, low))
    found, direction = _fit(corrected[..., low][inside], select(turned, low))
    raw, _ = _fit(scan.series[..., low][inside], select(scan.gradients, low))
    assert np.abs(raw - wanted).mean() > 0.04
    assert abs((found - wanted).mean()) < 0.005
    assert np.abs(found - wanted).mean() < 0.02
    clear = wanted > 0.4
    angle = np.degrees(np.arccos(np.clip(np.abs((fibre * direction).sum(axis=1)), 0, 1)))
    assert np.median(angle[clear]) < 2.5


@pytest.mark.slow
@pytest.mark.parametrize('axis', [
    (0.6, -0.64, 0.48),
    pytest.param((0, 0, 1), marks=pytest.mark.long),
    pytest.param((1, 0, 0), marks=pytest.mark.long),
])  # fmt: skip
def test_a_copy_turned_by_10_degrees_has_the_anisotropy_of_the_original(axis) -> None:
    gradients = make_table({1000.0: 24}, b0_every=8)
    count = len(gradients)
    turn = rigid_matrix(np.concatenate([np.zeros(3), np.radians(10) * np.array(axis)]), CENTRE)
    turns = np.tile(turn, (count, 1, 1))
    moved = Truth(np.zeros((count, 6)), turns, np.zeros((count, 3)))
    still = draw_series(SHAPE, AFFINE, gradients, seed=1)
    copy = draw_series(SHAPE, AFFINE, gradients, moved, seed=2)
    plan = plan_eddy_route(SHAPE, AFFINE, SHAPE, AFFINE)
    # both are interpolated: the copy back by the turn, the original where it is
    pair = []
    for series, matrices in ((still, np.tile(np.eye(4), (count, 1, 1))), (copy, turns)):
        motion = still_motion(count, series[..., 0], AXIS)._replace(matrices=matrices)
        volumes = (series[..., n] for n in range(count))
        corrected = np.stack(list(resample_eddy(volumes, motion, plan)), axis=-1)
        turned = rotate(gradients, rotations_to_reference(matrices))
        pair.append(_fit(corrected[BRAIN], turned)[0])
    clean = draw_series(SHAPE, AFFINE, gradients, snr=0)
    wanted, _ = _fit(clean[BRAIN], gradients)
    points = np.argwhere(BRAIN) - np.argwhere(BRAIN).mean(axis=0)
    octant = (points > 0) @ [1, 2, 4]
    for region in range(8):
        where = (octant == region) & (wanted > 0.3)
        assert where.sum() > 300
        assert abs((pair[1] - pair[0])[where].mean()) <= 0.005


def _fit(signals: np.ndarray, gradients: Gradients) -> tuple[np.ndarray, np.ndarray]:
    """Return fractional anisotropy and main direction by weighted least squares."""
    x, y, z = gradients.directions.T
    products = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z], axis=1)
    design = np.concatenate(
        [np.ones((len(x), 1)), -gradients.b[:, None] * products / 1000], axis=1
    )
    signals = np.maximum(signals, 1).astype(float)
    weights = signals**2
    normal = np.einsum('np,vn,nq->vpq', design, weights, design)
    right = np.einsum('np,vn->vp', design, weights * np.log(signals))
    d = np.linalg.solve(normal, right[..., None])[:, 1:, 0]
    values, vectors = np.linalg.eigh(d[:, [0, 3, 4, 3, 1, 5, 4, 5, 2]].reshape(-1, 3, 3))
    spread = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return np.sqrt(1.5 * spread / (values**2).sum(axis=1)), vectors[:, :, 2]


def _small(
    shells: dict[float, int], b0_every: int = 8
) -> tuple[np.ndarray, np.ndarray, Gradients]:
    shape = (30, 34, 22)
    affine = make_affine(shape, 6.4)
    gradients = make_table(shells, b0_every)
    return draw_series(shape, affine, gradients), affine, gradients


def test_a_still_series_stays_still_with_any_number_of_threads() -> None:
    series, affine, gradients = _small({1000.0: 10})
    one, two = (estimate_eddy(series, affine, gradients, 1, threads=n) for n in (1, 2))
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)
    assert _rms(one.parameters[:, :3]) < 0.15  # mm, of voxels of 6.4 mm
    assert np.degrees(_rms(one.parameters[:, 3:])) < 0.3
    assert _rms(one.eddy) < 0.12
    assert not one.outliers.any()


def test_quadratic_terms_are_sought_where_asked() -> None:
    series, affine, gradients = _small({1000.0: 10})
    found = estimate_eddy(series, affine, gradients, 0, terms=9)
    assert found.eddy.shape == (len(gradients), 9)
    assert _rms(found.eddy) < 0.25


@pytest.mark.parametrize('shells', [{1000.0: 1}, {1000.0: 3}])
def test_few_directions(shells) -> None:
    series, affine, gradients = _small(shells, b0_every=2)
    found = estimate_eddy(series, affine, gradients, 1)
    assert _rms(found.parameters[:, :3]) < 0.5


def test_only_volumes_without_weighting() -> None:
    series, affine, gradients = _small({1000.0: 4}, b0_every=1)
    chosen = np.flatnonzero(gradients.shell == 0)
    found = estimate_eddy(series[..., chosen], affine, select(gradients, chosen), 1)
    assert _rms(found.parameters[:, :3]) < 0.1
    assert not found.eddy.any()


def test_no_volume_without_weighting() -> None:
    series, affine, gradients = _small({1000.0: 12})
    chosen = np.flatnonzero(gradients.shell == 1)
    found = estimate_eddy(series[..., chosen], affine, select(gradients, chosen), 1)
    assert _rms(found.parameters[:, :3]) < 0.3


@pytest.mark.parametrize(
    ('count', 'options', 'said'),
    [
        (5, {}, 'has 5 volumes, but its gradient table 4'),
        (4, {'axis': 3}, 'phase axis is 3'),
        (4, {'slice_axis': -1}, 'slice axis is -1'),
        (4, {'terms': 4}, '4 terms'),
    ],
)
def test_what_cannot_be_estimated_is_said(count, options, said) -> None:
    gradients = make_gradients([0, 1000, 1000, 1000], np.eye(4)[:, 1:])
    with pytest.raises(ValueError, match=said):
        estimate_eddy(np.ones((8, 8, 8, count)), np.eye(4), gradients, **{'axis': 1, **options})
