"""What the units of one participant start from: raw images, checked, with what goes with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from mriderived.bids.bold_checks import BoldCheck
from mriderived.bids.dataset import Image, find_images, read_filters, reference_image
from mriderived.bids.dwi_checks import DwiCheck
from mriderived.bids.fieldmaps import SUFFIXES as FIELD_MAPS
from mriderived.bids.image_checks import BadImageError, ImageCheck
from mriderived.bids.known_files import KnownFiles, known_files_path
from mriderived.bids.lesion_masks import SUFFIXES as LESION_MASKS
from mriderived.bids.qmri_collections import KIND as QMRI
from mriderived.bids.qmri_collections import kind_of, name_collection
from mriderived.bids.status import shorten_paths
from mriderived.config import Config
from mriderived.workflows.bold_source import check_run, fingerprint_run
from mriderived.workflows.contrast_source import CONTRASTS, check_contrast
from mriderived.workflows.dwi_source import (
    check_diffusion,
    fingerprint_diffusion,
    join_diffusion,
)
from mriderived.workflows.qmri_source import (
    SOURCE_SUFFIXES,
    check_collection,
    fingerprint_collection,
    list_collections,
)

#: The resource that a raw image offers, by its kind; T1w first, for others lean on it. A kind is
#: a BIDS suffix, or ``qmri`` for all of quantitative MRI.
RAW_RESOURCES: Mapping[str, str] = {
    'T1w': 'raw_t1w',
    'bold': 'raw_bold',
    'dwi': 'raw_dwi',
    **CONTRASTS,
    QMRI: 'raw_qmri',
}


AnyCheck = ImageCheck | BoldCheck | DwiCheck
Check = Callable[[tuple[Image, ...]], tuple[AnyCheck | None, dict[str, Any]]]
Hash = Callable[[Path], str]


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
    check: AnyCheck | None = field(default=None, hash=False)
    #: What goes with the image, as nodes read it; see ``interfaces.acquisition``.
    acquisition: Mapping[str, Any] = field(default_factory=dict, hash=False)
    #: The mask of lesions that somebody drew on the image.
    lesion_mask: Path | None = None
    #: Why nothing is measured on a sound image that was recognised; most have none.
    lack: str = ''


def find_sources(
    config: Config,
    participant: str,
    kinds: Sequence[str] = tuple(RAW_RESOURCES),
    files: KnownFiles | None = None,
    *,
    is_hashed: bool = True,
) -> tuple[Source, ...]:
    """Find the images of one participant, check them, and choose the reference of each session.

    Without ``is_hashed`` no source has a content: there is nothing to compare it with.
    """
    files = files or known_files(config, participant)
    filters = read_filters(config.bids_filter_file) if config.bids_filter_file else None
    images = find_images(
        config.bids_dir,
        participant,
        suffixes=(
            *list_suffixes(kinds),
            *(FIELD_MAPS if {'bold', 'dwi'} & {*kinds} else ()),
            *(LESION_MASKS if config.lesions != 'ignore' else ()),
        ),
        sessions=config.session_labels,
        filters=filters,
    )
    sources: list[Source] = []
    for suffix in list_suffixes(kinds):
        check: Check = partial(_CHECKS[kind_of(suffix)], config, files, images)
        hash_of = files.hash if is_hashed else None
        runs = _join(images, suffix, config.bids_dir)
        sources += _with_references([_check(config, run, check, hash_of) for run in runs])
    return tuple(_with_lender(source, sources) for source in sources)


def list_suffixes(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the BIDS suffixes of images of these kinds."""
    return tuple(
        suffix for kind in kinds for suffix in (SOURCE_SUFFIXES if kind == QMRI else (kind,))
    )


def known_files(config: Config, participant: str, *, is_preview: bool = False) -> KnownFiles:
    """Return what earlier runs know of the raw files of one participant."""
    path = known_files_path(config.out_dir, participant)
    return KnownFiles(path, config.bids_dir, is_preview=is_preview)


