"""Read b-values and directions as FSL writes them, and as people hand them on.

What can only be meant in one way is repaired, and a finding says so; anything else is refused.
Directions stay along FSL's axes here: only `core` knows the world.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.gradient_scale import (
    UNWEIGHTED,
    mend_lengths,
    mend_units,
    mend_unweighted,
)
from mriderived.bids.nifti_reading import BadImageError, Finding

#: Up to this b-value, in s/mm², a volume counts as unweighted.
B0_THRESHOLD = UNWEIGHTED
CONVERT = 'Convert the series from DICOM again (dcm2niix writes both files).'


class GradientFiles(NamedTuple):
    """The table of a series of n volumes.

    ``b`` (n,) in s/mm²; ``directions`` (n, 3) along FSL's axes, unit vectors where b is above
    the threshold and zeros elsewhere; ``used`` (n,) is False for volumes to be left out: they are
    weighted, but have no direction. ``findings`` say what was repaired.
    """

    b: NDArray[np.float64]
    directions: NDArray[np.float64]
    used: NDArray[np.bool_]
    findings: tuple[Finding, ...]


def read_gradient_files(bval: Path, bvec: Path, volumes: int, image: str = '') -> GradientFiles:
    """Read and repair a table; raise :class:`BadImageError` where it cannot be used.

    ``volumes`` is how many the series has, ``image`` its name for messages. Flags:
    ``gradient_layout`` (transposed), ``gradient_units`` (b-values, or lengths of directions),
    ``without_direction`` (number of volumes).
    """
    findings: list[Finding] = []
    values, vectors = _read_numbers(bval), _read_numbers(bvec)
    b = _row(bval, values, vectors, findings)
    directions = _columns(bvec, vectors, findings)
    _require_counts(bval, bvec, len(b), len(directions), volumes, image)
    _require_numbers(bval, b)
    b = mend_units(bval, b, directions, findings)
    b = mend_unweighted(bvec, b, directions, findings)
    weighted = b > B0_THRESHOLD
    directions = _require_directions(bvec, directions, weighted)
    used = _find_directed(bvec, directions, weighted, findings)
    b, directions = mend_lengths(bvec, b, directions, weighted & used, findings)
    directions[b <= B0_THRESHOLD] = 0
    return GradientFiles(b, directions, used, tuple(findings))


def listed(indices: NDArray[np.intp]) -> str:
    """Name volumes by number, from 1, as in 'volumes 3, 7 and 9'."""
    numbers = [str(index + 1) for index in indices[:10]]
    if len(indices) > 10:
        return f'volumes {", ".join(numbers)} and {len(indices) - 10} more'
    if len(numbers) == 1:
        return f'volume {numbers[0]}'
    return f'volumes {", ".join(numbers[:-1])} and {numbers[-1]}'


def _read_numbers(path: Path) -> NDArray[np.float64]:
    """Return the numbers of a file, a row for each line; spaces, commas, semicolons part them."""
    try:
        text = path.read_bytes().decode('utf-8-sig')
    except FileNotFoundError as error:
        raise BadImageError(
            path, 'there is no such file', f'{CONVERT} Or get it: datalad get {path}'
        ) from error
    except OSError as error:
        raise BadImageError(path, f'it cannot be read ({error.strerror})', CONVERT) from error
    except UnicodeDecodeError as error:
        raise BadImageError(path, 'it is not a text file', CONVERT) from error
    lines = [line.partition('#')[0] for line in text.splitlines()]
    rows = [words for words in (re.findall(r'[^\s,;\[\]]+', line) for line in lines) if words]
    if not rows:
        raise BadImageError(path, 'it is empty', CONVERT)
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise BadImageError(
            path,
            f'its lines hold {" or ".join(str(n) for n in sorted(lengths))} numbers',
            f'Every line needs one for each volume. {CONVERT}',
        )
    try:
        return np.array(rows, np.float64)
    except ValueError as error:
        raise BadImageError(path, f'it holds more than numbers ({error})', CONVERT) from error


def _row(
    path: Path,
    values: NDArray[np.float64],
    vectors: NDArray[np.float64],
    findings: list[Finding],
) -> NDArray[np.float64]:
    """Return the b-values of either layout."""
    if 3 in values.shape and 1 not in values.shape and 1 in vectors.shape:
        raise BadImageError(
            path,
            'it holds directions, and the .bvec file b-values',
            'Exchange the names of the two files.',
        )
    if 1 not in values.shape:
        raise BadImageError(
            path,
            f'it has {values.shape[0]} lines of {values.shape[1]} numbers',
            f'A .bval file has one line, with one number for each volume. {CONVERT}',
        )
    if values.shape[1] == 1 and values.shape[0] > 1:
        findings.append(_layout(path))
    return values.ravel()


def _columns(
    path: Path, values: NDArray[np.float64], findings: list[Finding]
) -> NDArray[np.float64]:
    """Return the directions (n, 3) of either layout; three by three is taken as it should be."""
    if values.shape[0] == 3:
        return values.T.copy()
    if values.shape[1] == 3:
        findings.append(_layout(path))
        return values.copy()
    hint = ''
    if 4 in values.shape:
        hint = 'Four columns (x, y, z, b) are another format: mrconvert -export_grad_fsl. '
    raise BadImageError(
        path,
        f'it has {values.shape[0]} lines of {values.shape[1]} numbers',
        f'{hint}A .bvec file has three lines (x, y, z), with one number for each volume.',
    )


def _layout(path: Path) -> Finding:
    return (
        'gradient_layout',
        'transposed',
        f'{path.name} has one line for each volume instead of one column: it was transposed.',
    )


def _require_counts(
    bval: Path, bvec: Path, values: int, vectors: int, volumes: int, image: str
) -> None:
    of = f' of {image}' if image else ''
    remedy = (
        'All belong to one conversion: look for files of another run, or for volumes that were '
        f'cut off the series alone. {CONVERT}'
    )
    for path, count, what in ((bval, values, 'b-value'), (bvec, vectors, 'direction')):
        if count != volumes:
            said = f'it has {_counted(count, what)} for {_counted(volumes, "volume")}{of}'
            raise BadImageError(path, said, remedy)


def _counted(count: int, what: str) -> str:
    return f'{count} {what}' if count == 1 else f'{count} {what}s'


def _require_numbers(path: Path, b: NDArray[np.float64]) -> None:
    wrong = np.flatnonzero(~np.isfinite(b) | (b < 0))
    if wrong.size:
        raise BadImageError(
            path,
            f'the b-values of {listed(wrong)} are negative or not a number',
            f'{CONVERT} Or write what the protocol says.',
        )


def _require_directions(
    path: Path, directions: NDArray[np.float64], weighted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Require numbers where they count; elsewhere (b = 0) they become 0."""
    missing = np.logical_not(np.isfinite(directions).all(axis=1))
    wrong = np.flatnonzero(np.logical_and(missing, weighted))
    if wrong.size:
        raise BadImageError(path, f'the directions of {listed(wrong)} are not numbers', CONVERT)
    return np.where(missing[:, None], 0.0, directions)


def _find_directed(
    path: Path,
    directions: NDArray[np.float64],
    weighted: NDArray[np.bool_],
    findings: list[Finding],
) -> NDArray[np.bool_]:
    """Leave out weighted volumes whose direction is zero, unless these are the most."""
    without = np.logical_and(weighted, np.abs(directions).max(axis=1) < 1e-6)
    index = np.flatnonzero(without)
    if index.size and 2 * index.size >= np.count_nonzero(weighted):
        raise BadImageError(
            path,
            f'the directions of {listed(index)} are zero, though their b-values are not',
            f'{CONVERT} A mean over directions (trace) is no series: leave it out with '
            '.bidsignore.',
        )
    findings.extend(_left_out(index))
    return np.asarray(np.logical_not(without), np.bool_)


def _left_out(index: NDArray[np.intp]) -> Iterator[Finding]:
    if index.size:
        verb = 'has' if index.size == 1 else 'have'
        yield (
            'without_direction',
            float(index.size),
            f'{listed(index).capitalize()} {verb} a b-value but no direction, as means over '
            'directions that scanners add (trace): left out.',
        )
