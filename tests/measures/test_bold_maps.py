"""tSNR, ALFF, fALFF and ReHo as maps: their values, and what their sidecars say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from mriderived.config import Config
from mriderived.core.confounds import MOTION
from mriderived.interfaces.series import save_masked
from mriderived.interfaces.sink import remarks_file, write_remarks
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.alff import ALFF, ALFF_BY_DEFINITION, write_alff
from mriderived.measures.registry import find_measures
from mriderived.measures.reho import REHO, REHO_BY_NEIGHBOURS, write_reho
from mriderived.measures.tsnr import write_tsnr

SHAPE, FRAMES, TR = (8, 7, 6), 100, 2.0
AFFINE = np.diag([3.0, 3, 3, 1])
MASK = np.zeros(SHAPE, bool)
MASK[1:7, 1:6, 1:5] = True
TIME = TR * np.arange(FRAMES)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_run(series: np.ndarray, name: str = 'bold.nii.gz') -> tuple[Path, Path]:
    """Write the series of the voxels in the mask, and the mask."""
    path = save_masked(series.astype(np.float32), MASK, AFFINE, TR, name)
    return path, save(MASK.astype(np.uint8), AFFINE, 'mask.nii.gz')


def write_confounds(unsteady: int = 0, outliers: tuple[int, ...] = (), motion: float = 1) -> Path:
    """Write a table of motion that is noise, with marked frames."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.normal(size=(FRAMES, 6)) * motion, columns=list(MOTION))
    marked = [('non_steady_state_outlier', range(unsteady)), ('motion_outlier', outliers)]
    for prefix, frames in marked:
        for number, frame in enumerate(frames):
            table[f'{prefix}{number:02d}'] = (np.arange(FRAMES) == frame).astype(int)
    path = Path('confounds.tsv').absolute()
    table.to_csv(path, sep='\t', index=False, na_rep='n/a')
    write_remarks(path, RepetitionTime=TR)
    return path


def make_noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1000, 10, (MASK.sum(), FRAMES))


def said(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remarks_file(path).read_text())
    return found


def test_tsnr_is_the_mean_over_the_standard_deviation() -> None:
    series = make_noise()
    series[:, :3] *= 2
    series[4] = 700
    found = write_tsnr(*write_run(series), write_confounds(unsteady=3))
    values = load(found.tsnr)
    steady = series[:, 3:].astype(np.float32).astype(float)
    spread = steady.std(axis=1)
    expected = np.where(spread > 0, steady.mean(axis=1) / np.maximum(spread, 1e-9), 0)
    np.testing.assert_allclose(values[MASK], expected, rtol=1e-5)
    assert values[MASK][4] == 0
    assert not values[~MASK].any()
    np.testing.assert_allclose(load_affine(found.tsnr), AFFINE)


def test_alff_of_a_wave_is_its_amplitude_and_falff_its_share() -> None:
    rng = np.random.default_rng(1)
    inside = 6 * np.sin(2 * np.pi * 0.05 * TIME + rng.uniform(0, 6, (MASK.sum(), 1)))
    outside = 3 * np.sin(2 * np.pi * 0.2 * TIME + 1)
    run = write_run(1000 + inside + outside)
    found = write_alff(*run, write_confounds(motion=0), '6P', (0.01, 0.08))
    remarks = said(found.alff)
    assert remarks['FrequencyBandHz'] == [0.01, 0.08]
    # Of 200 s, bins 2 to 16 are in the band.
    assert remarks['FrequencyBins'] == 15
    assert remarks['DenoisingStrategy'] == '6P'
    assert remarks['DegreesOfFreedomOfConfounds'] == 0
    np.testing.assert_allclose(load(found.alff)[MASK] * 15, 6, rtol=1e-3)
    np.testing.assert_allclose(load(found.falff)[MASK], 6 / 9, rtol=1e-3)
    assert not load(found.alff)[~MASK].any()


def test_alff_can_be_the_standard_deviation_of_the_band() -> None:
    """The definition of C-PAC: of a sine of amplitude A, A / √2 (N - 1)."""
    rng = np.random.default_rng(1)
    inside = 6 * np.sin(2 * np.pi * 0.05 * TIME + rng.uniform(0, 6, (MASK.sum(), 1)))
    outside = 3 * np.sin(2 * np.pi * 0.2 * TIME + 1)
    run = write_run(1000 + inside + outside)
    found = write_alff(*run, write_confounds(motion=0), '6P', (0.01, 0.08), 'deviation')
    assert said(found.alff)['Definition'] == said(found.falff)['Definition'] == 'deviation'
    deviation = 6 / np.sqrt(2) * np.sqrt(FRAMES / (FRAMES - 1))
    np.testing.assert_allclose(load(found.alff)[MASK], deviation, rtol=1e-3)
    np.testing.assert_allclose(load(found.falff)[MASK], 6 / np.sqrt(45), rtol=1e-3)
    plain = write_alff(*run, write_confounds(motion=0), '6P', (0.01, 0.08))
    assert said(plain.alff)['Definition'] == 'amplitude'


def test_both_definitions_of_alff_write_the_same_files_and_say_which() -> None:
    one, other = ALFF_BY_DEFINITION['amplitude'], ALFF_BY_DEFINITION['deviation']
    assert one is ALFF
    assert [o.field for o in other.outputs] == [o.field for o in one.outputs]
    assert all('standard deviation' in output.description for output in other.outputs)
    assert 'standard deviation' in other.methods
    assert find_measures('deviation')[find_measures().index(ALFF)] is other
    names = [measure.name for measure in find_measures()]
    assert [measure.name for measure in find_measures('deviation')] == names


