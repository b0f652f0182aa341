"""Counterparts of our columns in UK Biobank: real columns, real regions, the right numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mriderived.group.columns import Key, Source, name_columns
from mriderived.group.dictionary import describe_wide
from mriderived.group.freesurfer_sheets import WHOLE
from mriderived.group.uk_biobank import TABLE, find_field
from mriderived.measures import MEASURES
from mriderived.measures.region_tables import region_measures
from mriderived.spaces.packages import DATA
from mriderived.workflows.anat_surfaces import SURFACES

DECLARED = {measure.name: measure for measure in (*MEASURES, SURFACES, *region_measures(MEASURES))}
ROWS = [line.split('\t') for line in TABLE.read_text().splitlines()[1:]]
OWN = [row for row in ROWS if not row[0].startswith('freesurfer_')]


def regions_of(atlas: str) -> set[str]:
    # Structures have the names of those of DesikanKilliany, with the thalamus of old and new.
    path: Path = DATA / 'labels' / f'{atlas if atlas != "n/a" else "DesikanKilliany"}.tsv'
    with path.open(newline='') as stream:
        names = {row['name'] for row in csv.DictReader(stream, delimiter='\t')}
    return names | {'Left-Thalamus', 'Right-Thalamus', 'n/a'}


def test_every_row_is_of_one_column() -> None:
    assert {len(row) for row in ROWS} == {6}
    assert len({tuple(row[:4]) for row in ROWS}) == len(ROWS)
    assert len({row[4] for row in ROWS}) == len({row[5] for row in ROWS})


def test_our_columns_and_regions_are_there() -> None:
    for measure, atlas, region, column, *_ in OWN:
        columns = {
            one.name
            for output in DECLARED[measure].outputs
            for one in output.columns
            if output.extension == '.tsv'
        }
        assert column in columns, (measure, column)
        assert region in regions_of(atlas), (atlas, region)
    whole = {row[3] for row in ROWS if row[0] == 'freesurfer_brain'}
    assert whole <= {column.name for column in WHOLE.values()}


@pytest.mark.parametrize(
    ('key', 'number', 'title'),
    [
        ('structure_volume  Right-Accumbens-area volume', 25024, 'Volume of accumbens (right)'),
        ('tissue_volume   gm_volume', 25006, 'Volume of grey matter'),
        ('surfaces   area_white_R', 26822, 'Area of TotalSurface (right hemisphere)'),
        ('surface_regions DesikanKilliany ctx-lh-insula thickness', 26788,
         'Mean thickness of insula (left hemisphere)'),
        ('surface_regions DesikanKilliany ctx-rh-bankssts area', 26823,
         'Area of bankssts (right hemisphere)'),
        ('freesurfer_aparc DesikanKilliany ctx-rh-cuneus thickness', 26860,
         'Mean thickness of cuneus (right hemisphere)'),
        ('freesurfer_aparc DesikanKilliany ctx-lh-insula volume', 26821,
         'Volume of insula (left hemisphere)'),
        ('freesurfer_brain   etiv', 26521, 'Volume of EstimatedTotalIntraCranial (whole brain)'),
        ('freesurfer_aseg  Left-Lateral-Ventricle volume', 26554,
         'Volume of Lateral-Ventricle (left hemisphere)'),
        ('wmh   volume', 25781,
         'Total volume of white matter hyperintensities (from T1 and T2_FLAIR images)'),
        ('skeleton_fa_regions Mori Left_Uncinate mean', 25101,
         'Mean FA in uncinate fasciculus on FA skeleton (left)'),
        ('skeleton_md_regions Mori Right_Uncinate mean', 25148,
         'Mean MD in uncinate fasciculus on FA skeleton (right)'),
        ('skeleton_ad_regions Mori Left_Tapatum mean', 25247,
         'Mean L1 in tapetum on FA skeleton (left)'),
        ('regional_volume SUIT Vermis_VIIIa volume', 25910,
         'Volume of grey matter in VIIIa Cerebellum (vermis)'),
        ('regional_volume SUIT Right_X volume', 25920,
         'Volume of grey matter in X Cerebellum (right)'),
    ],
)  # fmt: skip
def test_fields(key: str, number: int, title: str) -> None:
    measure, atlas, region, column = key.split(' ')
    region = region.replace('_', ' ') if atlas in ('Mori', 'SUIT') else region
    assert find_field(measure, atlas, region, column) == (number, title)


@pytest.mark.parametrize(
    'key',
    [
        # No field of theirs: radial diffusivity, both sides as one where ours are two.
        ('skeleton_rd_regions', 'Mori', 'Left Uncinate', 'mean'),
        ('skeleton_fa_regions', 'Mori', 'Left Corpus Callosum (Genu)', 'mean'),
        # Another quantity: Power's displacement, not MCFLIRT's; over a volume, not a surface.
        ('bold_quality', '', '', 'fd_mean'),
        ('thickness', '', '', 'thickness_L'),
        ('wmh', '', '', 'log_volume'),
    ],
)
def test_what_is_another_quantity_has_none(key: tuple[str, str, str, str]) -> None:
    assert find_field(*key) is None


def test_sides_of_tracts_are_not_swapped() -> None:
    for measure, atlas, region, _, _, title in ROWS:
        if atlas in ('Mori', 'SUIT'):
            side = region.partition(' ')[0].lower()
            assert title.endswith(f'({side})'), (measure, region)


def test_the_dictionary_has_the_field_and_its_title() -> None:
    (output,) = DECLARED['skeleton_fa_regions'].outputs
    source = Source(DECLARED['skeleton_fa_regions'], output, 'Mori')
    columns = name_columns(source, [Key('93', 'Left Uncinate', 'mean')], (), set())
    told = describe_wide(columns)['skeleton_fa_regions_mori_left_uncinate_mean']
    assert told['UKBiobank'] == {
        'FieldID': 25101, 'Title': 'Mean FA in uncinate fasciculus on FA skeleton (left)',
    }  # fmt: skip
