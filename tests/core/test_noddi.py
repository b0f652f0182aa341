"""NODDI: the model against an integral, its inverse against itself and against the toolbox."""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients, make_gradients, world_from_fsl
from mriderived.core.noddi import NoddiFit, fit_noddi
from mriderived.core.noddi_model import make_protocol, simulate
from mriderived.core.watson import concentration


def _spread(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Return directions that are spread over the sphere along a spiral."""
    z = (np.arange(count) + 0.5) / count
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(count) + seed
    radius = np.sqrt(1 - z**2)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])


@pytest.fixture(scope='module')
def gradients() -> Gradients:
    b = np.repeat([0.0, 700.0, 2000.0], [4, 24, 48])
    return make_gradients(b, np.vstack([np.zeros((4, 3)), _spread(24), _spread(48, 1)]))


class _Truth:
    def __init__(self, gradients: Gradients, count: int = 600) -> None:
        rng = np.random.default_rng(3)
        self.icvf = rng.uniform(0.1, 0.95, count)
        self.od = rng.uniform(0.03, 0.95, count)
        self.isovf = rng.uniform(0, 0.6, count)
        axes = rng.normal(size=(count, 3))
        self.axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        protocol = make_protocol(gradients.b, gradients.directions)
        clean = simulate(protocol, self.icvf, self.od, self.isovf, self.axes)
        clean[:, gradients.shell == 0] = 1.0
        self.signals = (1000 * clean).astype(np.float32)
        # the tensor's direction is off by some degrees
        leaning = self.axes + 0.08 * rng.normal(size=axes.shape)
        self.v1 = leaning / np.linalg.norm(leaning, axis=1, keepdims=True)


@pytest.fixture(scope='module')
def truth(gradients: Gradients) -> _Truth:
    return _Truth(gradients)


def test_signal_is_that_of_sticks_drawn_one_by_one(gradients: Gradients) -> None:
    z = (np.arange(400) + 0.5) / 400
    angle = 2 * np.pi * (np.arange(400) + 0.5) / 400
    cosine, turn = np.meshgrid(z, angle, indexing='ij')
    sine = np.sqrt(1 - cosine**2)
    sticks = np.stack([sine * np.cos(turn), sine * np.sin(turn), cosine], axis=-1).reshape(-1, 3)
    od, icvf, isovf = 0.25, 0.6, 0.1
    density = np.exp(concentration(np.array([od]))[0] * (sticks[:, 2] ** 2 - 1))
    density /= density.sum()
    b, directions = gradients.b, gradients.directions
    inside = density @ np.exp(-b * 1.7e-3 * (sticks @ directions.T) ** 2)
    mean = np.einsum('s,si,sj->ij', density, sticks, sticks)
    tensor = 1.7e-3 * (icvf * mean + (1 - icvf) * np.eye(3))
    outside = np.exp(-b * np.einsum('ni,ij,nj->n', directions, tensor, directions))
    expected = (1 - isovf) * (icvf * inside + (1 - icvf) * outside) + isovf * np.exp(-b * 3e-3)
    found = simulate(
        make_protocol(b, directions),
        *(np.array([value]) for value in (icvf, od, isovf)),
        np.array([[0.0, 0.0, 1.0]]),
    )
    np.testing.assert_allclose(found[0], expected, atol=2e-4)


def test_noise_free_signals_give_their_tissue_back(truth: _Truth, gradients: Gradients) -> None:
    found = fit_noddi(truth.signals, gradients, truth.v1)
    np.testing.assert_allclose(found.icvf, truth.icvf, atol=0.02)
    np.testing.assert_allclose(found.od, truth.od, atol=0.03)
    np.testing.assert_allclose(found.isovf, truth.isovf, atol=0.01)
    assert found.rmse.max() < 1e-4
    clear = truth.od < 0.8  # about an even distribution any axis fits
    along = np.abs((found.axis * truth.axes).sum(axis=1))[clear]
    assert np.degrees(np.arccos(np.clip(along, 0, 1))).max() < 1.0


def test_convex_problem_alone_is_near(truth: _Truth, gradients: Gradients) -> None:
    found = fit_noddi(truth.signals, gradients, truth.axes, refined=False)
    for name, tolerance in (('icvf', 0.03), ('od', 0.06), ('isovf', 0.07)):
        error = np.abs(getattr(found, name) - getattr(truth, name))
        assert np.percentile(error, 95) < tolerance


def test_scale_and_threads_and_company_change_nothing(truth: _Truth, gradients: Gradients) -> None:
    first = fit_noddi(truth.signals[:60], gradients, truth.v1[:60])
    for other in (
        fit_noddi(truth.signals[:60] * 4, gradients, -truth.v1[:60], threads=1),
        fit_noddi(truth.signals[:60], gradients, truth.v1[:60], threads=3),
    ):
        np.testing.assert_allclose(other.icvf, first.icvf, atol=1e-4)
        np.testing.assert_allclose(other.od, first.od, atol=1e-4)
    np.testing.assert_array_equal(other.icvf, first.icvf)


def test_floor_of_noise_is_part_of_the_model(truth: _Truth, gradients: Gradients) -> None:
    noise = 60.0
    signals = np.sqrt(truth.signals.astype(float) ** 2 + noise**2)
    signals[:, gradients.shell == 0] = 1000.0
    found = fit_noddi(
        signals.astype(np.float32), gradients, truth.v1, noise=np.full(len(signals), noise)
    )
    np.testing.assert_allclose(found.icvf, truth.icvf, atol=0.02)


def test_water_alone_has_no_tissue(gradients: Gradients) -> None:
    signals = np.repeat((500 * np.exp(-gradients.b * 3e-3))[None], 2, axis=0).astype(np.float32)
    found = fit_noddi(signals, gradients, np.tile([0.0, 0.6, 0.8], (2, 1)))
    np.testing.assert_allclose(found.isovf, 1.0, atol=1e-3)
    assert np.isnan(found.icvf).all()
    assert np.isnan(found.od).all()


def test_wrong_axis_is_left_when_dispersion_ends_at_even(gradients: Gradients) -> None:
    protocol = make_protocol(gradients.b, gradients.directions)
    tissue = [np.array([value]) for value in (0.6, 0.3, 0.05)]
    signals = simulate(protocol, *tissue, np.array([[1.0, 0.0, 0.0]])).astype(np.float32)
    signals[:, gradients.shell == 0] = 1.0
    found = fit_noddi(signals, gradients, np.array([[0.0, 0.0, 1.0]]))
    assert found.od[0] == pytest.approx(0.3, abs=0.01)
    assert abs(found.axis[0, 0]) > 0.999


def test_voxels_without_a_signal_have_no_value(truth: _Truth, gradients: Gradients) -> None:
    signals = truth.signals[:3].copy()
    signals[0] = 0
    signals[1, 7] = np.nan
    found = fit_noddi(signals, gradients, truth.v1[:3])
    for values in found:
        assert np.isnan(values[:2]).all()
        assert np.isfinite(values[2]).all()


def test_reason_where_the_table_does_not_do(truth: _Truth, gradients: Gradients) -> None:
    signals, v1 = truth.signals[:2], truth.v1[:2]
    single = make_gradients(np.minimum(gradients.b, 700.0), gradients.directions)
    with pytest.raises(ValueError, match=r'two shells or more; there is b = 700 alone'):
        fit_noddi(signals, single, v1)
    weighted = make_gradients(np.maximum(gradients.b, 300.0), _spread(len(gradients)))
    with pytest.raises(ValueError, match='relative to b = 0'):
        fit_noddi(signals, weighted, v1)
    with pytest.raises(ValueError, match='76 volumes'):
        fit_noddi(signals[:, :5], gradients, v1)


def _real(folder: Path) -> tuple[NoddiFit, dict[str, NDArray[np.float64]]]:
    image = nb.load(folder / 'dwi.nii.gz')
    mask = np.asarray(nb.load(folder / 'mask.nii.gz').dataobj) > 0
    (level,) = np.flatnonzero(mask.any(axis=(0, 1)))  # there is data in one slice
    mask = mask[:, :, level]
    b, bvec = np.loadtxt(folder / 'dwi.bval'), np.loadtxt(folder / 'dwi.bvec')
    gradients = make_gradients(b, world_from_fsl(bvec.T, image.affine))
    signals = np.asarray(image.dataobj[:, :, level], np.float32)[mask]
    low = b < 1000
    x, y, z = gradients.directions[low].T
    columns = [x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z]
    design = np.column_stack([*(-b[low] * column for column in columns), np.ones(low.sum())])
    fit = np.linalg.lstsq(design, np.log(np.maximum(signals[:, low], 1)).T, rcond=None)[0]
    tensors = fit[[0, 3, 4, 3, 1, 5, 4, 5, 2]].T.reshape(-1, 3, 3)
    v1 = np.linalg.eigh(tensors)[1][:, :, 2]
    names = {'icvf': 'ficvf', 'od': 'odi', 'isovf': 'fiso'}
    reference = {
        name: np.asarray(nb.load(folder / f'ref_{file}.nii.gz').dataobj)[:, :, level][mask]
        for name, file in names.items()
    }
    return fit_noddi(signals, gradients, v1), reference


@pytest.mark.real
def test_agrees_with_the_toolbox(test_data: Path) -> None:
    found, reference = _real(test_data / 'noddi-example' / 'nifti')
    known = np.isfinite(found.icvf)
    assert known.mean() > 0.96  # the rest is pure water to the toolbox, too
    for name, least, median in (('icvf', 0.99, 1e-3), ('od', 0.95, 1e-3), ('isovf', 0.999, 1e-3)):
        ours, theirs = getattr(found, name)[known], reference[name][known]
        assert np.corrcoef(ours, theirs)[0, 1] > least
        assert np.median(np.abs(ours - theirs)) < median
    assert reference['isovf'][~known].min() > 0.9
