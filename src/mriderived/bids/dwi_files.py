"""Which gradient table belongs to a diffusion image, and which images belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mriderived.bids.dataset import Image
from mriderived.bids.gradient_files import (
    B0_THRESHOLD,
    CONVERT,
    GradientFiles,
    read_gradient_files,
)
from mriderived.bids.names import InvalidNameError, split_name
from mriderived.bids.nifti_reading import BadImageError
from mriderived.bids.series_reading import read_series_header


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
    # of parts, the entities are those that all have in common: those of the name count
    own = split_name(image.path).entities
    return name.suffix == image.suffix and name.entities.items() <= own.items()


def require_gradient_file(image: Image, extension: str, bids_dir: Path) -> Path:
    """Return the ``.bval`` or ``.bvec`` of an image; raise :class:`BadImageError` without one."""
    path = find_gradient_file(image, extension, bids_dir)
    if path is None:
        stem = image.path.name.split('.')[0]
        raise BadImageError(
            image.path,
            f'it has no {extension} file',
            f'Put {stem}{extension} beside it. {CONVERT}',
        )
    return path


def read_table(image: Image, bids_dir: Path, volumes: int) -> GradientFiles:
    """Read the table of an image; raise :class:`BadImageError` where it cannot be used."""
    bval, bvec = (require_gradient_file(image, end, bids_dir) for end in ('.bval', '.bvec'))
    return read_gradient_files(bval, bvec, volumes, image.path.name)


def is_unweighted(image: Image, bids_dir: Path) -> bool:
    """Tell whether no volume of an image is weighted, as far as its header and b-values tell.

    A single volume without b-values is not weighted: scanners leave the file out then.
    """
    bval = find_gradient_file(image, '.bval', bids_dir)
    try:
        length = read_series_header(image.path).shape[3]
        if bval is None:
            return length == 1
        if find_gradient_file(image, '.bvec', bids_dir) is not None:
            # in which unit b-values are, directions help to tell
            return bool((read_table(image, bids_dir, length).b <= B0_THRESHOLD).all())
        b = np.array(bval.read_text().replace(',', ' ').split(), float)
    except (BadImageError, ValueError, OSError):
        return False  # what is wrong with it is told where it is checked
    return bool(b.size and (b <= B0_THRESHOLD).all())


def find_unweighted(image: Image, bids_dir: Path) -> tuple[int, ...]:
    """Return the numbers of the volumes without diffusion weighting, from 0."""
    length = read_series_header(image.path).shape[3]
    if length == 1 and is_unweighted(image, bids_dir):
        return (0,)
    b = read_table(image, bids_dir, length).b
    return tuple(int(number) for number in np.flatnonzero(b <= B0_THRESHOLD))
