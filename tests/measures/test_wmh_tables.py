"""White-matter hyperintensities as files: planted ones are found, listed, summed and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flair_phantom import Phantom, draw, write_files
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.wmh import WMH, WmhFiles, draw_wmh, find_wmh
from mriderived.measures.wmh_t1w import bring_wmh

#: Centre and radius in mm from the middle: two near the ventricles, one far; in front, behind.
BALLS = [(15.0, 12.0, 8.0, 4.5), (-14.0, -16.0, -6.0, 3.5), (0.0, 26.0, 0.0, 3.0)]
FRONT, BACK = 1028, 1011


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / 'out').mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep='\t', na_values='n/a', keep_default_na=False)


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]) -> WmhFiles:
    monkeypatch.chdir(folder / 'out')
    return find_wmh(**files, threads=1)  # type: ignore[arg-type]


def test_planted_lesions_are_in_mask_and_tables(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantom = draw(BALLS, contrast=0.5)
    found = run(folder, monkeypatch, write_files(folder, phantom, tissues=True))
    mask = load(found.wmh_flair_mask) > 0
    row = read(found.wmh_morph).iloc[0]
    assert [*row.index] == [column.name for column in WMH.output('wmh_morph').columns]
    truth = float(phantom.truth.sum())
    assert row['volume'] == mask.sum() == pytest.approx(truth, rel=0.12)
    assert row['count'] == 3
    assert row['log_volume'] == pytest.approx(np.log(row['volume'] / 1000 + 0.01))
    assert row['frontal_count'] == 2 and row['occipital_count'] == 1
    assert row['frontal_volume'] + row['occipital_volume'] == row['volume']
    assert row['parietal_volume'] == row['infratentorial_count'] == 0
    assert row['periventricular_volume'] + row['deep_volume'] == row['volume']
    assert row['periventricular_count'] == 2 and row['deep_count'] == 1
    components = read(found.wmh_components)
    assert [*components] == [column.name for column in WMH.output('wmh_components').columns]
    assert components['volume'].is_monotonic_decreasing
    assert components['volume'].sum() == row['volume']
    first = components.iloc[0]
    assert first[['x', 'y', 'z']].tolist() == pytest.approx([15, 12, 8], abs=0.7)
    assert (first['lobe'], first['place']) == ('frontal', 'periventricular')
    remarks = json.loads(remarks_file(found.wmh_probseg).read_text())
    assert remarks['SegmentationSource'] == 'FLAIR and T1w'


def test_without_lesions_everything_is_0(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_files(folder, draw())
    found = run(folder, monkeypatch, files)
    row = read(found.wmh_morph).iloc[0]
    assert row['log_volume'] == pytest.approx(np.log(0.01))
    assert (row.drop('log_volume') == 0).all()
    assert read(found.wmh_components).empty
    assert len(draw_wmh(files['flair'], files['flair_mask'], found.wmh_flair_mask)) == 1


def test_thick_slices_are_segmented_as_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantom = draw(BALLS, contrast=0.6, spacing=(1.0, 1.0, 4.0))
    found = run(folder, monkeypatch, write_files(folder, phantom))
    row = read(found.wmh_morph).iloc[0]
    assert load(found.wmh_flair_mask).shape == phantom.scan.flair.shape
    assert row['volume'] == pytest.approx(4 * phantom.truth.sum(), rel=0.25)
    notes = json.loads(remarks_file(found.wmh_probseg).read_text())['Notes']
    assert any(note.startswith('Slices of 4 mm') for note in notes)


def test_a_mask_that_was_given_takes_the_place_of_the_search(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantom = draw(BALLS)
    files = write_files(folder, phantom)
    given = np.zeros(phantom.scan.flair.shape, np.uint8)
    given[30:34, 40:44, 40:44] = 1
    files['raw_flair_lesion_mask'] = save(given, load_affine(files['flair']), 'given.nii.gz')
    found = run(folder, monkeypatch, files)
    assert (load(found.wmh_flair_mask) == given).all()
    assert read(found.wmh_morph).iloc[0]['volume'] == 64
    remarks = json.loads(remarks_file(found.wmh_probseg).read_text())
    assert remarks['SegmentationSource'] == 'mask that was given'


def test_an_empty_mask_that_was_given_is_no_lesion(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_files(folder, draw(BALLS))
    # of another grid, as a rater may have saved it
    empty = np.zeros((10, 12, 14), np.uint8)
    files['raw_flair_lesion_mask'] = save(empty, np.eye(4), 'empty.nii.gz')
    found = run(folder, monkeypatch, files)
    assert load(found.wmh_flair_mask).shape == load(files['flair']).shape
    row = read(found.wmh_morph).iloc[0]
    assert row['volume'] == row['count'] == 0
    assert row['log_volume'] == pytest.approx(np.log(0.01))
    assert read(found.wmh_components).empty


def test_a_mask_elsewhere_names_the_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_files(folder, draw(BALLS))
    away = np.eye(4)
    away[:3, 3] = 1000
    marked = np.ones((4, 4, 4), np.uint8)
    files['raw_flair_lesion_mask'] = save(marked, away, 'away.nii.gz')
    with pytest.raises(ValueError, match='lies outside of its FLAIR image, by the affines'):
        run(folder, monkeypatch, files)


def test_without_ventricles_distances_are_missing_with_a_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_files(folder, draw(BALLS, contrast=0.5))
    labels = load(files['flair_structures'], np.int32)
    files['flair_structures'] = save(0 * labels, load_affine(files['flair']), 'none.nii.gz')
    found = run(folder, monkeypatch, files)
    row = read(found.wmh_morph).iloc[0]
    missing = [name for name in row.index if pd.isna(row[name])]
    assert missing == [
        f'{place}_{what}' for place in ('periventricular', 'deep') for what in ('volume', 'count')
    ]
    reasons = json.loads(remarks_file(found.wmh_morph).read_text())['MissingReasons']
    assert reasons == dict.fromkeys(missing, 'no ventricle lies in the image')
    components = read(found.wmh_components)
    assert len(components) == 3
    unknown = ['ventricle_distance', 'place']
    assert components[unknown].isna().all(axis=None)
    reasons = json.loads(remarks_file(found.wmh_components).read_text())['MissingReasons']
    assert reasons == dict.fromkeys(unknown, 'no ventricle lies in the image')


def swap(image: np.ndarray) -> np.ndarray:
    """Make fluid bright, as in a T2w."""
    return np.where((image > 0) & (image < 50), 200, image).astype(np.float32)


@pytest.mark.parametrize('tissues', [True, False])
def test_what_is_no_flair_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tissues: bool
) -> None:
    phantom = draw(BALLS)
    bright = phantom.scan._replace(flair=swap(phantom.scan.flair))
    files = write_files(folder, Phantom(bright, phantom.truth), tissues=tissues)
    with pytest.raises(ValueError, match='fluid is brighter than white matter: this is no FLAIR'):
        run(folder, monkeypatch, files)


def test_a_t1w_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phantom = draw()
    t1w = np.where((phantom.scan.priors[1] > 0.4), 55, phantom.scan.flair).astype(np.float32)
    files = write_files(folder, Phantom(phantom.scan._replace(flair=t1w), phantom.truth))
    with pytest.raises(ValueError, match='grey matter is darker than white matter'):
        run(folder, monkeypatch, files)


def test_slices_of_8_mm_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_files(folder, draw(spacing=(1.0, 1.0, 8.0)))
    with pytest.raises(ValueError, match='1 x 1 x 8 mm: slices thicker than 7 mm'):
        run(folder, monkeypatch, files)


def test_mask_and_map_come_to_the_t1w(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phantom = draw(BALLS, contrast=0.5)
    files = write_files(folder, phantom)
    found = run(folder, monkeypatch, files)
    # the T1w lies 6 mm further to the right: its mm + 6 are those of the FLAIR
    matrix = np.eye(4)
    matrix[0, 3] = 6
    monkeypatch.chdir(folder)
    xfm = save_rigid(matrix, 'moved.h5')
    moved = bring_wmh(found.wmh_probseg, found.wmh_flair_mask, xfm, files['flair_mask'], threads=1)
    mask, there = load(found.wmh_flair_mask) > 0, load(moved.wmh_mask) > 0
    assert (there[:-6] == mask[6:]).all()
    np.testing.assert_allclose(
        load(moved.wmh_t1w_probseg)[:-6], load(found.wmh_probseg)[6:], atol=1e-4
    )
