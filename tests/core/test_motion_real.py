"""Head motion of real scans, against ANTs and by what is left after it is undone."""

import numpy as np
import pytest
from motion import load_some, measure_left, run_ants

from mriderived.core.rigid import rigid_parameters
from mriderived.core.rigid_series import estimate_series

pytestmark = pytest.mark.real
#: Below these standard deviations ANTs' own scatter decides.
LEAST_MM, LEAST_RAD = 0.05, np.radians(0.05)


def _scan(test_data, name: str, volumes: int) -> tuple[np.ndarray, np.ndarray]:
    files = sorted((test_data / name).glob('sub-*/func/*_bold.nii.gz'))
    if not files:
        pytest.skip(f'{name} is not among the real scans')
    return load_some(files[0], volumes)


@pytest.mark.parametrize('name', ['philips-enh', 'pumi-minitest', 'siemens-xa30'])
def test_undoing_motion_leaves_less_variation(test_data, name: str) -> None:
    series, affine = _scan(test_data, name, 12)
    found = estimate_series(series, affine, threads=2)
    still = np.stack([np.eye(4)] * series.shape[3])
    assert measure_left(series, affine, found.matrices, 2) < measure_left(series, affine, still, 2)
    assert found.fit.min() > 0.998
    assert np.abs(found.parameters).max() < 0.5  # mm; these participants lay still


@pytest.mark.slow
@pytest.mark.long
def test_parameters_agree_with_ants_where_there_is_motion(test_data) -> None:
    series, affine = _scan(test_data, 'philips-enh', 15)
    ours = estimate_series(series, affine, threads=2)
    matrices = run_ants(series, affine, ours.reference)
    theirs = rigid_parameters(matrices, ours.centre)
    moved = ours.parameters.std(axis=0) > [LEAST_MM] * 3 + [LEAST_RAD] * 3
    assert moved.sum() >= 4
    for column in np.flatnonzero(moved):
        assert np.corrcoef(ours.parameters[:, column], theirs[:, column])[0, 1] >= 0.95
    left = measure_left(series, affine, ours.matrices, 2)
    assert left < 1.005 * measure_left(series, affine, matrices, 2)
