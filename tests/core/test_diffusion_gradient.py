"""The diffusion-derived gradient: exact where its formulas hold, and where it is lost."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.core.diffusion_gradient import (
    gradient_from_magnitude,
    gradient_from_phase,
    gradient_from_times,
    wave_vectors,
)
from mriderived.core.gradient_angles import (
    CHANCE_MEAN,
    CHANCE_MEDIAN,
    acute_angle,
    angle_across_fibre,
    choose_voxels,
    compare_angles,
    image_gradient,
)
from mriderived.core.gradient_table import Gradients, make_gradients

T = 0.04
FIRST, SECOND = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]


def _axes(count: int, seed: int) -> NDArray[np.float64]:
    vectors = np.random.default_rng(seed).normal(size=(count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.fixture(scope='module')
def gradients() -> Gradients:
    b = np.repeat([0.0, 1000.0, 3000.0], [1, 30, 60])
    return make_gradients(b, np.vstack([np.zeros((1, 3)), _axes(90, 1)]))


class _Voxels:
    """White matter with gradients of 20 % in 1.25 mm in any direction."""

    def __init__(self, count: int = 200) -> None:
        self.v1 = _axes(count, 2)
        self.g = 0.16 * _axes(count, 3)
        outer = self.v1[:, :, None] * self.v1[:, None]
        self.matrices = 0.4e-3 * np.eye(3) + 1.2e-3 * outer
        self.tensor = self.matrices[:, FIRST, SECOND]

    def linear_image(self, gradients: Gradients, time: float = T) -> NDArray[np.float64]:
        """Return magnitudes where the image itself is linear."""
        q = wave_vectors(gradients, time)
        expected = np.exp(-time * np.einsum('vi,nij,vj->nv', q, self.matrices, q))
        slope = np.einsum('ni,nij,vj->nv', self.g, self.matrices, q)
        return np.asarray(expected * np.sqrt(1 + (time * slope) ** 2))


@pytest.fixture(scope='module')
def voxels() -> _Voxels:
    return _Voxels()


def test_signal_of_random_walks_has_the_phase_and_size_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    d, time, steps = 1e-3, 1.0, 40
    q, rate = np.array([25.0, 10.0, 0.0]), np.array([-8.0, 3.0, 0.0])  # strong, to be seen
    walk = np.zeros((200_000, 3))
    path = np.zeros(len(walk))
    for _ in range(steps):
        step = rng.normal(scale=np.sqrt(2 * d * time / steps), size=walk.shape)
        path += (walk + step / 2) @ rate * time / steps
        walk += step
    # backwards from where the spins are imaged
    signal = np.mean(np.exp(-path - 1j * walk @ q))
    g = -time * rate
    expected = np.exp(-time * d * q @ q + time / 3 * d * g @ g - 1j * time * d * g @ q)
    assert abs(signal) == pytest.approx(abs(expected), rel=0.01)
    assert np.angle(signal) == pytest.approx(np.angle(expected), abs=0.01)


def test_phase_is_exact_with_sign(voxels: _Voxels, gradients: Gradients) -> None:
    q = wave_vectors(gradients, T)
    phase = -T * np.einsum('ni,nij,vj->nv', voxels.g, voxels.matrices, q)
    found = gradient_from_phase(phase, gradients, voxels.tensor, T)
    np.testing.assert_allclose(found.vector, voxels.g, atol=1e-12)
    np.testing.assert_allclose(found.strength, 0.16, atol=1e-12)
    # why nobody sees it: a strong gradient in the protocol of the HCP, in rad
    assert 1e-4 < np.abs(phase).max() < 5e-3


def test_magnitude_is_exact_when_the_tensor_is_known(
    voxels: _Voxels, gradients: Gradients
) -> None:
    found = gradient_from_magnitude(voxels.linear_image(gradients), gradients, voxels.tensor, T)
    assert acute_angle(found.vector, voxels.g).max() < 1e-3
    np.testing.assert_allclose(found.strength, 0.16, rtol=1e-6)
    assert found.share.min() > 0.9999


def test_direction_does_not_depend_on_the_diffusion_time(
    voxels: _Voxels, gradients: Gradients
) -> None:
    signals = voxels.linear_image(gradients)
    found = gradient_from_magnitude(signals, gradients, voxels.tensor, 1.0)
    assert acute_angle(found.vector, voxels.g).max() < 1e-3
    np.testing.assert_allclose(found.strength, 0.16 * np.sqrt(T), rtol=1e-6)


def test_magnitude_is_lost_when_the_tensor_is_fitted_to_it(
    voxels: _Voxels, gradients: Gradients
) -> None:
    clean = voxels.linear_image(gradients)
    x, y, z = gradients.directions.T
    columns = [x * x, 2 * x * y, 2 * x * z, y * y, 2 * y * z, z * z]
    design = np.column_stack([-gradients.b * column for column in columns])
    fitted = (np.linalg.pinv(design) @ np.log(clean).T).T
    found = gradient_from_magnitude(clean, gradients, fitted, T)
    assert np.nanmedian(found.strength) < 0.01 * 0.16
    # what is left is of fourth order: noise of one in a thousand million drowns it
    noisy = clean + 1e-9 * np.random.default_rng(9).normal(size=clean.shape)
    fitted = (np.linalg.pinv(design) @ np.log(noisy).T).T
    found = gradient_from_magnitude(noisy, gradients, fitted, T)
    assert np.nanmean(acute_angle(found.vector, voxels.g)) > 50
    assert np.nanmedian(found.share) < 0.6
    known = gradient_from_magnitude(noisy, gradients, voxels.tensor, T)
    assert np.mean(acute_angle(known.vector, voxels.g)) < 1


def test_two_compartments_look_like_a_gradient_across_the_fibre(gradients: Gradients) -> None:
    fibre = np.array([0.0, 0.0, 1.0])
    cosine = gradients.directions @ fibre
    b = gradients.b
    inside = np.exp(-b * 1.7e-3 * cosine**2)
    outside = np.exp(-b * (0.5e-3 + 1.2e-3 * cosine**2))
    signals = (0.6 * inside + 0.4 * outside)[None]
    low = b < 1500
    x, y, z = gradients.directions[low].T
    columns = [x * x, 2 * x * y, 2 * x * z, y * y, 2 * y * z, z * z]
    design = np.column_stack([-b[low] * column for column in columns])
    tensor = (np.linalg.pinv(design) @ np.log(signals[:, low]).T).T
    found = gradient_from_magnitude(signals, gradients, tensor, T)
    assert found.strength[0] > 10  # no image changes by e in 0.1 mm
    assert acute_angle(found.vector, fibre[None])[0] > 85


def test_times_are_exact(voxels: _Voxels) -> None:
    times = np.array([0.03, 0.5, 1.0])
    turned = np.einsum('nij,nj->ni', voxels.matrices, voxels.g)
    change = 0.5 * (turned[:, :, None] * turned[:, None])[:, FIRST, SECOND]
    tensors = voxels.tensor[:, None] - times[None, :, None] * change[:, None]
    for some in ([0, 2], [0, 1, 2]):
        found = gradient_from_times(tensors[:, some], times[some])
        assert acute_angle(found.vector, voxels.g).max() < 1e-3
        np.testing.assert_allclose(found.strength, 0.16, rtol=1e-6)
    # how small it is
    assert np.abs(times[2] * change).max() / 1.6e-3 < 2e-5


def test_voxels_without_a_tensor_have_no_gradient(gradients: Gradients) -> None:
    tensor = np.zeros((2, 6))
    tensor[1] = np.nan
    found = gradient_from_magnitude(np.ones((2, 91)), gradients, tensor, T)
    assert np.isnan(found.vector).all()
    found = gradient_from_phase(np.zeros((2, 91)), gradients, tensor, T)
    assert np.isnan(found.vector).all()


def test_reasons(voxels: _Voxels, gradients: Gradients) -> None:
    flat = make_gradients([0, 1000, 1000], [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    with pytest.raises(ValueError, match='lie in a plane'):
        gradient_from_phase(np.zeros((1, 3)), flat, voxels.tensor[:1], T)
    with pytest.raises(ValueError, match='six elements'):
        gradient_from_magnitude(np.zeros((1, 3)), flat, voxels.tensor[:1], T)
    with pytest.raises(ValueError, match='two are needed'):
        gradient_from_times(voxels.tensor[:, None], np.array([0.1]))
    with pytest.raises(ValueError, match='diffusion time of 0 s'):
        wave_vectors(gradients, 0)


def test_angle_of_unrelated_axes_is_that_of_chance() -> None:
    angles = acute_angle(_axes(200_000, 5), _axes(200_000, 6))
    assert pytest.approx(57.29578, abs=1e-5) == CHANCE_MEAN
    assert angles.mean() == pytest.approx(CHANCE_MEAN, abs=0.2)
    assert np.median(angles) == pytest.approx(CHANCE_MEDIAN, abs=0.2)
    assert angles.max() <= 90


def test_random_direction_across_a_fibre_is_half_a_right_angle_off() -> None:
    fibre = _axes(500, 7)
    g = np.cross(fibre, _axes(500, 8))
    np.testing.assert_allclose(angle_across_fibre(g, fibre), 45, atol=1e-3)
    # against directions that are drawn
    one = np.tile(_axes(1, 9), (200_000, 1))
    v1 = np.tile(_axes(1, 10), (200_000, 1))
    drawn = np.cross(v1, _axes(200_000, 11))
    expected = acute_angle(drawn, one).mean()
    assert angle_across_fibre(one[:1], v1[:1])[0] == pytest.approx(expected, abs=0.2)


def test_gradient_of_an_image_is_in_world_axes() -> None:
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * [-2.0, 2.0, 3.0]
    index = np.stack(np.meshgrid(*[np.arange(12.0)] * 3, indexing='ij'), axis=-1)
    slope = np.array([0.03, -0.02, 0.01])
    image = np.exp(index @ affine[:3, :3].T @ slope)
    mask = np.zeros(image.shape, bool)
    mask[1:11, 1:11, 1:11] = True
    sharp = image_gradient(image, affine, mask, sigma=0)
    np.testing.assert_allclose(sharp[2:10, 2:10, 2:10], np.broadcast_to(slope, (8, 8, 8, 3)))
    smooth = image_gradient(image, affine, mask, sigma=0.75)
    np.testing.assert_allclose(smooth[5, 5, 5], slope, rtol=1e-3)
    assert np.isnan(smooth[1]).all()


def test_comparison_puts_the_fibres_beside_the_estimate() -> None:
    rng = np.random.default_rng(4)
    v1, other = _axes(20_000, 12), _axes(20_000, 13)
    v3 = np.cross(v1, other)
    v3 /= np.linalg.norm(v3, axis=1, keepdims=True)
    g = v3 + 0.3 * rng.normal(size=v3.shape)
    # an estimator that knows nothing but the fibre is far below chance, and not below the fibre
    random_across = np.cross(v1, _axes(20_000, 14))
    found = compare_angles(random_across, g, v1, v3)
    assert found.voxels == 20_000
    assert found.below_chance > 8
    assert found.below_fibre < 0
    assert found.estimate.mean == pytest.approx(found.across_fibre.mean, abs=0.5)
    assert found.third_axis.mean < found.across_fibre.mean
    # and one that sees the gradient is below both
    found = compare_angles(g + 0.05 * rng.normal(size=g.shape), g, v1, v3)
    assert found.below_fibre > 5
    with pytest.raises(ValueError, match='no voxel'):
        compare_angles(g * 0, g, v1, v3)


def test_voxels_are_chosen_by_strength_and_anisotropy() -> None:
    g = np.column_stack([np.arange(10.0), np.zeros(10), np.zeros(10)])
    g[9] = np.nan
    fa = np.full(10, 0.3)
    fa[7] = 0.9
    assert np.flatnonzero(choose_voxels(g, fa, 50, (0.2, 0.8))).tolist() == [5, 6, 8]
    assert not choose_voxels(g * np.nan, fa).any()