def test_alff_hardly_changes_with_censored_volumes() -> None:
    run = write_run(make_noise())
    whole = write_alff(*run, write_confounds(), '6P', (0.01, 0.1))
    before = load(whole.alff)[MASK].mean(), load(whole.falff)[MASK].mean()
    spoilt = make_noise()
    spoilt[:, [20, 50, 51, 80]] += 400
    confounds = write_confounds(outliers=(20, 50, 51, 80))
    found = write_alff(*write_run(spoilt), confounds, '6P+scrub', (0.01, 0.1))
    assert said(found.alff)['VolumesCensored'] == 4
    assert load(found.alff)[MASK].mean() == pytest.approx(before[0], rel=0.03)
    assert load(found.falff)[MASK].mean() == pytest.approx(before[1], rel=0.03)


@pytest.mark.parametrize('definition', ['amplitude', 'deviation'])
def test_alff_of_the_maps_does_not_fall_with_what_is_censored(definition: Any) -> None:
    censored = (*range(10, 20), *range(40, 50), *range(70, 80))
    whole = write_alff(*write_run(make_noise()), write_confounds(), '6P', (0.01, 0.1), definition)
    before = load(whole.alff)[MASK].mean()  # the next call writes a file of the same name
    spoilt = make_noise()
    spoilt[:, censored] += 400
    confounds = write_confounds(outliers=censored)
    found = write_alff(*write_run(spoilt), confounds, '6P+scrub', (0.01, 0.1), definition)
    assert said(found.alff)['VolumesCensored'] == 30
    # Of white noise, silence in the gaps would take 16 % of either amplitude.
    assert load(found.alff)[MASK].mean() == pytest.approx(before, rel=0.08)


def test_alff_leaves_out_volumes_before_the_steady_state() -> None:
    series = make_noise()
    series[:, :5] *= 3
    found = write_alff(*write_run(series), write_confounds(unsteady=5), '6P', (0.01, 0.1))
    late = load(found.falff)[MASK].mean()  # the next call writes a file of the same name
    clean = write_alff(*write_run(make_noise()), write_confounds(), '6P', (0.01, 0.1))
    assert late == pytest.approx(load(clean.falff)[MASK].mean(), rel=0.1)


def test_reho_of_a_common_signal_and_of_noise() -> None:
    common = np.broadcast_to(np.random.default_rng(2).normal(size=FRAMES), (MASK.sum(), FRAMES))
    found = write_reho(*write_run(common))
    values, neighbours = load(found.reho), load(found.reho_neighbours)
    full = neighbours == 27
    assert full.sum() == 4 * 3 * 2
    np.testing.assert_allclose(values[full], 1, atol=1e-6)
    assert not values[~MASK].any()
    noise = load(write_reho(*write_run(make_noise(3))).reho)
    assert noise[full].mean() == pytest.approx(1 / 27, abs=0.01)


def test_voxels_with_too_few_neighbours_are_counted() -> None:
    found = write_reho(*write_run(make_noise()))
    values, neighbours = load(found.reho), load(found.reho_neighbours)
    few = MASK & (neighbours < 14)
    assert few.sum() > 0
    assert not values[few].any()
    remarks = said(found.reho)
    assert remarks['VoxelsWithoutValue'] == few.sum()
    assert remarks['Neighbourhood'] == 27
    assert remarks['Notes'] == [f'Too few neighbours for ReHo: {few.sum()} voxels.']


@pytest.mark.parametrize('size', [7, 19])
def test_reho_of_fewer_neighbours(size: Literal[7, 19]) -> None:
    found = write_reho(*write_run(make_noise()), neighbourhood=size)
    values, neighbours = load(found.reho), load(found.reho_neighbours)
    full = neighbours == size
    assert full.sum() == 4 * 3 * 2
    assert values[full].mean() == pytest.approx(1 / size, abs=0.01)
    assert said(found.reho)['Neighbourhood'] == size


def test_every_neighbourhood_of_reho_writes_the_same_files_and_says_which() -> None:
    names = [measure.name for measure in find_measures()]
    for key, measure in REHO_BY_NEIGHBOURS.items():
        found = find_measures(reho_neighbours=key)
        assert found[names.index('reho')] is measure
        assert [other.name for other in found] == names
        assert [o.field for o in measure.outputs] == [o.field for o in REHO.outputs]
        assert f'all {key}' in measure.outputs[0].description
    assert 'its 26 neighbours' in REHO.methods
    assert '18 that share a face or an edge with it' in REHO_BY_NEIGHBOURS['19'].methods
    config = Config(Path('/b'), Path('/o'), Path('/w'), reho_neighbours='7')
    node = REHO_BY_NEIGHBOURS['7'].init_wf(config).get_node('write_reho')
    assert node.inputs.neighbourhood == 7


def test_reho_is_of_all_volumes() -> None:
    """A signal that begins late counts as much as one that ends early."""
    common = np.random.default_rng(2).normal(size=FRAMES)
    late, early = make_noise(), make_noise()
    late[:, 50:] += 500 * common[50:]
    early[:, :50] += 500 * common[:50]
    means = []
    for series in (late, early):
        found = write_reho(*write_run(series))
        means.append(load(found.reho)[load(found.reho_neighbours) == 27].mean())
    assert means[0] == pytest.approx(means[1], abs=0.1)
    assert min(means) > 0.5
