"""What goes with a raw image, as one JSON file that nodes read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Acquisition:
    """The metadata of a raw image, and the files that belong to it.

    ``echoes`` are the files of a multi-echo run with their echo times in s, the shortest first;
    otherwise it has one entry. ``field_map`` is what was chosen to correct distortion.
    """

    metadata: Mapping[str, Any]
    echoes: tuple[tuple[Path, float | None], ...]
    events: Path | None = None
    field_map: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def repetition_time(self) -> float:
        """Seconds between volumes."""
        return float(self.metadata['RepetitionTime'])


def read_acquisition(path: Path) -> Acquisition:
    """Read what the plan has written; see :mod:`mriderived.workflows.sources`."""
    content = json.loads(path.read_text())
    return Acquisition(
        metadata=content['metadata'],
        echoes=tuple((Path(echo['path']), echo['echo_time']) for echo in content['echoes']),
        events=Path(content['events']) if content.get('events') else None,
        field_map=content.get('field_map'),
        notes=tuple(content.get('notes', ())),
    )
