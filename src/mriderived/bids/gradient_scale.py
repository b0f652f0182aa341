"""Units of b-values and lengths of directions: which are meant, and which cannot be told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.nifti_reading import BadImageError, Finding
from mriderived.shells import B0_THRESHOLD

#: Lengths that rounding explains, without a word.
ROUNDED = 0.02
#: Lengths that are still those of unit vectors, with a note.
NEARLY_UNIT = 0.1
#: Largest b-values of tables in ms/µm² and in s/mm² (no scanner reaches more), and the least one
#: of tables in s/m², by mistake; and what is unweighted in ms/µm².
LARGEST_IN_MS, LARGEST, SMALLEST_IN_SI = 20.0, 5e4, 5e7
_WEIGHTED_MS, _UNWEIGHTED_MS = 0.2, 0.05
#: How well squared lengths follow b-values where they stand for them.
_AGREEMENT = 0.08
#: b-values of one shell, as scanners report them, are within this share of each other.
_ONE_SHELL = 0.05
#: Lengths of different shells are further apart, and so many directions share one on average.
_BETWEEN_LEVELS = 0.015
_LEAST_OF_LEVEL = 3
#: Directions with smaller components are zero.
_NO_LENGTH = 1e-6
#: Up to this b-value, in s/mm², a volume counts as unweighted.
UNWEIGHTED = B0_THRESHOLD


def mend_units(
    path: Path, b: NDArray[np.float64], directions: NDArray[np.float64], findings: list[Finding]
) -> NDArray[np.float64]:
    """Return b-values in s/mm² where they are in ms/µm² or s/m² beyond doubt.

    Small values are taken for ms/µm² if six of them have a direction and others are nearly 0:
    unweighted volumes, whose b-values are small too, have no directions to speak of. Larger
    b-values than scanners reach, in either unit, are refused.
    """
    largest = float(b.max())
    if LARGEST < largest < SMALLEST_IN_SI or largest * 1e-6 > LARGEST:
        raise BadImageError(
            path,
            f'the largest b-value is {largest:g}, and no scanner reaches more than {LARGEST:g} '
            's/mm²',
            'b-values are in s/mm²: divide them by the factor that they were multiplied by.',
        )
    if largest >= SMALLEST_IN_SI:
        findings.append(_units(path, 's/m²', 1e-6))
        return b * 1e-6
    if not 0 < largest <= LARGEST_IN_MS:
        return b
    length = np.linalg.norm(np.nan_to_num(directions), axis=1)
    weighted = (b >= _WEIGHTED_MS) & (length > 0.5)
    if weighted.sum() < 6:
        return b
    if not (b <= _UNWEIGHTED_MS).any():
        raise BadImageError(
            path,
            f'the largest b-value is {largest:g} and none is 0',
            'b-values are in s/mm²: multiply them by 1000 if these are in ms/µm².',
        )
    findings.append(_units(path, 'ms/µm²', 1000))
    return b * 1000


def _units(path: Path, unit: str, factor: float) -> Finding:
    return (
        'gradient_units',
        unit,
        f'{path.name} is in {unit} instead of s/mm²: multiplied by {factor:g}.',
    )


def mend_unweighted(
    path: Path, b: NDArray[np.float64], directions: NDArray[np.float64], findings: list[Finding]
) -> NDArray[np.float64]:
    """Return b-values of 0 where the gradient has no length, if all b-values are one and the same.

    Where the length of the gradient stands for b, zero means no weighting. A mean over directions
    (trace), which has no direction either, comes with volumes of b = 0; there are none here.
    """
    without = np.logical_not(np.abs(np.nan_to_num(directions)).max(axis=1) >= _NO_LENGTH)
    if b.min() <= UNWEIGHTED or np.ptp(b) > _ONE_SHELL * b.max():
        return b
    if not 0 < 2 * np.count_nonzero(without) < len(b):
        return b
    findings.append((
        'gradient_units',
        'no length stands for b = 0',
        f'All b-values are {np.median(b):g} and none is 0: the {np.count_nonzero(without)} '
        f'volumes without a direction in {path.name} were taken for unweighted.',
    ))  # fmt: skip
    return np.where(without, 0.0, b)


def mend_lengths(
    path: Path,
    b: NDArray[np.float64],
    directions: NDArray[np.float64],
    weighted: NDArray[np.bool_],
    findings: list[Finding],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return b-values and unit vectors where lengths are meant for unity, or for b-values.

    Some scanners write the largest b-value for all volumes and scale the gradient instead, so
    that b goes with the squared length.
    """
    length = np.linalg.norm(directions, axis=1)
    unit = np.divide(
        directions, length[:, None], out=np.zeros_like(directions), where=length[:, None] > 0
    )
    seen, values = length[weighted], b[weighted]
    if not seen.size or np.abs(seen - 1).max() <= ROUNDED:
        return b, unit
    if _follow(seen, values):
        findings.append(_lengths('lengths repeat b-values', path, 'go with the root of b', seen))
    elif _stand_for_shells(seen, values):
        b = np.where(weighted, b * length**2, b)
        findings.append(_scaled(path, float(np.median(values)), b[weighted]))
    elif np.abs(seen - 1).max() <= NEARLY_UNIT:
        findings.append(_lengths('nearly unit vectors', path, 'are not quite 1', seen))
    else:
        wrong = np.flatnonzero(weighted & (np.abs(length - 1) > NEARLY_UNIT))
        one = wrong.size == 1
        are = 'direction is not a unit vector' if one else 'directions are not unit vectors'
        raise BadImageError(
            path,
            f'{wrong.size} {are} (that of volume {wrong[0] + 1} is {length[wrong[0]]:.3g} long)',
            'Directions are unit vectors and b-values stand in the .bval file, in s/mm².',
        )
    return b, unit


def _follow(length: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Tell whether there are several b-values, and squared lengths go with them."""
    ratio = b / length**2
    return bool(
        np.ptp(b) > _ONE_SHELL * b.max() and np.ptp(ratio) <= _AGREEMENT * np.median(ratio)
    )


def _stand_for_shells(length: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Tell whether there is one b-value and a few lengths, the largest of which is 1."""
    if np.ptp(b) > _ONE_SHELL * b.max() or abs(length.max() - 1) > ROUNDED:
        return False
    ascending = np.sort(length)
    gaps = np.flatnonzero(np.diff(ascending) > _BETWEEN_LEVELS) + 1
    levels = np.split(ascending, gaps)
    are_narrow = all(np.ptp(level) <= _BETWEEN_LEVELS for level in levels)
    return bool(len(levels) > 1 and are_narrow and len(length) >= _LEAST_OF_LEVEL * len(levels))


def _lengths(value: str, path: Path, how: str, length: NDArray[np.float64]) -> Finding:
    return (
        'gradient_units',
        value,
        f'The lengths of the directions in {path.name} {how} ({length.min():.3f} to '
        f'{length.max():.3f}): made unit vectors.',
    )


def _scaled(path: Path, before: float, after: NDArray[np.float64]) -> Finding:
    shells = ', '.join(f'{value:g}' for value in np.unique(np.round(after, -1)))
    return (
        'gradient_units',
        'lengths stand for b-values',
        f'Directions in {path.name} have several lengths where all b-values are {before:g}: these '
        f'were multiplied by squared lengths, which gives {shells} s/mm².',
    )
