"""The gradient table that belongs to a diffusion image: found by inheritance, read, repaired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.dataset import Image
from mriderived.bids.names import InvalidNameError, split_name
from mriderived.bids.nifti_reading import BadImageError
from mriderived.bids.series_reading import read_series_header

#: Up to this b-value, in s/mm², a volume counts as unweighted.
B0_THRESHOLD = 50.0
#: Lengths of directions that are taken for those of unit vectors, rounded.
UNIT = (0.9, 1.1)
#: b-values below this, all of them, are in ms/µm² or T/m: nobody measures so little.
SMALLEST_B = 20.0


class Table(NamedTuple):
    """b-values (n,) in s/mm², directions (n, 3) in FSL's axes, and sentences on repairs."""

    b: NDArray[np.float64]
    directions: NDArray[np.float64]
    notes: tuple[str, ...]


def find_gradient_file(image: Image, extension: str, bids_dir: Path) -> Path | None:
    """Return the ``.bval`` or ``.bvec`` of an image by the inheritance principle.

    The nearest folder counts first; within it, the file that shares most of the name.
    """
    root = bids_dir.absolute()
    folder = image.path.parent
    while True:
        found = [p for p in folder.glob(f'*{extension}') if _applies(p, image)]
        if found:
            return max(found, key=lambda path: (len(split_name(path).entities), path.name))
        if folder in (root, folder.parent):
            return None
        folder = folder.parent


def _applies(path: Path, image: Image) -> bool:
    try:
        name = split_name(path)
    except InvalidNameError:
        return False
    return name.suffix == image.suffix and name.entities.items() <= {**image.entities}.items()


def read_table(image: Image, bids_dir: Path, volumes: int) -> Table:
    """Read the table of an image; raise :class:`BadImageError` where it cannot be used.

    A transposed table is turned, which a note says.
    """
    files = {end: find_gradient_file(image, end, bids_dir) for end in ('.bval', '.bvec')}
    for extension, path in files.items():
        if path is None:
            raise BadImageError(
                image.path,
                f'it has no {extension} file',
                f'Put {image.path.name.split(".")[0]}{extension} beside it, or leave the image '
                'out with .bidsignore.',
            )
    bval, bvec = Path(str(files['.bval'])), Path(str(files['.bvec']))
    b = _read_numbers(bval).ravel()
    directions, notes = _upright(bvec, _read_numbers(bvec))
    for path, count in ((bval, len(b)), (bvec, len(directions))):
        if count != volumes:
            raise BadImageError(
                path,
                f'{count} {"b-values" if path == bval else "directions"} for {volumes} volumes of '
                f'{image.path.name}',
                'Both belong to one conversion: convert the series again (dcm2niix), or look for '
                'a mixed-up pair.',
            )
    return Table(b, _check(bval, bvec, b, directions), tuple(notes))


def _read_numbers(path: Path) -> NDArray[np.float64]:
    try:
        rows = [line.split() for line in path.read_text().replace(',', ' ').splitlines()]
        return np.array([row for row in rows if row], np.float64)
    except (ValueError, UnicodeDecodeError) as error:
        raise BadImageError(
            path, f'it is no table of numbers ({error})', 'Convert the series again (dcm2niix).'
        ) from error
    except OSError as error:
        raise BadImageError(path, f'it cannot be read ({error})', 'Get it: datalad get') from error


def _upright(path: Path, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
    if values.ndim == 2 and values.shape[0] == 3:
        return values.T, []
    if values.ndim == 2 and values.shape[1] == 3:
        return values, [f'{path.name} has one line for each volume: it was transposed.']
    raise BadImageError(
        path,
        f'it has {values.shape[0] if values.ndim == 2 else 1} lines, not three',
        'A bvec file has three lines (x, y, z) with one number for each volume.',
    )


def _check(
    bval: Path, bvec: Path, b: NDArray[np.float64], directions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return unit vectors for the weighted volumes, zeros for the others."""
    if not np.isfinite(b).all() or (b < 0).any():
        wrong = np.flatnonzero(~np.isfinite(b) | (b < 0)) + 1
        raise BadImageError(
            bval, f'b-values that are no numbers or negative: {_listed(wrong)}', _CONVERT
        )
    if 0 < b.max(initial=0) < SMALLEST_B:
        raise BadImageError(
            bval,
            f'the largest b-value is {b.max():g}',
            f'b-values are in s/mm²: is it {1000 * b.max():g}?',
        )
    weighted = b > B0_THRESHOLD
    if not np.isfinite(directions[weighted]).all():
        wrong = np.flatnonzero(weighted & ~np.isfinite(directions).all(axis=1)) + 1
        raise BadImageError(
            bvec, f'directions that are no numbers, of volumes {_listed(wrong)}', _CONVERT
        )
    length = np.linalg.norm(np.nan_to_num(directions), axis=1)
    wrong = np.flatnonzero(weighted & ((length < UNIT[0]) | (length > UNIT[1])))
    if wrong.size:
        raise BadImageError(
            bvec,
            f'directions of volumes {_listed(wrong + 1)} are not unit vectors (the first is '
            f'{length[wrong[0]]:.3g} long)',
            'Convert the series again. Where lengths stand for b-values, write these to the '
            '.bval file and unit vectors here.',
        )
    unit = np.zeros_like(directions)
    unit[weighted] = directions[weighted] / length[weighted, None]
    return unit


_CONVERT = 'Convert the series again (dcm2niix), or cut these volumes off.'


def _listed(numbers: NDArray[np.int64]) -> str:
    return ', '.join(map(str, numbers[:10])) + (', …' if len(numbers) > 10 else '')


def is_unweighted(image: Image, bids_dir: Path) -> bool:
    """Tell whether no volume of an image is weighted, as far as its header and b-values tell.

    A single volume without b-values is not: scanners leave the file out then.
    """
    bval = find_gradient_file(image, '.bval', bids_dir)
    try:
        if bval is None:
            return read_series_header(image.path).shape[3] == 1
        b = _read_numbers(bval)
    except BadImageError:
        return False  # what is wrong with it is told where it is checked
    return bool(b.size and (b <= B0_THRESHOLD).all())


def find_unweighted(image: Image, bids_dir: Path) -> tuple[int, ...]:
    """Return the numbers of the volumes without diffusion weighting, from 0."""
    length = read_series_header(image.path).shape[3]
    if length == 1 and is_unweighted(image, bids_dir):
        return (0,)
    b = read_table(image, bids_dir, length).b
    return tuple(int(number) for number in np.flatnonzero(b <= B0_THRESHOLD))


def gather_parts(images: list[Image]) -> Iterator[tuple[Image, ...]]:
    """Give the parts of each acquisition: images of one session with the same MultipartID."""
    groups: dict[object, list[Image]] = {}
    for image in sorted(images, key=lambda image: image.path):
        together = image.metadata.get('MultipartID')
        key = (image.session, str(together)) if together is not None else image.path
        groups.setdefault(key, []).append(image)
    for group in groups.values():
        yield tuple(group)
