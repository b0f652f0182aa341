"""A collection of quantitative MRI as one source: its members, field and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nb

from mriderived.bids.dataset import Image
from mriderived.bids.image_checks import BadImageError, ImageCheck
from mriderived.bids.known_files import KnownFiles
from mriderived.bids.qmri_checks import Member, read_members
from mriderived.bids.qmri_collections import (
    COLLECTIONS,
    TRANSMIT_FIELDS,
    UNIFORM,
    UNUSED_FIELDS,
    WEIGHTED,
    common_entities,
    gather_collections,
    is_collection,
)
from mriderived.bids.qmri_images import (
    check_map,
    is_same_grid,
    look_at_magnitude,
    look_at_part,
    require_geometry,
    require_one_grid,
)
from mriderived.bids.status import shorten_paths
from mriderived.bids.transmit_fields import FieldMeasurement, choose_field

#: Collections whose images are all of one acquisition, so that nothing moves between them.
AT_ONCE = ('MESE', 'MEGRE', 'MP2RAGE')
#: Collections whose models have no use for the transmit field.
WITHOUT_FIELD = ('MEGRE', 'IRT1', 'MTR')
#: Why what is no collection is not measured.
ALONE = 'there is no collection of images (such as VFA or MPM) in its session that it belongs to'
#: Images without a model of their own, and why.
NO_MODEL = {
    UNIFORM: 'a UNIT1 alone does not tell T1: add the images and parameters of MP2RAGE',
    **UNUSED_FIELDS,
}


def list_collections(images: Iterable[Image], suffix: str) -> Iterator[tuple[Image, ...]]:
    """Yield what is a source: collections, and other images where no collection takes them."""
    known = list(images)
    groups = gather_collections(known, suffix)
    if is_collection(suffix):
        yield from groups
        return
    for group in groups:
        beside = [image for image in known if image.session == group[0].session]
        wanted = ('MP2RAGE',) if suffix == UNIFORM else COLLECTIONS
        if not any(image.suffix in wanted for image in beside):
            yield group


def check_collection(
    bids_dir: Path, files: KnownFiles, images: Iterable[Image], run: tuple[Image, ...]
) -> tuple[ImageCheck | None, dict[str, Any]]:
    """Check a collection and find what belongs to it; what is none tells why it is not used."""
    suffix = run[0].suffix
    known = list(images)
    lack = _find_namesake(run[0], known) if is_collection(suffix) else NO_MODEL.get(suffix, ALONE)
    if lack:
        return None, {'lack': f'{suffix}: {lack}'}
    read = read_members(run, suffix)
    findings = [finding for member in read.members for finding in _look(member, files)]
    groups = _group(read.members, suffix)
    notes = [*read.notes, *_compare_grids(read.members, groups)]
    choice = choose_field([member.image for member in read.members], known)
    field, reasons = _check_field(choice.field, files, list(choice.reasons))
    told = [shorten_paths(reason, bids_dir) for reason in reasons]
    is_none = field is None and not told
    if is_none:
        told = ['there is no map of the transmit field (TB1map, TB1DAM, TB1AFI or TB1TFL)']
    unit1, unit1_reason = (
        _find_uniform(read.members[0].image, known) if suffix == 'MP2RAGE' else (None, '')
    )
    unit1_reason = shorten_paths(unit1_reason, bids_dir)
    acquisition = {
        'collection': suffix,
        'images': [
            describe_member(member, group)
            for member, group in zip(read.members, groups, strict=True)
        ],
        'reference': find_reference(read.members, suffix),
        'transmit_field': field.describe() if field else None,
        'field_reason': '' if field else '; '.join(told),
        'unit1': unit1,
        'unit1_reason': unit1_reason,
        'body_part': str(run[0].metadata.get('BodyPart', '')),
        'notes': [
            *notes,
            *(field.notes if field else ()),
            *(() if is_none and suffix in WITHOUT_FIELD else told),
            *([unit1_reason] if unit1_reason else []),
        ],
    }
    count = len(read.members)
    check = check_map(read.members[0].image.path, findings, f'{suffix}, {count} images')
    return check, acquisition


def _find_namesake(first: Image, images: Iterable[Image]) -> str:
    """Say why the results of a collection would have the names of another's, or nothing."""
    if first.suffix not in WEIGHTED:
        return ''
    own = common_entities(first.entities, first.suffix)
    for image in images:
        is_before = image.suffix in WEIGHTED[: WEIGHTED.index(first.suffix)]
        if is_before and common_entities(image.entities, image.suffix) == own:
            return (
                f'its results would have the names of those of {image.suffix} '
                f'({image.path.name}): tell both apart by a label in acq-'
            )
    return ''


