"""What the raw dataset offers: participants and their images, one pybids layout for each."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bids.layout import BIDSLayout, BIDSLayoutIndexer

from mriderived.bids.filters import FilterError, FilterFileError, Filters, queries, read_filters
from mriderived.bids.names import InvalidNameError, check_raw_name, parse_entities, split_name
from mriderived.bids.sidecar import JSONFileError, description_faults, read_json

__all__ = [
    'FilterError',
    'FilterFileError',
    'Filters',
    'Image',
    'InvalidDatasetError',
    'NoParticipantsError',
    'check_dataset',
    'find_images',
    'has_images',
    'list_participants',
    'read_filters',
    'reference_image',
    'select_participants',
]

_LOGGER = logging.getLogger(__name__)


class InvalidDatasetError(Exception):
    """The folder is not a raw BIDS dataset; the message names the files and what is wrong."""


class NoParticipantsError(Exception):
    """There is nobody to process."""


@dataclass(frozen=True)
class Image:
    """One image of the raw dataset.

    ``entities`` have short keys and values as they are in the name; ``metadata`` holds what all
    sidecars say. An image with a ``fault`` must not be processed; the text is the reason.
    """

    path: Path
    entities: Mapping[str, str] = field(hash=False)
    datatype: str
    suffix: str
    extension: str
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    fault: str | None = None

    @property
    def participant(self) -> str:
        """The participant's label, without ``sub-``."""
        return self.entities['sub']

    @property
    def session(self) -> str | None:
        """The session's label, without ``ses-``."""
        return self.entities.get('ses')

    def relative(self, bids_dir: Path) -> str:
        """Return the path below the dataset's root, with forward slashes."""
        return self.path.relative_to(bids_dir.absolute()).as_posix()


def list_participants(bids_dir: Path) -> tuple[str, ...]:
    """Return the labels of all participants, sorted; folders without a valid label are left."""
    labels = sorted(path.name[4:] for path in bids_dir.glob('sub-*') if path.is_dir())
    invalid = [label for label in labels if not re.fullmatch(r'[0-9a-zA-Z+]+', label)]
    if invalid:
        _LOGGER.warning(
            'not participants, for their labels hold other signs than letters and digits: %s',
            ', '.join(f'sub-{label}' for label in invalid),
        )
    return tuple(label for label in labels if label not in invalid)


