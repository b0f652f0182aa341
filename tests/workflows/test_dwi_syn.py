"""Diffusion without a field map: what the T1w tells of its distortion, on a phantom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mriderived.config import Config
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.phantom.dataset import dwi_truth, write_dataset
from mriderived.phantom.dwi_options import DwiOptions
from mriderived.phantom.dwi_truth import DwiTruth
from mriderived.phantom.truth import Truth
from mriderived.workflows.dwi_distortion_t1w import find_dwi_distortion_anyway
from mriderived.workflows.sources import find_sources
from mriderived.workflows.steps import preprocessing_steps

OPTIONS = DwiOptions(
    voxel_mm=(3.5, 3.5, 3.5), shells=((1000.0, 1),), b0s=1, motion_mm=0.0, motion_degrees=0.0,
    jumps=0, eddy_voxels=0.0, dropouts=0, opposite='none', bias=0.05, keeps_clean=False,
)  # fmt: skip


class Scan(NamedTuple):
    """The unweighted volume, its acquisition, and what is true of it and of the T1w."""

    distorted: Path
    acquisition: Path
    dwi: DwiTruth
    head: Truth

    @property
    def anatomy(self) -> tuple[Path, ...]:
        head = self.head
        return head.t1w, head.brain_mask, head.gm_probseg, head.wm_probseg


@pytest.fixture(scope='module')
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    folder = tmp_path_factory.mktemp('syn')
    (head,) = write_dataset(
        folder / 'raw', participants=1, voxel_mm=2.0, dwi=True, dwi_options=OPTIONS
    )
    truth = dwi_truth(folder / 'raw', '01')
    config = Config(folder / 'raw', folder / 'out', folder / 'work')
    (source,) = find_sources(config, '01', ('dwi',), is_hashed=False)
    acquisition = folder / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        first = np.ascontiguousarray(load(truth.dwi)[..., 0])
        distorted = save(first, load_affine(truth.dwi), 'distorted.nii.gz')
    return Scan(distorted, acquisition, truth, head)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def last_note(path: Path) -> str:
    return str(json.loads(remarks_file(path).read_text())['Notes'][-1])


@pytest.mark.slow
def test_the_t1w_tells_most_of_the_displacement(scan: Scan) -> None:
    flat = find_dwi_distortion_anyway(scan.distorted, scan.acquisition, *scan.anatomy)
    found, true = load(flat.dwi_displacement), scan.dwi.load('displacement')
    inside = scan.dwi.load('brain_mask') > 0
    assert true[inside].std() > 0.4
    assert np.corrcoef(found[inside], true[inside])[0, 1] > 0.7
    assert (found - true)[inside].std() < 0.75 * true[inside].std()
    assert 'told from the T1w image (--use-syn-sdc)' in last_note(flat.dwi_reference)
    said = json.loads(remarks_file(flat.dwi_displacement).read_text())
    assert said['SusceptibilityDistortionCorrection'].startswith('registration to the T1w')


@pytest.mark.slow
def test_what_fits_no_better_is_not_applied(scan: Scan) -> None:
    """Told to move along an axis along which nothing was displaced."""
    content = json.loads(scan.acquisition.read_text())
    content['parts'][0]['phase_direction'] = 'i'
    acquisition = Path('wrong.json').absolute()
    acquisition.write_text(json.dumps(content))
    flat = find_dwi_distortion_anyway(scan.distorted, acquisition, *scan.anatomy)
    assert not load(flat.dwi_displacement).any()
    assert 'does not fit the white matter better (boundary cost' in last_note(flat.dwi_reference)


@pytest.mark.slow
def test_without_a_t1w_or_a_direction_a_note_says_so(scan: Scan) -> None:
    flat = find_dwi_distortion_anyway(scan.distorted, scan.acquisition)
    assert last_note(flat.dwi_reference).endswith('needs a T1w image, and there is none.')
    content = json.loads(scan.acquisition.read_text())
    content['parts'][0]['phase_direction'] = None
    acquisition = Path('none.json').absolute()
    acquisition.write_text(json.dumps(content))
    flat = find_dwi_distortion_anyway(scan.distorted, acquisition, *scan.anatomy)
    assert last_note(flat.dwi_reference).endswith('needs PhaseEncodingDirection in the sidecar.')


def test_only_where_asked_for_a_series_leans_on_the_t1w() -> None:
    optional = {
        asked: next(s for s in preprocessing_steps('builtin', asked) if s.name == 'dwi_distortion')
        for asked in (False, True)
    }
    assert optional[False].optional == ()
    assert optional[True].optional == ('t1w', 'brain_mask', 'gm_probseg', 'wm_probseg')
    assert 'inverted contrast' in optional[True].methods
