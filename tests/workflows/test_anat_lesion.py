"""The step ``lesions`` and what follows from it, on a synthetic head with its true tissues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.config import Lesions
from mriderived.interfaces.sink import remarks_file
from mriderived.measures.regional_volume import tabulate_regions
from mriderived.phantom.head import HeadOptions, draw_head
from mriderived.spaces import DEFAULT_SPACE, get_atlas, get_space, prepare_atlas
from mriderived.workflows.anat_atlas import label_regions
from mriderived.workflows.anat_figures import draw_lesions
from mriderived.workflows.anat_lesion import describe_parts, mark_lesions
from mriderived.workflows.anat_registration import register_to_space
from mriderived.workflows.anat_structures import label_structures

RADIUS = 15.0
TRUE_ML = 4 / 3 * np.pi * RADIUS**3 / 1000
CAVITY = (-32.0, 30.0, 26.0, RADIUS)
pytestmark = pytest.mark.slow  # the phantom is drawn twice
#: Left rostral middle frontal gyrus, and its twin.
TOUCHED, TWIN = 1027, 2027


class Head(NamedTuple):
    """Files of a head, by name, and its folder."""

    files: dict[str, Path]
    folder: Path

    def mark(self, lesions: Lesions, mask: Path | None = None) -> Path:
        names = ('t1w', 'mask', 'wm', 'csf')
        given = [self.files[name] for name in names]
        tissues = get_space(DEFAULT_SPACE).tissues
        assert tissues is not None
        return mark_lesions(*given, tissues, self.files['xfm'], lesions, 2, mask).lesion_dseg


def draw(folder: Path, cavity: tuple[float, float, float, float] | None) -> Head:
    head = draw_head(HeadOptions(voxel_mm=(2.0, 2.0, 2.0), cavity=cavity), threads=2)
    gm, wm, csf = (part / np.float32(head.cells) for part in head.counts)
    arrays = {'t1w': head.t1w.astype(np.float32), 'mask': head.brain_mask.astype(np.uint8),
              'gm': gm, 'wm': wm, 'csf': csf}  # fmt: skip
    files = {name: folder / f'{name}.nii.gz' for name in arrays}
    for name, data in arrays.items():
        nb.Nifti1Image(data, head.affine).to_filename(files[name])
    space = get_space(DEFAULT_SPACE)
    images = (files['t1w'], files['mask'], files['gm'], files['wm'])
    found = register_to_space(*images, space.brain, 2, True, space.tissues)
    return Head(files | {'xfm': found.xfm_from_space}, folder)


@pytest.fixture(scope='module', params=['healthy', 'cavity'])
def head(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield request.param, draw(folder, CAVITY if request.param == 'cavity' else None)


def volumes(head: Head, lesions: Path) -> tuple[pd.Series, dict[str, str]]:
    """Return the volume of every region, and why some have none."""
    files = head.files
    images = tuple(files[name] for name in ('t1w', 'mask', 'gm', 'wm', 'csf', 'xfm'))
    atlas = get_atlas('DesikanKilliany')
    source = (prepare_atlas(atlas, head.folder), atlas.table)
    structures = label_structures(*images, lesions, *source, threads=2)
    regions = label_regions(*images, *structures, lesions, *source)
    table = tabulate_regions(files['gm'], files['wm'], files['csf'], *regions).regional_morph
    remarks = remarks_file(table)
    reasons = json.loads(remarks.read_text())['MissingReasons'] if remarks.exists() else {}
    remarks.unlink(missing_ok=True)
    found = pd.read_csv(table, sep='\t', na_values='n/a').set_index('index')['volume']
    of_lesions = {key: why for key, why in reasons.get('volume', {}).items() if 'lesion' in why}
    return found, of_lesions


KEPT: dict[str, pd.Series] = {}


def test_a_cavity_is_found_and_a_healthy_head_has_none(head: tuple[str, Head]) -> None:
    name, files = head
    found = files.mark('auto')
    labels = np.asarray(nb.load(found).dataobj)
    remarks = json.loads(remarks_file(found).read_text())
    KEPT[name], reasons = volumes(files, found)
    picture = draw_lesions(files.files['t1w'], files.files['mask'], found)
    if name == 'healthy':
        assert not labels.any() and remarks['Lesions'] == [] and remarks['Notes'] == []
        assert reasons == {} and picture == []
        return
    (lesion,) = remarks['Lesions']
    assert lesion['Kind'] == 'cavity'
    assert lesion['Volume'] == pytest.approx(TRUE_ML, rel=0.15)
    assert 'A large lesion is suspected' in remarks['Notes'][0]
    assert len(picture) == 1
    assert np.isnan(KEPT[name][TOUCHED]) and KEPT[name][TWIN] > 0
    assert f'a suspected lesion ({lesion["Volume"]:.1f} mL) covers ' in reasons[str(TOUCHED)]
    assert '--lesions ignore' in reasons[str(TOUCHED)]
    assert set(reasons) <= {str(i) for i in KEPT[name].index if i < 2000}, 'on the left only'
    assert len(reasons) < 12
    both = pd.concat([KEPT['healthy'], KEPT['cavity']], axis=1).dropna()
    change = (both.iloc[:, 1] / both.iloc[:, 0] - 1).abs()
    assert change.median() < 0.01
    assert change[both.iloc[:, 0] > 1000].max() < 0.15


def test_a_mask_is_used_instead_or_ignored(head: tuple[str, Head], tmp_path: Path) -> None:
    name, files = head
    if name == 'healthy':
        brain = nb.load(files.files['mask'])
        drawn = np.zeros(brain.shape, np.uint8)
        middle = np.argwhere(np.asarray(brain.dataobj)).mean(axis=0).astype(int)
        drawn[tuple(slice(m - 5, m + 5) for m in middle)] = 1
        mask = tmp_path / 'roi.nii.gz'
        nb.Nifti1Image(drawn, brain.affine).to_filename(mask)
        for way, kinds in (('auto', ['given']), ('mask', ['given']), ('ignore', [])):
            found = files.mark(way, mask)  # type: ignore[arg-type]
            parts = json.loads(remarks_file(found).read_text())['Lesions']
            assert [part['Kind'] for part in parts] == kinds
            assert [part['Volume'] for part in parts] == [8.0] * len(kinds)
        _, reasons = volumes(files, files.mark('mask', mask))
        assert reasons['10'].startswith('the lesion mask that was given (8.0 mL) covers')
        assert 'ignore' not in reasons['10']
    else:
        drawn = np.zeros(nb.load(files.files['mask']).shape, np.uint8)
        labels = np.asarray(nb.load(files.mark('auto')).dataobj)
        i, j, k = np.argwhere(labels).mean(axis=0).astype(int)
        drawn[i - 6 : i + 6, j - 6 : j + 6, k - 6 : k + 6] = 1
        mask = tmp_path / 'roi.nii.gz'
        nb.Nifti1Image(drawn, nb.load(files.files['mask']).affine).to_filename(mask)
        both = np.asarray(nb.load(files.mark('auto', mask)).dataobj)
        assert (both == 4 * drawn).all(), 'a mask takes the place of the suspicion'
        for way in ('mask', 'ignore'):
            found = files.mark(way)  # type: ignore[arg-type]
            assert not np.asarray(nb.load(found).dataobj).any()


def test_parts_have_kind_volume_and_centre() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:4, 2:4, 2:4], labels[10:14, 10:14, 10:14] = 1, 4
    parts = describe_parts(labels, np.diag([2.0, 2, 2, 1]))
    assert parts == [
        {'Kind': 'given', 'Volume': 0.51, 'Centre': [23.0, 23.0, 23.0]},
        {'Kind': 'cavity', 'Volume': 0.06, 'Centre': [5.0, 5.0, 5.0]},
    ]
