"""The table of diffusion quality, from files of a small head."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.core.dwi_signal_quality import neighbouring_correlation
from mriderived.interfaces.gradient_tables import load_fsl
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.dwi_quality import draw_dwi_carpet, measure_dwi_run
from mriderived.measures.dwi_quality_columns import COLUMNS

SHAPE = (24, 24, 12)
VOLUMES = 36
SPIKE = (20, 7)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A head whose brain has one tensor, of which the third volume is spoilt as acquired."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((VOLUMES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    b = np.r_[np.zeros(4), np.full(VOLUMES - 4, 1000.0)]
    directions[:4] = 0
    signal = 1000 * np.exp(-b * (0.3e-3 + 1.4e-3 * directions[:, 0] ** 2))
    brain = np.zeros(SHAPE, bool)
    brain[6:18, 6:18, 2:10] = True
    series = np.where(brain[..., None], signal, 0) + 10 * rng.standard_normal((*SHAPE, VOLUMES))
    series = np.abs(series).astype(np.float32)
    raw = series.copy()
    raw[:, :, SPIKE[1], SPIKE[0]] += 200
    # a trace volume among them, which is left out
    raw = np.insert(raw, 10, 5000, axis=3)
    affine = np.diag([2.0, 2, 2, 1])
    bvec = directions * [-1, 1, 1]

    def save(name: str, data: np.ndarray) -> Path:
        nb.save(nb.Nifti1Image(data, affine), tmp_path / f'{name}.nii.gz')
        return tmp_path / f'{name}.nii.gz'

    np.savetxt('dwi.bval', b[None])
    np.savetxt('dwi.bvec', bvec.T)
    acquisition = {
        'repetition_time': 3.0, 'slice_times': None, 'slice_axis': 2, 'field_map': None,
        'notes': [], 'parts': [{
            'path': str(save('raw', raw)), 'b': b.tolist(), 'directions': directions.tolist(),
            'phase_direction': 'j', 'readout_time': 0.05,
            'volumes': [n for n in range(VOLUMES + 1) if n != 10],
        }],
    }  # fmt: skip
    (tmp_path / 'acquisition.json').write_text(json.dumps(acquisition))
    motion = pd.DataFrame({'framewise_displacement': [np.nan, *np.full(VOLUMES - 1, 0.3)]})
    motion['untold'] = (np.arange(VOLUMES) == 9).astype(int)
    motion.to_csv('motion.tsv', sep='\t', index=False, na_rep='n/a')
    return {
        'dwi_acquisition': tmp_path / 'acquisition.json',
        'dwi_preproc': save('preproc', series),
        'dwi_bval': tmp_path / 'dwi.bval',
        'dwi_bvec': tmp_path / 'dwi.bvec',
        'dwi_mask': save('mask', brain.astype(np.uint8)),
        'dwi_reference': save('reference', series[..., :4].mean(axis=3)),
        'dwi_motion': tmp_path / 'motion.tsv',
    }


def test_table(files: dict[str, Path]) -> None:
    row = pd.read_csv(measure_dwi_run(**files).dwi_qc, sep='\t', na_values='n/a').iloc[0]
    assert list(row.index) == [column.name for column in COLUMNS]
    assert row['volumes'] == VOLUMES
    assert row['shells'] == 1
    assert row['b_max'] == 1000
    assert row['fd_mean'] == pytest.approx(0.3, abs=1e-6)
    assert row['fd_num'] == VOLUMES - 1
    # the four unweighted volumes are too few to compare
    assert row['spikes'] == pytest.approx(100 / ((VOLUMES - 4) * SHAPE[2]), rel=1e-3)
    assert row['snr_b0'] == pytest.approx(100, rel=0.15)
    # the spike lies in the brain of the volumes as acquired alone
    gradients = load_fsl(files['dwi_bval'], files['dwi_bvec'], load_affine(files['dwi_mask']))
    brain = load(files['dwi_mask']) > 0
    for name, file in (('ndc_raw', 'raw.nii.gz'), ('ndc', 'preproc.nii.gz')):
        series = load(files['dwi_mask'].with_name(file))[brain]
        if name == 'ndc_raw':
            series = np.delete(series, 10, axis=1)
        assert row[name] == pytest.approx(neighbouring_correlation(series, gradients)[0], rel=1e-5)
    assert abs(row['ndc'] - row['ndc_raw']) > 0.002


def test_what_is_missing_is_said(files: dict[str, Path]) -> None:
    path = measure_dwi_run(**files).dwi_qc
    row = pd.read_csv(path, sep='\t', na_values='n/a').iloc[0]
    remarks = json.loads(remarks_file(path).read_text())
    missing = set(row.index[row.isna()])
    assert missing == {'outlier_slices', 'cnr_2', 'cnr_3', 'fa_callosum', 'coherence'}
    assert remarks['MissingReasons'].keys() == missing
    assert remarks['MissingReasons']['cnr_2'] == 'there is no shell 2'


def test_carpet(files: dict[str, Path]) -> None:
    needs = ('dwi_preproc', 'dwi_bval', 'dwi_bvec', 'dwi_mask', 'dwi_motion')
    (figure,) = draw_dwi_carpet(**{name: files[name] for name in needs})
    shown = np.asarray(figure.axes[-1].images[0].get_array())
    assert shown.shape[1] == VOLUMES
    assert np.abs(np.median(shown)) < 0.1


def test_a_lost_slice_is_a_band_of_the_carpet(files: dict[str, Path], tmp_path: Path) -> None:
    needs = ('dwi_preproc', 'dwi_bval', 'dwi_bvec', 'dwi_mask', 'dwi_motion')
    paths = {name: files[name] for name in needs}
    mask = load(paths['dwi_mask']) > 0
    place = int(np.median(np.nonzero(mask)[2]))
    series = load(paths['dwi_preproc']).copy()
    gradients = load_fsl(files['dwi_bval'], files['dwi_bvec'], load_affine(files['dwi_mask']))
    volume = int(np.flatnonzero(gradients.shell > 0)[3])
    series[:, :, place, volume] *= 0.3
    spoilt = save(series, load_affine(paths['dwi_mask']), 'spoilt.nii.gz')
    (figure,) = draw_dwi_carpet(**{**paths, 'dwi_preproc': spoilt})
    shown = np.asarray(figure.axes[-1].images[0].get_array())
    column = np.argsort(gradients.shell, kind='stable').tolist().index(volume)
    # rows go slice by slice, the uppermost first
    slices = np.sort(np.nonzero(mask)[2])[::-1]
    assert len(shown) == len(slices)
    means = {int(one): float(shown[slices == one, column].mean()) for one in np.unique(slices)}
    others = [mean for one, mean in means.items() if one != place]
    assert means[place] < min(others) - 0.5, means
