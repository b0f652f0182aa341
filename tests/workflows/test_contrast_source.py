"""T2w and FLAIR images as sources: which are found, whose they are, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mriderived.bids.image_checks import ImageCheck
from mriderived.config import Config
from mriderived.workflows import contrast_source
from mriderived.workflows.plan import plan_participant
from mriderived.workflows.plan_preview import plan_participants
from mriderived.workflows.sources import Source, find_sources
from skeleton_datasets import build_skeleton, write_image

DESCRIPTION = {'Name': 'contrasts', 'BIDSVersion': '1.10.0', 'DatasetType': 'raw'}


@pytest.fixture(autouse=True)
def accept_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        contrast_source,
        'check_image',
        lambda path, look, content: ImageCheck(path, (), {}, (('Content', content),)),
    )


def find(tmp_path: Path, *names: str, **settings: object) -> dict[str, Source]:
    folder = build_skeleton(
        tmp_path / 'raw', {'dataset_description.json': DESCRIPTION, **dict.fromkeys(names)}
    )
    out = tmp_path / 'out'
    config = Config(folder, out, out / 'work', **settings)  # type: ignore[arg-type]
    return {Path(each.relative).name: each for each in find_sources(config, '01')}


def test_each_flair_and_t2w_is_a_source_that_leans_on_the_t1w_of_its_session(
    tmp_path: Path,
) -> None:
    found = find(
        tmp_path,
        *(f'sub-01/ses-{ses}/anat/sub-01_ses-{ses}_T1w.nii.gz' for ses in 'ab'),
        'sub-01/ses-b/anat/sub-01_ses-b_FLAIR.nii.gz',
        'sub-01/ses-b/anat/sub-01_ses-b_acq-2D_run-1_FLAIR.nii.gz',
        'sub-01/ses-b/anat/sub-01_ses-b_acq-2D_run-2_FLAIR.nii.gz',
        'sub-01/ses-c/anat/sub-01_ses-c_T2w.nii.gz',
    )
    flairs = {name: each for name, each in found.items() if name.endswith('FLAIR.nii.gz')}
    assert len(flairs) == 3
    assert {each.lender for each in flairs.values()} == {
        'sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz'
    }
    assert [name for name, each in flairs.items() if each.is_reference] == [
        'sub-01_ses-b_FLAIR.nii.gz'
    ]
    entities = flairs['sub-01_ses-b_acq-2D_run-2_FLAIR.nii.gz'].image.entities
    assert (entities['acq'], entities['run']) == ('2D', '2')
    # a T2w of a session without a T1w leans on that of the first session
    assert found['sub-01_ses-c_T2w.nii.gz'].lender.endswith('ses-a_T1w.nii.gz')


def test_a_flair_alone_is_a_source_without_a_lender(tmp_path: Path) -> None:
    found = find(tmp_path, 'sub-01/anat/sub-01_FLAIR.nii.gz')
    (flair,) = found.values()
    assert (flair.lender, flair.fault, flair.is_reference) == ('', '', True)
    assert flair.check is not None and ('Content', 'FLAIR') in flair.check.rows


@pytest.mark.parametrize(
    ('name', 'owner'),
    [
        ('sub-01_FLAIR_label-lesion_mask.nii.gz', 'sub-01_FLAIR.nii.gz'),
        ('sub-01_T1w_label-lesion_roi.nii.gz', 'sub-01_T1w.nii.gz'),
        ('sub-01_label-lesion_roi.nii.gz', 'sub-01_T1w.nii.gz'),
    ],
)
def test_a_lesion_mask_belongs_to_one_image(tmp_path: Path, name: str, owner: str) -> None:
    images = [f'sub-01/anat/sub-01_{suffix}.nii.gz' for suffix in ('T1w', 'FLAIR')]
    write_image(tmp_path / 'raw' / 'sub-01' / 'anat' / name)
    found = find(tmp_path, *images)
    assert {key: each.lesion_mask.name for key, each in found.items() if each.lesion_mask} == {
        owner: name
    }


def test_echoes_of_a_t2w_are_refused(tmp_path: Path) -> None:
    names = [f'sub-01/anat/sub-01_echo-{echo}_T2w.nii.gz' for echo in (1, 2)]
    found = find(tmp_path, *names)
    (source,) = found.values()
    assert 'it is one of 2 echoes' in source.fault and 'MESE' in source.fault


SESSIONS = (
    'sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz',
    'sub-01/ses-a/anat/sub-01_ses-a_T2w.nii.gz',
    'sub-01/ses-b/anat/sub-01_ses-b_T2w.nii.gz',
    'sub-01/ses-b/anat/sub-01_ses-b_FLAIR.nii.gz',
)


def plan(tmp_path: Path, *names: str) -> dict[tuple[str, str], tuple[str, str]]:
    folder = build_skeleton(
        tmp_path / 'raw', {'dataset_description.json': DESCRIPTION, **dict.fromkeys(names)}
    )
    config = Config(folder, tmp_path / 'out', tmp_path / 'work')
    found = plan_participants(config, ['01'])
    return {(Path(u.image).name, u.measure): (u.state, u.reason) for u in found}


def test_a_ratio_across_sessions_is_not_made(tmp_path: Path) -> None:
    units = plan(tmp_path, *SESSIONS)
    assert units['sub-01_ses-a_T2w.nii.gz', 't1w_t2w'] == ('to run', '')
    for measure in ('t1w_t2w', 't1w_t2w_surface', 't1w_t2w_ratio_regions'):
        state, reason = units['sub-01_ses-b_T2w.nii.gz', measure]
        assert state == 'not available'
        assert reason == 'the T1w image is of another session than this T2w'
    # lesions may be looked at beside the T1w of another day
    assert units['sub-01_ses-b_FLAIR.nii.gz', 'wmh'] == ('to run', '')


def test_what_runs_from_a_flair_alone(tmp_path: Path) -> None:
    units = plan(tmp_path, 'sub-01/anat/sub-01_FLAIR.nii.gz', 'sub-01/anat/sub-01_T2w.nii.gz')
    states = {measure: found for (_, measure), found in units.items()}
    assert {name for name, (state, _) in states.items() if state == 'to run'} == {
        *('flair_brain', 'flair_anatomy', 'wmh', 't2w_brain')
    }
    for name in ('wmh_t1w', 't1w_t2w', 'flair_registration'):
        assert states[name] == ('not available', 'there is no T1w image of sub-01')


def test_names_keep_what_tells_several_flairs_apart(tmp_path: Path) -> None:
    folder = build_skeleton(
        tmp_path / 'raw',
        {
            'dataset_description.json': DESCRIPTION,
            **dict.fromkeys(
                f'sub-01/anat/sub-01_{name}_FLAIR.nii.gz' for name in ('acq-2D', 'acq-3D_run-2')
            ),
        },
    )
    config = Config(folder, tmp_path / 'out', tmp_path / 'work')
    units = [u for u in plan_participant(config, '01').units if u.measure.name == 'wmh']
    assert [u.outputs['wmh_flair_mask'] for u in units] == [
        'sub-01/anat/sub-01_acq-2D_space-FLAIR_label-WMH_mask.nii.gz',
        'sub-01/anat/sub-01_acq-3D_run-2_space-FLAIR_label-WMH_mask.nii.gz',
    ]
