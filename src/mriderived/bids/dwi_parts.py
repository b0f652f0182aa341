"""Which diffusion images of a session are parts of one acquisition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import nibabel as nb

from mriderived.bids.dataset import Image
from mriderived.bids.dwi_files import find_unweighted, read_table
from mriderived.bids.fieldmap_metadata import MetadataError, readout
from mriderived.bids.gradient_checks import LEAST_DIRECTIONS, check_gradients
from mriderived.bids.nifti_reading import BadImageError
from mriderived.bids.orientation import compare_affines
from mriderived.bids.series_reading import read_series_header

Parts = tuple[Image, ...]
#: Parts of one acquisition may differ by so much.
MAX_DEGREES, MAX_MM = 0.1, 0.1


def gather_parts(images: Sequence[Image], bids_dir: Path) -> Iterator[Parts]:
    """Give the parts of each acquisition.

    Those are images of one session with the same MultipartID and phase encoding. Two acquisitions
    of opposite phase encoding are one where they share MultipartID, or where their names differ
    in ``dir`` alone and both have directions; but only if each can be corrected with the other.
    Else each is a series of its own.
    """
    series = _same_encoding(images)
    taken: set[int] = set()
    for place, parts in enumerate(series):
        if place in taken:
            continue
        for later in range(place + 1, len(series)):
            if later not in taken and _belong_together(parts, series[later], series, bids_dir):
                taken.add(later)
                parts = (*parts, *series[later])
                break
        yield parts


def _same_encoding(images: Sequence[Image]) -> list[Parts]:
    groups: dict[object, list[Image]] = {}
    for image in sorted(images, key=lambda image: image.path):
        together = image.metadata.get('MultipartID')
        encoding = image.metadata.get('PhaseEncodingDirection')
        known = (image.session, str(together), encoding)
        key = known if together is not None else image.path
        groups.setdefault(key, []).append(image)
    return [tuple(group) for group in groups.values()]


def _belong_together(some: Parts, others: Parts, every: Sequence[Parts], bids_dir: Path) -> bool:
    first, second = some[0], others[0]
    if first.session != second.session or not _are_opposite(first, second):
        return False
    together = [image.metadata.get('MultipartID') for image in (first, second)]
    if together[0] != together[1]:
        return False
    is_named = together[0] is not None
    if not is_named and not _differ_in_direction(first, second, every):
        return False
    return all(
        _can_be_corrected(image, first, bids_dir, needs_directions=not is_named)
        for image in (*some, *others)
    )


def _are_opposite(first: Image, second: Image) -> bool:
    one, other = (str(i.metadata.get('PhaseEncodingDirection', '')) for i in (first, second))
    return bool(one) and one != other and one.rstrip('-') == other.rstrip('-')


def _differ_in_direction(first: Image, second: Image, every: Sequence[Parts]) -> bool:
    """Tell whether two names are the same but for ``dir``, and no third one is."""
    rest = _without_direction(first)
    alike = [parts for parts in every if _without_direction(parts[0]) == rest]
    return _without_direction(second) == rest and len(alike) == 2


def _without_direction(image: Image) -> dict[str, str]:
    return {key: value for key, value in image.entities.items() if key != 'dir'}


def _can_be_corrected(
    image: Image, first: Image, bids_dir: Path, *, needs_directions: bool
) -> bool:
    """Tell whether the readout of a part is known, and it has all that opposite parts need."""
    if image.fault:
        return False
    try:
        readout(image)
        header = read_series_header(image.path)
        table = read_table(image, bids_dir, header.shape[3])
        unweighted = find_unweighted(image, bids_dir)
        mine, its = nb.load(first.path), nb.load(image.path)
    except (BadImageError, MetadataError):
        return False  # what is wrong with it is told where it is checked
    shells = check_gradients(image.path, table, is_weighted=False).shells
    if needs_directions and max((s.directions for s in shells), default=0) < LEAST_DIRECTIONS:
        return False
    if not unweighted or mine.shape[:3] != its.shape[:3]:
        return False
    degrees, shift = compare_affines(mine.affine, its.affine, mine.shape[:3])
    return degrees <= MAX_DEGREES and shift <= MAX_MM
