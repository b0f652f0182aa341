"""What a FLAIR lends to the T1w of its session: who gets it, in which order, and what is stale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mriderived.bids.image_checks import ImageCheck
from mriderived.config import Config
from mriderived.measures.base import Measure
from mriderived.measures.tissue_volume import TISSUE_VOLUME
from mriderived.measures.wmh import WMH
from mriderived.measures.wmh_t1w import WMH_T1W
from mriderived.workflows import contrast_source, plan
from mriderived.workflows.participant import init_participant_wf
from mriderived.workflows.plan import ParticipantPlan, plan_participant
from skeleton_datasets import build_skeleton, write_image


def _wf(config: Config) -> object:
    from nipype.interfaces import utility as niu
    from nipype.pipeline import engine as pe

    workflow = pe.Workflow(name='guest_wf')
    fields = [*TISSUE_VOLUME.needs, 'wmh_mask']
    workflow.add_nodes([
        pe.Node(niu.IdentityInterface(fields), name='inputnode'),
        pe.Node(niu.IdentityInterface(['tissue_morph']), name='outputnode'),
    ])  # fmt: skip
    return workflow


#: A measure of the T1w that uses the mask of hyperintensities, and stands before that.
USER = replace(TISSUE_VOLUME, name='user', optional=('wmh_mask',), init_wf=_wf)


@pytest.fixture(autouse=True)
def measures(monkeypatch: pytest.MonkeyPatch) -> tuple[Measure, ...]:
    chosen = (USER, WMH, WMH_T1W)
    monkeypatch.setattr(plan, 'asked_measures', lambda config: chosen)
    monkeypatch.setattr(
        contrast_source, 'check_image', lambda path, *_: ImageCheck(path, (), {}, ())
    )
    return chosen


def make(tmp_path: Path, *names: str) -> tuple[Config, ParticipantPlan]:
    description = {'Name': 'guests', 'BIDSVersion': '1.10.0', 'DatasetType': 'raw'}
    folder = build_skeleton(
        tmp_path / 'raw', {'dataset_description.json': description, **dict.fromkeys(names)}
    )
    config = Config(folder, tmp_path / 'out', tmp_path / 'work')
    return config, plan_participant(config, '01')


def find_lent(config: Config, planned: ParticipantPlan, name: str) -> bool:
    workflow = init_participant_wf(config, planned).workflow
    node = workflow.get_node(name)
    return any(
        target is node and any('wmh_mask' in pair[1] for pair in data['connect'])
        for _, target, data in workflow._graph.edges(data=True)
    )


def test_the_mask_comes_to_the_t1w_of_its_session(tmp_path: Path) -> None:
    config, planned = make(
        tmp_path,
        'sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz',
        'sub-01/ses-a/anat/sub-01_ses-a_FLAIR.nii.gz',
        'sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz',
    )
    order = [(unit.image, unit.measure.name) for unit in planned.units]
    assert [name for _, name in order[-2:]] == ['user', 'user']
    assert find_lent(config, planned, 'ses_a_T1w_user')
    assert not find_lent(config, planned, 'ses_b_T1w_user')


def test_a_flair_of_another_session_lends_nothing(tmp_path: Path) -> None:
    config, planned = make(
        tmp_path,
        'sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz',
        'sub-01/ses-b/anat/sub-01_ses-b_FLAIR.nii.gz',
    )
    assert not find_lent(config, planned, 'ses_a_T1w_user')


def test_another_flair_makes_what_uses_it_stale(tmp_path: Path) -> None:
    names = ['sub-01/anat/sub-01_T1w.nii.gz', 'sub-01/anat/sub-01_FLAIR.nii.gz']
    config, _ = make(tmp_path, names[0])

    def prints() -> dict[str, str]:
        return {
            unit.measure.name: unit.fingerprint
            for unit in plan_participant(config, '01').units
            if unit.image == names[0]
        }

    alone = prints()
    write_image(config.bids_dir / names[1])
    first = prints()
    write_image(config.bids_dir / names[1], (5, 5, 5))
    second = prints()
    assert len({alone['user'], first['user'], second['user']}) == 3
    others = {key for key in alone if key != 'user'}
    assert all(alone[key] == first[key] == second[key] for key in others)


def test_a_t2w_uses_the_mask_of_its_session_through_the_t1w(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(USER, name='bright', source='T2w')
    monkeypatch.setattr(plan, 'asked_measures', lambda config: (other, WMH, WMH_T1W))
    names = [f'sub-01/anat/sub-01_{suffix}.nii.gz' for suffix in ('T1w', 'T2w', 'FLAIR')]
    config, planned = make(tmp_path, *names)
    assert planned.units[-1].measure.name == 'bright'
    assert find_lent(config, planned, 'T2w_bright')
    before = planned.units[-1].fingerprint
    write_image(config.bids_dir / names[2], (5, 5, 5))
    assert plan_participant(config, '01').units[-1].fingerprint != before