def select_participants(bids_dir: Path, labels: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the wanted participants (all, if none are named) of a dataset that can be used.

    Raises
    ------
    NoParticipantsError
        If there is no dataset or it has no participants.
    InvalidDatasetError
        See :func:`check_dataset`.
    FilterError
        If a label is not in the dataset.
    """
    if not bids_dir.is_dir():
        raise NoParticipantsError(f'{bids_dir} is not a folder; give the raw BIDS dataset')
    check_dataset(bids_dir)
    present = list_participants(bids_dir)
    if not present:
        raise NoParticipantsError(f'{bids_dir} holds no participants (no sub-<label> folders)')
    wanted = {label.removeprefix('sub-') for label in labels}
    missing = sorted(wanted - set(present))
    if missing:
        raise FilterError(
            f'no such participants in {bids_dir}: {", ".join(missing)}; '
            f'there are {len(present)}: {", ".join(present[:10])}{" ..." * (len(present) > 10)}'
        )
    return tuple(label for label in present if not wanted or label in wanted)


def check_dataset(bids_dir: Path) -> None:
    """Raise if the dataset as a whole cannot be read, naming every file that is to blame.

    Faults inside one participant's folder do not count: they become faults of its images.
    """
    description = bids_dir / 'dataset_description.json'
    # Stray files, such as copies with odd names, are nobody's sidecar.
    files = [path for path in _json_files(bids_dir) if path != description and _is_named(path)]
    faults = [*description_faults(bids_dir), *_unreadable(files).values()]
    if faults:
        raise InvalidDatasetError('\n'.join(faults))


def find_images(
    bids_dir: Path,
    participant: str,
    *,
    suffixes: Sequence[str] = ('T1w',),
    sessions: Iterable[str] = (),
    filters: Filters | None = None,
) -> tuple[Image, ...]:
    """Return a participant's images, sorted by path; content is not looked at.

    Links without content are found too, so that a guard can tell how to get it. ``sessions``
    leave images without a session alone. ``filters`` come from :func:`read_filters`.
    """
    root = bids_dir.absolute()
    files = [*_json_files(root), *_json_files(root / f'sub-{participant}', '**/*.json')]
    unreadable = _unreadable(files)
    layout = _index(root, participant, unreadable)
    wanted = {label.removeprefix('ses-') for label in sessions}
    images = [
        _image(Path(file.path), file.get_metadata(), participant, unreadable)
        for asked in queries(suffixes, filters)
        for file in layout.get(**asked, invalid_filters='allow')
    ]
    chosen = [i for i in images if not wanted or i.session is None or i.session in wanted]
    return _without_twins(sorted(chosen, key=lambda image: image.path))


def has_images(
    bids_dir: Path,
    participants: Iterable[str],
    *,
    suffixes: Sequence[str] = ('T1w',),
    sessions: Iterable[str] = (),
    filters: Filters | None = None,
) -> bool:
    """Tell whether any of the participants has an image; nobody is looked at after the first."""
    wanted = tuple(sessions)
    return any(
        find_images(bids_dir, label, suffixes=suffixes, sessions=wanted, filters=filters)
        for label in participants
    )


def reference_image(images: Iterable[Image]) -> Image:
    """Return the image that stands for its session in the cohort table.

    The rule, in this order: no fault; rest before other tasks (labels of rest begin with
    ``rest``); the fewest entities beside ``sub``, ``ses`` and ``run`` (so ``sub-01_T1w`` before
    ``sub-01_acq-highres_T1w``); the lowest run, none being lowest; the first by name.
    """

    def rank(image: Image) -> tuple[bool, bool, int, int, str]:
        is_rest = image.entities.get('task', 'rest').lower().startswith('rest')
        special = set(image.entities) - {'sub', 'ses', 'run'}
        run = image.entities.get('run', '-1')
        index = int(run) if run.lstrip('-').isdigit() else 0
        return image.fault is not None, not is_rest, len(special), index, image.path.name

    return min(images, key=rank)


def _index(root: Path, participant: str, left_out: Iterable[Path]) -> BIDSLayout:
    """Index one participant and the sidecars at the root; the cost does not grow with others."""
    label = re.escape(f'sub-{participant}')
    ignore = [
        # Hidden files and, at the root, all that is neither a file nor this participant: other
        # participants, derivatives, and outputs or work folders that somebody put there.
        re.compile(r'/\.'),
        re.compile(rf'^/(?!{label}$)[^/.]+$'),
        re.compile(rf'^/(?!{label}/)[^/]+/'),
        *(re.compile(f'^/{re.escape(path.relative_to(root).as_posix())}$') for path in left_out),
    ]
    indexer = BIDSLayoutIndexer(validate=False, ignore=ignore)
    return BIDSLayout(root, indexer=indexer)


def _json_files(folder: Path, pattern: str = '*.json') -> list[Path]:
    return sorted(folder.glob(pattern))


def _is_named(path: Path) -> bool:
    try:
        return bool(split_name(path).suffix)
    except InvalidNameError:
        return False


def _unreadable(files: Iterable[Path]) -> dict[Path, str]:
    """Return the reason for every file that does not hold a JSON object."""
    reasons = {}
    for path in files:
        try:
            read_json(path)
        except JSONFileError as error:
            reasons[path] = str(error)
    return reasons


def _image(
    path: Path, metadata: Mapping[str, Any], participant: str, unreadable: Mapping[Path, str]
) -> Image:
    datatype = path.parent.name
    stem, dot, extension = path.name.partition('.')
    try:
        entities = parse_entities(path)
        fault = _misnamed(path, entities, datatype) or _blame(path, entities, unreadable)
    except InvalidNameError as error:
        entities, fault = _folder_entities(path), str(error)
    return Image(
        path=path,
        entities=entities | {'sub': participant},
        datatype=datatype,
        suffix=stem.rpartition('_')[2],
        extension=dot + extension,
        metadata=dict(metadata),
        fault=fault,
    )


def _without_twins(images: Iterable[Image]) -> tuple[Image, ...]:
    """Blame ``.nii`` beside ``.nii.gz``: the outputs of both would have the same names."""
    images = tuple(images)
    zipped = {image.path for image in images if image.extension == '.nii.gz'}
    return tuple(
        replace(image, fault=f'{image.path.name}.gz is there as well; remove one of them')
        if image.path.with_name(image.path.name + '.gz') in zipped
        else image
        for image in images
    )


def _misnamed(path: Path, entities: Mapping[str, str], datatype: str) -> str | None:
    check_raw_name(path, datatype)
    folders = [f'{key}-{entities[key]}' for key in ('sub', 'ses') if key in entities]
    if list(path.parts[-2 - len(folders) : -2]) != folders:
        return f'{path.name} does not lie in {"/".join([*folders, datatype])}'
    return None


def _folder_entities(path: Path) -> dict[str, str]:
    session = path.parent.parent.name
    return {'ses': session.removeprefix('ses-')} if session.startswith('ses-') else {}


def _blame(path: Path, entities: Mapping[str, str], unreadable: Mapping[Path, str]) -> str | None:
    """Return what is wrong with a sidecar that would apply to the image."""
    suffix = split_name(path).suffix
    for sidecar, reason in unreadable.items():
        if not _is_named(sidecar) or not path.is_relative_to(sidecar.parent):
            continue
        name = split_name(sidecar)
        if name.suffix == suffix and name.entities.items() <= entities.items():
            return reason
    return None
