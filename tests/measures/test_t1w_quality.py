"""The measure: from files to a table, with reasons for what is missing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ants
import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.quality_reasons import NO_AIR
from mriderived.interfaces.sink import remarks_file
from mriderived.measures.t1w_quality import (
    COLUMNS,
    NEEDS,
    T1W_QUALITY,
    draw_air,
    draw_air_noise,
    measure_quality,
)

SHAPE, SIZE = (60, 70, 60), 3.0
#: RAS, with the middle of the grid 10 mm above and 18 mm behind the origin.
AFFINE = np.array([[3.0, 0, 0, -88.5], [0, 3, 0, -121.5], [0, 0, 3, -78.5], [0, 0, 0, 1]])

#: MRIQC's columns, from its group tables.
MRIQC = {
    *('cjv', 'cnr', 'efc', 'fber', 'qi_1', 'qi_2', 'wm2max', 'inu_med', 'inu_range'),
    *(f'fwhm_{axis}' for axis in ('x', 'y', 'z', 'avg')),
    *(f'{name}_{axis}' for name in ('size', 'spacing') for axis in 'xyz'),
    *(f'{name}_{tissue}' for name in ('snr', 'snrd') for tissue in ('csf', 'gm', 'wm', 'total')),
    *(
        f'{name}_{tissue}'
        for name in ('icvs', 'rpve', 'tpm_overlap')
        for tissue in ('csf', 'gm', 'wm')
    ),
    *(
        f'summary_{region}_{statistic}'
        for region in ('bg', 'csf', 'gm', 'wm')
        for statistic in ('k', 'mad', 'mean', 'median', 'n', 'p05', 'p95', 'stdv')
    ),
}


def save(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    nb.Nifti1Image(data, affine).to_filename(path)
    return path


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Write a head of shells; its template is the head itself, the transform the identity."""
    grid = np.ogrid[tuple(slice(-n / 2 + 0.5, n / 2) for n in SHAPE)]
    r = np.sqrt(sum((g / a) ** 2 for g, a in zip(grid, (21, 27, 21), strict=True)))
    wm, gm, csf = r < 0.62, (r >= 0.62) & (r < 0.8), (r >= 0.8) & (r < 0.88)
    signal = 500.0 * (r < 1) - 300 * csf + 200 * gm + 500 * wm
    noise = np.random.default_rng(0).normal(0, 20, (2, *SHAPE))
    image = np.hypot(signal + noise[0], noise[1]).astype(np.float32)
    field = np.linspace(0.8, 1.2, SHAPE[0], dtype=np.float32)[:, None, None]
    maps = [mask.astype(np.float32) for mask in (gm, wm, csf)]
    identity = ants.create_ants_transform('AffineTransform', 'float', 3)
    ants.write_transform(identity, str(tmp_path / 'xfm.mat'))
    monkeypatch.chdir(tmp_path)
    # the raw scan is stored with its axes turned: inferior, right, posterior
    raw = nb.Nifti1Image(image * field, AFFINE)
    turned = raw.as_reoriented([[1, 1], [2, -1], [0, -1]])
    turned.to_filename(tmp_path / 'raw.nii.gz')
    return {
        'raw_t1w': tmp_path / 'raw.nii.gz',
        't1w': save(tmp_path / 't1w.nii.gz', image),
        'brain_mask': save(tmp_path / 'mask.nii.gz', (r < 0.88).astype(np.uint8)),
        'gm_probseg': save(tmp_path / 'gm.nii.gz', maps[0]),
        'wm_probseg': save(tmp_path / 'wm.nii.gz', maps[1]),
        'csf_probseg': save(tmp_path / 'csf.nii.gz', maps[2]),
        'dseg': save(tmp_path / 'dseg.nii.gz', (gm + 2 * wm + 3 * csf).astype(np.uint8)),
        'space_tissues': save(tmp_path / 'tissues.nii.gz', np.stack(maps, axis=-1)),
        'xfm_from_space': tmp_path / 'xfm.mat',
        'lesion_dseg': save(tmp_path / 'lesions.nii.gz', np.zeros(SHAPE, np.uint8)),
    }


