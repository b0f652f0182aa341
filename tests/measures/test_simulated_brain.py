"""A simulated brain with its answers, as a BIDS dataset: multi-parameter maps of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest

from mriderived.bids.sidecar import write_json
from mriderived.config import Config
from mriderived.interfaces.series import save_series
from mriderived.interfaces.volumes import load, save
from mriderived.measures.mpm import write_mpm
from mriderived.measures.mpm_mtsat import write_mtsat
from mriderived.measures.mpm_r2star import write_r2star
from mriderived.workflows.qmri_field import map_field
from mriderived.workflows.sources import find_sources

#: Flip angle, echoes and transfer of each contrast of the simulation, by its name.
CONTRASTS = {'pdw': (6, 8, False), 't1w': (21, 8, False), 'mtw': (6, 6, True)}
ANSWERS = {'R1': 'R1map', 'R2star': 'R2starmap', 'PD': 'PDmap', 'MT': 'MTmap'}


@pytest.fixture
def answers(test_data: Path) -> Path:
    folder = test_data / 'wias-mpm' / 'inst' / 'extdata'
    if not folder.is_dir():
        pytest.skip('no multi-parameter maps with answers')
    return folder


def write_dataset(answers: Path, folder: Path) -> Path:
    """Write the images as a collection, with a map of the transmit field."""
    anat, fmap = folder / 'sub-01' / 'anat', folder / 'sub-01' / 'fmap'
    anat.mkdir(parents=True)
    fmap.mkdir()
    write_json(folder / 'dataset_description.json', {'Name': 'simulated', 'BIDSVersion': '1.10.0'})

    def put(source: str, target: Path, metadata: dict[str, Any]) -> None:
        image = nb.load(answers / f'{source}.nii.gz')
        copy = nb.Nifti1Image(np.asarray(image.dataobj, np.float32), image.affine)
        copy.set_sform(image.affine, code=1)
        copy.header.set_xyzt_units('mm', 'sec')
        copy.to_filename(target)
        write_json(target.with_name(f'{target.name.split(".")[0]}.json'), metadata)

    for kind, (angle, echoes, mt) in CONTRASTS.items():
        for echo in range(1, echoes + 1):
            name = f'sub-01_echo-{echo}_flip-{1 + (angle > 6)}_mt-{"on" if mt else "off"}_MPM'
            put(f'{kind}_{echo}', anat / f'{name}.nii.gz', {
                'EchoTime': 0.0023 * echo, 'FlipAngle': angle, 'MTState': mt,
                'RepetitionTimeExcitation': 0.025,
            })  # fmt: skip
    put('B1map', fmap / 'sub-01_TB1map.nii.gz', {'Units': 'percent'})
    return folder


def compare(path: Path, answer: Path, mask: np.ndarray) -> tuple[float, float]:
    """Return the median relative error of voxels, and that of the medians of 50 groups of them."""
    found, truth = load(path)[mask], load(answer)[mask]
    good = (found != 0) & (truth > 0.2 * np.median(truth))
    found, truth = found[good], truth[good]
    groups = np.array_split(np.argsort(truth), 50)
    medians = [np.median(found[group]) / np.median(truth[group]) - 1 for group in groups]
    return float(np.median(found / truth - 1)), float(np.median(np.abs(medians)))


@pytest.mark.real
def test_the_answers_are_found(
    answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_dataset(answers, tmp_path / 'raw')
    config = Config(bids_dir=dataset, out_dir=tmp_path / 'out', work_dir=tmp_path / 'work')
    (source,) = find_sources(config, '01', ('qmri',))
    assert not source.fault and source.acquisition['transmit_field']['kind'] == 'TB1map'
    monkeypatch.chdir(tmp_path)
    acquisition = tmp_path / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    # nothing moved in the simulation: the images are taken as they are
    images = [load(Path(image['path'])) for image in source.acquisition['images']]
    affine, mask = nb.load(answers / 'mask.nii.gz').affine, load(answers / 'mask.nii.gz') > 0
    series = save_series(images, affine, mask.shape, len(images), 1.0, 'series.nii.gz')
    reference = save(images[0], affine, 'reference.nii.gz')
    inside = save(mask.astype(np.uint8), affine, 'mask.nii.gz')
    field = map_field(reference, inside, acquisition).qmri_b1
    signals = (series, acquisition, inside)
    rates = write_mpm(*signals, qmri_b1=field)
    found = {
        'R1': rates.mpm_r1,
        'R2star': write_r2star(*signals).mpm_r2star,
        'PD': rates.mpm_pd,
        'MT': write_mtsat(*signals, qmri_b1=field).mpm_mtsat,
    }
    for name, path in found.items():
        middle, grouped = compare(path, answers / f'{ANSWERS[name]}.nii.gz', mask)
        assert abs(middle) < 0.02, (name, middle)
        assert grouped < 0.03, (name, grouped)
