"""Trains of spin echoes: which collections are one, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.interfaces.qmri_acquisition import Setting, parse_qmri_acquisition

#: Spacings of a train may differ by this share.
REGULAR = 0.02
#: The usual angle of refocusing, in degrees.
USUAL_ANGLE = 180.0


class Train(NamedTuple):
    """``order`` of the images along the train, the spacing in s, and the nominal angle."""

    order: NDArray[np.intp]
    spacing: float
    nominal: float


def read_train(images: Sequence[Setting]) -> Train:
    """Return the train that images are.

    Raises
    ------
    ValueError
        If they are none: the model needs echoes at 1, 2, 3, … times a spacing.
    """
    fault = train_fault(images)
    if fault:
        raise ValueError(fault)
    times = np.array([image.echo_time for image in images], float)
    angles = [image.metadata.get('RefocusingFlipAngle') for image in images]
    given = [float(angle) for angle in angles if isinstance(angle, int | float) and angle > 0]
    return Train(np.argsort(times), float(times.max() / len(times)), (given or [USUAL_ANGLE])[0])


def train_fault(images: Sequence[Setting]) -> str:
    """Say why images are no regular train of echoes, or nothing."""
    known = [image.echo_time for image in images if image.echo_time is not None]
    if len(known) < len(images):
        return f'{len(images) - len(known)} of {len(images)} images have no EchoTime'
    times = np.sort(np.array(known, float))
    spacing = times[-1] / len(times)
    if (np.abs(times - spacing * np.arange(1, len(times) + 1)) > REGULAR * spacing).any():
        listed = ', '.join(f'{1000 * time:g}' for time in times)
        return (
            'it needs echoes at 1, 2, 3, … times one spacing, as stimulated echoes depend on it; '
            f'here they are at {listed} ms'
        )
    return ''


def train_obstacle(acquisition: Mapping[str, Any], least: int) -> str:
    """Say why a collection does not do for a model that needs so many echoes, or nothing."""
    images = parse_qmri_acquisition(acquisition).settings
    if len(images) < least:
        return f'it needs {least} echoes or more, here are {len(images)}'
    return train_fault(images)
