"""FreeSurfer's tables, as it writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mriderived.bids.freesurfer import (
    FreeSurferError,
    find_people,
    find_unread,
    read_cohort_table,
    read_stats,
)

ASEG = """\
# Title Segmentation Statistics
# subjectname sub-01
# Measure BrainSeg, BrainSegVol, Brain Segmentation Volume, 1283172.000000, mm^3
# Measure EstimatedTotalIntraCranialVol, eTIV, Estimated Total Intracranial Volume, 1.7e+06, mm^3
# ColHeaders  Index SegId NVoxels Volume_mm3 StructName normMean
  1   4      6349     6624.2  Left-Lateral-Ventricle            30.2407
  2  10      8163     7819.5  Left-Thalamus                     85.8902
"""
APARC = """\
# hemi lh
# Measure Cortex, MeanThickness, Mean Thickness, 2.37525, mm
# ColHeaders StructName NumVert SurfArea GrayVol ThickAvg ThickStd
bankssts                                 1997   1396   3152  2.353 0.440
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_structures(tmp_path: Path) -> None:
    found = read_stats(write(tmp_path / 'aseg.stats', ASEG))
    assert found.regions == {
        ('Left-Lateral-Ventricle', 'volume'): 6624.2,
        ('Left-Thalamus', 'volume'): 7819.5,
    }
    assert found.whole == {'BrainSegVol': 1283172.0, 'eTIV': 1.7e6}


def test_gyri_are_called_as_in_label_images(tmp_path: Path) -> None:
    found = read_stats(write(tmp_path / 'lh.aparc.stats', APARC))
    assert found.regions == {
        ('ctx-lh-bankssts', 'thickness'): 2.353,
        ('ctx-lh-bankssts', 'area'): 1396.0,
        ('ctx-lh-bankssts', 'volume'): 3152.0,
    }
    assert found.whole == {'lh_MeanThickness': 2.37525}


def test_tables_of_cohorts(tmp_path: Path) -> None:
    text = (
        'lh.aparc.thickness\tlh_bankssts_thickness\tlh_MeanThickness_thickness\t'
        'BrainSegVolNotVent\teTIV\nsub-01\t2.353\t2.4\t1100000\t1700000\n'
    )
    table = read_cohort_table(write(tmp_path / 'lh.txt', text))
    assert table.kind == 'aparc'
    people = table.people
    assert people['01', ''].regions == {('ctx-lh-bankssts', 'thickness'): 2.353}
    assert people['01', ''].whole == {
        'lh_MeanThickness': 2.4, 'BrainSegVolNotVent': 1.1e6, 'eTIV': 1.7e6,
    }  # fmt: skip
    text = 'rh.aparc.area\trh_cuneus_area\trh_WhiteSurfArea_area\nsub-01\t1500\t90000\n'
    people = read_cohort_table(write(tmp_path / 'rh.txt', text)).people
    assert people['01', ''].regions == {('ctx-rh-cuneus', 'area'): 1500.0}
    assert people['01', ''].whole == {'rh_WhiteSurfArea': 90000.0}
    text = (
        'Measure:volume\tLeft-Thalamus\tSurfaceHoles\tBrainSegVol-to-eTIV\t'
        'EstimatedTotalIntraCranialVol\nsub-01\t7819.5\t30\t0.7\t1.7e6\n'
    )
    table = read_cohort_table(write(tmp_path / 'aseg.tsv', text))
    assert table.kind == 'aseg'
    people = table.people
    assert people['01', ''].whole == {
        'eTIV': 1.7e6, 'SurfaceHoles': 30.0, 'BrainSegVol-to-eTIV': 0.7,
    }  # fmt: skip
    assert people['01', ''].regions == {('Left-Thalamus', 'volume'): 7819.5}


def test_people(tmp_path: Path) -> None:
    for name in ('sub-01', '02', 'sub-03_ses-b', 'fsaverage', 'sub-04.long.base', 'logs'):
        (tmp_path / name / ('mri' if name == 'logs' else 'stats')).mkdir(parents=True)
    assert [person[:2] for person in find_people(tmp_path)] == [
        ('02', ''), ('01', ''), ('03', 'b'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('# Title\n', 'has no line of column names'),
        ('', 'has no line of column names'),
        (
            '# ColHeaders StructName Volume_mm3\nLeft-Thalamus\n',
            'a row of 1 cells below 2 columns',
        ),
        ('# ColHeaders StructName Volume_mm3\nLeft-Thalamus x\n', "of Left-Thalamus is 'x'"),
    ],
)
def test_half_a_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FreeSurferError) as caught:
        read_stats(write(tmp_path / 'aseg.stats', text))
    assert message in str(caught.value)


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / 'demographics.tsv', 'participant_id\tage\nsub-01\t3\n')
    with pytest.raises(FreeSurferError, match="begins with 'participant_id'"):
        read_cohort_table(path)


def test_rows_of_nobody_and_of_somebody_twice(tmp_path: Path) -> None:
    rows = ('sub-20\t2.5', '20\t3.5', 'sub-21.long.base\t5', 'fsaverage\t4',
            '/data/fs/sub-22\t1.5', 'sub-23_ses-b/\t1')  # fmt: skip
    text = '\n'.join(('lh.aparc.thickness\tlh_cuneus_thickness', *rows)) + '\n'
    table = read_cohort_table(write(tmp_path / 'lh.txt', text))
    assert {person: stats.regions for person, stats in table.people.items()} == {
        ('22', ''): {('ctx-lh-cuneus', 'thickness'): 1.5},
        ('23', 'b'): {('ctx-lh-cuneus', 'thickness'): 1.0},
    }
    assert table.twice == [('20', '')]
    assert table.strangers == ['sub-21.long.base', 'fsaverage']


def test_white_matter_is_told_by_its_columns(tmp_path: Path) -> None:
    text = 'Measure:volume\twm-lh-cuneus\nsub-01\t2500\n'
    assert read_cohort_table(write(tmp_path / 'white.txt', text)).kind == 'wmparc'


def test_one_region_has_one_name_whatever_the_version(tmp_path: Path) -> None:
    text = 'lh.aparc.a2009s.area\tlh_G&S_subcentral_area\nsub-01\t777\n'
    (stats,) = read_cohort_table(write(tmp_path / 'lh.txt', text)).people.values()
    lines = '# hemi lh\n# ColHeaders StructName SurfArea\nG&S_subcentral 777\n'
    own = read_stats(write(tmp_path / 'lh.aparc.a2009s.stats', lines))
    assert stats.regions == own.regions == {('ctx-lh-G_and_S_subcentral', 'area'): 777.0}


def test_folders_that_are_not_read(tmp_path: Path) -> None:
    for name in ('sub-01', 'sub-02_run-1', 'sub-03/ses-1', 'fsaverage', 'sub-04.long.base',
                 'sub-06_base', 'cvs_avg35', 'V1_average'):  # fmt: skip
        (tmp_path / name / 'stats').mkdir(parents=True)
    (tmp_path / 'base' / 'stats').mkdir(parents=True)
    (tmp_path / 'base' / 'base-tps').touch()
    (tmp_path / 'sub-06_base' / 'base-tps').touch()
    assert [person[0] for person in find_people(tmp_path)] == ['01']
    assert find_unread(tmp_path) == ['sub-02_run-1', 'sub-03/ses-1']
