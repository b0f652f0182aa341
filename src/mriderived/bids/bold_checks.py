"""Look at a BOLD series before any computation: refuse what is broken, flag what is unusual.

The rule of :mod:`mriderived.bids.image_checks` for series: refused where any result would be
wrong. What only takes a step away (slice times, phase-encode direction) is a flag with a note, and
the step is left out. Volumes are read one after the other; three are in memory at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.bold_timing import repetition_time, slice_times, time_findings
from mriderived.bids.image_checks import MAX_MISSING_IN_HEAD, BadImageError, foreground
from mriderived.bids.known_files import Look
from mriderived.bids.nifti_reading import Finding
from mriderived.bids.orientation import Geometry, find_geometry
from mriderived.bids.series_reading import SeriesHeader, iterate_volumes, read_series_header
from mriderived.bids.wording import count

__all__ = ['BadImageError', 'BoldCheck', 'check_bold', 'look_at_series']

#: Share of the head's voxels that never change above which the series is no series.
MAX_CONSTANT = 0.5
#: Flags of T1w images that say nothing about BOLD, whose voxels are always large.
_OF_T1W = ('low_resolution', 'anisotropic')
#: With fewer volumes nothing can be told of changes over time.
MIN_VOLUMES = 4
#: A volume is extreme whose mean is so many times that of the median volume, or that part of it.
EXTREME = 10.0
_RESCAN = 'Take the series from its original source again, or leave it out with .bidsignore.'


@dataclass(frozen=True)
class BoldCheck:
    """What is worth knowing of a series that can be processed.

    ``flags``, ``notes`` and ``rows`` are as in an ``ImageCheck``. ``slice_times`` are in
    seconds along the slice axis, None where there are none to be used; ``phase_direction`` is
    None where it is missing or not valid.
    """

    path: Path
    notes: tuple[str, ...]
    flags: Mapping[str, str | float]
    rows: tuple[tuple[str, str], ...]
    volumes: int
    repetition_time: float
    slice_times: tuple[float, ...] | None
    phase_direction: str | None


def check_bold(path: Path, metadata: Mapping[str, Any], look: Look | None = None) -> BoldCheck:
    """Check one series; raise :class:`BadImageError` if it cannot be processed.

    ``look`` stands for :func:`look_at_series`, which reads all of the series.

    Flags beside those of the geometry: ``no_header_time``, ``time_units``, ``short_series``
    (seconds), ``volume_timing``, ``slice_timing`` and ``phase_encoding`` (why they are not used),
    ``missing_values`` (voxels of all volumes), ``constant_voxels`` (share of the head),
    ``repeated_volumes`` (number), ``extreme_volumes`` (number), ``negative_values`` (share of
    the head).
    """
    series = read_series_header(path)
    _require_volumes(path, series)
    geometry = find_geometry(path, series.header, series.repaired, series.shape[:3])
    time = repetition_time(path, metadata, series.repaired)
    times, reason = slice_times(metadata, series.shape, time)
    direction, complaint = phase_encoding(metadata)
    findings = [
        *(f for f in geometry.findings if f[0] not in _OF_T1W),
        *time_findings(metadata, series.repaired, series.shape[3], time),
        *unused('slice_timing', reason, 'Slice times were not corrected'),
        *unused('phase_encoding', complaint, 'Distortion cannot be corrected'),
        *(look or look_at_series)(path),
    ]
    return BoldCheck(
        path=path,
        notes=tuple(sentence for _, _, sentence in findings),
        flags={flag: value for flag, value, _ in findings},
        rows=_rows(series, geometry, time),
        volumes=series.shape[3],
        repetition_time=time,
        slice_times=times,
        phase_direction=direction,
    )


def look_at_series(path: Path) -> tuple[Finding, ...]:
    """Check the values of a series; raise :class:`BadImageError` if they cannot be used."""
    values = _read_values(path, read_series_header(path).shape)
    return tuple(_value_findings(path, values))


def _require_volumes(path: Path, series: SeriesHeader) -> None:
    if series.shape[3] == 1:
        raise BadImageError(
            path,
            'this is one volume, not a series',
            'A single volume is an sbref; take the whole series or leave it out with .bidsignore.',
        )
    if series.shape[3] < MIN_VOLUMES:
        raise BadImageError(
            path,
            f'a series of {series.shape[3]} volumes is too short, {MIN_VOLUMES} are the least',
            'Take the whole series, or leave it out with .bidsignore.',
        )


def phase_encoding(metadata: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the phase-encode direction if it can be used, else why not."""
    direction = metadata.get('PhaseEncodingDirection')
    if direction is None:
        return None, None
    if direction not in ('i', 'j', 'k', 'i-', 'j-', 'k-'):
        return None, f'PhaseEncodingDirection {direction!r} is not one of i, j, k, i-, j-, k-'
    slices = str(metadata.get('SliceEncodingDirection', 'k'))
    if direction[0] == slices[:1]:
        return None, f'PhaseEncodingDirection {direction} is along the slices'
    return str(direction), None


def unused(flag: str, reason: str | None, effect: str) -> Iterator[Finding]:
    """Give the finding on something that is left out, if there is a reason."""
    if reason is not None:
        yield flag, reason, f'{effect}: {reason}.'


