"""A lesion mask beside a T1w image: which is found, what it makes stale, and what is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from mriderived.bids.image_checks import ImageCheck
from mriderived.config import Config
from mriderived.workflows import contrast_source
from mriderived.workflows.participant import init_participant_wf
from mriderived.workflows.plan import plan_participant
from mriderived.workflows.plan_preview import plan_participants
from skeleton_datasets import write_image

Skeleton = Callable[[str], Path]
ANAT = 'sub-01/anat/'


@pytest.fixture(autouse=True)
def accept_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        contrast_source, 'check_image', lambda path, *_: ImageCheck(path, (), {}, ())
    )


def config(bids_dir: Path, **settings: object) -> Config:
    out_dir = bids_dir.parent / 'out'
    return Config(bids_dir, out_dir, out_dir / 'work', **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ('name', 'is_found'),
    [
        ('sub-01_T1w_label-lesion_roi.nii.gz', True),
        ('sub-01_T1w_label-lesion_roi.nii', True),
        ('sub-01_label-lesion_roi.nii.gz', True),
        ('sub-01_label-lesion_mask.nii.gz', True),
        ('sub-01_T1w_label-lesion_mask.nii.gz', True),
        ('sub-01_T1w_label-tumor_roi.nii.gz', False),
        ('sub-01_run-2_T1w_label-lesion_roi.nii.gz', False),
        ('sub-01_T2w_label-lesion_roi.nii.gz', False),
    ],
)
def test_which_names_are_read(skeleton: Skeleton, name: str, is_found: bool) -> None:
    settings = config(skeleton('single'))
    write_image(settings.bids_dir / ANAT / name)
    plan = plan_participant(settings, '01')
    image = f'{ANAT}sub-01_T1w.nii.gz'
    expected = {image: settings.bids_dir / ANAT / name} if is_found else {}
    assert plan.lesion_masks == expected
    assert {unit.image for unit in plan.units if unit.measure.source == 'T1w'} == {image}


@pytest.mark.parametrize(
    'name', ['sub-01_acq-a_label-lesion_mask', 'sub-01_run-2_T1w_label-lesion_roi']
)
def test_a_mask_of_no_image_is_told(skeleton: Skeleton, name: str) -> None:
    settings = config(skeleton('single'))
    write_image(settings.bids_dir / ANAT / f'{name}.nii.gz')
    (check,) = plan_participant(settings, '01').checks.values()
    (told,) = check.notes
    assert told.startswith(f'{name}.nii.gz is the lesion mask of no image here and is not used')


def test_it_goes_to_the_steps_that_use_it_and_the_dry_run_says_so(skeleton: Skeleton) -> None:
    settings = config(skeleton('single'))
    name = 'sub-01_T1w_label-lesion_roi.nii.gz'
    write_image(settings.bids_dir / ANAT / name)
    told = {unit.measure: unit.reason for unit in plan_participants(settings, ['01'])}
    assert {measure for measure, reason in told.items() if reason} == {
        *('tissue', 'registration', 'lesions')
    }
    assert told['lesions'] == f'uses {name}'
    plan = plan_participant(settings, '01')
    assert ('Lesion mask', ANAT + name) in plan.checks[f'{ANAT}sub-01_T1w.nii.gz'].rows
    graph = init_participant_wf(settings, plan).workflow
    for step in ('tissue', 'registration_MNI152NLin2009cAsym', 'lesions'):
        node = graph.get_node(f'T1w_{step}').get_node('inputnode')
        assert node.inputs.raw_lesion_mask == str(settings.bids_dir / ANAT / name)


def test_a_mask_and_what_it_holds_make_units_stale(skeleton: Skeleton) -> None:
    settings = config(skeleton('single'))
    mask = settings.bids_dir / ANAT / 'sub-01_T1w_label-lesion_roi.nii.gz'

    def fingerprints(**changes: object) -> set[str]:
        chosen = dataclasses.replace(settings, **changes)  # type: ignore[arg-type]
        return {unit.fingerprint for unit in plan_participant(chosen, '01').units}

    without = fingerprints()
    write_image(mask)
    first = fingerprints()
    write_image(mask, (5, 5, 5))
    second = fingerprints()
    assert not without & first and not first & second
    mask.unlink()
    assert fingerprints() == without


def test_ignore_reads_no_mask_and_has_a_hash_of_its_own(skeleton: Skeleton) -> None:
    settings = config(skeleton('single'))
    write_image(settings.bids_dir / ANAT / 'sub-01_label-lesion_mask.nii.gz')
    ignoring = dataclasses.replace(settings, lesions='ignore')
    assert plan_participant(ignoring, '01').lesion_masks == {}
    hashes = {
        dataclasses.replace(settings, lesions=way).hash for way in ('auto', 'mask', 'ignore')
    }  # type: ignore[arg-type]
    assert len(hashes) == 3


def test_two_masks_are_refused(skeleton: Skeleton) -> None:
    settings = config(skeleton('single'))
    for suffix in ('roi', 'mask'):
        write_image(settings.bids_dir / ANAT / f'sub-01_T1w_label-lesion_{suffix}.nii.gz')
    plan = plan_participant(settings, '01')
    units = [unit for unit in plan.units if unit.image.endswith('T1w.nii.gz')]
    assert {unit.state for unit in units} == {'bad input'}
    assert (
        'it has several lesion masks: sub-01_T1w_label-lesion_mask.nii.gz and' in units[0].reason
    )
