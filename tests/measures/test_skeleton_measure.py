"""The skeleton as files: each map has its own values, on the crest alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.skeleton import draw_skeleton, write_skeleton

AFFINE = np.diag([-2.0, 2, 2, 1])
SHAPE = (16, 15, 14)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_maps(crest: float) -> tuple[list[Path], Path]:
    """Write a sheet across the second axis, whose middle is at 7; maps are multiples of it."""
    fa = np.zeros(SHAPE, np.float32)
    fa[2:-2, 6:9, 2:-2] = (crest * np.array([0.6, 1.0, 0.6]))[:, None]
    scales = {'fa': 1.0, 'md': 1e-3, 'ad': 2e-3, 'rd': 5e-4}
    paths = [save(fa * np.float32(scale), AFFINE, f'{name}_in.nii.gz')
             for name, scale in scales.items()]  # fmt: skip
    inside = np.ones(SHAPE, np.uint8)
    inside[:5] = 0
    return paths, save(inside, AFFINE, 'mask.nii.gz')


def test_each_map_is_kept_where_the_crest_of_anisotropy_is() -> None:
    maps, mask = write_maps(0.7)
    found = write_skeleton(*maps, mask)
    fa = load(found.skeleton_fa)
    x, y, _ = np.nonzero(fa)
    assert np.unique(y).tolist() == [7]
    # the mask is kept to
    assert x.min() >= 5
    assert (fa > 0).sum() > 50
    for path, value in zip(found, (0.7, 7e-4, 1.4e-3, 3.5e-4), strict=True):
        values = load(path)
        assert ((values > 0) == (fa > 0)).all(), path
        np.testing.assert_allclose(values[fa > 0], value, rtol=1e-5, err_msg=path.name)
        np.testing.assert_allclose(load_affine(path), AFFINE)
    said = json.loads(remarks_file(found.skeleton_fa).read_text())
    assert said['VoxelsOnSkeleton'] == (fa > 0).sum()
    assert said['Notes'] == []
    (figure,) = draw_skeleton(maps[0], found.skeleton_fa)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['skeleton']
    assert figure.axes[0].patches, 'the skeleton is not drawn'


def test_no_crest_is_said() -> None:
    maps, mask = write_maps(0.15)
    found = write_skeleton(*maps, mask)
    assert not load(found.skeleton_fa).any()
    said = json.loads(remarks_file(found.skeleton_fa).read_text())
    assert said['VoxelsOnSkeleton'] == 0
    assert said['Notes'] == [f'Nothing has an FA of {said["LeastFA"]} and a crest.']
