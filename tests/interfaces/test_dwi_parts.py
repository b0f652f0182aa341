"""Files of a diffusion acquisition become one series."""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.dwi_acquisition import DwiAcquisition, DwiPart
from mriderived.interfaces.dwi_parts import join_parts

SHAPE = (3, 4, 2)


def _part(path: Path, data: np.ndarray, volumes: tuple[int, ...]) -> DwiPart:
    nb.Nifti1Image(data, np.eye(4)).to_filename(path)
    b = np.zeros(len(volumes))
    return DwiPart(path, volumes, b, np.zeros((len(volumes), 3)), None, None)


@pytest.mark.parametrize('end', ['nii', 'nii.gz'])
def test_the_volumes_of_all_parts_in_their_order_without_what_is_no_number(
    end: str, tmp_path: Path
) -> None:
    first = np.random.default_rng(0).uniform(0, 9, (*SHAPE, 5)).astype(np.float32)
    first[0, 0, 0, 1], first[1, 0, 0, 3], first[2, 0, 0, 3] = np.nan, np.inf, -np.inf
    single = np.full(SHAPE, 7, np.int16)
    parts = (
        _part(tmp_path / f'a.{end}', first, (3, 0, 1)),
        _part(tmp_path / f'b.{end}', single, (0,)),
    )
    joined = join_parts(DwiAcquisition(5.0, None, 2, parts, None, ()))
    expected = np.concatenate([first[..., [3, 0, 1]], single[..., None]], axis=-1)
    expected[~np.isfinite(expected)] = 0
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined, expected)
