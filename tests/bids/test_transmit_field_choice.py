"""Which transmit field a collection takes where there are several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mriderived.bids.dataset import Image
from mriderived.bids.transmit_fields import choose_field


def image(name: str, **metadata: Any) -> Image:
    *pairs, suffix = name.split('_')
    entities = dict(pair.split('-', 1) for pair in pairs)
    folder = 'fmap' if suffix.startswith('TB1') else 'anat'
    path = Path('/data/sub-01') / folder / f'{name}.nii.gz'
    return Image(path, entities, folder, suffix, '.nii.gz', metadata)


def chosen(collection: str, *others: Image) -> tuple[str, tuple[str, ...]]:
    members = [image(collection)]
    field = choose_field(members, [*members, *others]).field
    assert field is not None
    return next(iter(field.images.values())).path.name.split('.')[0], field.notes


@pytest.mark.parametrize(
    ('collection', 'expected'),
    [
        ('sub-01_run-2_VFA', 'sub-01_run-2_TB1map'),
        ('sub-01_acq-fine_run-2_VFA', 'sub-01_acq-fine_run-2_TB1map'),
        ('sub-01_acq-finePDw_run-1_flip-1_mt-off_MPM', 'sub-01_acq-fine_run-1_TB1map'),
        ('sub-01_acq-other_run-1_VFA', 'sub-01_run-1_TB1map'),
    ],
)
def test_a_field_of_the_same_run_and_label_comes_first(collection: str, expected: str) -> None:
    fields = [
        image(f'sub-01_{label}run-{run}_TB1map') for run in (1, 2) for label in ('acq-fine_', '')
    ]
    for order in (fields, fields[::-1]):
        assert chosen(collection, *order) == (expected, ())


def test_the_run_comes_before_the_kind_and_intended_for_before_both() -> None:
    angles = {'FlipAngle': 80}
    other = image('sub-01_run-1_TB1map')
    own = image('sub-01_acq-famp_run-2_TB1TFL', **angles)
    assert chosen('sub-01_run-2_VFA', other, own) == ('sub-01_acq-famp_run-2_TB1TFL', ())
    named = image('sub-01_run-1_TB1map', IntendedFor='anat/sub-01_run-2_VFA.nii.gz')
    assert chosen('sub-01_run-2_VFA', own, named) == ('sub-01_run-1_TB1map', ())


def test_the_field_of_another_run_is_taken_with_a_note() -> None:
    found, notes = chosen('sub-01_run-2_VFA', image('sub-01_run-1_TB1map'))
    assert found == 'sub-01_run-1_TB1map'
    assert notes == (
        'The transmit field is of run 1 (sub-01_run-1_TB1map.nii.gz), as there is none of run 2: '
        'name the images it belongs to in IntendedFor.',
    )
    assert chosen('sub-01_run-2_VFA', image('sub-01_TB1map')) == ('sub-01_TB1map', ())
