"""Velocities become mappings that are inverse to one another."""

import numpy as np

from mriderived.core.filters import smooth
from mriderived.core.sampling import compose, jacobian
from mriderived.core.velocity import exponential, join_flows

SHAPE = (40, 40, 40)


def _velocity(seed: int, size: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = [smooth(rng.standard_normal(SHAPE).astype(np.float32), 4) for _ in range(3)]
    field = np.stack(parts)
    field[:, :4] = field[:, -4:] = field[:, :, :4] = field[:, :, -4:] = 0
    field[:, :, :, :4] = field[:, :, :, -4:] = 0
    field = np.stack([smooth(part, 2) for part in field])
    return (field * size / np.abs(field).max()).astype(np.float32)


def test_a_linear_flow_is_the_exponential() -> None:
    velocity = np.zeros((3, *SHAPE), np.float32)
    velocity[0] = 0.1 * (np.arange(40) - 19.5)[:, None, None]
    grown = exponential(velocity)[0, 15:25, 20, 20]
    assert np.allclose(grown, np.expm1(0.1) * (np.arange(15, 25) - 19.5), atol=2e-3)


def test_the_two_ways_are_inverse() -> None:
    found = join_flows(_velocity(0, 2.0), _velocity(1, 1.5))
    inner = (slice(None), *(slice(8, -8),) * 3)
    back = compose(found.fixed_to_moving, found.moving_to_fixed)[inner]
    assert np.abs(found.fixed_to_moving[inner]).max() > 1
    assert np.abs(back).max() < 0.1
    assert jacobian(found.fixed_to_moving).min() > 0
    assert found.mended == 0
