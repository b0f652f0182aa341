"""What the units of one participant start from: raw images, checked, with what goes with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mriderived.bids.dataset import Image, find_images, read_filters, reference_image
from mriderived.bids.image_checks import BadImageError, ImageCheck, check_image
from mriderived.bids.status import shorten_paths
from mriderived.config import Config

#: The resource that a raw image offers, by BIDS suffix; T1w first, for others lean on it.
RAW_RESOURCES: Mapping[str, str] = {'T1w': 'raw_t1w', 'bold': 'raw_bold'}


@dataclass(frozen=True)
class Source:
    """One raw image from which measures are derived.

    ``fault`` says why it cannot be processed. ``lender`` is the path of the T1w image whose
    resources it may use, below the dataset, or empty. ``content`` is the hash of everything
    that its results depend on.
    """

    image: Image
    relative: str
    fault: str = ''
    is_reference: bool = True
    lender: str = ''
    content: str = ''
    check: ImageCheck | None = field(default=None, hash=False)
    #: What goes with the image, as it is written for the nodes; see :func:`describe`.
    acquisition: Mapping[str, Any] = field(default_factory=dict, hash=False)


def find_sources(
    config: Config, participant: str, suffixes: Sequence[str] = tuple(RAW_RESOURCES)
) -> tuple[Source, ...]:
    """Find the images of one participant, check them, and choose the reference of each session."""
    filters = read_filters(config.bids_filter_file) if config.bids_filter_file else None
    images = find_images(
        config.bids_dir,
        participant,
        suffixes=suffixes,
        sessions=config.session_labels,
        filters=filters,
    )
    sources: list[Source] = []
    for suffix in suffixes:
        found = [_check(config, image) for image in images if image.suffix == suffix]
        sources += _with_references(found)
    return tuple(_with_lender(source, sources) for source in sources)


def _check(config: Config, image: Image) -> Source:
    relative = image.relative(config.bids_dir)
    if image.fault:
        return Source(image, relative, shorten_paths(image.fault, config.bids_dir))
    try:
        check = check_image(image.path)
    except BadImageError as error:
        return Source(image, relative, shorten_paths(str(error), config.bids_dir))
    return Source(image, relative, check=check, content=hash_file(image.path))


def _with_references(sources: Sequence[Source]) -> list[Source]:
    """Mark one source of each session; one that cannot be read only where there is no other."""
    chosen = set()
    for session in {source.image.session for source in sources}:
        mine = [source for source in sources if source.image.session == session]
        sound = [source for source in mine if not source.fault] or mine
        chosen.add(reference_image([source.image for source in sound]))
    return [replace(source, is_reference=source.image in chosen) for source in sources]


def _with_lender(source: Source, sources: Iterable[Source]) -> Source:
    """Name the T1w image that others of a session lean on: of the same session, or the first."""
    if source.image.suffix == 'T1w':
        return source
    heads = [other for other in sources if other.image.suffix == 'T1w' and other.is_reference]
    heads.sort(key=lambda head: (head.image.session != source.image.session, head.relative))
    if not heads:
        return source
    content = digest(source.content, heads[0].content)
    return replace(source, lender=heads[0].relative, content=content)


def digest(*parts: str) -> str:
    """Return a short hash of some texts."""
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]


def hash_file(path: Path) -> str:
    """Return the hash of what a file holds."""
    with path.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()
