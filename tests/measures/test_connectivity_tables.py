"""Connectivity of the regions of an atlas: tables, networks and reasons for what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from mriderived.group.columns import is_cohort_output
from mriderived.interfaces.series import save_masked
from mriderived.interfaces.sink import remarks_file, write_remarks
from mriderived.interfaces.volumes import save
from mriderived.measures.connectivity import CONNECTIVITY, connect_regions
from mriderived.measures.network_means import NETWORKS

SHAPE, FRAMES, TR = (10, 4, 4), 300, 2.0
AFFINE = np.diag([4.0, 4, 4, 1])
#: Of each region: name, tissue, coverage in the atlas.
SCHAEFER = [
    ('7Networks_LH_Vis_1', 'cortex', 1.0),
    ('7Networks_RH_Vis_1', 'cortex', 1.0),
    ('7Networks_LH_Default_PFC_1', 'cortex', 1.0),
    ('7Networks_RH_Default_Par_1', 'cortex', 1.0),
    ('7Networks_RH_SomMot_1', 'cortex', 0.4),
    ('17Networks_LH_ContA_IPS_1', 'cortex', 1.0),
    ('17Networks_LH_TempPar_1', 'cortex', 1.0),
]
PLAIN = [('Left hippocampus', 'subcortex', 1.0), ('Right hippocampus', 'subcortex', 1.0),
         ('White matter', 'white', 1.0), ('NA', 'cortex', 1.0)]  # fmt: skip


class Tables(NamedTuple):
    """What is read of the files of the measure."""

    series: Any
    pearson: Any
    z: Any
    partial: Any
    ridge: Any
    activity: Any
    networks: Any
    said: dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plant(correlation: np.ndarray) -> np.ndarray:
    """Return courses (regions, frames) whose correlations are exactly these."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(FRAMES, len(correlation)))
    white = np.linalg.qr(noise - noise.mean(axis=0))[0] * np.sqrt(FRAMES - 1)
    return np.asarray(np.linalg.cholesky(correlation) @ white.T)


def make_correlation(count: int) -> np.ndarray:
    matrix = np.full((count, count), 0.1) + 0.9 * np.eye(count)
    matrix[0, 1] = matrix[1, 0] = 0.8
    matrix[2, 3] = matrix[3, 2] = 0.5
    return matrix


def connect(
    regions: list[tuple[str, str, float]],
    correlation: np.ndarray,
    censored: tuple[int, ...] = (),
    degrees: int = FRAMES,
) -> Tables:
    """Write an atlas of slabs one voxel thick, with the same course in each voxel of a slab."""
    count = len(regions)
    mask = np.zeros(SHAPE, bool)
    mask[:count] = True
    labels = np.zeros(SHAPE, np.int32)
    labels[:count] = (10 + np.arange(count))[:, None, None]
    courses = plant(correlation) * np.arange(1, count + 1)[:, None]
    series = np.repeat(courses, 16, axis=0).astype(np.float32)
    table = pd.DataFrame(regions, columns=['name', 'tissue', 'coverage'])
    table.insert(0, 'index', 10 + np.arange(count))
    table['hemisphere'] = 'L'
    table.to_csv('labels.tsv', sep='\t', index=False)
    denoised = save_masked(series, mask, AFFINE, TR, 'denoised.nii.gz')
    write_remarks(denoised, CensoredVolumes=list(censored), DegreesOfFreedomLeft=degrees)
    files = connect_regions(
        denoised,
        save(mask.astype(np.uint8), AFFINE, 'mask.nii.gz'),
        save(labels, AFFINE, 'atlas.nii.gz'),
        Path('labels.tsv').absolute(),
    )
    said = {
        field: json.loads(remarks_file(path).read_text())
        for field, path in files._asdict().items()
        if remarks_file(path).exists()
    }
    tables = (
        pd.read_csv(path, sep='\t', na_values='n/a', keep_default_na=False) for path in files
    )
    return Tables(*tables, said)


def test_planted_correlations_are_in_the_matrix() -> None:
    correlation = make_correlation(7)
    found = connect(SCHAEFER, correlation)
    names = [name for name, _, _ in SCHAEFER]
    assert list(found.pearson) == list(found.partial) == list(found.series) == names
    whole = [0, 1, 2, 3, 5, 6]
    matrix = found.pearson.to_numpy(float)
    np.testing.assert_allclose(
        matrix[np.ix_(whole, whole)], correlation[np.ix_(whole, whole)], atol=1e-5
    )
    assert len(found.series) == FRAMES
    courses = plant(correlation).T * np.arange(1, 8)
    np.testing.assert_allclose(
        found.series.to_numpy(float)[:, whole], courses[:, whole], rtol=1e-5, atol=1e-5
    )


def test_partial_correlations_are_those_of_the_shrunk_inverse() -> None:
    correlation = make_correlation(7)
    whole = [0, 1, 2, 3, 5, 6]
    found = connect(SCHAEFER, correlation)
    shrinkage = found.said['partial']['Shrinkage']
    assert 0 < shrinkage < 0.1
    shrunk = (1 - shrinkage) * correlation[np.ix_(whole, whole)] + shrinkage * np.eye(6)
    precision = np.linalg.inv(shrunk)
    scale = np.sqrt(np.diag(precision))
    expected = -precision / np.outer(scale, scale)
    np.fill_diagonal(expected, 1)
    matrix = found.partial.to_numpy(float)[np.ix_(whole, whole)]
    np.testing.assert_allclose(matrix, expected, atol=1e-4)


