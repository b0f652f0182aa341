from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mriderived.bids import dataset
from mriderived.bids.dataset import (
    FilterError,
    FilterFileError,
    Image,
    InvalidDatasetError,
    NoParticipantsError,
)
from skeleton_datasets import write_image

Skeleton = Callable[[str], Path]


def found(root: Path, participant: str, **options: object) -> list[str]:
    images = dataset.find_images(root, participant, **options)  # type: ignore[arg-type]
    return [image.path.name for image in images]


def filters(tmp_path: Path, content: object) -> dict[str, dict[str, object]]:
    path = tmp_path / 'filters.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return dataset.read_filters(path)


def test_participants_are_listed_in_order(skeleton: Skeleton) -> None:
    assert dataset.list_participants(skeleton('sessions')) == ('01', '02', '03', '10')


def test_folders_with_odd_labels_are_left_and_named(
    skeleton: Skeleton, caplog: pytest.LogCaptureFixture
) -> None:
    assert dataset.list_participants(skeleton('untidy')) == ('01', '02', '03', '05')
    assert 'sub-04-old' in caplog.text


def test_selection_takes_labels_with_and_without_prefix(skeleton: Skeleton) -> None:
    root = skeleton('sessions')
    assert dataset.select_participants(root, ['sub-10', '02']) == ('02', '10')
    assert dataset.select_participants(root) == ('01', '02', '03', '10')


def test_unknown_labels_are_named_beside_the_known(skeleton: Skeleton) -> None:
    with pytest.raises(FilterError, match=r'11, xy; there are 4: 01, 02, 03, 10$'):
        dataset.select_participants(skeleton('sessions'), ['xy', '01', '11'])


def test_nobody_there(skeleton: Skeleton, tmp_path: Path) -> None:
    with pytest.raises(NoParticipantsError, match='holds no participants'):
        dataset.select_participants(skeleton('no_participants'))
    with pytest.raises(NoParticipantsError, match='is not a folder'):
        dataset.select_participants(tmp_path / 'absent')


def test_faults_of_the_dataset_name_every_file(skeleton: Skeleton) -> None:
    with pytest.raises(InvalidDatasetError, match=r'description\.json is missing'):
        dataset.select_participants(skeleton('no_description'))
    with pytest.raises(InvalidDatasetError) as caught:
        dataset.select_participants(skeleton('invalid_json'))
    assert 'dataset_description.json is not valid JSON' in str(caught.value)
    assert 'T1w.json is not valid JSON' in str(caught.value)


@pytest.mark.parametrize(
    ('description', 'message'),
    [
        ([1], 'holds a list, not a JSON object'),
        ({'Name': 'x'}, 'has no BIDSVersion'),
        ({'Name': 'x', 'BIDSVersion': '1', 'DatasetType': 'derivative'}, 'is derivative, not raw'),
    ],
)
def test_description_must_be_one_of_raw_data(
    skeleton: Skeleton, description: object, message: str
) -> None:
    root = skeleton('single')
    (root / 'dataset_description.json').write_text(json.dumps(description))
    with pytest.raises(InvalidDatasetError, match=message):
        dataset.check_dataset(root)


def test_images_carry_names_and_inherited_metadata(skeleton: Skeleton) -> None:
    root = skeleton('sessions')
    first, second = dataset.find_images(root, '01')
    assert first.relative(root) == 'sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz'
    assert first.entities == {'sub': '01', 'ses': 'a'}
    assert (first.participant, first.session) == ('01', 'a')
    assert (first.datatype, first.suffix, first.extension) == ('anat', 'T1w', '.nii.gz')
    assert first.metadata['EchoTime'] == 0.004
    assert second.metadata['EchoTime'] == 0.003
    assert first.metadata['Manufacturer'] == 'Nobody'
    assert first.fault is second.fault is None


def test_only_the_participants_own_folder_is_searched(skeleton: Skeleton) -> None:
    assert found(skeleton('sessions'), '01') == [
        'sub-01_ses-a_T1w.nii.gz',
        'sub-01_ses-b_T1w.nii.gz',
    ]