def read(table: Path) -> tuple[pd.Series, dict[str, Any]]:
    row = pd.read_csv(table, sep='\t', na_values='n/a')
    assert len(row) == 1
    return row.iloc[0], json.loads(remarks_file(table).read_text())


def test_lesions_have_a_volume_and_a_number(files: dict[str, Path]) -> None:
    lesions = np.zeros(SHAPE, np.uint8)
    lesions[10:14, 10:14, 10:14], lesions[20:22, 20:22, 20:22] = 1, 4
    save(files['lesion_dseg'], lesions)
    values, _ = read(measure_quality(**files).t1w_qc)
    voxel_ml = abs(np.linalg.det(AFFINE)) / 1000
    assert values['lesion_n'] == 2
    assert values['lesion_volume'] == pytest.approx((64 + 8) * voxel_ml, rel=1e-6)


def test_columns_hold_all_of_mriqcs() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    assert len(MRIQC) == 68
    assert set(names) >= MRIQC


def test_a_turned_raw_scan_is_measured(files: dict[str, Path]) -> None:
    result = measure_quality(**files)
    values, remarks = read(result.t1w_qc)
    assert list(values.index) == [column.name for column in COLUMNS]
    assert remarks['MissingReasons'] == {} and remarks['Notes'] == []
    assert values.notna().all()
    assert values['summary_wm_median'] == pytest.approx(1000, abs=0.01)
    assert values['snr_wm'] == pytest.approx(50, rel=0.05)
    assert values['cjv'] == pytest.approx(40 / 300, rel=0.1)
    assert values['tpm_overlap_gm'] == pytest.approx(1, abs=1e-4)
    assert values['tpm_overlap_csf'] == pytest.approx(1, abs=1e-4)
    # a field that rises by half across the grid, seen from axes that were turned back
    assert values['inu_range'] == pytest.approx(0.2, abs=0.03)
    assert values['inu_med'] == pytest.approx(1, abs=0.01)
    assert [values[f'size_{axis}'] for axis in 'xyz'] == list(SHAPE)
    labels = nb.load(result.air_dseg)
    np.testing.assert_allclose(labels.affine, AFFINE)
    assert set(np.unique(labels.dataobj)) <= {0, 1, 2, 3, 4, 5}
    assert labels.get_data_dtype() == np.uint8


def test_a_brain_without_head_leaves_reasons(files: dict[str, Path]) -> None:
    mask = np.asarray(nb.load(files['brain_mask']).dataobj)
    for name in ('raw_t1w', 't1w'):
        image = nb.as_closest_canonical(nb.load(files[name]))
        save(files[name], np.asarray(image.dataobj) * mask)
    result = measure_quality(**files)
    values, remarks = read(result.t1w_qc)
    missing = set(values.index[values.isna()])
    assert missing == set(remarks['MissingReasons'])
    assert {'cnr', 'snrd_total', 'fber', 'qi_1', 'qi_2', 'efc', 'summary_bg_mean'} <= missing
    assert set(remarks['MissingReasons'].values()) == {NO_AIR}
    assert len(remarks['Notes']) == 1 and NO_AIR in remarks['Notes'][0]
    assert '\tn/a' in result.t1w_qc.read_text()
    assert len(draw_air(files['raw_t1w'], result.air_dseg)) == 1
    assert draw_air_noise(files['raw_t1w'], result.air_dseg) == []


def test_the_figures_are_drawn(files: dict[str, Path]) -> None:
    result = measure_quality(**files)
    assert len(draw_air(files['raw_t1w'], result.air_dseg)) == 1
    assert len(draw_air_noise(files['raw_t1w'], result.air_dseg)) == 1