def test_partial_correlations_with_a_ridge_are_those_of_the_inverse() -> None:
    correlation = make_correlation(7)
    whole = [0, 1, 2, 3, 5, 6]
    found = connect(SCHAEFER, correlation)
    assert found.said['ridge_partial']['Ridge'] == 0.5
    precision = np.linalg.inv(correlation[np.ix_(whole, whole)] + 0.5 * np.eye(6))
    scale = np.sqrt(np.diag(precision))
    expected = -precision / np.outer(scale, scale)
    np.fill_diagonal(expected, 1)
    matrix = found.ridge.to_numpy(float)
    np.testing.assert_allclose(matrix[np.ix_(whole, whole)], expected, atol=1e-5)
    assert np.isnan(matrix[4]).all()


def test_fishers_z_is_written_without_a_diagonal() -> None:
    found = connect(SCHAEFER, make_correlation(7))
    z, r = found.z.to_numpy(float), found.pearson.to_numpy(float)
    apart = ~np.eye(7, dtype=bool) & np.isfinite(r)
    np.testing.assert_allclose(z[apart], np.arctanh(r[apart]), atol=1e-5)
    assert np.isnan(z[~apart]).all()
    assert list(found.z) == list(found.pearson)


def test_a_region_of_which_too_little_is_seen_has_no_value_but_a_reason() -> None:
    found = connect(SCHAEFER, make_correlation(7))
    hidden = '7Networks_RH_SomMot_1'
    assert found.series[hidden].isna().all()
    assert found.pearson[hidden].isna().all()
    row = found.activity.set_index('name').loc[hidden]
    assert row[['amplitude', 'lag1', 'strength']].isna().all()
    assert row['coverage'] == 0.4
    reason = {'14': '40 % of the region have a signal in this run'}
    said = found.said['region_activity']
    assert said['MissingReasons'] == dict.fromkeys(('amplitude', 'lag1', 'strength'), reason)
    assert said['Notes'] == ['1 of 7 regions have no series: see the sidecar.']


def test_activity_is_amplitude_and_mean_z() -> None:
    correlation = make_correlation(7)
    found = connect(SCHAEFER, correlation)
    table = found.activity
    whole = [0, 1, 2, 3, 5, 6]
    np.testing.assert_allclose(table['amplitude'][whole], np.array(whole) + 1, rtol=1e-5)
    z = np.arctanh(np.where(np.eye(7, dtype=bool), np.nan, correlation))[np.ix_(whole, whole)]
    np.testing.assert_allclose(table['strength'][whole], np.nanmean(z, axis=0), atol=1e-5)
    assert table['lag1'][whole].abs().max() < 0.2


def test_means_of_networks_are_of_their_pairs() -> None:
    found = connect(SCHAEFER, make_correlation(7))
    row = found.networks.loc[0]
    assert row['z_Vis'] == pytest.approx(np.arctanh(0.8), abs=1e-5)
    assert row['z_Default'] == pytest.approx(np.arctanh(0.5), abs=1e-5)
    assert row['z_Vis_Default'] == pytest.approx(np.arctanh(0.1), abs=1e-5)
    assert row['z_Cont_Default'] == pytest.approx(np.arctanh(0.1), abs=1e-5)
    # 15 pairs of six regions, TempPar, which is of no network, among them
    assert row['mean_z'] == pytest.approx(
        (np.arctanh(0.8) + np.arctanh(0.5) + 13 * np.arctanh(0.1)) / 15, abs=1e-5
    )
    assert 200 < row['effective_frames'] <= FRAMES
    reasons = found.said['network_means']['MissingReasons']
    assert reasons['z_SomMot'] == reasons['z_Cont'] == 'no edge of it has a value'
    assert set(reasons) == set(row.index[row.isna()])


def test_no_more_volumes_are_effective_than_denoising_has_left() -> None:
    found = connect(SCHAEFER, make_correlation(7), degrees=40)
    assert found.networks.loc[0, 'effective_frames'] == 40


def test_neighbours_in_time_are_those_of_the_run() -> None:
    whole = connect(SCHAEFER, make_correlation(7)).activity['lag1'].to_numpy(float)
    every = tuple(range(1, 2 * FRAMES, 2))
    alone = connect(SCHAEFER, make_correlation(7), every).activity['lag1'].to_numpy(float)
    assert np.nanmax(np.abs(whole)) > 0.02
    # No volume that is kept has a neighbour.
    np.testing.assert_allclose(alone[np.isfinite(alone)], 0, atol=1e-9)


def test_means_of_networks_and_activity_go_to_the_cohort_table() -> None:
    found = {output.field for output in CONNECTIVITY.outputs if is_cohort_output(output)}
    assert found == {'region_activity', 'network_means'}


def test_every_pair_of_networks_has_a_column() -> None:
    names = [column.name for column in CONNECTIVITY.output('network_means').columns]
    pairs = len(NETWORKS) * (len(NETWORKS) + 1) // 2
    assert len(names) == len(set(names)) == 2 + pairs
    found = connect(SCHAEFER, make_correlation(7))
    assert list(found.networks) == names


def test_an_atlas_without_networks_says_so_and_white_matter_is_left_out() -> None:
    found = connect(PLAIN, make_correlation(4))
    assert list(found.pearson) == ['Left hippocampus', 'Right hippocampus', 'NA']
    reasons = found.said['network_means']['MissingReasons']
    assert set(reasons.values()) == {'the regions of this atlas do not belong to networks'}
    assert np.isfinite(found.networks.loc[0, 'mean_z'])
    assert 'region_activity' not in found.said
