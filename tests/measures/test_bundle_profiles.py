"""Bundles by the ends of streamlines, from files with planted bundles."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.core.streamlines import make_streamlines
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.tractograms import save_trx
from mriderived.measures.bundle_profiles import (
    BundleFiles,
    draw_bundle_profiles,
    profile_bundles,
)
from mriderived.measures.bundles import BUNDLES
from mriderived.spaces import get_atlas
from mriderived.spaces.labels import read_table

SHAPE = (60, 50, 50)
#: Of an atlas that labels white matter as well, which is everything else.
WHITE = ('Left-Cerebral-White-Matter', 2)
#: A frontal region of either side, an occipital one, and where they are.
REGIONS = {
    'ctx-lh-superiorfrontal': (1028, (4, 25, 25)),
    'ctx-rh-superiorfrontal': (2028, (55, 25, 25)),
    'ctx-lh-cuneus': (1005, (30, 2, 2)),
}


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BundleFiles:
    """A forceps minor of 40 streamlines, half of them from right to left, and five others.

    They end 1 mm before the border of the grey matter, in voxels of white matter.
    """
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    dseg = np.full(SHAPE, WHITE[1], np.int16)
    for index, (x, y, z) in REGIONS.values():
        dseg[x - 2 : x + 3, y - 4 : y + 5, z - 4 : z + 5] = index
    lines = []
    for number in range(40):
        away = rng.uniform(-2, 2, 3)
        line = np.linspace([7.5, 25, 25], [51.5, 25, 25], 60) + away * [0, 1, 1]
        lines.append(line[:: -1 if number % 2 else 1])
    lines += [np.linspace([4, 25, 25], [30, 2, 2], 40)] * 5
    x = np.arange(SHAPE[0], dtype=np.float32)[:, None, None]
    fa = np.broadcast_to(0.2 + 0.01 * x, SHAPE).astype(np.float32)
    constant = {'md': 7e-4, 'ad': 1.5e-3, 'rd': 3e-4}
    maps = {'fa': fa, **{key: np.full(SHAPE, v, np.float32) for key, v in constant.items()}}
    paths = {f'tensor_{name}': tmp_path / f'{name}.nii.gz' for name in maps}
    for (_, path), volume in zip(paths.items(), maps.values(), strict=True):
        nb.save(nb.Nifti1Image(volume, np.eye(4)), path)
    nb.save(nb.Nifti1Image(dseg, np.eye(4)), tmp_path / 'dseg.nii.gz')
    labels = pd.DataFrame({
        'index': [WHITE[1], *(index for index, _ in REGIONS.values())],
        'name': [WHITE[0], *REGIONS],
        'tissue': ['white', *['cortex'] * len(REGIONS)],
    })  # fmt: skip
    labels.to_csv(tmp_path / 'dseg.tsv', sep='\t', index=False)
    tractogram = save_trx(make_streamlines(lines), np.eye(4), SHAPE, 'tracts.trx')
    return profile_bundles(tractogram, tmp_path / 'dseg.nii.gz', tmp_path / 'dseg.tsv', **paths)


def test_planted_bundle_is_found_from_either_end(found: BundleFiles) -> None:
    row = pd.read_csv(found.bundles, sep='\t', na_values='n/a').iloc[0]
    assert row['forceps_minor_streamlines'] >= 36
    assert row['forceps_minor_length'] == pytest.approx(44, abs=0.2)
    assert row['forceps_minor_fa'] == pytest.approx(0.2 + 0.01 * 29.5, abs=0.003)
    assert row['forceps_minor_rd'] == pytest.approx(3e-4, rel=1e-3)


def test_profile_runs_from_left_to_right(found: BundleFiles) -> None:
    table = pd.read_csv(found.bundle_profiles, sep='\t', na_values='n/a')
    fa = table.loc[table['bundle'] == 'forceps_minor', 'fa'].to_numpy()
    assert np.abs(fa - np.linspace(0.275, 0.715, 100)).max() < 0.006
    assert len(table) == 100 * len(BUNDLES)


def test_a_bundle_without_streamlines_has_a_reason(found: BundleFiles) -> None:
    row = pd.read_csv(found.bundles, sep='\t', na_values='n/a').iloc[0]
    remarks = json.loads(remarks_file(found.bundles).read_text())
    assert row['forceps_major_streamlines'] == 0
    assert np.isnan(row['forceps_major_fa'])
    reason = remarks['MissingReasons']['forceps_major_fa']
    assert reason == '0 streamlines join its regions, fewer than 10'
    assert set(row.index[row.isna()]) == set(remarks['MissingReasons'])
    assert 'forceps major' in remarks['Notes'][0]
    assert 'forceps minor' not in remarks['Notes'][0]


def test_figure_names_what_was_not_found(found: BundleFiles) -> None:
    (figure,) = draw_bundle_profiles(found.bundle_profiles)
    words = [text.get_text() for panel in figure.axes for text in panel.texts]
    assert words.count('left: not found') == 7
    assert words.count('both: not found') == 1


def test_bundles_are_of_known_regions() -> None:
    known = set(read_table(get_atlas('DesikanKilliany').table)['name'])
    for bundle in BUNDLES:
        assert bundle.start | bundle.end <= known
        assert not bundle.start & bundle.end