def find_reference(members: Sequence[Member], suffix: str) -> int:
    """Return the number of the setting with which others are aligned: one with much signal.

    That is the longest inversion time, with its shortest echo, or the first of the series.
    """
    if suffix not in ('IRT1', 'MP2RAGE'):
        return 0
    times = [member.parameters['inversion_time'] for member in members]
    return times.index(max(times))


def describe_member(member: Member, group: int) -> dict[str, Any]:
    """Return what nodes read of one setting; images with the same ``group`` moved together."""
    others = {
        name: str(member.parts[name].path) if name in member.parts else None
        for name in ('phase', 'imag')
    }
    part = 'mag' if 'mag' in member.parts else 'real'
    return {
        'path': str(member.image.path), 'part': part, **others, 'group': group,
        **member.parameters,
    }  # fmt: skip


def _look(member: Member, files: KnownFiles) -> Iterator[Any]:
    for part, image in member.parts.items():
        require_geometry(image.path)
        look = look_at_magnitude if part == 'mag' else look_at_part
        yield from files.remembering(look)(image.path)
    own = list(member.parts.values())
    require_one_grid(
        [image.path for image in own],
        [nb.load(image.path) for image in own],
        'they are parts of one image',
    )


def _group(members: Sequence[Member], suffix: str) -> list[int]:
    """Return the number of the acquisition that each setting is of; echoes share one."""
    keys = [
        ()
        if suffix in AT_ONCE
        else tuple(member.image.entities.get(key, '') for key in ('acq', 'flip', 'inv', 'mt'))
        for member in members
    ]
    order = list(dict.fromkeys(keys))
    return [order.index(key) for key in keys]


def _compare_grids(members: Sequence[Member], groups: Sequence[int]) -> Iterator[str]:
    """Require one grid of each acquisition, and say where that of others is another."""
    loaded = [nb.load(member.image.path) for member in members]
    firsts: list[int] = []
    for number in sorted(set(groups)):
        mine = [place for place, group in enumerate(groups) if group == number]
        firsts.append(mine[0])
        require_one_grid(
            [members[place].image.path for place in mine],
            [loaded[place] for place in mine],
            'they are echoes of one acquisition',
        )
    for place in firsts[1:]:
        if not is_same_grid(loaded[firsts[0]], loaded[place]):
            yield (
                f'{members[place].image.path.name} has other voxels than '
                f'{members[firsts[0]].image.path.name} and is resampled.'
            )


def _check_field(
    field: FieldMeasurement | None, files: KnownFiles, reasons: list[str]
) -> tuple[FieldMeasurement | None, list[str]]:
    if field is None:
        return None, reasons
    try:
        for image in field.images.values():
            require_geometry(image.path)
            files.remembering(look_at_part)(image.path)
    except BadImageError as error:
        return None, [*reasons, f'No transmit field from {field.kind}: {error}']
    return field, reasons


def _find_uniform(first: Image, images: Iterable[Image]) -> tuple[str | None, str]:
    """Return the UNIT1 that the scanner made of a pair of images, or why it is not used."""
    for image in images:
        own = common_entities(image.entities, image.suffix)
        if (
            image.suffix == UNIFORM
            and not image.fault
            and own == common_entities(first.entities, first.suffix)
        ):
            try:
                require_geometry(image.path)
            except BadImageError as error:
                return None, str(error)
            if is_same_grid(nb.load(first.path), nb.load(image.path)):
                return str(image.path), ''
            return None, (
                f'{image.path.name} is not used: its voxels are not those of {first.path.name}. '
                'Convert both from DICOM again, or add the phase of both inversion times.'
            )
    return None, ''


def fingerprint_collection(acquisition: Mapping[str, Any], hash_of: Callable[[Path], str]) -> str:
    """Return what of an acquisition decides on results, wherever the dataset lies."""
    if 'lack' in acquisition:
        return ''

    def hashed(value: Any) -> Any:
        return hash_of(Path(value)) if value else None

    images = [
        {
            key: hashed(value) if key in ('path', 'phase', 'imag') else value
            for key, value in image.items()
        }
        for image in acquisition['images']
    ]
    field = acquisition['transmit_field']
    if field:
        files = {role: hash_of(Path(path)) for role, path in field['files'].items()}
        field = {**field, 'files': files}
    content = {**acquisition, 'images': images, 'transmit_field': field,
               'unit1': hashed(acquisition['unit1'])}  # fmt: skip
    content.pop('notes')
    content.pop('field_reason')
    content.pop('unit1_reason', None)
    return json.dumps(content, sort_keys=True)


#: Which of these a participant may have as sources; collections first.
SOURCE_SUFFIXES = (*COLLECTIONS, UNIFORM, *TRANSMIT_FIELDS, *UNUSED_FIELDS)
