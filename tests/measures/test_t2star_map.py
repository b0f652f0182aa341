"""T2* of multi-echo runs as a map, with its table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.interfaces.motion_files import MATRIX
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load
from mriderived.measures.t2star import T2STAR, TWO_ECHOES, T2starFiles, write_t2star

TIMES = (0.012, 0.030, 0.048)
SHAPE, LENGTH = (14, 14, 10), 30
AFFINE = np.diag([3.0, 3, 3, 1])
T2 = np.full(SHAPE, 0.03)
T2[7:] = 0.06
#: Of the brain, two planes that no echo can tell.
GROWING = np.zeros(SHAPE, bool)
GROWING[4:10, 4:6, 4] = True
MASK = np.zeros(SHAPE, np.uint8)
MASK[2:12, 2:12, 2:8] = 1


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def measure(noise: float = 0.0, times: tuple[float, ...] = TIMES, **changes: Any) -> T2starFiles:
    """Write a run whose noise is a share of the signal of no echo time, and map it."""
    folder, rng = Path.cwd(), np.random.default_rng(0)
    echoes = []
    for number, time in enumerate(times):
        decay = np.where(GROWING, 0.3 + 0.1 * number, np.exp(-time / T2))
        data = 1000 * (decay[..., None] + noise * rng.normal(size=(*SHAPE, LENGTH)))
        data[..., 0] *= 2  # before the steady state
        path = folder / f'echo-{number}.nii.gz'
        nb.Nifti1Image(data.astype(np.float32), AFFINE).to_filename(path)
        echoes.append({'path': str(path), 'echo_time': time})
    acquisition = {
        'repetition_time': 2.0, 'slice_times': [0.1 * n for n in range(10)], 'slice_axis': 2,
        'phase_direction': None, 'task': 'rest', 'echoes': echoes, 'events': None,
        'field_map': None, 'notes': [],
    }  # fmt: skip
    (folder / 'acquisition.json').write_text(json.dumps(acquisition | changes))
    motion = pd.DataFrame(np.tile(np.eye(4)[:3].ravel(), (LENGTH, 1)), columns=list(MATRIX))
    motion['steady'] = (np.arange(LENGTH) > 0).astype(int)
    motion.to_csv(folder / 'motion.tsv', sep='\t', index=False)
    nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE).to_filename(folder / 'shift.nii.gz')
    nb.Nifti1Image(MASK, AFFINE).to_filename(folder / 'mask.nii.gz')
    names = ('echo-0.nii.gz', 'acquisition.json', 'motion.tsv', 'shift.nii.gz', 'mask.nii.gz')
    return write_t2star(*(folder / name for name in names))


def said(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remarks_file(path).read_text())
    return found


def test_t2star_is_recovered_and_what_has_none_is_counted() -> None:
    files = measure()
    values, inside = load(files.t2star), MASK > 0
    for x, known in ((3, 0.03), (10, 0.06)):
        assert values[x, 7, 6] == pytest.approx(known, rel=1e-3)
    assert not values[~inside].any()
    assert not values[5:9, 4:6, 4].any()
    implausible = int(((values == 0) & inside).sum())
    assert 12 <= implausible <= 40  # with those that interpolation mixes
    remarks = said(files.t2star)
    assert remarks['VoxelsImplausible'] == implausible
    assert remarks['EchoTime'] == list(TIMES)
    table = pd.read_csv(files.t2star_fit, sep='\t')
    assert table['implausible'][0] == pytest.approx(implausible / inside.sum(), abs=1e-6)
    assert 0.03 <= table['median'][0] <= 0.06
    assert table['misfit'][0] < 0.01
    assert list(table) == [column.name for column in T2STAR.output('t2star_fit').columns]


def test_the_median_error_is_small_at_an_snr_of_100() -> None:
    values = load(measure(noise=0.01).t2star)
    away = (np.abs(np.arange(14) - 6.5) > 2)[:, None, None] & (values > 0)
    assert np.median(np.abs(values[away] / T2[away] - 1)) < 0.02


def test_two_echoes_have_no_misfit_but_a_reason() -> None:
    files = measure(times=TIMES[:2])
    assert np.isnan(pd.read_csv(files.t2star_fit, sep='\t', na_values='n/a')['misfit'][0])
    assert said(files.t2star_fit)['MissingReasons'] == {'misfit': TWO_ECHOES}


def test_an_unknown_echo_time_is_an_error() -> None:
    with pytest.raises(ValueError, match='needs the EchoTime of every echo'):
        measure(echoes=[{'path': 'echo-0.nii.gz', 'echo_time': None}] * 2)


def test_it_is_for_multi_echo_runs() -> None:
    assert T2STAR.scope.is_multi_echo
    assert T2STAR.scope.describe() == 'multi-echo run'