class _Values:
    """What is kept of the volumes: the range of each voxel and a few counts."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.low = np.full(shape, np.inf, np.float32)
        self.high = np.full(shape, -np.inf, np.float32)
        self.head: NDArray[np.bool_] | None = None
        self.missing = 0
        self.without_numbers: list[int] = []
        #: The most voxels of the head without a number in one volume, and those of the head.
        self.worst = (0, 1)
        self.means: dict[int, float] = {}
        self.empty: list[int] = []
        self.repeated = 0

    def add(self, number: int, volume: NDArray[np.float32]) -> None:
        finite = np.isfinite(volume)
        missing = int(volume.size - np.count_nonzero(finite))
        if missing:
            self._add_missing(number, finite, missing)
        known = volume if not missing else volume[finite]
        if known.size == 0:
            return
        if known.min() == known.max():
            self.empty.append(number)
            return
        if self.head is None:
            self.head = foreground(volume)
        self.means[number] = float(np.abs(known).mean(dtype=np.float64))
        np.minimum(self.low, volume, out=self.low, where=finite)
        np.maximum(self.high, volume, out=self.high, where=finite)

    def _add_missing(self, number: int, finite: NDArray[np.bool_], missing: int) -> None:
        self.missing += missing
        head = np.ones(finite.shape, bool) if self.head is None else self.head
        lost, size = int(np.count_nonzero(head & ~finite)), int(np.count_nonzero(head))
        if lost > MAX_MISSING_IN_HEAD * size:
            self.without_numbers.append(number)
            self.worst = max(self.worst, (lost, size))

    def find_extreme(self) -> list[int]:
        """Return the numbers of the volumes that are far brighter or darker than the others."""
        usual = float(np.median(list(self.means.values())))
        return [
            number
            for number, mean in self.means.items()
            if not usual / EXTREME <= mean <= usual * EXTREME
        ]


def _read_values(path: Path, shape: Sequence[int]) -> _Values:
    values = _Values(shape[:3])
    before = None
    for number, volume in enumerate(iterate_volumes(path), start=1):
        values.add(number, volume)
        values.repeated += before is not None and np.array_equal(before, volume)
        before = volume
    _require_signal(path, values, shape[3])
    return values


def _require_signal(path: Path, values: _Values, total: int) -> None:
    lost, size = values.worst
    for numbers, what, more in (
        (
            values.without_numbers,
            f'have NaN or infinite values in more than {MAX_MISSING_IN_HEAD:.1%} of the head',
            f' (at most {lost} of {size} voxels)',
        ),
        (values.empty, 'hold one value everywhere', ''),
    ):
        if len(numbers) == total:
            raise BadImageError(path, f'all {total} volumes {what}{more}', _RESCAN)
        if numbers:
            raise BadImageError(
                path,
                f'{len(numbers)} of {total} volumes {what}{more}: {_listed(numbers)}',
                'Filters would carry them into the others. Take the series from its source again; '
                'where they are at the end, cut them off.',
            )
    if values.head is None:
        raise BadImageError(path, 'no volume holds a head', _RESCAN)


def _listed(numbers: Sequence[int]) -> str:
    return ', '.join(map(str, numbers[:12])) + (', …' if len(numbers) > 12 else '')


def _value_findings(path: Path, values: _Values) -> Iterator[Finding]:
    head = values.head
    if head is None:
        return
    if values.missing:
        yield (
            'missing_values',
            float(values.missing),
            f'{count(values.missing, "value")} without a number (NaN or infinite) became 0.',
        )
    constant = float(np.mean(values.low[head] == values.high[head]))
    if constant > MAX_CONSTANT:
        raise BadImageError(
            path, f'{constant:.0%} of the head never change: the volumes are copies', _RESCAN
        )
    if constant > 0.001:
        yield (
            'constant_voxels',
            round(constant, 4),
            f'{constant:.1%} of the head never change; no measure is made of these voxels.',
        )
    if values.repeated:
        yield (
            'repeated_volumes',
            float(values.repeated),
            f'Exact copies of the one before: {count(values.repeated, "volume")}.',
        )
    extreme = values.find_extreme()
    if extreme:
        yield (
            'extreme_volumes',
            float(len(extreme)),
            f'More than {EXTREME:g} times as bright or as dark as the others: '
            f'{count(len(extreme), "volume")} ({_listed(extreme)}). Look '
            'at the series: another conversion may mend it, and --denoising auto+scrub censors '
            'such volumes.',
        )
    negative = float(np.mean(values.low[head] < 0))
    if negative > 0.01:
        yield (
            'negative_values',
            round(negative, 4),
            f'{negative:.0%} of the head are negative at some time: is this a magnitude series?',
        )


def _rows(series: SeriesHeader, geometry: Geometry, time: float) -> tuple[tuple[str, str], ...]:
    volumes = series.shape[3]
    return (
        ('Orientation', ''.join(nib.aff2axcodes(geometry.affine))),
        ('Matrix', ' × '.join(map(str, series.shape[:3]))),
        ('Voxel size (mm)', ' × '.join(f'{size:.3g}' for size in geometry.voxel_mm)),
        ('Volumes', str(volumes)),
        ('Repetition time (s)', f'{time:.4g}'),
        ('Duration (min)', f'{volumes * time / 60:.1f}'),
        ('Data type', series.header.get_data_dtype().name),
        ('Orientation from', geometry.source),
    )