def test_grids_that_differ_are_named(files: dict[str, Path]) -> None:
    image = nb.load(files['raw_t1w'])
    save(files['raw_t1w'], np.asarray(image.dataobj)[:, :-1], image.affine)
    with pytest.raises(ValueError, match=r'raw\.nii\.gz has the grid .* run again'):
        measure_quality(**files)


def test_the_workflow_runs(files: dict[str, Path], tmp_path: Path) -> None:
    config = Config(bids_dir=tmp_path, out_dir=tmp_path / 'out', work_dir=tmp_path / 'work')
    workflow = T1W_QUALITY.init_wf(config)
    workflow.base_dir = str(tmp_path / 'work')
    for name in NEEDS:
        setattr(workflow.inputs.inputnode, name, str(files[name]))
    graph = workflow.run()
    node = next(node for node in graph.nodes() if node.name == 'measure_quality')
    assert Path(node.result.outputs.t1w_qc).exists()
    assert Path(node.result.outputs.air_dseg).exists()


@pytest.mark.real
def test_a_real_scan_is_like_other_scans(
    test_data: Path, files: dict[str, Path], tmp_path: Path, in_range: Callable[..., None]
) -> None:
    """Tissues are FreeSurfer's; the transform is a shift of centres, enough for the plane."""
    from mriderived.interfaces.bias import correct_bias
    from mriderived.interfaces.volumes import load_ras

    raw = test_data / 'aomic/sub-0001/anat/sub-0001_T1w.nii.gz'
    folder = test_data / 'aomic/derivatives/freesurfer/sub-0001/mri'
    data, affine = load_ras(raw)
    aseg = load_ras(folder / 'aseg.nii.gz')[0].astype(np.int32)
    ribbon = load_ras(folder / 'ribbon.nii.gz')[0].astype(np.int32)
    csf = np.isin(aseg, (4, 5, 14, 15, 24, 43, 44))
    gm = np.isin(ribbon, (3, 42)) | np.isin(aseg, (8, 47, 10, 11, 12, 13, 49, 50, 51, 52, 17, 53))
    wm = (np.isin(ribbon, (2, 41)) | np.isin(aseg, (7, 46, 16))) & ~gm & ~csf
    brain = ndimage.binary_closing(gm | wm | csf, iterations=3)
    csf = brain & ~gm & ~wm
    centre = np.argwhere(brain).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]
    shift = (np.array([0, -18, 10]) - centre) * [-1, -1, 1]
    move = ants.create_ants_transform('AffineTransform', 'float', 3, translation=list(shift))
    ants.write_transform(move, str(files['xfm_from_space']))
    for name, mask in (('gm', gm), ('wm', wm), ('csf', csf)):
        save(files[f'{name}_probseg'], mask.astype(np.float32), affine)
    save(files['t1w'], correct_bias(data, brain, np.ones(3)), affine)
    save(files['brain_mask'], brain.astype(np.uint8), affine)
    save(files['dseg'], (gm + 2 * wm + 3 * csf).astype(np.uint8), affine)
    values, remarks = read(measure_quality(**{**files, 'raw_t1w': raw}).t1w_qc)
    # the file was conformed to 8 bits with nothing left in the air
    assert {'qi_1', 'qi_2', 'snrd_total', 'fber'} <= set(remarks['MissingReasons'])
    for name in ('cjv', 'snr_wm', 'snr_total', 'efc', 'fwhm_avg', 'inu_range', 'icvs_gm'):
        in_range(name, values[name])


@pytest.fixture
def in_range(test_data: Path) -> Callable[[str, float], None]:
    """Return a check against the 1st to 99th percentile of 1,101 scans of 17 sites."""
    table = pd.read_csv(test_data / 'tables/mriqc-iqms/mriqc/data/csv/x_abide.csv')

    def check(name: str, value: float) -> None:
        low, high = table[name].quantile([0.01, 0.99])
        assert low <= value <= high, f'{name} = {value:.3g}, usual {low:.3g} to {high:.3g}'

    return check
