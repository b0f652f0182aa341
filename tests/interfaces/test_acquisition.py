"""What goes with a run is read as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mriderived.interfaces.acquisition import read_acquisition
from mriderived.interfaces.bold_sampling import moment

WHOLE: dict[str, Any] = {
    'repetition_time': 2,
    'slice_times': [0.0, 1.0, 0.5, 1.5],
    'slice_axis': 2,
    'phase_direction': 'j-',
    'task': 'rest',
    'echoes': [
        {'path': '/data/e1.nii.gz', 'echo_time': 0.014},
        {'path': '/data/e2.nii.gz', 'echo_time': None},
    ],
    'events': '/data/events.tsv',
    'field_map': {'kind': 'epi', 'files': {'epi1': '/data/ap.nii.gz'}},
    'notes': ['A note.'],
}


def read(tmp_path: Path, **changes: Any) -> Any:
    path = tmp_path / 'acquisition.json'
    path.write_text(json.dumps(WHOLE | changes))
    return read_acquisition(path)


def test_everything_is_read(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.repetition_time, found.slice_axis, found.phase_direction) == (2.0, 2, 'j-')
    assert found.slice_times == (0.0, 1.0, 0.5, 1.5)
    assert found.echoes == ((Path('/data/e1.nii.gz'), 0.014), (Path('/data/e2.nii.gz'), None))
    assert found.events == Path('/data/events.tsv')
    assert found.field_map['kind'] == 'epi'
    assert (found.task, found.notes) == ('rest', ('A note.',))


def test_what_is_not_known_is_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, slice_times=None, events=None, field_map=None, phase_direction=None)
    assert found.slice_times is None and found.events is None
    assert found.field_map is None and found.phase_direction is None


def test_a_file_that_lacks_a_key_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'acquisition.json'
    path.write_text('{"slice_times": null}')
    with pytest.raises(KeyError, match='repetition_time'):
        read_acquisition(path)


def test_slices_are_brought_to_the_middle_of_their_times(tmp_path: Path) -> None:
    assert moment(read(tmp_path), 60) == pytest.approx(0.75)
    assert moment(read(tmp_path, slice_times=[0.2, 1.0]), 60) == pytest.approx(0.6)
    assert moment(read(tmp_path, slice_times=None), 60) is None
    assert moment(read(tmp_path), 4) is None