def test_a_label_may_begin_another(skeleton: Skeleton) -> None:
    root = skeleton('single')
    write_image(root / 'sub-011' / 'anat' / 'sub-011_T1w.nii.gz')
    assert found(root, '01') == ['sub-01_T1w.nii.gz']
    assert found(root, '011') == ['sub-011_T1w.nii.gz']


def test_an_image_is_found_from_a_relative_root(
    skeleton: Skeleton, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = skeleton('single')
    monkeypatch.chdir(root.parent)
    (image,) = dataset.find_images(Path('single'), '01')
    assert image.relative(Path('single')) == 'sub-01/anat/sub-01_T1w.nii.gz'
    assert image.path == root / 'sub-01/anat/sub-01_T1w.nii.gz'


def test_other_suffixes_and_nothing(skeleton: Skeleton) -> None:
    root = skeleton('sessions')
    assert found(root, '03') == []
    assert found(root, '03', suffixes=('bold',)) == ['sub-03_ses-a_task-rest_bold.nii.gz']
    assert found(skeleton('runs'), '01', suffixes=('T2w', 'FLAIR')) == ['sub-01_T2w.nii.gz']


def test_sessions_select_but_keep_what_has_none(skeleton: Skeleton) -> None:
    root = skeleton('sessions')
    assert found(root, '01', sessions=('b',)) == ['sub-01_ses-b_T1w.nii.gz']
    assert found(root, '01', sessions=('ses-b', 'a')) == [
        'sub-01_ses-a_T1w.nii.gz',
        'sub-01_ses-b_T1w.nii.gz',
    ]
    assert found(root, '02', sessions=('b',)) == ['sub-02_T1w.nii.gz']
    assert found(root, '10', sessions=('a',)) == []


RUNS = [
    ({'acquisition': 'highres'}, ['sub-01_acq-highres_T1w.nii.gz']),
    ({'acquisition': 'other'}, []),
    (
        {'run': '*', 'reconstruction': None},
        ['sub-01_run-10_T1w.nii.gz', 'sub-01_run-2_T1w.nii.gz'],
    ),
    ({'run': None}, ['sub-01_acq-highres_T1w.nii.gz']),
    ({'run': [1, 2]}, ['sub-01_rec-norm_run-1_T1w.nii.gz', 'sub-01_run-2_T1w.nii.gz']),
    ({'suffix': 'T2w'}, ['sub-01_T2w.nii.gz']),
    ({'ceagent': None, 'acquisition': '*'}, ['sub-01_acq-highres_T1w.nii.gz']),
]


@pytest.mark.parametrize(('wanted', 'expected'), RUNS)
def test_filters_select_by_entity(
    skeleton: Skeleton, tmp_path: Path, wanted: dict[str, object], expected: list[str]
) -> None:
    root = skeleton('runs')
    assert found(root, '01', filters=filters(tmp_path, {'t1w': wanted})) == expected


def test_filters_for_other_suffixes_change_nothing(skeleton: Skeleton, tmp_path: Path) -> None:
    read = filters(tmp_path, {'bold': {'task': 'rest'}, 'fmap': {'datatype': 'fmap'}})
    assert found(skeleton('single'), '01', filters=read) == ['sub-01_T1w.nii.gz']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'filters.json is not valid JSON'),
        ({'t1': {}}, "unknown query 't1'"),
        ({'t1w': ['acq']}, 't1w must be an object'),
        ({'t1w': {'acq': 'x'}}, 'write acquisition instead of acq'),
        ({'t1w': {'aquisition': 'x'}}, "unknown entity 'aquisition'"),
    ],
)
def test_unusable_filters_are_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(FilterFileError, match=message):
        filters(tmp_path, content)


def test_untidy_images_are_found_with_the_reason_not_to_use_them(skeleton: Skeleton) -> None:
    images = {i.path.name: i for i in dataset.find_images(skeleton('untidy'), '01')}
    assert images['sub-01_T1w.nii.gz'].fault is None
    # A link without content is a matter of the guards, which tell how to get it.
    assert images['sub-01_run-2_T1w.nii.gz'].fault is None
    assert images['sub-01_run-2_T1w.nii.gz'].path.is_symlink()
    assert 'dir is not allowed' in str(images['sub-01_dir-AP_T1w.nii.gz'].fault)
    assert 'does not lie in sub-02/anat' in str(images['sub-02_T1w.nii.gz'].fault)
    assert 'not made of key-value pairs' in str(images['mprage_T1w.nii.gz'].fault)
    assert {image.participant for image in images.values()} == {'01'}


