from __future__ import annotations

import random
import re
from pathlib import Path, PurePosixPath

import pytest

from mriderived.bids import names

EXPECTED = (Path(__file__).with_name('expected_names.txt')).read_text().split()


def build_again(path: str, *, extension: str | None = None) -> PurePosixPath:
    """Build a path from its parts, given in an order that is not the right one."""
    entities, suffix, found = names.split_name(path)
    shuffled = list(entities.items())
    random.Random(path).shuffle(shuffled)
    return names.build_path(
        dict(shuffled),
        datatype=PurePosixPath(path).parent.name,
        suffix=suffix,
        extension=extension or found,
    )


@pytest.mark.parametrize('path', EXPECTED)
def test_names_are_built_in_the_order_of_the_schema(path: str) -> None:
    assert str(build_again(path)) == path


@pytest.mark.parametrize('path', [p for p in EXPECTED if not p.endswith(('.bval', '.bvec'))])
def test_every_name_may_have_a_sidecar(path: str) -> None:
    sidecar = build_again(path, extension='.json')
    assert sidecar.name.split('.') == [PurePosixPath(path).name.split('.')[0], 'json']


def test_parsing_undoes_building() -> None:
    chance = random.Random(1)
    keys = ('sub', 'ses', 'acq', 'rec', 'run', 'space', 'res', 'label', 'desc')
    for _ in range(200):
        chosen = ['sub', 'desc', *chance.sample(keys[1:-1], chance.randint(0, len(keys) - 2))]
        entities = {key: str(chance.randint(0, 999)).zfill(chance.randint(1, 3)) for key in chosen}
        path = names.build_path(entities, datatype='anat', suffix='probseg', extension='.nii.gz')
        assert names.split_name(path) == (entities, 'probseg', '.nii.gz')


WRONG = [
    ({'sub': '01'}, 'anat', 'T1w', '.nii.gz', 'the name of a raw file'),
    ({'sub': '01', 'desc': 'x'}, 'anat', 'T1wx', '.nii.gz', 'no rule has the suffix T1wx'),
    ({'sub': '01', 'desc': 'x'}, 'func', 'T1w', '.nii.gz', 'T1w belongs in anat, not in func'),
    ({'sub': '01', 'desc': 'x'}, 'anat', 'mask', '.tsv', 'not .tsv'),
    ({'sub': '01', 'model': 'tensor'}, 'dwi', 'dwimap', '.nii.gz', 'param is missing'),
    ({'sub': '01', 'stat': 'x'}, 'anat', 'T1w', '.nii.gz', 'stat is not allowed'),
    ({'sub': '01', 'statistic': 'x'}, 'func', 'boldmap', '.nii.gz', 'unknown entity statistic'),
    ({'sub': '0_1', 'desc': 'x'}, 'anat', 'T1w', '.nii.gz', 'sub-0_1: the value'),
    ({'sub': '01', 'run': 'a', 'desc': 'x'}, 'anat', 'T1w', '.nii.gz', 'run-a: the value'),
    ({'sub': '01', 'hemi': 'left'}, 'anat', 'white', '.surf.gii', 'hemi takes L or R'),
    ({'desc': 'x'}, 'anat', 'T1w', '.nii.gz', 'needs the entity sub or tpl'),
    ({'sub': '01', 'tpl': 'X', 'desc': 'x'}, 'anat', 'T1w', '.nii.gz', 'sub or tpl, not both'),
]


@pytest.mark.parametrize(('entities', 'datatype', 'suffix', 'extension', 'message'), WRONG)
def test_wrong_names_are_refused_and_the_wrong_part_is_told(
    entities: dict[str, str], datatype: str, suffix: str, extension: str, message: str
) -> None:
    with pytest.raises(names.InvalidNameError, match=re.escape(message)):
        names.build_path(entities, datatype=datatype, suffix=suffix, extension=extension)


def test_atlas_description_lies_at_the_root() -> None:
    path = names.build_path(
        {'atlas': 'Schaefer200'}, datatype=None, suffix='description', extension='.json'
    )
    assert str(path) == 'atlas-Schaefer200_description.json'


