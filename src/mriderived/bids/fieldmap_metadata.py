"""What the sidecars of field maps and EPI images must say, checked; every reason has a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nibabel import load as load_header

from mriderived.bids.dataset import Image

#: Field maps of these units can be used.
UNITS = {'Hz': 'Hz', 'hz': 'Hz', 'rad/s': 'rad/s', 'T': 'T', 'Tesla': 'T', 'tesla': 'T'}
DIRECTIONS = ('i', 'j', 'k', 'i-', 'j-', 'k-')
#: No EPI readout of a head is longer, in seconds; 1 and more is most likely in ms.
LONGEST_READOUT = 0.5
#: TotalReadoutTime and EffectiveEchoSpacing may disagree by this share.
TOLERANCE = 0.05
#: Shift of fat against water, in Hz per tesla: 3.4 ppm of 42.58 MHz.
FAT_SHIFT = 3.4 * 42.577


class MetadataError(ValueError):
    """Metadata that are missing or impossible: which file, and what to write there."""

    def __init__(self, image: Image, reason: str, remedy: str) -> None:
        super().__init__(f'{image.path.name}: {reason}; {remedy}')


class Readout(NamedTuple):
    """How the phase of an EPI image was encoded: direction, seconds, and where they are from."""

    direction: str
    total_readout_time: float
    source: str


def echo_times(image: Image) -> tuple[float, float]:
    """Return EchoTime1 and EchoTime2 of a phase difference, the shorter first.

    ``phase = echo 2 - echo 1``, so the order in the sidecar does not change the sign of the field.
    """
    first, second = (_time(image, key, 1.0) for key in ('EchoTime1', 'EchoTime2'))
    return _ordered(image, first, second)


def echo_times_of(first: Image, second: Image) -> tuple[float, float]:
    """Return the echo times of two phase images, which must be in order."""
    times = _time(first, 'EchoTime', 1.0), _time(second, 'EchoTime', 1.0)
    if times[0] > times[1]:
        raise MetadataError(
            first,
            f'its EchoTime ({times[0]:g} s) is longer than that of {second.path.name} '
            f'({times[1]:g} s)',
            'exchange the names phase1 and phase2',
        )
    return _ordered(first, *times)


def field_units(image: Image) -> str:
    """Return the units of a measured field map: Hz, rad/s or T."""
    units = image.metadata.get('Units')
    if units is None:
        raise MetadataError(image, 'Units is missing', 'add Units: Hz, rad/s or T')
    if units not in UNITS:
        raise MetadataError(image, f'Units {units!r} are unknown', 'use Hz, rad/s or T')
    return UNITS[units]


def phase_direction(image: Image) -> str:
    """Return the PhaseEncodingDirection of an EPI image."""
    direction = image.metadata.get('PhaseEncodingDirection')
    if direction is None:
        axis = image.metadata.get('PhaseEncodingAxis')
        known = f' (its axis is {axis}, the polarity is not known)' if axis else ''
        raise MetadataError(
            image,
            f'PhaseEncodingDirection is missing{known}',
            'add it as i, j, k, i-, j- or k- from the protocol of the scanner',
        )
    if direction not in DIRECTIONS:
        raise MetadataError(
            image,
            f'PhaseEncodingDirection {direction!r} is not valid',
            'write the axis of the stored image: i, j, k, i-, j- or k-',
        )
    return str(direction)


def readout(image: Image, shape_of: Callable[[Path], tuple[int, ...]] | None = None) -> Readout:
    """Return how an EPI image was encoded.

    The time is, in this order: ``TotalReadoutTime``; ``EffectiveEchoSpacing`` times lines less
    one, the lines being ``ReconMatrixPE`` or else the size of the image (``shape_of`` reads it);
    what dcm2niix estimated for Philips; ``WaterFatShift`` and ``MagneticFieldStrength``.
    """
    direction = phase_direction(image)
    time, source = _readout_time(image, direction, shape_of or read_shape)
    if time >= LONGEST_READOUT:
        raise MetadataError(
            image,
            f'{source} gives a readout of {time:g} s, which no EPI has',
            f'times are in seconds; is it {time / 1000:g}?',
        )
    return Readout(direction, time, source)


def read_shape(path: Path) -> tuple[int, ...]:
    """Return the size of an image from its header."""
    return tuple(int(size) for size in load_header(path).shape)


def _readout_time(
    image: Image, direction: str, shape_of: Callable[[Path], tuple[int, ...]]
) -> tuple[float, str]:
    metadata = image.metadata
    spacing = 'EffectiveEchoSpacing'
    if 'TotalReadoutTime' in metadata:
        time = _time(image, 'TotalReadoutTime', 1000.0)
        if spacing in metadata and 'ReconMatrixPE' in metadata:
            other = _time(image, spacing, 1000.0) * (_lines(image, direction, shape_of) - 1)
            if abs(other - time) > TOLERANCE * time:
                raise MetadataError(
                    image,
                    f'TotalReadoutTime is {time:g} s but EffectiveEchoSpacing * '
                    f'(ReconMatrixPE - 1) is {other:g} s',
                    'correct one of them or remove the wrong one',
                )
        return time, 'TotalReadoutTime'
    if spacing in metadata:
        lines = _lines(image, direction, shape_of)
        return _time(image, spacing, 1000.0) * (lines - 1), spacing
    if 'EstimatedTotalReadoutTime' in metadata:
        return _time(image, 'EstimatedTotalReadoutTime', 1000.0), 'EstimatedTotalReadoutTime'
    if 'WaterFatShift' in metadata and 'MagneticFieldStrength' in metadata:
        lines = _lines(image, direction, shape_of)
        return _water_fat_time(image, lines), 'WaterFatShift'
    raise MetadataError(
        image,
        'TotalReadoutTime and EffectiveEchoSpacing are missing',
        'add TotalReadoutTime in seconds, or convert it with a recent dcm2niix',
    )


def _water_fat_time(image: Image, lines: int) -> float:
    """Fat is displaced by ``WaterFatShift`` voxels along the phase axis, and by how many Hz."""
    shift = _number(image, 'WaterFatShift', 1000.0)
    field = _number(image, 'MagneticFieldStrength', 20.0)
    return shift / (FAT_SHIFT * field) * (lines - 1) / lines


def _lines(image: Image, direction: str, shape_of: Callable[[Path], tuple[int, ...]]) -> int:
    if 'ReconMatrixPE' in image.metadata:
        return int(_number(image, 'ReconMatrixPE', 4096.0))
    return shape_of(image.path)['ijk'.index(direction[0])]


def _ordered(image: Image, first: float, second: float) -> tuple[float, float]:
    if first == second:
        raise MetadataError(
            image, f'both echo times are {first:g} s', 'write those of the two echoes, in seconds'
        )
    return min(first, second), max(first, second)


def _time(image: Image, key: str, most: float) -> float:
    value = _number(image, key, most=float('inf'))
    if value >= most:
        raise MetadataError(
            image, f'{key} is {value:g}', f'times are in seconds: write {value / 1000:g}'
        )
    return value


def _number(image: Image, key: str, most: float) -> float:
    value = image.metadata.get(key)
    if value is None:
        raise MetadataError(image, f'{key} is missing', 'add it to the JSON sidecar')
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MetadataError(image, f'{key} is {value!r}, not a number', 'write a plain number')
    if not 0 < value <= most:
        raise MetadataError(image, f'{key} is {value:g}, which is impossible', 'correct it')
    return float(value)