def test_a_broken_sidecar_is_the_fault_of_its_images_alone(skeleton: Skeleton) -> None:
    root = skeleton('untidy')
    assert dataset.select_participants(root) == ('01', '02', '03', '05')
    images = dataset.find_images(root, '02')
    assert [image.path.name for image in images if image.fault is None] == [
        'sub-02_run-2_T1w.nii.gz'
    ]
    assert images[0].path.name == 'sub-02_run-1_T1w.nii.gz'
    assert 'sub-02_run-1_T1w.json is not valid JSON' in str(images[0].fault)
    absent, misnamed = dataset.find_images(root, '03')
    assert 'datalad get' in str(absent.fault)
    assert (misnamed.session, misnamed.participant) == ('a', '03')
    assert dataset.find_images(root, '05') == ()


def test_twins_with_and_without_compression_do_not_both_count(skeleton: Skeleton) -> None:
    images = dataset.find_images(skeleton('untidy'), '02')
    plain = next(image for image in images if image.extension == '.nii')
    assert plain.fault == 'sub-02_run-2_T1w.nii.gz is there as well; remove one of them'


def image(name: str, fault: str | None = None) -> Image:
    entities = dict(pair.split('-') for pair in name.split('_')[:-1])
    return Image(Path(f'/{name}.nii.gz'), entities, 'anat', 'T1w', '.nii.gz', {}, fault)


@pytest.mark.parametrize(
    'ranked',
    [
        ['sub-1_T1w', 'sub-1_run-1_T1w', 'sub-1_acq-a_T1w'],
        ['sub-1_run-2_T1w', 'sub-1_run-10_T1w', 'sub-1_acq-a_T1w', 'sub-1_acq-b_T1w'],
        ['sub-1_rec-norm_run-1_T1w', 'sub-1_rec-norm_run-2_T1w', 'sub-1_acq-a_rec-norm_T1w'],
        ['sub-1_task-rest_bold', 'sub-1_task-restAP_run-2_bold', 'sub-1_task-nback_bold'],
        ['sub-1_acq-a_task-rest_run-2_bold', 'sub-1_task-faces_bold', 'sub-1_task-nback_bold'],
    ],
)
def test_reference_is_the_plainest_image(ranked: list[str]) -> None:
    for first in range(len(ranked)):
        remaining = [image(name) for name in reversed(ranked[first:])]
        assert dataset.reference_image(remaining).path.name == f'{ranked[first]}.nii.gz'


def test_reference_has_no_fault_if_another_has_none() -> None:
    good, bad = image('sub-1_acq-a_run-3_T1w'), image('sub-1_T1w', fault='broken')
    assert dataset.reference_image([bad, good]) is good
    assert dataset.reference_image([bad]) is bad


@pytest.mark.real
@pytest.mark.parametrize(
    ('name', 'participants', 'images'),
    [('ds002748', 6, 6), ('pumi-minitest', 1, 1), ('philips-enh', 1, 1), ('siemens-xa30', 1, 2)],
)
def test_real_datasets_are_read(
    test_data: Path, name: str, participants: int, images: int
) -> None:
    root = test_data / name
    labels = dataset.select_participants(root)
    found_images = [i for label in labels for i in dataset.find_images(root, label)]
    assert (len(labels), len(found_images)) == (participants, images)
    assert not [image.fault for image in found_images if image.fault]


def test_a_description_without_content_is_to_be_fetched(skeleton: Skeleton) -> None:
    root = skeleton('single')
    (root / 'dataset_description.json').unlink()
    (root / 'dataset_description.json').symlink_to('.git/annex/objects/absent')
    with pytest.raises(InvalidDatasetError, match='has no content; get it with: datalad get'):
        dataset.check_dataset(root)