def test_names_beside_bids() -> None:
    figure = names.figure_path({'ses': '1', 'sub': '01'}, desc='tissue', suffix='T1w')
    assert str(figure) == 'sub-01/figures/sub-01_ses-1_desc-tissue_T1w.svg'
    assert str(names.report_path('01')) == 'sub-01.html'
    assert str(names.report_path()) == 'group.html'


def test_cohort_tables() -> None:
    assert str(names.phenotype_path('volumes')) == 'phenotype/volumes.tsv'
    path = names.phenotype_path('volumes', atlas='Schaefer200', session='1')
    assert str(path) == 'phenotype/volumes_atlas-Schaefer200_ses-1.tsv'
    # The official validator takes such a file for one of a session.
    with pytest.raises(names.InvalidNameError, match='cannot name a table'):
        names.phenotype_path('ses-1_volumes')


@pytest.mark.parametrize(
    'path', ['M1833784_gre_field_mapping_6_e2.nii.gz', 'sub-01_sub-02_T1w.nii.gz', 'sub-_T1w.nii']
)
def test_untidy_names_cannot_be_taken_apart(path: str) -> None:
    with pytest.raises(names.InvalidNameError, match='not made of key-value pairs'):
        names.parse_entities(path)


@pytest.mark.parametrize('name', ['sub-01_T1w.nii', 'sub-01_ses-1_acq-x_run-2_T1w.nii.gz'])
def test_raw_names_are_accepted(name: str) -> None:
    names.check_raw_name(Path(name), 'anat')


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('sub-01_dir-AP_T1w.nii.gz', 'dir is not allowed'),
        ('sub-01_desc-defaced_T1w.nii.gz', 'desc is not allowed'),
        ('sub-01_T1w.mgz', 'T1w.mgz is not for anat'),
        ('sub-01_odd-x_T1w.nii.gz', 'unknown entity odd'),
    ],
)
def test_other_names_are_not_raw(name: str, message: str) -> None:
    with pytest.raises(names.InvalidNameError, match=re.escape(message)):
        names.check_raw_name(Path(name), 'anat')


def test_every_draft_is_named_and_ordered_into_the_schema() -> None:
    schema = names.merged_schema()
    order = schema['rules']['entities']
    assert order.index('model') == order.index('param') - 1 < order.index('atlas')
    assert order.index('label') < order.index('stat') < order.index('description')
    assert order.index('hemisphere') < order.index('from') < order.index('to')
    drafts = schema['rules']['files']['deriv']['drafts'].values()
    assert all(set(rule['suffixes']) <= set(schema['objects']['suffixes']) for rule in drafts)
    known = {extension['value'] for extension in schema['objects']['extensions'].values()}
    assert all(set(rule['extensions']) <= known for rule in drafts)


def test_bidsignore_hides_drafts_but_no_released_name() -> None:
    patterns = [line for line in names.bidsignore().splitlines() if not line.startswith('#')]
    assert '*_xfm.*' in patterns
    assert 'figures' in patterns
    assert not [pattern for pattern in patterns if pattern.endswith('/')]
    released = (
        'sub-01_desc-preproc_T1w.nii.gz',
        'sub-01_dseg.tsv',
        'sub-01_label-GM_probseg.json',
    )
    assert not [p for p in patterns for name in released if PurePosixPath(name).match(p)]
    assert len(set(patterns)) == len(patterns)


def test_raw_names_are_built_in_order_and_checked() -> None:
    entities = {'task': 'rest', 'sub': '01', 'ses': 'a'}
    path = names.raw_path(entities, datatype='func', suffix='bold')
    assert path.as_posix() == 'sub-01/ses-a/func/sub-01_ses-a_task-rest_bold.nii.gz'
    with pytest.raises(names.InvalidNameError, match='task is missing'):
        names.raw_path({'sub': '01'}, datatype='func', suffix='bold')
