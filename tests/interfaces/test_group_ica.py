"""Components from reduced runs: the same for any number of threads, and for the same seed."""

import numpy as np
import pytest

from mriderived.interfaces.group_ica import STARTS, find_components
from mriderived.interfaces.volumes import save

SHAPE = (14, 14, 14)


@pytest.fixture
def reduced(tmp_path):
    rng = np.random.default_rng(0)
    maps = np.zeros((3, *SHAPE))
    maps[0, :4, :, :5], maps[1, 6:10, :5], maps[2, 10:, :, 10:] = 1, 1, 1
    paths = []
    for place in range(2):
        mixed = np.einsum('ck,kxyz->xyzc', rng.normal(size=(3, 3)), maps)
        noisy = (mixed + 0.2 * rng.normal(size=(*SHAPE, 3))).astype(np.float32)
        paths.append(save(noisy, np.eye(4), str(tmp_path / f'{place}.nii')))
    return paths


def test_threads_do_not_change_the_components(reduced):
    mask = np.ones(SHAPE, bool)
    one, two = (find_components(reduced, mask, np.eye(4), 3, 42, threads) for threads in (1, 2))
    assert (one.maps == two.maps).all()
    assert one.converged == two.converged == STARTS
    assert one.maps.std(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert one.maps.mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-5)
