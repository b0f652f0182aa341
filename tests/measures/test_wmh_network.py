"""A network in the place of the search: the same prior, threshold, files and tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flair_phantom import draw, write_files
from lesion_networks import Bright, write_lesion_network
from mriderived.config import Config
from mriderived.core.hyperintensities import judge_hyperintensities
from mriderived.interfaces.lesion_model import digest_model
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.registry import find_measures
from mriderived.measures.wmh import WMH, WmhFiles
from mriderived.measures.wmh_network import WMH_BY_NETWORK, find_wmh_by_network

BALLS = [(15.0, 12.0, 8.0, 4.5), (-14.0, -16.0, -6.0, 3.5), (0.0, 26.0, 0.0, 3.0)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(files: dict[str, Path], model: Path) -> WmhFiles:
    return find_wmh_by_network(**files, model_file=str(model), device='cpu', threads=1)  # type: ignore[arg-type]


def test_tables_and_sidecars_are_those_of_the_network(folder: Path) -> None:
    phantom = draw(BALLS, contrast=0.6, noise=2.0)
    files = write_files(folder, phantom, tissues=True)
    model = write_lesion_network(folder / 'tiny.pt', Bright(), Name='Tiny')
    found = run(files, model)
    mask, probability = load(found.wmh_flair_mask) > 0, load(found.wmh_probseg)
    assert ((probability > 0.5) == mask).all()
    row = pd.read_csv(found.wmh_morph, sep='\t').iloc[0]
    assert [*row.index] == [column.name for column in WMH.output('wmh_morph').columns]
    assert row['count'] == 3
    assert row['volume'] == mask.sum() == pytest.approx(phantom.truth.sum(), rel=0.15)
    assert row['periventricular_count'] == 2 and row['deep_count'] == 1
    for path in (found.wmh_probseg, found.wmh_flair_mask):
        remarks = json.loads(remarks_file(path).read_text())
        assert remarks['SegmentationSource'] == 'network Tiny (FLAIR)'
        assert remarks['SegmentationModel'] == {
            'Name': 'Tiny', 'File': 'tiny.pt', 'SHA256': digest_model(model)
        }  # fmt: skip


def test_a_mask_that_was_given_comes_first(folder: Path) -> None:
    files = write_files(folder, draw(BALLS))
    given = np.zeros(load(files['flair']).shape, np.uint8)
    given[30:34, 40:44, 40:44] = 1
    files['raw_flair_lesion_mask'] = save(given, load_affine(files['flair']), 'given.nii.gz')
    found = run(files, folder / 'is not even looked for.pt')
    assert (load(found.wmh_flair_mask) == given).all()
    remarks = json.loads(remarks_file(found.wmh_probseg).read_text())
    assert remarks['SegmentationSource'] == 'mask that was given'
    assert 'SegmentationModel' not in remarks


def test_rules_of_place_and_size_hold_for_a_network() -> None:
    phantom = draw(BALLS, noise=2.0)
    scan = phantom.scan
    sure = np.where(phantom.truth > 0.5, 0.95, 0.02).astype(np.float32)
    everything = judge_hyperintensities(scan, sure)
    assert everything.mask[phantom.truth > 0.5].mean() > 0.95
    assert everything.mask.sum() == pytest.approx((phantom.truth > 0.5).sum(), rel=0.05)
    # a network that sees lesions in ventricles, at the rim and in single voxels
    wrong = np.where(scan.ventricles, 0.99, 0.0).astype(np.float32)
    wrong[scan.brain & (scan.tissues.gm > 0.99)] = 0.6  # type: ignore[union-attr]
    wrong[20, 40, 32] = 0.99
    assert not judge_hyperintensities(scan, wrong).mask.any()
    # below the tentorium the odds are a tenth
    weighed = scan._replace(weight=np.full(scan.flair.shape, 0.1, np.float32))
    less = judge_hyperintensities(weighed, np.where(sure > 0.5, 0.8, 0.0).astype(np.float32))
    assert not less.mask.any()
    assert less.probability.max() == pytest.approx(0.4 / 1.4, abs=0.02)


def test_values_that_are_no_probabilities_are_refused() -> None:
    scan, _ = draw()
    with pytest.raises(ValueError, match=r'probabilities lie between 0 and 3, not between 0 and'):
        judge_hyperintensities(scan, np.where(scan.brain, 3, 0).astype(np.float32))
    with pytest.raises(ValueError, match='are not on one grid'):
        judge_hyperintensities(scan, np.zeros((3, 3, 3), np.float32))
    t2w = scan._replace(flair=np.where(scan.flair < 40, 300, scan.flair).astype(np.float32))
    with pytest.raises(ValueError, match='fluid is brighter than white matter: this is no FLAIR'):
        judge_hyperintensities(t2w, np.zeros(scan.flair.shape, np.float32))


def test_the_setting_chooses_the_network() -> None:
    usual, other = find_measures(), find_measures(has_wmh_model=True)
    assert [measure.name for measure in usual] == [measure.name for measure in other]
    assert other[usual.index(WMH)] is WMH_BY_NETWORK
    assert WMH_BY_NETWORK.outputs is WMH.outputs


def test_another_network_is_another_choice(tmp_path: Path) -> None:
    config = Config(tmp_path, tmp_path / 'o', tmp_path / 'w')
    path = write_lesion_network(tmp_path / 'one.pt', Bright())
    copy = tmp_path / 'copy.pt'
    copy.write_bytes(path.read_bytes())
    hashes = [Config(*[tmp_path] * 3, wmh_model=file).hash for file in (path, copy)]
    assert hashes[0] == hashes[1] != config.hash
    copy.with_suffix('.json').write_text('{"Result": "evidence"}')
    assert Config(*[tmp_path] * 3, wmh_model=copy).hash != hashes[0]
    write_lesion_network(copy, Bright(level=0.7), Result='evidence')
    assert Config(*[tmp_path] * 3, wmh_model=copy).hash != hashes[0]
