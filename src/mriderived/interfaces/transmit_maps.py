"""Turn the images of a transmit field (B1+) into a map over its nominal value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.fit_outcome import count_outcomes
from mriderived.core.masks import find_signal
from mriderived.core.transmit_field import (
    TransmitField,
    field_from_angles,
    field_from_double_angle,
    field_from_two_delays,
)
from mriderived.interfaces.qmri_images import Matrix, Volume, load_volume, move

#: The median of a field over its nominal value lies here, whatever was measured.
LIKELY, PLAUSIBLE = (0.75, 1.3), (0.5, 1.6)
#: Two units whose ratios to 1 differ by less, as logarithms, cannot be told apart.
CLEARLY = 0.05
#: What sidecars call the units.
UNITS = {
    'percent': 'percent', '%': 'percent', 'p.u.': 'percent', 'ratio': 'ratio', '1': 'ratio',
    'degree': 'degrees', 'degrees': 'degrees', 'deg': 'degrees',
    'tenths of degrees': 'tenths of degrees', 'per mille': 'per mille', '‰': 'per mille',
}  # fmt: skip


class FieldMap(NamedTuple):
    """A field over its nominal value, NaN where there is none, and what it was made of.

    ``anatomy`` is an image at the same position in which structures are seen, or nothing.
    ``notes`` are sentences for people.
    """

    values: Volume
    affine: Matrix
    anatomy: Volume | None
    algorithm: str
    reference: str
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()


#: Where each way to measure the field is described.
REFERENCES = {
    'TB1map': 'https://bids-specification.readthedocs.io',
    'TB1DAM': 'https://doi.org/10.1006/jmra.1993.1133',
    'TB1AFI': 'https://doi.org/10.1002/mrm.21120',
    'TB1TFL': 'https://doi.org/10.1002/mrm.22423',
}


def compute_field(field: Mapping[str, Any]) -> FieldMap:
    """Compute the field from its images; see :mod:`mriderived.bids.transmit_fields`.

    Raises
    ------
    ValueError
        If the values are no field of any unit that is in use.
    """
    files = {role: Path(path) for role, path in field['files'].items()}
    return {
        'TB1map': _from_map,
        'TB1DAM': _from_double_angle,
        'TB1AFI': _from_two_delays,
        'TB1TFL': _from_angles,
    }[field['kind']](files, field)


def _from_map(files: Mapping[str, Path], field: Mapping[str, Any]) -> FieldMap:
    values, affine = load_volume(files['map'])
    known = values > 0
    if not known.any():
        raise ValueError(f'{files["map"].name} holds no value above 0')
    middle = float(np.median(values[known]))
    name, scale, notes = _choose_unit(middle, field, files['map'].name)
    found = field_from_angles(values.ravel(), 1.0, scale=scale)
    read = _finish(found, values, affine, None, f'as given, in {name}', REFERENCES['TB1map'])
    return read._replace(notes=notes)


def _choose_unit(
    middle: float, field: Mapping[str, Any], file: str
) -> tuple[str, float, tuple[str, ...]]:
    """Return the unit of a map with this median, what it is divided by, and sentences on that.

    ``Units`` decides. Without it the unit is the one that brings the median nearest to 1 (by
    ratio); of units that are about as near, the first: BIDS recommends percent.
    """
    angle = field['flip_angle']
    scales = {'percent': 100.0, 'ratio': 1.0}
    if angle:
        scales |= {'degrees': angle, 'tenths of degrees': 10 * angle}
    scales['per mille'] = 1000.0
    told = UNITS.get(field['metadata'].get('units', '').strip().lower(), '')
    if told and told not in scales:
        raise ValueError(
            f'the Units of {file} are {told}, and its FlipAngle is missing: add FlipAngle'
        )
    names = [told] if told else list(scales)
    away = {name: abs(float(np.log(middle / scales[name]))) for name in names}
    least = min(away.values())
    name = next(name for name in names if away[name] <= least + CLEARLY)
    if not _is_within(middle / scales[name], PLAUSIBLE):
        raise ValueError(
            f'the median of {file} is {middle:.4g}, which is no transmit field in percent (about '
            '100), as a ratio (about 1), or in degrees of its FlipAngle: correct its values or '
            'Units'
        )
    likely = [other for other in names if _is_within(middle / scales[other], LIKELY)]
    notes = (_doubt(file, name, likely),) if len(likely) > 1 else ()
    return name, scales[name], notes


def _is_within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _doubt(file: str, name: str, likely: list[str]) -> str:
    others = ' or '.join(other for other in likely if other != name)
    return (
        f'{file} was read in {name}, but its values may be in {others} as well: write Units into '
        'its sidecar.'
    )


def _from_angles(files: Mapping[str, Path], field: Mapping[str, Any]) -> FieldMap:
    values, affine = load_volume(files['angles'])
    anatomy = _beside(files['anatomy'], affine, values.shape) if 'anatomy' in files else None
    inside = values > 0
    if anatomy is not None:
        inside &= find_signal(anatomy)
    if not inside.any():
        raise ValueError(f'{files["angles"].name} holds no value above 0')
    angle = float(field['flip_angle'])
    middle = float(np.median(values[inside]))
    for scale in (1.0, 10.0):
        if PLAUSIBLE[0] <= middle / (scale * angle) <= PLAUSIBLE[1]:
            break
    else:
        raise ValueError(
            f'the median of {files["angles"].name} is {middle:.4g}, which is neither degrees nor '
            f'tenths of degrees of a FlipAngle of {angle:g}: correct FlipAngle'
        )
    found = field_from_angles(np.where(inside, values, 0).ravel(), angle, scale=scale)
    return _finish(
        found, values, affine, anatomy, 'map of flip angles (TB1TFL)',
        REFERENCES['TB1TFL'],
    )  # fmt: skip


def _from_double_angle(files: Mapping[str, Path], field: Mapping[str, Any]) -> FieldMap:
    first, affine = load_volume(files['small'])
    pair = _pair(first, _beside(files['large'], affine, first.shape))
    found = field_from_double_angle(pair, float(field['flip_angle']))
    return _finish(found, first, affine, first, 'double angle', REFERENCES['TB1DAM'])


def _from_two_delays(files: Mapping[str, Path], field: Mapping[str, Any]) -> FieldMap:
    first, affine = load_volume(files['first'])
    pair = _pair(first, _beside(files['second'], affine, first.shape))
    short, long = field['repetition_times']
    found = field_from_two_delays(pair, (short, long), float(field['flip_angle']))
    return _finish(
        found, first, affine, first, 'actual flip-angle imaging',
        REFERENCES['TB1AFI'],
    )  # fmt: skip


def _pair(first: Volume, second: Volume) -> NDArray[np.float32]:
    """Return two images as signals of voxels, 0 outside of the head."""
    inside = find_signal(first)
    return np.stack([np.where(inside, image, 0).ravel() for image in (first, second)], axis=1)


def _beside(path: Path, affine: Matrix, shape: tuple[int, ...]) -> Volume:
    """Return an image of the same measurement on the grid of another."""
    image, there = load_volume(path)
    if image.shape == shape and np.allclose(there, affine, atol=1e-3):
        return image
    return move(image, there, np.eye(4), affine, shape)


def _finish(
    found: TransmitField,
    like: Volume,
    affine: Matrix,
    anatomy: Volume | None,
    algorithm: str,
    reference: str,
) -> FieldMap:
    values = found.field.reshape(like.shape)
    counts = count_outcomes(found.outcome)
    return FieldMap(values, affine, anatomy, algorithm, reference, counts)
