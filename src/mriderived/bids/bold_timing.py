"""Times of a BOLD series: what the sidecar says, what the header says, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib

from mriderived.bids.nifti_reading import BadImageError, Finding
from mriderived.bids.sidecar import sidecar_path
from mriderived.bids.wording import count

#: No BOLD series is slower, in seconds; more is most likely in ms.
LONGEST_TR = 20.0
SHORTEST_TR = 0.05
#: Header and sidecar may differ by this share.
TOLERANCE = 0.01
_SECONDS = {'sec': 1.0, 'msec': 1e-3, 'usec': 1e-6}
_DIRECTIONS = ('i', 'j', 'k', 'i-', 'j-', 'k-')


def repetition_time(path: Path, metadata: Mapping[str, Any], header: nib.Nifti1Header) -> float:
    """Return the repetition time in seconds; raise if missing, impossible or contradicted."""
    stored = header_time(header)
    value = metadata.get('RepetitionTime')
    sidecar = sidecar_path(path).name
    if value is None:
        _raise_missing(path, metadata, stored)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadImageError(
            path,
            f'RepetitionTime is {value!r}, not a number',
            f'Write it as a number in {sidecar}.',
        )
    time = float(value)
    if time > LONGEST_TR and SHORTEST_TR <= time / 1000 <= LONGEST_TR:
        raise BadImageError(
            path,
            f'RepetitionTime is {time:g}, which looks like milliseconds',
            f'BIDS counts in seconds: write {time / 1000:g} in {sidecar}.',
        )
    if not SHORTEST_TR <= time <= LONGEST_TR:
        raise BadImageError(
            path, f'a RepetitionTime of {time:g} s is impossible', f'Correct it in {sidecar}.'
        )
    if stored is not None and abs(stored - time) > TOLERANCE * time:
        raise BadImageError(
            path,
            f'the header gives a repetition time of {stored:g} s, the sidecar {time:g} s',
            'Look at the protocol and correct the one that is wrong (pixdim[4] of the header, or '
            f'RepetitionTime in {sidecar}).',
        )
    return time


def header_time(header: nib.Nifti1Header) -> float | None:
    """Return the header's repetition time in seconds, or None if it holds none.

    0 and, without a unit, 1 are what programs write that know no time. Without a unit, or with
    seconds where no series is as slow, large numbers are milliseconds.
    """
    stored, unit = float(header['pixdim'][4]), header.get_xyzt_units()[1]
    if not 0 < stored < float('inf') or (stored == 1 and unit not in _SECONDS):
        return None
    if unit in ('msec', 'usec') and stored * _SECONDS[unit] >= SHORTEST_TR:
        return stored * _SECONDS[unit]
    return stored / 1000 if stored > LONGEST_TR else stored


def time_findings(
    metadata: Mapping[str, Any], header: nib.Nifti1Header, volumes: int, time: float
) -> Iterator[Finding]:
    """Tell what is unusual about the times of a series that can be used."""
    stored, unit = float(header['pixdim'][4]), header.get_xyzt_units()[1]
    if header_time(header) is None:
        yield 'no_header_time', stored, 'The header holds no repetition time; the sidecar does.'
    elif abs(stored * _SECONDS.get(unit, 1.0) - time) > TOLERANCE * time:
        yield (
            'time_units',
            unit,
            f'The header gives times in {unit}, but pixdim[4] = {stored:g} fits another unit.',
        )
    if volumes * time < 120:
        yield (
            'short_series',
            round(volumes * time, 1),
            f'The series lasts {volumes * time:.0f} s: its connectivity is unreliable.',
        )
    if 'VolumeTiming' in metadata:
        yield 'volume_timing', 'yes', 'VolumeTiming was not used: RepetitionTime counts.'


def slice_times(
    metadata: Mapping[str, Any], shape: Sequence[int], time: float
) -> tuple[tuple[float, ...] | None, str | None]:
    """Return the slice times in seconds, or None and (if there are any) why they are not used."""
    values = metadata.get('SliceTiming')
    if values is None:
        return None, None
    if not isinstance(values, list) or not all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in values
    ):
        return None, 'SliceTiming is not a list of numbers'
    direction = metadata.get('SliceEncodingDirection', 'k')
    if direction not in _DIRECTIONS:
        return None, f'SliceEncodingDirection {direction!r} is not one of i, j, k, i-, j-, k-'
    slices = shape['ijk'.index(direction[0])]
    if len(values) != slices:
        return None, f'SliceTiming has {count(len(values), "value")} for {count(slices, "slice")}'
    low, high = min(values), max(values)
    if not all(0 <= value < float('inf') for value in values):
        return None, f'SliceTiming holds impossible values (from {low:g} to {high:g})'
    if high > time:
        unit = '; it looks like milliseconds' if high / 1000 <= time else ''
        return None, f'SliceTiming reaches {high:g} s but a volume takes {time:g} s{unit}'
    if low == high:
        return None, 'all values of SliceTiming are the same'
    times = tuple(float(value) for value in values)
    return (times[::-1] if direction.endswith('-') else times), None


def _raise_missing(path: Path, metadata: Mapping[str, Any], stored: float | None) -> None:
    sidecar = sidecar_path(path).name
    if 'VolumeTiming' in metadata:
        raise BadImageError(
            path,
            'the series has VolumeTiming instead of RepetitionTime: its volumes are not evenly '
            'spaced in time',
            'Such series are not processed; leave it out with .bidsignore.',
        )
    guess = f' (the header says {stored:g} s)' if stored is not None else ''
    raise BadImageError(
        path,
        f'RepetitionTime is missing{guess}',
        f'Add it, in seconds, to {sidecar} or to a sidecar that all runs of the task inherit.',
    )


def slice_axis(metadata: Mapping[str, Any]) -> int:
    """Return the axis of the array along which slices lie; the third where it is not told.

    >>> slice_axis({'SliceEncodingDirection': 'j-'}), slice_axis({'SliceEncodingDirection': 'z'})
    (1, 2)
    """
    direction = str(metadata.get('SliceEncodingDirection', 'k'))
    return 'ijk'.index(direction[0]) if direction in ('i', 'j', 'k', 'i-', 'j-', 'k-') else 2
