"""Two scanners with gains and offsets of their own give one calibrated ratio."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mriderived.config import Config, RatioCalibration
from mriderived.core.reference_tissue import MissingTissueError
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.registry import find_measures
from mriderived.measures.t1w_t2w import (
    CALIBRATED_NEEDS,
    RATIO_BY_CALIBRATION,
    T1W_T2W,
    map_ratio,
)
from mriderived.phantom.head import SCALE, HeadOptions, draw_head

#: T2w of what a T1w of the phantom shows, outside of the brain: bone, vitreous body, muscle, skin,
#: fat; and of grey matter, white matter and fluid.
AROUND = ([0, 12, 24, 40, 55, 75, 100, 140], [2, 5, 210, 25, 24, 60, 100, 120])
T2W = (85.0, 65.0, 220.0)
#: Gain and offset of the T1w and of the T2w: of the phantom, and of two scanners.
SCANNERS = [((1.0, 0.0), (1.0, 0.0)), ((3.1, 40.0), (0.4, 6.0)), ((0.6, -2.0), (5.0, 90.0))]


@pytest.fixture(scope='module')
def head(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('calibration')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return write_head()


def write_head() -> dict[str, Path]:
    """Write a synthetic head with a face, as T1w and T2w, and what is known of it."""
    drawn = draw_head(HeadOptions(voxel_mm=(2.0, 2.0, 2.0), bias=0.0, noise=0.01))
    shares = drawn.counts / np.float32(drawn.cells)
    t1w = drawn.t1w / np.float32(SCALE)
    brain = shares.sum(axis=0)
    around = np.interp(t1w, *AROUND)
    t2w = np.tensordot(T2W, shares, 1) + (1 - brain) * around
    t2w = np.abs(t2w + np.random.default_rng(0).normal(0, 1.5, t2w.shape))
    arrays = {
        't1w': t1w, 't2w': t2w, 'brain_mask': drawn.brain_mask,
        'wm_probseg': shares[1], 'csf_probseg': shares[2],
    }  # fmt: skip
    files = {
        name: save(values.astype(np.float32), drawn.affine, f'{name}.nii.gz')
        for name, values in arrays.items()
    }
    files['xfm_t2w_to_t1w'] = save_rigid(np.eye(4), 'rigid.h5')
    files['xfm_from_space'] = save_rigid(drawn.deformation.matrix, 'from_space.h5')
    return files


def measure(
    head: dict[str, Path], scanner: int, calibration: RatioCalibration
) -> tuple[np.ndarray, dict[str, object]]:
    """Return the ratio in the cortex and white matter of a scanner's images, and the remarks."""
    files = dict(head)
    for name, (gain, offset) in zip(('t1w', 't2w'), SCANNERS[scanner], strict=True):
        image = gain * load(head[name]) + offset
        files[name] = save(image.astype(np.float32), load_affine(head[name]), f'{name}.nii.gz')
    path = map_ratio(**files, threads=1, calibration=calibration).t1w_t2w_ratio
    values = load(path)
    white = load(head['wm_probseg']) > 0.95
    grey = (load(head['brain_mask']) > 0) & (load(head['wm_probseg']) < 0.02)
    grey &= load(head['csf_probseg']) < 0.02
    means = np.array([np.median(values[part & (values > 0)]) for part in (white, grey)])
    return means, json.loads(remarks_file(path).read_text())


@pytest.mark.parametrize('calibration', ['eyes-muscle', 'csf-wm'])
def test_scanners_give_the_same_calibrated_ratio(
    calibration: RatioCalibration, head: dict[str, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    found = [measure(head, scanner, calibration) for scanner in range(3)]
    first = found[0][0]
    assert first[0] > 1.1 * first[1]
    for means, remarks in found[1:]:
        assert np.abs(means / first - 1).max() < 0.02
        assert remarks['IsCalibrated'] is True
        said = remarks['Calibration']
        assert said['Method'] == calibration and min(said['Voxels']) > 60  # type: ignore[index,call-overload]
    raw = [measure(head, scanner, 'none')[0] for scanner in range(3)]
    assert abs(raw[1][0] / raw[0][0] - 1) > 1


def test_intensities_are_those_of_the_tissues(
    head: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, remarks = measure(head, 0, 'eyes-muscle')
    t1w, t2w = (remarks['Calibration'][name]['Found'] for name in ('T1w', 'T2w'))  # type: ignore[index]
    assert t1w == pytest.approx([24, 55], rel=0.1)
    assert t2w == pytest.approx([210, 24], rel=0.1)


def test_without_a_face_there_is_a_reason(
    head: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = dict(head)
    image, affine = load(head['t2w']), load_affine(head['t2w'])
    image[load(head['brain_mask']) == 0] = 0
    files['t2w'] = save(image, affine, 't2w.nii.gz')
    with pytest.raises(MissingTissueError, match=r'the eyes, .* defaced or stripped'):
        map_ratio(**files, threads=1, calibration='eyes-muscle')
    # what lies in the brain is always there
    assert map_ratio(**files, threads=1, calibration='csf-wm')
    del files['xfm_from_space']
    with pytest.raises(ValueError, match='without a registration to the template'):
        map_ratio(**files, threads=1, calibration='eyes-muscle')


def test_the_setting_changes_the_declaration(tmp_path: Path) -> None:
    names = [measure.name for measure in find_measures()]
    for calibration, measure in RATIO_BY_CALIBRATION.items():
        found = find_measures(t1t2_calibration=calibration)
        assert [each.name for each in found] == names
        assert found[names.index('t1w_t2w')] is measure
        config = Config(*[tmp_path] * 3, t1t2_calibration=calibration)
        inputs = measure.init_wf(config).get_node('inputnode').inputs.copyable_trait_names()
        assert set(inputs) == set(measure.needs)
    assert RATIO_BY_CALIBRATION['none'] is T1W_T2W
    assert RATIO_BY_CALIBRATION['eyes-muscle'].needs == CALIBRATED_NEEDS
    said = RATIO_BY_CALIBRATION['csf-wm'].outputs[0].description
    assert said.endswith('Both were calibrated by cerebrospinal fluid and white matter.')
