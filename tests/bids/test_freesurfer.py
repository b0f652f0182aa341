"""FreeSurfer's tables, as it writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mriderived.bids.freesurfer import (
    FreeSurferError,
    find_people,
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
    kind, people = read_cohort_table(write(tmp_path / 'lh.txt', text))
    assert kind == 'aparc'
    assert people['sub-01'].regions == {('ctx-lh-bankssts', 'thickness'): 2.353}
    assert people['sub-01'].whole == {
        'lh_MeanThickness': 2.4, 'BrainSegVolNotVent': 1.1e6, 'eTIV': 1.7e6,
    }  # fmt: skip
    text = 'rh.aparc.area\trh_cuneus_area\trh_WhiteSurfArea_area\nsub-01\t1500\t90000\n'
    _, people = read_cohort_table(write(tmp_path / 'rh.txt', text))
    assert people['sub-01'].regions == {('ctx-rh-cuneus', 'area'): 1500.0}
    assert people['sub-01'].whole == {'rh_WhiteSurfArea': 90000.0}
    text = (
        'Measure:volume\tLeft-Thalamus\tSurfaceHoles\tBrainSegVol-to-eTIV\t'
        'EstimatedTotalIntraCranialVol\nsub-01\t7819.5\t30\t0.7\t1.7e6\n'
    )
    kind, people = read_cohort_table(write(tmp_path / 'aseg.tsv', text))
    assert kind == 'aseg'
    assert people['sub-01'].whole == {
        'eTIV': 1.7e6, 'SurfaceHoles': 30.0, 'BrainSegVol-to-eTIV': 0.7,
    }  # fmt: skip
    assert people['sub-01'].regions == {('Left-Thalamus', 'volume'): 7819.5}


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
