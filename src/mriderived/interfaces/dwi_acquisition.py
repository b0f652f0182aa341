"""What goes with a raw diffusion series, as one JSON file that nodes read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients, make_gradients


@dataclass(frozen=True)
class DwiPart:
    """One file of an acquisition: b (n,) in s/mm², directions (n, 3) in world axes, its readout.

    ``volumes`` are the numbers of the n volumes in the file that are to be used.
    ``phase_direction`` and ``readout_time`` (s) are nothing where they are not known.
    """

    path: Path
    volumes: tuple[int, ...]
    b: NDArray[np.float64]
    directions: NDArray[np.float64]
    phase_direction: str | None
    readout_time: float | None


@dataclass(frozen=True)
class DwiAcquisition:
    """How a series was acquired, after its metadata were checked, and what belongs to it.

    ``slice_times`` in s are along ``slice_axis``, nothing where they are not known.
    ``field_map`` holds kind, files and metadata of the images that correct distortion, if there
    are any, with respect to the first part; ``notes`` tell how they were chosen.
    """

    repetition_time: float
    slice_times: tuple[float, ...] | None
    slice_axis: int
    parts: tuple[DwiPart, ...]
    field_map: Mapping[str, Any] | None
    notes: tuple[str, ...]

    @property
    def phase_direction(self) -> str | None:
        """The phase-encode direction of the first part, to which displacements refer."""
        return self.parts[0].phase_direction

    @property
    def encoding(self) -> NDArray[np.int64]:
        """The number of the phase encoding of each volume, 0 for that of the first part."""
        known = list(dict.fromkeys(part.phase_direction for part in self.parts))
        numbers = [known.index(part.phase_direction) for part in self.parts]
        return np.repeat(numbers, [len(part.b) for part in self.parts])

    @property
    def gradients(self) -> Gradients:
        """The table of all parts, one after the other."""
        return make_gradients(
            np.concatenate([part.b for part in self.parts]),
            np.concatenate([part.directions for part in self.parts]),
        )


def read_dwi_acquisition(path: Path) -> DwiAcquisition:
    """Read what the plan has written; see :mod:`mriderived.workflows.dwi_source`."""
    content = json.loads(path.read_text())
    times = content['slice_times']
    return DwiAcquisition(
        repetition_time=float(content['repetition_time']),
        slice_times=tuple(times) if times else None,
        slice_axis=int(content['slice_axis']),
        parts=tuple(
            DwiPart(
                path=Path(part['path']),
                volumes=tuple(part['volumes']),
                b=np.asarray(part['b'], np.float64),
                directions=np.asarray(part['directions'], np.float64).reshape(-1, 3),
                phase_direction=part['phase_direction'],
                readout_time=part['readout_time'],
            )
            for part in content['parts']
        ),
        field_map=content['field_map'],
        notes=tuple(content['notes']),
    )
