"""What goes with a raw BOLD run, as one JSON file that nodes read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Acquisition:
    """How a run was acquired, after its metadata were checked, and the files that belong to it.

    Times are in s. ``slice_times`` are along ``slice_axis``, nothing where they are not known.
    ``echoes`` are the files of a multi-echo run with their echo times, the shortest first;
    otherwise there is one. ``field_map`` holds kind, files and metadata of the images that
    correct distortion, if there are any; ``notes`` tell how they were chosen. ``slice_fault``
    says why slice times that are there are not used.
    """

    repetition_time: float
    slice_times: tuple[float, ...] | None
    slice_axis: int
    phase_direction: str | None
    task: str
    echoes: tuple[tuple[Path, float | None], ...]
    events: Path | None
    field_map: Mapping[str, Any] | None
    notes: tuple[str, ...]
    slice_fault: str = ''


def read_phase_direction(path: Path) -> str | None:
    """Return the phase-encode direction of a BOLD run or a diffusion series."""
    direction = json.loads(path.read_text())['phase_direction']
    return None if direction is None else str(direction)


def read_acquisition(path: Path) -> Acquisition:
    """Read what the plan has written; see :mod:`mriderived.workflows.sources`."""
    content = json.loads(path.read_text())
    times = content['slice_times']
    return Acquisition(
        repetition_time=float(content['repetition_time']),
        slice_times=tuple(times) if times else None,
        slice_axis=int(content['slice_axis']),
        phase_direction=content['phase_direction'],
        task=str(content['task']),
        echoes=tuple((Path(echo['path']), echo['echo_time']) for echo in content['echoes']),
        events=Path(content['events']) if content['events'] else None,
        field_map=content['field_map'],
        notes=tuple(content['notes']),
        slice_fault=str(content.get('slice_fault', '')),
    )
