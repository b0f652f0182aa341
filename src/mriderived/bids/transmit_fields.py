"""Which map of the transmit field (B1+) belongs to a collection of quantitative MRI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from mriderived.bids.dataset import Image
from mriderived.bids.image_checks import BadImageError
from mriderived.bids.qmri_checks import read_parameter
from mriderived.bids.qmri_collections import (
    PARTS,
    TRANSMIT_FIELDS,
    UNUSED_FIELDS,
    common_entities,
    part_of,
)

#: Angles of a double-angle measurement differ by this factor, give or take.
DOUBLE, TOLERANCE = 2.0, 0.02
#: The role of each image in ``acq``, for the kinds that say it there.
ROLES = {'TB1AFI': ('tr1', 'tr2'), 'TB1TFL': ('anat', 'famp')}


@dataclass(frozen=True)
class FieldMeasurement:
    """The images that measure the field: their roles, and what it takes to read them."""

    kind: str
    images: dict[str, Image]
    #: Nominal, in degrees; of the smaller angle or of the preparation. Nothing where not needed.
    flip_angle: float | None = None
    #: In s, of the two delays.
    repetition_times: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Return what nodes read."""
        return {
            'kind': self.kind,
            'files': {role: str(image.path) for role, image in self.images.items()},
            'flip_angle': self.flip_angle,
            'repetition_times': list(self.repetition_times),
            'metadata': self.metadata,
        }


@dataclass(frozen=True)
class Choice:
    """The field that belongs to a collection, if there is one, and why others do not."""

    field: FieldMeasurement | None
    reasons: tuple[str, ...]


def choose_field(members: Sequence[Image], images: Iterable[Image]) -> Choice:
    """Choose the map of a collection: of its session, named for it or for nothing, best first.

    ``IntendedFor`` that names a raw image of another collection rules a map out. Of others, one
    of the same run comes first; one of another run is taken with a note.
    """
    first = members[0]
    here = [image for image in images if image.session == first.session]
    reasons: list[str] = []
    groups: list[tuple[Image, ...]] = []
    for kind in TRANSMIT_FIELDS:
        groups += _gather(here, kind)
    groups.sort(key=lambda group: (not _is_named(group, members), *_kinship(group, first)))
    for group in groups:
        if _is_for_others(group, members, here):
            continue
        try:
            found = read_measurement(group)
            if not _is_named(group, members):
                found = replace(found, notes=(*found.notes, *_tell_run(group, first)))
            return Choice(found, tuple(reasons))
        except BadImageError as error:
            reasons.append(f'No transmit field from {group[0].suffix}: {error}')
    present = {image.suffix for image in here}
    reasons += [text for suffix, text in UNUSED_FIELDS.items() if suffix in present]
    return Choice(None, tuple(reasons))


def _gather(images: Iterable[Image], kind: str) -> Iterator[tuple[Image, ...]]:
    """Yield the images of one measurement after the other, those without a role together."""
    groups: dict[tuple[Any, ...], list[Image]] = {}
    for image in images:
        if image.suffix != kind or part_of(image) not in ('mag', 'real'):
            continue
        rest = {key: value for key, value in image.entities.items() if key not in PARTS}
        if kind in ROLES and 'acq' in rest:
            rest['acq'] = rest['acq'].removesuffix(_role(image, kind))
        groups.setdefault((image.path.parent, *rest.items()), []).append(image)
    yield from (tuple(group) for group in groups.values())


def _role(image: Image, kind: str) -> str:
    label = image.entities.get('acq', '')
    return next((role for role in ROLES[kind] if label.lower().endswith(role)), '')


def _kinship(group: Sequence[Image], member: Image) -> tuple[int, int, int, int]:
    """Return numbers that are the smaller, the more likely the map was made for the collection.

    They tell of the run, of a label in ``acq`` that both have, of the kind, and of no such label.
    """
    suffix = group[0].suffix
    own = common_entities(member.entities, member.suffix)
    run, ours = group[0].entities.get('run', ''), own.get('run', '')
    label = _own_label(group[0])
    is_same = label == own.get('acq', '')
    return (
        0 if run == ours else 2 if run and ours else 1,
        0 if label and is_same else 1,
        TRANSMIT_FIELDS.index(suffix),
        0 if is_same else 1 if not label else 2,
    )


def _own_label(image: Image) -> str:
    """Return what ``acq`` says besides the role of the image."""
    label = image.entities.get('acq', '')
    return label.removesuffix(_role(image, image.suffix)) if image.suffix in ROLES else label


