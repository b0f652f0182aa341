"""Is the table with a wrong sign or exchanged axes found, and the right one named?"""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from dwi_rings import AFFINE, Head, draw_rings
from mriderived.core.gradient_orientation import (
    apply_transform,
    candidate_transforms,
    describe_transform,
    rank_tables,
)
from mriderived.core.gradient_table import make_gradients, select, world_from_fsl


@pytest.fixture(scope='module')
def head() -> Head:
    return draw_rings()


def _undoes(found: NDArray[np.float64], done: NDArray[np.float64]) -> bool:
    product = found @ done
    return np.allclose(np.abs(np.trace(product)), 3)


def test_right_table_is_found_right(head: Head) -> None:
    found = rank_tables(head.signals, head.mask, head.gradients, AFFINE)
    assert (found.verdict, found.place, found.reason) == ('right', 0, '')
    assert found.margin > 0.02
    assert found.z > 4
    assert describe_transform(found.transforms[0]) == 'as it is'


@pytest.mark.parametrize(
    ('rows', 'remedy'),
    [
        ([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], 'x reversed'),
        ([[1, 0, 0], [0, -1, 0], [0, 0, 1]], 'y reversed'),
        ([[1, 0, 0], [0, 1, 0], [0, 0, -1]], 'z reversed'),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], 'the rows are y, x, z'),
    ],
)
def test_wrong_table_is_found_and_righted(
    head: Head, rows: list[list[float]], remedy: str
) -> None:
    wrong = apply_transform(head.gradients, np.array(rows, float), AFFINE)
    found = rank_tables(head.signals, head.mask, wrong, AFFINE)
    assert found.verdict == 'wrong'
    assert describe_transform(found.transforms[0]) == remedy
    mended = apply_transform(wrong, found.transforms[0], AFFINE)
    same = np.abs((mended.directions * head.gradients.directions).sum(axis=1))
    np.testing.assert_allclose(same[head.gradients.shell > 0], 1, atol=1e-12)


def test_every_one_of_the_24_tables_is_told_apart(head: Head) -> None:
    for transform in candidate_transforms():
        wrong = apply_transform(head.gradients, transform, AFFINE)
        found = rank_tables(head.signals, head.mask, wrong, AFFINE)
        assert _undoes(found.transforms[0], transform)


def test_noise_alone_decides_nothing(head: Head) -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        noise = rng.normal(scale=20, size=(2, *head.signals.shape))
        signals = np.hypot(100 + noise[0], noise[1]).astype(np.float32)
        found = rank_tables(signals, head.mask, head.gradients, AFFINE)
        assert found.verdict == 'undecided'
        assert found.reason == 'the best two tables are as good as each other'


def test_one_slice_decides_nothing(head: Head) -> None:
    mask = head.mask.copy()
    mask[:, :, :15] = mask[:, :, 16:] = False
    found = rank_tables(head.signals[mask[head.mask]], mask, head.gradients, AFFINE)
    assert found.verdict == 'undecided'
    assert found.reason == 'the brain is seen over 3 mm along one axis'


def test_directions_near_a_plane_decide_nothing(head: Head) -> None:
    steep = np.abs(head.gradients.directions[:, 2])
    order = np.argsort(np.where(head.gradients.shell > 0, steep, 2))[:8]
    chosen = np.sort(np.append(order, [0, 1]))
    found = rank_tables(
        np.ascontiguousarray(head.signals[:, chosen]),
        head.mask,
        select(head.gradients, chosen),
        AFFINE,
    )
    assert found.verdict == 'undecided'
    assert found.reason.startswith('the directions are poorly spread (condition number ')


def test_threads_change_nothing(head: Head) -> None:
    one, three = (
        rank_tables(head.signals, head.mask, head.gradients, AFFINE, threads=threads)
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one.coherence, three.coherence)


def test_reason_where_shapes_differ(head: Head) -> None:
    with pytest.raises(ValueError, match='32 volumes'):
        rank_tables(head.signals[:, :9], head.mask, head.gradients, AFFINE)


def _read(stem: Path) -> tuple[Head, NDArray[np.float64]]:
    image = nb.load(stem.with_suffix('.nii.gz'))
    b = np.loadtxt(stem.with_suffix('.bval'))
    bvecs = np.loadtxt(stem.with_suffix('.bvec')).T
    kept = (b < 50) | (np.linalg.norm(bvecs, axis=1) > 0.5)  # not the trace of the scanner
    gradients = make_gradients(b[kept], world_from_fsl(bvecs[kept], image.affine))
    series = np.asarray(image.dataobj, np.float32)[..., kept]
    mean = series[..., gradients.shell == 0].mean(axis=3)
    labels, _ = ndimage.label(ndimage.binary_opening(mean > 0.3 * np.percentile(mean, 98)))
    mask = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return Head(series[mask], mask, gradients), image.affine


@pytest.mark.real
@pytest.mark.parametrize(
    'stem',
    [
        'siemens-xa30/sub-01/dwi/sub-01_dir-AP_dwi',
        'siemens-xa30/sub-01/dwi/sub-01_dir-PA_dwi',
        'philips-enh/sub-01/dwi/sub-01_acq-b1000_dir-A_dwi',
    ],
)
def test_real_tables_are_right_and_a_reversed_row_is_named(test_data: Path, stem: str) -> None:
    head, affine = _read(test_data / stem)
    found = rank_tables(head.signals, head.mask, head.gradients, affine)
    assert found.verdict == 'right'
    assert found.z > 5
    for axis, name in enumerate('xyz'):
        flip = np.diag(np.where(np.arange(3) == axis, -1.0, 1.0))
        wrong = apply_transform(head.gradients, flip, affine)
        found = rank_tables(head.signals, head.mask, wrong, affine)
        assert found.verdict == 'wrong'
        assert describe_transform(found.transforms[0]) == f'{name} reversed'


@pytest.mark.real
def test_real_slice_is_said_to_be_one(test_data: Path) -> None:
    folder = test_data / 'noddi-example' / 'nifti'
    image = nb.load(folder / 'dwi.nii.gz')
    mask = np.asarray(nb.load(folder / 'mask.nii.gz').dataobj) > 0
    (level,) = np.flatnonzero(mask.any(axis=(0, 1)))
    bvecs = np.loadtxt(folder / 'dwi.bvec').T
    gradients = make_gradients(
        np.loadtxt(folder / 'dwi.bval'), world_from_fsl(bvecs, image.affine)
    )
    signals = np.asarray(image.dataobj[:, :, level], np.float32)[mask[:, :, level]]
    found = rank_tables(signals, mask, gradients, image.affine)
    assert found.verdict == 'undecided'
    assert 'mm along one axis' in found.reason
