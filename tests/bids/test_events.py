"""Which events belong to a run, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mriderived.bids.events import EventsError, find_events, read_events

ENTITIES = {'sub': '01', 'task': 'faces', 'run': '1', 'echo': '2'}


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('onset\tduration\n')
    return path


def test_the_nearest_events_that_fit_are_found(tmp_path: Path) -> None:
    image = tmp_path / 'sub-01' / 'func' / 'sub-01_task-faces_run-1_echo-2_bold.nii.gz'
    image.parent.mkdir(parents=True)
    assert find_events(image, ENTITIES, tmp_path) is None
    everyone = touch(tmp_path / 'task-faces_events.tsv')
    touch(tmp_path / 'task-other_events.tsv')
    assert find_events(image, ENTITIES, tmp_path) == everyone
    touch(image.with_name('sub-01_task-faces_run-2_events.tsv'))
    assert find_events(image, ENTITIES, tmp_path) == everyone
    own = touch(image.with_name('sub-01_task-faces_run-1_events.tsv'))
    touch(image.with_name('sub-01_task-faces_events.tsv'))
    assert find_events(image, ENTITIES, tmp_path) == own
    own.unlink()
    own.symlink_to('not-here')  # as of datalad, without the content
    assert find_events(image, ENTITIES, tmp_path) == image.with_name(
        'sub-01_task-faces_events.tsv'
    )


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is empty'),
        ('onset\ttrial_type\n1\ta\n', 'has no column duration'),
        ('start\tlength\n1\t2\n', 'has no column onset and duration'),
        ('onset\tduration\n', 'holds no events'),
        ('onset\tduration\n1\t2\nn/a\t2\n', 'no onset in line 3'),
        ('onset\tduration\n1\t2\n99\t2\n100\t2\n2000\t1\n',
         r'2 of 4 events begin after the end of the run \(100 s\): lines 4, 5; onsets are in sec'),
    ],
)  # fmt: skip
def test_events_that_cannot_be_used_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'events.tsv'
    path.write_text(text)
    with pytest.raises(EventsError, match=message):
        read_events(path, 100.0)


def test_events_are_read(tmp_path: Path) -> None:
    path = tmp_path / 'events.tsv'
    path.write_text('onset\tduration\ttrial_type\n-3\tn/a\tNA\n5.5\t2\tface\n')
    table = read_events(path, 10.0)
    assert table['onset'].tolist() == [-3, 5.5]
    assert table['duration'].isna().tolist() == [True, False]
    assert table['trial_type'].tolist() == ['NA', 'face']
