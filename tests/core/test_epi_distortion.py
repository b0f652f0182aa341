"""The field from EPI images of opposite phase-encode direction."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from epi_phantoms import SHAPE, distort, field_hz, head
from scipy import ndimage

from mriderived.core.epi_distortion import Encoded, Solver, estimate_distortion
from mriderived.core.epi_shift import phase_axis, shift_map, unwarp
from mriderived.core.field_cleaning import demean, extend, resample_field
from mriderived.core.field_map import field_from_phase, scale_phase
from mriderived.core.masks import clean_mask

READOUT = 0.04
QUICK = Solver(factors=(4, 2), steps=(8, 6), stiffness=(0.1, 0.1))


def _seen(direction, readout=READOUT, noise=0.02, seed=0, field=None):
    image, _ = head()
    axis, _ = phase_axis(direction)
    shift = shift_map(field_hz() if field is None else field, direction, readout)
    seen = distort(image, shift, axis)
    seen += noise * np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
    return Encoded(np.abs(seen), direction, readout)


def _rms_voxels(found, readout=READOUT):
    _, mask = head()
    return float(np.sqrt(((found.hz - field_hz())[mask] ** 2).mean()) * readout)


@pytest.fixture(scope='module')
def pair():
    return [_seen('j'), _seen('j-', seed=1)]


@pytest.fixture(scope='module')
def estimated(pair):
    return estimate_distortion(pair)


def test_an_opposite_pair_gives_the_displacement_within_a_tenth_of_a_voxel(estimated):
    _, mask = head()
    assert (field_hz()[mask] * READOUT).max() > 5.5  # voxels
    assert _rms_voxels(estimated) < 0.08
    assert estimated.similarity_before < 0.95
    assert estimated.similarity_after > 0.99


def test_so_does_a_pair_along_the_first_axis():
    assert _rms_voxels(estimate_distortion([_seen('i-'), _seen('i', seed=1)])) < 0.1


def test_exchanged_images_give_the_same_field(pair):
    there = estimate_distortion(pair, solver=QUICK)
    back = estimate_distortion(pair[::-1], solver=QUICK)
    _, mask = head()
    assert np.abs((there.hz - back.hz)[mask]).max() * READOUT < 1e-3


def test_the_corrected_images_look_like_the_head(pair, estimated):
    image, mask = head()
    for one in pair:
        fixed = unwarp(one.data, shift_map(estimated.hz, one.direction, READOUT), 1)
        assert np.corrcoef(fixed[mask], image[mask])[0, 1] > 0.95
        assert np.corrcoef(one.data[mask], image[mask])[0, 1] < 0.9


def test_other_readout_times_and_scales_are_allowed_for():
    first, second = _seen('j', 0.045), _seen('j-', 0.03, seed=1)
    found = estimate_distortion([first, second._replace(data=second.data * 37)])
    assert _rms_voxels(found) < 0.1


def test_another_contrast_is_matched_first(pair):
    first, second = pair
    darker = second._replace(data=second.data**0.7)
    assert _rms_voxels(estimate_distortion([first, darker])) < 0.15
    unmatched = replace(QUICK, match=False)
    assert _rms_voxels(estimate_distortion([first, darker], solver=unmatched)) > 0.2


def test_more_than_two_images_are_allowed():
    four = [_seen(d, noise=0.05, seed=n) for n, d in enumerate(('j', 'j-', 'j', 'j-'))]
    assert _rms_voxels(estimate_distortion(four)) < 0.1


@pytest.mark.slow
def test_one_direction_with_two_readout_times_tells_the_field_too():
    found = estimate_distortion([_seen('j', 0.05, 0), _seen('j', 0.015, 0)])
    assert _rms_voxels(found) < 0.15


def test_without_a_field_nothing_is_moved():
    nothing = np.zeros(SHAPE, np.float32)
    found = estimate_distortion(
        [_seen('j', field=nothing), _seen('j-', seed=1, field=nothing)], solver=QUICK
    )
    _, mask = head()
    assert np.abs(found.hz[mask]).max() * READOUT < 0.15


def test_any_number_of_threads_gives_the_same_bits(pair):
    one = estimate_distortion(pair, solver=QUICK)
    three = estimate_distortion(pair, solver=QUICK, threads=3)
    assert np.array_equal(one.hz, three.hz)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda a, b: [a], 'two images'),
        (lambda a, b: [a, b._replace(data=b.data[1:])], 'differ in shape'),
        (lambda a, b: [a, b._replace(direction='i')], 'different axes'),
        (lambda a, b: [a, b._replace(direction='j')], 'distorted alike'),
        (lambda a, b: [a, b._replace(direction='up')], 'not one of'),
        (lambda a, b: [a, b._replace(data=0 * b.data)], 'empty'),
    ],
)
def test_images_that_tell_no_field_are_refused(change, message):
    data = np.ones((16, 16, 16), np.float32)
    data[4:12, 4:12, 4:12] = 9
    with pytest.raises(ValueError, match=message):
        estimate_distortion(change(Encoded(data, 'j', 0.03), Encoded(data, 'j-', 0.03)))


@pytest.mark.real
def test_opposite_epi_and_gradient_echoes_of_one_head_agree(test_data: Path) -> None:
    """Two methods that share nothing but the sign rule; both are of one session."""
    folder = test_data / 'siemens-xa30' / 'sub-01'
    pair, affine = [], np.eye(4)
    for label in ('AP', 'PA'):
        path = folder / 'dwi' / f'sub-01_dir-{label}_dwi.nii.gz'
        sidecar = json.loads(path.with_name(path.name.replace('.nii.gz', '.json')).read_text())
        image = nib.load(path)
        affine = image.affine
        first = np.asanyarray(image.dataobj[..., 0]).astype(np.float32)
        way = sidecar['PhaseEncodingDirection'], sidecar['TotalReadoutTime']
        pair.append(Encoded(first, *way))
    found = estimate_distortion(pair, (3, 3, 3))
    assert found.similarity_after > 0.98 > 0.9 > found.similarity_before
    phase = nib.load(folder / 'fmap' / 'sub-01_phasediff.nii.gz')
    magnitude = nib.load(folder / 'fmap' / 'sub-01_magnitude1.nii.gz').get_fdata(dtype=np.float32)
    mask = ndimage.binary_opening(magnitude > 0.25 * np.percentile(magnitude, 98))
    mask = clean_mask(mask)
    field = field_from_phase(scale_phase(phase.get_fdata())[0], (0.01, 0.01246), mask, magnitude)
    whole = extend(demean(field.hz, mask)[0], mask, 1.0)
    shape = found.hz.shape
    echoes = resample_field(whole, phase.affine, affine, shape)
    inner = resample_field(mask.astype(np.float32), phase.affine, affine, shape) > 0.9
    inner = ndimage.binary_erosion(inner, iterations=3)
    inner &= pair[0].data > 0.25 * np.percentile(pair[0].data, 98)
    slope, _ = np.polyfit(echoes[inner], found.hz[inner], 1)
    assert np.corrcoef(echoes[inner], found.hz[inner])[0, 1] > 0.93
    assert slope == pytest.approx(1, abs=0.15)
