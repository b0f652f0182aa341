"""What goes with a collection of quantitative MRI, as one JSON file that nodes read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Setting:
    """One volume of a collection: its files and parameters; times in s, angles in degrees.

    ``path`` is the magnitude or, where ``part`` is ``real``, the real part; then values have a
    sign unless ``imag`` is there as well. Settings with the same ``group`` are of one
    acquisition. Parameters are nothing where they are not known.
    """

    path: Path
    part: str
    phase: Path | None
    imag: Path | None
    group: int
    echo_time: float | None
    repetition_time: float | None
    preparation_time: float | None
    inversion_time: float | None
    flip_angle: float | None
    mt: bool | None
    metadata: Mapping[str, Any]

    @property
    def is_signed(self) -> bool:
        """Whether the volume of the series may be negative."""
        return self.part == 'real' and self.imag is None

    @property
    def has_phase(self) -> bool:
        """Whether the phase of the volume is known."""
        return self.phase is not None or self.imag is not None


@dataclass(frozen=True)
class QmriAcquisition:
    """How a collection was acquired: its settings in the order of the volumes of its series.

    ``reference`` is the number of the setting with which the others are aligned.
    ``transmit_field`` holds kind, files and parameters of the measurement of B1+, or nothing,
    for which ``field_reason`` tells why. ``unit1`` is the image that the scanner made of MP2RAGE.
    """

    collection: str
    settings: tuple[Setting, ...]
    reference: int
    transmit_field: Mapping[str, Any] | None
    field_reason: str
    unit1: Path | None
    body_part: str
    notes: tuple[str, ...]

    def values(self, name: str) -> tuple[Any, ...]:
        """Return one parameter of every setting."""
        return tuple(getattr(setting, name) for setting in self.settings)


def read_qmri_acquisition(path: Path) -> QmriAcquisition:
    """Read what the plan has written; see :mod:`mriderived.workflows.qmri_source`."""
    return parse_qmri_acquisition(json.loads(path.read_text()))


def parse_qmri_acquisition(content: Mapping[str, Any]) -> QmriAcquisition:
    """Return the content of such a file as what it is."""
    return QmriAcquisition(
        collection=content['collection'],
        settings=tuple(_setting(image) for image in content['images']),
        reference=int(content['reference']),
        transmit_field=content['transmit_field'],
        field_reason=content['field_reason'],
        unit1=Path(content['unit1']) if content['unit1'] else None,
        body_part=content['body_part'],
        notes=tuple(content['notes']),
    )


def _setting(image: Mapping[str, Any]) -> Setting:
    files = {
        name: Path(image[name]) if image[name] else None for name in ('path', 'phase', 'imag')
    }
    return Setting(**{**image, **files})