def _tell_run(group: Sequence[Image], member: Image) -> Iterator[str]:
    run, ours = (image.entities.get('run', '') for image in (group[0], member))
    if run and ours and run != ours:
        yield (
            f'The transmit field is of run {run} ({group[0].path.name}), as there is none of run '
            f'{ours}: name the images it belongs to in IntendedFor.'
        )


def _intended(group: Sequence[Image]) -> set[str]:
    """Return the names of the images that a map was made for, without folders."""
    found: set[str] = set()
    for image in group:
        targets = image.metadata.get('IntendedFor', [])
        listed = targets if isinstance(targets, list) else [targets]
        found |= {PurePosixPath(str(one)).name.split('.')[0] for one in listed}
    return found


def _is_named(group: Sequence[Image], members: Iterable[Image]) -> bool:
    return bool(_intended(group) & {image.path.name.split('.')[0] for image in members})


def _is_for_others(
    group: Sequence[Image], members: Iterable[Image], images: Iterable[Image]
) -> bool:
    """Tell whether a map names raw images, and none of these; maps to be derived do not count."""
    raw = {image.path.name.split('.')[0] for image in images}
    named = _intended(group)
    return bool(named & raw) and not _is_named(group, members)


def read_measurement(group: Sequence[Image]) -> FieldMeasurement:
    """Read the parameters of a measurement.

    Raises
    ------
    BadImageError
        If an image or a parameter is missing.
    """
    for image in group:
        if image.fault:
            raise BadImageError(image.path, image.fault, 'Correct it, or remove it.')
    return {
        'TB1map': _read_map,
        'TB1DAM': _read_double_angle,
        'TB1AFI': _read_two_delays,
        'TB1TFL': _read_preparation,
    }[group[0].suffix](group)


def _read_map(group: Sequence[Image]) -> FieldMeasurement:
    image = group[0]
    angle: Any = image.metadata.get('FlipAngle')
    is_number = isinstance(angle, int | float) and not isinstance(angle, bool) and angle > 0
    units = {'units': str(image.metadata.get('Units', ''))}
    nominal = float(angle) if is_number else None
    return FieldMeasurement('TB1map', {'map': image}, nominal, metadata=units)


def _angle(image: Image) -> float:
    angle = read_parameter(image, 'FlipAngle', 360.0, is_required=True, notes=[])
    assert angle is not None  # it is required
    return angle


def _read_double_angle(group: Sequence[Image]) -> FieldMeasurement:
    by_angle = {_angle(image): image for image in group}
    if len(by_angle) < 2:
        raise BadImageError(
            group[0].path, 'a double-angle measurement has two flip angles, this one has one',
            'Add the image that is missing, or correct FlipAngle.',
        )  # fmt: skip
    small, large = sorted(by_angle)[0], sorted(by_angle)[-1]
    if abs(large / small - DOUBLE) > TOLERANCE * DOUBLE:
        raise BadImageError(
            by_angle[large].path, f'its flip angle {large:g} is not twice {small:g}',
            'Correct FlipAngle, or leave the images out with .bidsignore.',
        )  # fmt: skip
    return FieldMeasurement(
        'TB1DAM', {'small': by_angle[small], 'large': by_angle[large]}, flip_angle=small
    )


def _read_two_delays(group: Sequence[Image]) -> FieldMeasurement:
    notes: list[str] = []
    by_time = {
        read_parameter(
            image, 'RepetitionTimeExcitation', 15.0, is_required=True, notes=notes
        ): image
        for image in group
    }
    if len(by_time) != 2:
        raise BadImageError(
            group[0].path,
            f'actual flip-angle imaging has two repetition times, this one has {len(by_time)}',
            'Add the image that is missing (acq-tr1, acq-tr2), or correct '
            'RepetitionTimeExcitation.',
        )
    short, long = sorted(time for time in by_time if time is not None)
    images = {'first': by_time[short], 'second': by_time[long]}
    angle = _angle(images['first'])
    return FieldMeasurement('TB1AFI', images, angle, (short, long), tuple(notes))


def _read_preparation(group: Sequence[Image]) -> FieldMeasurement:
    roles = {_role(image, 'TB1TFL'): image for image in group}
    if 'famp' not in roles:
        raise BadImageError(
            group[0].path, 'the map of flip angles (acq-famp) is missing',
            'Add it, or leave the image out with .bidsignore.',
        )  # fmt: skip
    images = {'angles': roles['famp']}
    if 'anat' in roles:
        images['anatomy'] = roles['anat']
    return FieldMeasurement('TB1TFL', images, _angle(roles['famp']))
