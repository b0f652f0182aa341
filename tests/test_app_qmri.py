"""End to end on collections of quantitative MRI of a synthetic head: the truth must come out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.bids.status import read_record
from mriderived.phantom.qmri import QmriOptions, QmriTruth, write_qmri

pytestmark = pytest.mark.slow
COLLECTIONS = ('MESE', 'MEGRE', 'VFA', 'IRT1', 'MP2RAGE', 'MPM', 'MTR')
#: A box in the middle of the brain that does not move, and no T1w image: no regions.
BOX = QmriOptions(
    voxel_mm=3.0, t1w_mm=4.0, shape=(22, 22, 14), has_t1w=False, motion_mm=0, motion_degrees=0
)
MEASURES = ('t2', 'megre', 'vfa', 'irt1', 'mp2rage', 'mpm', 'mpm_r2star', 'mpm_mtsat', 'mtr', 'b1')


class Run(NamedTuple):
    """Where the outputs of a dataset are, and its truth."""

    out_dir: Path
    truth: QmriTruth

    def load(self, name: str, datatype: str = 'anat') -> Any:
        """Return the data of a map."""
        path = self.out_dir / 'sub-01' / datatype / f'sub-01_{name}.nii.gz'
        return np.asarray(nb.load(path).dataobj)

    def tissue(self, which: int) -> Any:
        """Return voxels of nothing but grey (0) or white matter (1)."""
        return self.truth.substance.shares[which] > 0.99

    def bias(self, name: str, truth: Any) -> list[float]:
        """Return the mean error of a map in grey and in white matter, over the truth."""
        found = self.load(name)
        biases = []
        for which in (0, 1):
            inside = self.tissue(which) & np.isfinite(found) & (found != 0)
            biases.append(float(found[inside].mean() / np.asarray(truth)[inside].mean() - 1))
        return biases


def app(*arguments: str | Path) -> None:
    command = [sys.executable, '-m', 'mriderived', *map(str, arguments)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp('qmri')
    truth = write_qmri(folder / 'bids', '01', COLLECTIONS, BOX)
    options = ('--skip-bids-validation', '--nprocs', '1', '--measures', *MEASURES)
    app(folder / 'bids', folder / 'out', 'participant', *options)
    app(folder / 'bids', folder / 'out', 'group')
    return Run(folder / 'out', truth)


def test_everything_that_needs_no_t1w_is_done(run: Run) -> None:
    units = read_record(run.out_dir, '01')
    status = {unit.measure: unit.status for unit in units}
    assert {status[name] for name in MEASURES} == {'done'}
    assert {unit.status for unit in units} <= {'done', 'not_available'}
    assert all(unit.reason for unit in units if unit.status == 'not_available')


@pytest.mark.parametrize(
    ('name', 'parameter'),
    [
        ('desc-epg_T2map', 't2'),
        ('desc-megre_T2starmap', 't2star'),
        ('desc-vfa_T1map', 't1'),
        ('desc-ir_T1map', 't1'),
        ('desc-mp2rage_T1map', 't1'),
    ],
)
def test_times_at_an_snr_of_50(run: Run, name: str, parameter: str) -> None:
    assert np.abs(run.truth.b1[run.truth.substance.brain] - 1).max() > 0.15
    assert np.abs(run.bias(name, getattr(run.truth.substance, parameter))).max() < 0.01


def test_parameters_of_multi_parameter_mapping(run: Run) -> None:
    substance = run.truth.substance
    assert np.abs(run.bias('desc-mpm_R1map', 1 / substance.t1)).max() < 0.02
    assert np.abs(run.bias('desc-mpm_R2starmap', 1 / substance.t2star)).max() < 0.02
    # its equation takes angles and rates as small
    assert np.abs(run.bias('desc-mpm_MTsat', substance.mtsat)).max() < 0.08
    density = run.load('desc-mpm_PDmap')
    ratios = [np.median(density[run.tissue(which)]) for which in (0, 1)]
    assert ratios[0] / ratios[1] == pytest.approx(0.82 / 0.70, rel=0.02)


def test_the_transmit_field_is_that_of_the_head(run: Run) -> None:
    found = run.load('space-VFA_desc-brain_TB1map', 'fmap')
    inside = run.truth.substance.brain & (found != 0)
    off = found[inside] / (100 * run.truth.b1[inside]) - 1
    assert np.abs(np.median(off)) < 0.01 and np.percentile(np.abs(off), 95) < 0.03


def test_sidecars_and_columns(run: Run) -> None:
    sidecar = json.loads((run.out_dir / 'sub-01/anat/sub-01_desc-vfa_T1map.json').read_text())
    assert sidecar['Units'] == 's' and sidecar['TransmitFieldCorrection'] is True
    assert sidecar['EstimationReference'].startswith('https://doi.org/')
    assert sidecar['VoxelsFitted'] > 0 and 'VoxelsImplausible' in sidecar
    table = pd.read_csv(run.out_dir / 'phenotype' / 'vfa.tsv', sep='\t')
    assert 0.8 < table['vfa_median'][0] < 1.8
    report = (run.out_dir / 'sub-01.html').read_text()
    for title in ('T2 of spin echoes', 'T1 of flip angles', 'Magnetisation transfer ratio'):
        assert title in report


def test_myelin_water_at_an_snr_of_200(tmp_path: Path) -> None:
    from dataclasses import replace

    options = replace(BOX, shape=(12, 12, 8), snr=200.0, has_myelin=True)
    truth = write_qmri(tmp_path / 'bids', '01', ('MESE',), options)
    app(tmp_path / 'bids', tmp_path / 'out', 'participant', '--skip-bids-validation', '--nprocs',
        '1', '--measures', 'myelin_water')  # fmt: skip
    found = Run(tmp_path / 'out', truth)
    values, white = found.load('desc-epg_MWFmap'), found.tissue(1)
    assert white.sum() > 50
    assert values[white].mean() == pytest.approx(truth.substance.mwf[white].mean(), abs=2)
