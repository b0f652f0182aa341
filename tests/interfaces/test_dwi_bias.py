"""The inhomogeneity of the coil in the unweighted volumes of a phantom, with a known field."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.gradient_table import make_gradients
from mriderived.core.tensor import fit_tensor
from mriderived.core.tensor_measures import measure_tensor
from mriderived.interfaces.bias import find_bias
from mriderived.phantom.deformation import Deformation, draw_field, draw_matrix
from mriderived.phantom.dwi import draw_dwi, take_dwi
from mriderived.phantom.dwi_options import DwiOptions

pytestmark = pytest.mark.slow
OPTIONS = DwiOptions(
    voxel_mm=(3.5, 3.5, 3.5), shells=((1000.0, 6),), b0s=2, motion_mm=0.0, motion_degrees=0.0,
    jumps=0, eddy_voxels=0.0, dropouts=0, snr=40.0, bias=0.0, field=0.0, opposite='none',
)  # fmt: skip


def test_white_matter_is_uniform_after_it_and_anisotropy_as_before() -> None:
    rng = np.random.default_rng(5)
    head = Deformation(draw_matrix(rng, 0.93, flip=False), draw_field(rng))
    dwi = draw_dwi(head, 0.93, (1,), OPTIONS)
    x, y, z = (np.linspace(-1, 1, n).reshape([-1 if a == k else 1 for a in range(3)])
               for k, n in enumerate(dwi.hz.shape))  # fmt: skip
    field = np.exp(0.25 * x - 0.2 * y * z + 0.25 * z**2 + 0.15 * y).astype(np.float32)
    even = np.stack([*take_dwi(dwi)], axis=-1).astype(np.float32)
    series = even * field[..., None]
    brain, base = dwi.brain_mask, dwi.b == 0
    found = find_bias(series[..., base].mean(axis=-1), brain, np.array(OPTIONS.voxel_mm))
    white = ndimage.binary_erosion(dwi.maps.shares[..., 1] > 0.99)
    assert white.sum() > 500

    def spread(image: np.ndarray) -> float:
        # of the smooth part: noise of a voxel is no inhomogeneity
        weight = ndimage.gaussian_filter(white.astype(np.float32), 1.5)
        smooth = ndimage.gaussian_filter(np.where(white, image, 0), 1.5) / np.maximum(weight, 0.01)
        return float(smooth[white].std() / smooth[white].mean())

    before, after = (
        spread(s[..., base].mean(axis=-1)) for s in (series, series / found[..., None])
    )
    assert before > 0.06
    assert after < 0.03
    gradients = make_gradients(dwi.b, dwi.directions)
    fa = [
        measure_tensor(fit_tensor(np.ascontiguousarray(s[white]), gradients).tensor).fa
        for s in (series, series / found[..., None])
    ]
    assert np.abs(fa[0] - fa[1]).max() < 1e-3
