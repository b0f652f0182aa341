import numpy as np
import pytest

from mriderived.core.filters import smooth
from mriderived.core.tissue import Settings, segment

SHAPE = (60, 64, 58)
#: Brightness of CSF, grey and white matter.
MEANS = (0.25, 0.6, 1.0)


def _ball(radius, cells=3):
    """Fractions of a ball in every voxel, by sampling each voxel at 27 points."""
    offsets = (np.arange(cells) + 0.5) / cells - 0.5
    axes = [(np.arange(n) - n / 2)[:, None] + offsets for n in SHAPE]
    x, y, z = (axis.ravel() for axis in axes)
    inside = x[:, None, None] ** 2 + y[:, None] ** 2 + z**2 < radius**2
    grid = inside.reshape(SHAPE[0], cells, SHAPE[1], cells, SHAPE[2], cells)
    return grid.mean(axis=(1, 3, 5)).astype(np.float32)


@pytest.fixture(scope='module')
def phantom():
    """Return image, mask, priors and true fractions (CSF, GM, WM) of three shells."""
    balls = [_ball(radius) for radius in (27, 23, 18)]
    truth = np.stack([balls[0] - balls[1], balls[1] - balls[2], balls[2]])
    bias = 1 + 0.2 * np.linspace(-1, 1, SHAPE[0])[:, None, None]
    clean = np.tensordot(MEANS, truth, axes=1) * bias
    noise = np.random.default_rng(3).normal(0, 0.03, SHAPE)
    priors = np.stack([smooth(part, 2.5) for part in truth])
    return (clean + noise).astype(np.float32), balls[0] > 0.999, priors, truth


def test_segmentation_recovers_known_fractions(phantom):
    image, mask, priors, truth = phantom
    found = segment(image, mask, priors, (1, 1, 1))
    for name, part in zip(('csf', 'gm', 'wm'), truth, strict=True):
        ours = getattr(found, name)[mask]
        assert ours.sum() == pytest.approx(part[mask].sum(), rel=0.02), name
        assert np.abs(ours - part[mask]).mean() < 0.03, name


def test_fractions_sum_to_one_in_the_brain_and_are_zero_outside(phantom):
    image, mask, priors, _ = phantom
    total = sum(segment(image, mask, priors, (1, 1, 1), Settings(rounds=(2, 2))))
    np.testing.assert_allclose(total[mask], 1, atol=1e-5)
    assert not total[~mask].any()


def test_any_number_of_threads_gives_the_same_bits(phantom):
    image, mask, priors, _ = phantom
    one, three = (
        segment(image, mask, priors, (1, 1, 1), Settings(rounds=(2, 2)), threads)
        for threads in (1, 3)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, three, strict=True))


def test_brightness_does_not_matter(phantom):
    image, mask, priors, _ = phantom
    settings = Settings(rounds=(2, 2))
    plain = segment(image, mask, priors, (1, 1, 1), settings)
    bright = segment(1000 * image, mask, priors, (1, 1, 1), settings)
    np.testing.assert_allclose(plain.gm, bright.gm, atol=1e-3)


def test_contrast_of_another_weighting_is_refused(phantom):
    image, mask, priors, _ = phantom
    with pytest.raises(ValueError, match='not the order of a T1-weighted image'):
        segment(1.5 - image, mask, priors, (1, 1, 1))
    with pytest.raises(ValueError, match='no positive intensities'):
        segment(-image, mask, priors, (1, 1, 1))
