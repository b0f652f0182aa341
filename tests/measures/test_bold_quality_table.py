"""The table of BOLD quality: one row, its values, and reasons for what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mriderived.core.bold_quality import BoldRun, measure_bold_quality
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import remarks_file, write_remarks
from mriderived.interfaces.volumes import save
from mriderived.measures.bold_quality import measure_run
from mriderived.measures.bold_quality_columns import COLUMNS

SHAPE, FRAMES, TR = (24, 26, 16), 40, 2.0
AFFINE = np.diag([4.0, 4, 4, 1])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make_brain(shift: int = 0) -> np.ndarray:
    x, y, z = np.indices(SHAPE)
    far = ((x - 11.5 + shift) / 7) ** 2 + ((y - 12.5) / 8) ** 2 + ((z - 7.5) / 5) ** 2
    return np.asarray(far < 1)


def measure(
    air: float = 3, unsteady: int = 0, moved: bool = True, shift: int = 0
) -> tuple[Any, dict[str, Any]]:
    rng = np.random.default_rng(0)
    brain = make_brain(shift)
    level = np.where(brain, 1000, air) + np.where(brain, 60, 0) * np.sin(np.indices(SHAPE)[0])
    series = level[..., None] + rng.normal(0, 10, (*SHAPE, FRAMES)) * brain[..., None]
    if air:
        series += rng.normal(0, 1, series.shape)
    series[..., :unsteady] *= 1.4
    series = series.astype(np.float32)
    volumes = (series[..., t] for t in range(FRAMES))
    bold = save_series(volumes, AFFINE, SHAPE, FRAMES, TR, 'bold.nii.gz')
    reference = save(np.median(series, axis=3).astype(np.float32), AFFINE, 'reference.nii.gz')
    mask = save(brain.astype(np.uint8), AFFINE, 'mask.nii.gz')
    table = pd.DataFrame({'framewise_displacement': [np.nan, *[0.1] * 29, *[0.3] * 10]})
    if not moved:
        table['framewise_displacement'] = np.nan
    for number in range(unsteady):
        table[f'non_steady_state_outlier{number:02d}'] = (np.arange(FRAMES) == number).astype(int)
    confounds = Path('confounds.tsv').absolute()
    table.to_csv(confounds, sep='\t', index=False, na_rep='n/a')
    write_remarks(confounds)
    path = measure_run(bold, reference, mask, confounds).bold_qc
    row = pd.read_csv(path, sep='\t', na_values='n/a')
    assert len(row) == 1
    return row.loc[0], json.loads(remarks_file(path).read_text())


def test_the_row_has_all_columns_and_the_values_that_were_planted() -> None:
    row, said = measure(unsteady=2)
    assert list(row.index) == [column.name for column in COLUMNS]
    assert row.notna().all()
    assert said == {'Notes': [], 'MissingReasons': {}}
    assert row['dummy_trs'] == 2
    assert row['fd_mean'] == pytest.approx((29 * 0.1 + 10 * 0.3) / 39)
    assert (row['fd_num'], row['fd_perc']) == (10, 25)
    assert row['tsnr'] == pytest.approx(100, rel=0.05)
    assert row['dvars_std'] == pytest.approx(1, abs=0.1)
    assert row['gcor'] == pytest.approx(0, abs=0.01)
    assert row['fber'] > 1000
    assert row['summary_fg_n'] == make_brain().sum()
    assert row['summary_fg_median'] == pytest.approx(1000, rel=0.05)
    assert row['summary_fg_stdv'] == pytest.approx(60 / np.sqrt(2), rel=0.1)
    assert row['summary_bg_mean'] == pytest.approx(3, abs=0.05)


def test_every_metric_that_is_computed_is_a_column() -> None:
    brain = make_brain()
    noise = np.random.default_rng(0).normal(100, 1, (brain.sum(), 10)).astype(np.float32)
    found = measure_bold_quality(
        BoldRun(noise, make_level(brain), brain, ~ndimage.binary_dilation(brain, iterations=3))
    )
    assert {column.name for column in COLUMNS} == set(found.values)


def make_level(brain: np.ndarray) -> np.ndarray:
    return np.where(brain, 100, np.indices(SHAPE)[0]).astype(np.float32)


def test_the_mean_volume_lies_on_the_mask() -> None:
    """A reference on other sides than the mask has a dark part in the brain."""
    row, _ = measure(shift=3)
    assert row['snr'] > 15
    assert row['summary_fg_p05'] > 900


def test_what_is_missing_is_not_a_number_and_has_a_reason() -> None:
    row, said = measure(moved=False)
    missing = set(row.index[row.isna()])
    assert missing == {'fd_mean', 'fd_num', 'fd_perc'}
    assert said['MissingReasons'] == dict.fromkeys(missing, 'there are no motion parameters')
    assert said['Notes'] == [
        '3 quality metrics of BOLD have no value: there are no motion parameters.'
    ]


def test_an_image_without_air_noise_has_no_energy_ratio() -> None:
    row, said = measure(air=0)
    assert np.isnan(row['fber'])
    reason = 'the air around the head holds one value: the background was masked'
    assert said['MissingReasons'] == {'fber': reason, 'summary_bg_k': reason}
