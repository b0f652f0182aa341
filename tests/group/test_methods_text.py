"""Sentences on what the group level did, for every kind of statistics."""

from __future__ import annotations

from pathlib import Path

from cohort_outputs import make_config

from mriderived.group.chapters import Chapter
from mriderived.group.methods_text import write_texts
from mriderived.reports.methods import cite_texts

ALL = {
    'models': ('thickness ~ age',),
    'map_models': ('fa ~ age',),
    'harmonise': ('site ~ age',),
    'predict': ('sex ~ tangent + area',),
    'norms': ('thickness ~ age',),
    'permutations': 500,
    'smoothing': 6.0,
    'sites': 'site',
    'learner': 'svm',
    'exclude': ('age < 18',),
}
KEYS = ('model-thicknessage', 'maps-faage', 'sites-siteage', 'predict-sextangentarea',
        'norms-thicknessage', 'exclusions', 'tangent')  # fmt: skip


def tell(tmp_path: Path, keys: tuple[str, ...], **settings: object) -> str:
    chapters = [Chapter(key, '', '', ('a',), [('b',)]) for key in keys]
    return ' '.join(write_texts(make_config(tmp_path / 'out', **settings), chapters, 'site'))


def test_everything_has_its_source(tmp_path: Path) -> None:
    text = tell(tmp_path, KEYS, **ALL)
    for part in (
        'from the median of the same site', 'left out of statistics where age < 18',
        'by ComBat (Johnson et al. 2007', 'Voxels of maps smoothed by 6 mm', '500 permutations of',
        'threshold-free cluster enhancement (Smith and Nichols 2009', 'a support vector machine',
        'whole participants', 'harmonisation by ComBat', 'tangent space of the mean of training',
        'Norms (thickness ~ age)',
    ):  # fmt: skip
        assert part in text, part
    found = cite_texts([text])
    urls = [reference.url for reference in found.references]
    assert 'https://doi.org/10.2307/1391660' in urls and len(urls) == len(set(urls)) == 14
    labels = {reference.label for reference in found.references}
    assert 'Freedman and Lane 1983' in labels and 'Haufe et al. 2014' in labels


def test_what_was_refused_is_not_told(tmp_path: Path) -> None:
    text = tell(tmp_path, (), **ALL)
    assert 'ComBat' not in text and 'modelled' not in text and 'predictions' not in text


def test_other_settings_are_told_otherwise(tmp_path: Path) -> None:
    settings = {**ALL, 'permutations': 0, 'folds_by_site': True}
    text = tell(tmp_path, KEYS[1:4:2], **settings)
    assert 'not corrected for their number' in text and 'Freedman' not in text
    assert 'over whole sites; filling, scaling and the choice' in text
