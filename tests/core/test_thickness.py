"""Thickness against exact answers, by both methods."""

from __future__ import annotations

import numpy as np
import pytest
from cortical_phantoms import FINE, Map, folds, refine, render, shell

from mriderived.core.laplace_thickness import laplace_thickness
from mriderived.core.thickness import Cortex, find_cortex, project_thickness

METHODS = pytest.mark.parametrize('estimate', [project_thickness, laplace_thickness])
VOXELS = ((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
SHEET = (24.0, 14.0, 28.0)


def shell_cortex(inner: float, thickness: float, voxel=(1.0, 1.0, 1.0), degrees=0.0) -> Cortex:
    size = (2 * (inner + thickness) + 6,) * 3
    return find_cortex(refine(render(shell(inner, thickness), size, voxel, degrees), voxel))


def sheet_values(thickness: Map, cortex: Cortex) -> Map:
    """Return the values away from the edges of the image."""
    inner = np.zeros(cortex.mask.shape, bool)
    inner[12:-12, 8:-8, 8:-8] = True
    return thickness[cortex.mask & inner] * FINE


@METHODS
@pytest.mark.parametrize('voxel', VOXELS)
@pytest.mark.parametrize(('inner', 'thickness'), [(8, 1.5), (8, 4.5), (15, 2.5), (24, 3.5)])
def test_shells_have_their_thickness(estimate, voxel, inner, thickness) -> None:
    cortex = shell_cortex(inner, thickness, voxel)
    values = estimate(cortex)[cortex.mask] * FINE
    assert abs(values.mean() - thickness) < 0.1
    assert np.abs(values - thickness).mean() < 0.1


@pytest.mark.parametrize('voxel', VOXELS)
def test_depth_is_the_share_of_the_way_to_the_white_boundary(voxel) -> None:
    cortex = shell_cortex(15, 3.0, voxel)
    centre = (np.array(cortex.mask.shape) - 1) / 2 + np.array([0.13, -0.21, 0.07]) / FINE
    radius = np.linalg.norm(np.argwhere(cortex.mask) - centre, axis=1) * FINE
    error = cortex.position[cortex.mask] - (18 - radius) / 3
    assert abs(error.mean()) < 0.02
    assert np.abs(error).mean() < 0.04


@METHODS
@pytest.mark.parametrize('gap', [0.0, 0.4, 0.8, 1.6])
@pytest.mark.parametrize('thickness', [2.0, 3.0])
def test_blurred_and_buried_sulci_are_opened(estimate, thickness, gap) -> None:
    voxel = (1.0, 1.0, 1.0)
    image = render(folds(thickness, gap), SHEET, voxel, degrees=12, blur_mm=0.5)
    cortex = find_cortex(refine(image, voxel))
    values = sheet_values(estimate(cortex), cortex)
    assert abs(values.mean() - thickness) < 0.3
    # without opening them, the banks of a buried sulcus would be twice as thick
    assert np.mean(values > 1.5 * thickness) < 0.1


@METHODS
def test_rotation_and_anisotropy_change_little(estimate) -> None:
    means = []
    for voxel, degrees in (((1.0, 1.0, 1.0), 0), ((1.0, 1.0, 1.0), 12), ((1.0, 1.0, 1.5), 12)):
        cortex = find_cortex(refine(render(folds(2.5, 0.8), SHEET, voxel, degrees, 0.5), voxel))
        means.append(sheet_values(estimate(cortex), cortex).mean())
    assert np.ptp(means) < 0.1
    balls = []
    for voxel, degrees in (((1.0, 1.0, 1.0), 0), ((1.0, 1.0, 1.0), 25), ((1.0, 1.0, 1.5), 25)):
        cortex = shell_cortex(15, 2.5, voxel, degrees)
        balls.append(estimate(cortex)[cortex.mask].mean() * FINE)
    assert np.ptp(balls) < 0.1


def test_thinning_is_seen_in_full() -> None:
    true = np.array([2.0, 2.1, 2.2, 2.5])
    cortices = [shell_cortex(18, thickness) for thickness in true]
    found = [project_thickness(cortex)[cortex.mask].mean() * FINE for cortex in cortices]
    slope = np.polyfit(true, found, 1)[0]
    assert slope == pytest.approx(1, abs=0.05)


def test_grey_matter_without_both_boundaries_is_refused() -> None:
    image = np.full((20, 20, 20), 2.0, np.float32)
    with pytest.raises(ValueError, match='no grey matter between white matter and CSF'):
        find_cortex(image)
    image[:5] = 3
    with pytest.raises(ValueError, match='no grey matter between white matter and CSF'):
        find_cortex(image)


def test_the_same_bits_every_time() -> None:
    first, second = (project_thickness(shell_cortex(8, 2.5)) for _ in range(2))
    assert np.array_equal(first, second)
