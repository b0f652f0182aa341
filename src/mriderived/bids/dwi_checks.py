"""Look at a diffusion series before any computation: refuse what is broken, flag the unusual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.bold_checks import look_at_series, phase_encoding, unused
from mriderived.bids.bold_timing import slice_times
from mriderived.bids.dataset import Image
from mriderived.bids.dwi_files import read_table, require_gradient_file
from mriderived.bids.dwi_parts import MAX_DEGREES, MAX_MM
from mriderived.bids.gradient_checks import check_gradients
from mriderived.bids.known_files import Look
from mriderived.bids.nifti_reading import BadImageError, Finding
from mriderived.bids.orientation import compare_affines, find_geometry
from mriderived.bids.series_reading import read_series_header

__all__ = [
    'BadImageError',
    'DwiCheck',
    'check_dwi',
    'look_at_dwi',
    'require_different',
    'require_same_grid',
]

#: Flags of T1w images that say nothing about EPI, whose voxels are always large.
_OF_T1W = ('low_resolution', 'anisotropic')


@dataclass(frozen=True)
class DwiCheck:
    """What is worth knowing of a diffusion series that can be processed.

    ``flags``, ``notes`` and ``rows`` are as in an ``ImageCheck``; ``volumes`` (n,) are the
    numbers of those to be used, ``b`` (n,) their b-values in s/mm² and ``directions`` (n, 3) unit
    vectors in FSL's axes.
    """

    path: Path
    notes: tuple[str, ...]
    flags: Mapping[str, str | float]
    rows: tuple[tuple[str, str], ...]
    repetition_time: float
    slice_times: tuple[float, ...] | None
    phase_direction: str | None
    volumes: NDArray[np.intp]
    b: NDArray[np.float64]
    directions: NDArray[np.float64]
    affine: NDArray[np.float64]
    shape: tuple[int, ...]


def check_dwi(image: Image, bids_dir: Path, look: Look | None = None) -> DwiCheck:
    """Check one series and its table; raise :class:`BadImageError` if it cannot be processed.

    ``look`` stands for :func:`look_at_dwi`, which reads all of the series.
    """
    path = image.path
    series = read_series_header(path)
    geometry = find_geometry(path, series.header, series.repaired, series.shape[:3])
    table = read_table(image, bids_dir, series.shape[3])
    bval = require_gradient_file(image, '.bval', bids_dir)
    judged = check_gradients(bval, table, is_weighted=False)
    if series.shape[3] == 1:
        raise BadImageError(
            path,
            'this is one volume, not a series',
            'A single volume can correct the distortion of a series: name it in fmap as epi, or '
            'leave it out with .bidsignore.',
        )
    time = _repetition_time(image.metadata, series.repaired)
    times, reason = slice_times(image.metadata, series.shape, time) if time else (None, None)
    direction, complaint = phase_encoding(image.metadata)
    findings = [
        *(f for f in geometry.findings if f[0] not in _OF_T1W),
        *unused('slice_timing', reason, 'Slice times were not used'),
        *unused('phase_encoding', complaint, 'Distortion cannot be corrected'),
        *judged.findings,
        *(look or look_at_dwi)(path),
    ]
    return DwiCheck(
        path=path,
        notes=tuple(sentence for _, _, sentence in findings),
        flags={flag: value for flag, value, _ in findings},
        rows=(
            ('Orientation', ''.join(nib.aff2axcodes(geometry.affine))),
            ('Matrix', ' × '.join(map(str, series.shape[:3]))),
            ('Voxel size (mm)', ' × '.join(f'{size:.3g}' for size in geometry.voxel_mm)),
            ('Volumes', str(series.shape[3])),
            ('b-values (s/mm²)', judged.describe()),
            ('Data type', series.header.get_data_dtype().name),
            ('Orientation from', geometry.source),
        ),
        repetition_time=time,
        slice_times=times,
        phase_direction=direction,
        volumes=np.flatnonzero(table.used),
        b=table.b[table.used],
        directions=table.directions[table.used],
        affine=geometry.affine,
        shape=series.shape,
    )


def look_at_dwi(path: Path) -> tuple[Finding, ...]:
    """Check the values of a series; raise :class:`BadImageError` if they cannot be used."""
    return look_at_series(path)


def require_same_grid(parts: Sequence[DwiCheck]) -> None:
    """Raise if parts of one acquisition do not lie on one grid."""
    first = parts[0]
    for other in parts[1:]:
        if other.shape[:3] != first.shape[:3]:
            raise BadImageError(
                other.path,
                f'its matrix {" x ".join(map(str, other.shape[:3]))} is not that of '
                f'{first.path.name} ({" x ".join(map(str, first.shape[:3]))}), with which it '
                'shares MultipartID',
                'Take MultipartID off one of them, or take the series from its source again.',
            )
        degrees, shift = compare_affines(first.affine, other.affine, first.shape[:3])
        if degrees > MAX_DEGREES or shift > MAX_MM:
            raise BadImageError(
                other.path,
                f'it lies {degrees:.1f} degrees and {shift:.1f} mm off {first.path.name}, with '
                'which it shares MultipartID',
                'Parts of one acquisition have one field of view: take MultipartID off one.',
            )


def require_different(parts: Sequence[DwiCheck]) -> None:
    """Raise if two parts of one acquisition hold the same volumes; this reads one of each.

    Repetitions have one table, too, but no two images have the same noise.
    """
    for number, other in enumerate(parts):
        for first in parts[:number]:
            if _is_same_table(first, other) and _is_same_volume(first.path, other.path):
                raise BadImageError(
                    other.path,
                    f'it holds the same volumes and gradients as {first.path.name}, with which it '
                    'is one series: all would count twice',
                    'Remove one of the two, or take the right file from its source.',
                )


def _is_same_table(one: DwiCheck, other: DwiCheck) -> bool:
    return one.shape == other.shape and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ('volumes', 'b', 'directions')
    )


def _is_same_volume(one: Path, other: Path) -> bool:
    first, second = (np.asanyarray(nib.load(path).dataobj[..., 0]) for path in (one, other))
    return bool(first.any() and np.array_equal(first, second))


def _repetition_time(metadata: Mapping[str, Any], header: Any) -> float:
    """Return the repetition time in s, 0 where nothing tells it; results do not depend on it."""
    value = metadata.get('RepetitionTime', header.get_zooms()[3:4] or 0)
    try:
        time = float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError):
        return 0.0
    return time if 0 < time < 100 else 0.0
