"""Sidecars name every raw file that an output is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from mriderived.bids.dataset import Image
from mriderived.measures.base import Measure
from mriderived.measures.registry import ALL_MEASURES
from mriderived.workflows.sources import Source
from mriderived.workflows.unit_sources import list_others

MEASURES = {measure.name: measure for measure in ALL_MEASURES}
T1W = 'sub-01/anat/sub-01_T1w.nii.gz'


def make_source(root: Path, suffix: str, relative: str, lender: str = '', **acquisition) -> Source:
    image = Image(root / relative, {'sub': '01'}, 'anat', suffix, '.nii.gz')
    return Source(image, relative, lender=lender, acquisition=acquisition)


@pytest.mark.parametrize(('name', 'suffix'), [('wmh', 'FLAIR'), ('t1w_t2w', 'T2w')])
def test_contrasts_name_the_t1w_whose_results_they_use(
    tmp_path: Path, name: str, suffix: str
) -> None:
    relative = f'sub-01/anat/sub-01_{suffix}.nii.gz'
    with_t1w = make_source(tmp_path, suffix, relative, T1W)
    assert list_others(with_t1w, MEASURES[name], tmp_path) == (T1W,)
    assert list_others(make_source(tmp_path, suffix, relative), MEASURES[name], tmp_path) == ()


def test_a_t1w_does_not_name_itself(tmp_path: Path) -> None:
    source = make_source(tmp_path, 'T1w', T1W, T1W)
    assert list_others(source, MEASURES['thickness'], tmp_path) == ()


def test_what_is_corrected_names_the_transmit_field(tmp_path: Path) -> None:
    folder = tmp_path / 'sub-01' / 'anat'
    field = tmp_path / 'sub-01' / 'fmap' / 'sub-01_TB1map.nii.gz'
    members = [f'sub-01_flip-{number}_VFA' for number in (1, 2)]
    source = make_source(
        tmp_path, 'VFA', f'sub-01/anat/{members[0]}.nii.gz',
        images=[{'path': str(folder / f'{name}.nii.gz'), 'phase': None} for name in members],
        transmit_field={'kind': 'TB1map', 'files': {'map': str(field)}},
    )  # fmt: skip
    named = {
        name: list_others(source, measure, tmp_path)
        for name, measure in MEASURES.items()
        if name in ('vfa', 'b1', 'megre')
    }
    second, map_file = f'sub-01/anat/{members[1]}.nii.gz', 'sub-01/fmap/sub-01_TB1map.nii.gz'
    assert named == {'vfa': (second, map_file), 'b1': (second, map_file), 'megre': (second,)}


def test_the_uniform_image_of_the_scanner_is_named(tmp_path: Path) -> None:
    unit1 = 'sub-01/anat/sub-01_UNIT1.nii.gz'
    first = 'sub-01/anat/sub-01_inv-1_MP2RAGE.nii.gz'
    images = [{'path': str(tmp_path / first), 'phase': str(tmp_path / 'sub-01/anat/phase.nii.gz')}]
    source = make_source(tmp_path, 'MP2RAGE', first, images=images, unit1=str(tmp_path / unit1))
    measure: Measure = MEASURES['mp2rage']
    assert list_others(source, measure, tmp_path) == ('sub-01/anat/phase.nii.gz', unit1)