def _join(images: Iterable[Image], suffix: str, bids_dir: Path) -> Iterator[tuple[Image, ...]]:
    """Gather the echoes of a run, or the parts of a diffusion acquisition, the first first.

    Phase images have no part in it.
    """
    if kind_of(suffix) == QMRI:
        yield from list_collections(images, suffix)
        return
    images = [image for image in images if image.suffix == suffix]
    if images and suffix == 'dwi':
        yield from join_diffusion(images, bids_dir)
        return
    runs: dict[tuple[Any, ...], list[Image]] = {}
    for image in images:
        if image.entities.get('part', 'mag') == 'mag':
            rest = [item for item in image.entities.items() if item[0] != 'echo']
            alone = image.path if 'echo' not in image.entities else None
            runs.setdefault((image.path.parent, alone, *rest), []).append(image)
    for run in runs.values():
        run.sort(key=lambda image: int(image.entities.get('echo', '0')))
        first = run[0]
        if len(run) > 1:
            rest = [item for item in first.entities.items() if item[0] != 'echo']
            first = replace(first, entities=dict(rest))
        yield (first, *run[1:])


def _check(config: Config, run: tuple[Image, ...], check: Check, hash_of: Hash | None) -> Source:
    image = name_collection(run[0]) if kind_of(run[0].suffix) == QMRI else run[0]
    relative = image.relative(config.bids_dir)
    faults = [part.fault for part in run if part.fault]
    if faults:
        return Source(image, relative, shorten_paths(faults[0], config.bids_dir))
    try:
        found, acquisition = check(run)
    except BadImageError as error:
        return Source(image, relative, shorten_paths(str(error), config.bids_dir))
    mask = acquisition.pop('lesion_mask', None)
    content = _content(run, mask, acquisition, hash_of) if hash_of else ''
    return Source(image, relative, check=found, content=content, acquisition=acquisition,
                  lesion_mask=mask, lack=acquisition.get('lack', ''))  # fmt: skip


def _check_structural(
    config: Config, files: KnownFiles, images: Iterable[Image], run: tuple[Image, ...]
) -> tuple[ImageCheck, dict[str, Any]]:
    return check_contrast(config.bids_dir, files, images, run)


def _check_bold(
    config: Config, files: KnownFiles, images: Iterable[Image], run: tuple[Image, ...]
) -> tuple[BoldCheck, dict[str, Any]]:
    return check_run(config.bids_dir, files, images, run)


def _check_dwi(
    config: Config, files: KnownFiles, images: Iterable[Image], run: tuple[Image, ...]
) -> tuple[DwiCheck, dict[str, Any]]:
    return check_diffusion(config.bids_dir, files, images, run)


def _check_qmri(
    config: Config, files: KnownFiles, images: Iterable[Image], run: tuple[Image, ...]
) -> tuple[ImageCheck | None, dict[str, Any]]:
    return check_collection(config.bids_dir, files, images, run)


_CHECKS: Mapping[str, Callable[..., tuple[AnyCheck | None, dict[str, Any]]]] = {
    **dict.fromkeys(('T1w', *CONTRASTS), _check_structural),
    'bold': _check_bold,
    'dwi': _check_dwi,
    QMRI: _check_qmri,
}


def _content(
    run: tuple[Image, ...], mask: Path | None, acquisition: Mapping[str, Any], hash_of: Hash
) -> str:
    hashes = [hash_of(path) for path in (*(part.path for part in run), mask) if path is not None]
    return digest(*hashes, _fingerprint(acquisition, hash_of))


def _fingerprint(acquisition: Mapping[str, Any], hash_of: Hash) -> str:
    """Return what of an acquisition decides on results, wherever the dataset lies."""
    if not acquisition:
        return ''
    if 'parts' in acquisition:
        return fingerprint_diffusion(acquisition, hash_of)
    if 'echoes' in acquisition:
        return fingerprint_run(acquisition, hash_of)
    return fingerprint_collection(acquisition, hash_of)


def _with_references(sources: Sequence[Source]) -> list[Source]:
    """Mark one source of each session; one that cannot be read only where there is no other."""
    chosen = set()
    for session in {source.image.session for source in sources}:
        mine = [source for source in sources if source.image.session == session]
        sound = keep_fullest([source for source in mine if not source.fault] or mine)
        chosen.add(reference_image([source.image for source in sound]))
    return [replace(source, is_reference=source.image in chosen) for source in sources]


def keep_fullest(sources: Sequence[Source]) -> Sequence[Source]:
    """Keep the diffusion series with the most directions; of other images, all."""

    def directions(source: Source) -> float:
        return float(sum(count for _, count in source.acquisition.get('shells', [])[1:]))

    most = max(map(directions, sources))
    return [source for source in sources if directions(source) == most]


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
