"""Step ``brain``: where the mask comes from, and that the storage order does not matter."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest

from mriderived.core.filters import smooth
from mriderived.interfaces.volumes import load, load_affine
from mriderived.workflows import anat_brain
from mriderived.workflows.anat_brain import BrainFiles, prepare_t1w

SHAPE = (50, 60, 50)
AFFINE = np.diag([4.0, 4, 4, 1])

Prepare = Callable[..., tuple[BrainFiles, dict[str, Any]]]


def _ball(radius: float) -> np.ndarray:
    x, y, z = (index - n / 2 for index, n in zip(np.indices(SHAPE), SHAPE, strict=True))
    return (x - 2) ** 2 + y**2 + z**2 < radius**2


BRAIN, HEAD, OWN = _ball(17), _ball(22), _ball(17.5)


def _image(where: np.ndarray) -> np.ndarray:
    texture = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    return np.where(where, 60 + 80 * smooth(texture, 1), 0)


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Return a function that runs the step on an image, without the network and without N4."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(anat_brain, 'correct_bias', lambda data, *_: data)

    def run(image, skull_strip='auto', found=BRAIN, axes='RAS'):
        monkeypatch.setattr(anat_brain, 'extract_brain', lambda data, device, threads: found)
        codes = (nb.orientations.axcodes2ornt(tuple(text)) for text in ('RAS', axes))
        stored = nb.Nifti1Image(image.astype(np.float32), AFFINE)
        stored.as_reoriented(nb.orientations.ornt_transform(*codes)).to_filename('raw.nii')
        files = prepare_t1w(tmp_path / 'raw.nii', skull_strip, 'cpu', 1)
        return files, json.loads((tmp_path / 't1w.remarks.json').read_text())

    return run


def test_a_head_is_segmented(prepare: Prepare) -> None:
    files, remarks = prepare(_image(HEAD))
    assert remarks['SkullStripped'] is False
    assert np.array_equal(load(files.brain_mask, bool), BRAIN)


def test_an_extracted_brain_keeps_its_own_mask(prepare: Prepare) -> None:
    files, remarks = prepare(_image(OWN))
    assert remarks['SkullStripped'] is True
    assert 'already brain-extracted' in remarks['Notes'][0]
    assert np.array_equal(load(files.brain_mask, bool), OWN)


def test_the_setting_is_obeyed(prepare: Prepare) -> None:
    files, remarks = prepare(_image(HEAD), 'skip')
    assert np.array_equal(load(files.brain_mask, bool), HEAD)
    assert remarks['SkullStripped'] is True
    files, remarks = prepare(_image(OWN), 'force')
    assert np.array_equal(load(files.brain_mask, bool), BRAIN)
    assert remarks['SkullStripped'] is False


def test_a_background_of_noise_cannot_be_trusted(prepare: Prepare) -> None:
    with pytest.raises(ValueError, match='--skull-strip auto'):
        prepare(_image(HEAD) + np.random.default_rng(1).random(SHAPE), 'skip')


def test_an_image_without_brain_is_named(prepare: Prepare) -> None:
    with pytest.raises(ValueError, match=r'raw\.nii holds no brain'):
        prepare(_image(HEAD), 'force', found=np.zeros(SHAPE, bool))


def test_a_cut_brain_is_noted(prepare: Prepare) -> None:
    _, remarks = prepare(_image(HEAD)[:, :, 20:], found=BRAIN[:, :, 20:])
    assert any('bottom' in note for note in remarks['Notes'])


@pytest.mark.parametrize('axes', ['LPS', 'PIR', 'SAL'])
def test_the_order_of_the_axes_in_the_file_changes_nothing(prepare: Prepare, axes: str) -> None:
    files, _ = prepare(_image(OWN))
    plain = load(files.t1w), load(files.brain_mask), load_affine(files.t1w)
    files, _ = prepare(_image(OWN), axes=axes)
    turned = load(files.t1w), load(files.brain_mask), load_affine(files.t1w)
    assert all(np.array_equal(a, b) for a, b in zip(plain, turned, strict=True))
