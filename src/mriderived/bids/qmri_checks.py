"""Check a collection of quantitative MRI: its parameters, units, images and missing members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mriderived.bids.dataset import Image
from mriderived.bids.image_checks import BadImageError
from mriderived.bids.qmri_collections import choose_parts, part_of, setting_of
from mriderived.bids.sidecar import sidecar_path

#: Sidecar field, key of the acquisition, and the largest plausible value.
FIELDS: Mapping[str, tuple[str, float]] = {
    'EchoTime': ('echo_time', 1.0),
    'RepetitionTimeExcitation': ('repetition_time', 15.0),
    'RepetitionTimePreparation': ('preparation_time', 60.0),
    'InversionTime': ('inversion_time', 20.0),
    'FlipAngle': ('flip_angle', 360.0),
}
#: What the models cannot do without. ``RepetitionTime`` stands in where there is no other.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    'MESE': ('EchoTime',),
    'MEGRE': ('EchoTime',),
    'VFA': ('FlipAngle', 'RepetitionTimeExcitation'),
    'IRT1': ('InversionTime',),
    'MP2RAGE': (
        'FlipAngle', 'InversionTime', 'RepetitionTimeExcitation', 'RepetitionTimePreparation',
    ),
    'MPM': ('FlipAngle', 'RepetitionTimeExcitation', 'EchoTime'),
    'MTS': ('FlipAngle', 'RepetitionTimeExcitation'),
    'MTR': (),
}  # fmt: skip
#: By which parameter the members of a collection differ, and how many different values it takes.
VARIED: Mapping[str, tuple[str, int]] = {
    'MESE': ('echo_time', 3),
    'MEGRE': ('echo_time', 3),
    'VFA': ('flip_angle', 2),
    'IRT1': ('inversion_time', 3),
    'MP2RAGE': ('inversion_time', 2),
}
#: Largest repetition time in s of collections of spoiled gradient echoes: what their models say of
#: one excitation. A larger one is in milliseconds, or that from inversion to inversion.
SPOILED_SECONDS = 1.0
SPOILED = ('VFA', 'MP2RAGE', 'MPM', 'MTS')
#: Flip angles that are all smaller were written in radians.
LEAST_DEGREES = 1.6
#: Other sidecar fields that measures read.
KEPT = (
    'NumberShots', 'MagneticFieldStrength', 'SpoilingRFPhaseIncrement', 'SpoilingGradientMoment',
    'MTOffsetFrequency', 'MTPulseDuration', 'InversionEfficiency', 'BodyPart', 'Units',
    'EchoTrainLength', 'MixingTime', 'PulseSequenceType', 'ParallelReductionFactorInPlane',
    'PartialFourier', 'PartialFourierSlice', 'PartialFourierDirection', 'AcquisitionVoxelSize',
    'LookLocker', 'RefocusingFlipAngle',
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One setting of a collection: its images that are used, by part, and its parameters."""

    parts: Mapping[str, Image]
    parameters: Mapping[str, Any]

    @property
    def image(self) -> Image:
        """The image that stands for the setting: the magnitude, or the real part."""
        return self.parts['mag'] if 'mag' in self.parts else self.parts['real']


class Members(NamedTuple):
    """The settings of a collection in the order in which they are used, and sentences on them."""

    members: tuple[Member, ...]
    notes: tuple[str, ...]


def read_members(images: Sequence[Image], suffix: str) -> Members:
    """Read what the sidecars say of every setting.

    Raises
    ------
    BadImageError
        If a parameter is missing or has an implausible value, or a member is missing.
    """
    settings: dict[tuple[str, ...], dict[str, Image]] = {}
    for image in images:
        settings.setdefault(setting_of(image), {})[part_of(image)] = image
    notes: list[str] = []
    used = choose_parts(list(settings.values()), may_be_signed=suffix == 'IRT1')
    members = [_read_member(parts, suffix, notes) for parts in used]
    in_files = list(members)
    members.sort(key=lambda member: _order(member.parameters))
    if members != in_files and suffix in ('MESE', 'MEGRE', 'IRT1'):
        name = VARIED[suffix][0].replace('_', ' ')
        notes.append(f'The images were put in the order of their {name}s, not of their names.')
    _require_varied(members, suffix)
    _require_different(members)
    _require_states(members, suffix)
    _require_degrees(members, suffix)
    return Members(tuple(members), tuple(dict.fromkeys(notes)))


def _read_member(parts: dict[str, Image], suffix: str, notes: list[str]) -> Member:
    stands = parts.get('mag') or parts.get('real')
    if stands is None or ('mag' not in parts and suffix != 'IRT1' and 'imag' not in parts):
        first = next(iter(parts.values()))
        raise BadImageError(
            first.path,
            f'it is the part {part_of(first)} alone, without a magnitude',
            'Add the image with part-mag, or part-real and part-imag.',
        )
    found: dict[str, Any] = {'mt': _read_state(stands)}
    for name, (key, most) in FIELDS.items():
        is_required = name in REQUIRED[suffix]
        if name == 'RepetitionTimeExcitation' and suffix in SPOILED:
            most = SPOILED_SECONDS
        value = read_parameter(stands, name, most, is_required=is_required, notes=notes)
        found[key] = value
    found['metadata'] = {key: stands.metadata[key] for key in KEPT if key in stands.metadata}
    return Member(parts, found)


def read_parameter(
    image: Image, name: str, most: float, *, is_required: bool, notes: list[str]
) -> float | None:
    """Return a parameter of an image; nothing where it is not there and need not be."""
    field, value = name, image.metadata.get(name)
    if value is None and name == 'RepetitionTimeExcitation':
        value = image.metadata.get('RepetitionTime')
        if value is not None:
            field = 'RepetitionTime'
        if value is not None and is_required:
            notes.append(
                'RepetitionTime was taken for RepetitionTimeExcitation, which is missing.'
            )
    sidecar = sidecar_path(image.path).name
    unit = 'degrees' if name == 'FlipAngle' else 'seconds'
    if value is None:
        if not is_required:
            return None
        raise BadImageError(
            image.path, f'{name} is missing', f'Write it, in {unit}, to {sidecar}.'
        )
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        if not is_required:
            return None
        raise BadImageError(
            image.path,
            f'{field} is {value!r}, which is no positive number',
            f'Write {"it" if field == name else name} as a number, in {unit}, to {sidecar}.',
        )
    if value > most:
        if not is_required:
            return None
        raise BadImageError(
            image.path,
            f'{field} is {value:g}, which cannot be {unit}{_explain_limit(name, most)}',
            f'Write {"it" if field == name else name} in {unit} to {sidecar}.',
        )
    return float(value)


def _explain_limit(name: str, most: float) -> str:
    if name == 'FlipAngle':
        return ''
    if name == 'RepetitionTimeExcitation' and most == SPOILED_SECONDS:
        return (
            f' from one excitation of a spoiled gradient echo to the next, {most:g} at most: is '
            'it in milliseconds, or that of preparations?'
        )
    return ': is it in milliseconds?'


def _read_state(image: Image) -> bool | None:
    """Return whether there was a pulse of magnetisation transfer; nothing where nothing tells."""
    said = image.metadata.get('MTState')
    named = {'on': True, 'off': False}.get(image.entities.get('mt', ''))
    if said is None:
        return named
    if not isinstance(said, bool):
        raise BadImageError(
            image.path,
            f'MTState is {said!r}, not true or false',
            f'Correct it in {sidecar_path(image.path).name}.',
        )
    if named is not None and said != named:
        raise BadImageError(
            image.path,
            f'MTState is {str(said).lower()}, but the name says mt-{image.entities["mt"]}',
            f'Correct the name or {sidecar_path(image.path).name}.',
        )
    return said


def _order(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    """Sort without a pulse of magnetisation transfer first, then by angle, inversion and echo."""
    keys = ('inversion_time', 'flip_angle', 'echo_time')
    return (float(bool(parameters['mt'])), *(float(parameters[key] or 0.0) for key in keys))


def _require_varied(members: Sequence[Member], suffix: str) -> None:
    if suffix not in VARIED:
        return
    key, least = VARIED[suffix]
    name = next(field for field, (k, _) in FIELDS.items() if k == key)
    image = members[0].image
    values = {member.parameters[key] for member in members}
    if len(values) < least:
        raise BadImageError(
            image.path,
            f'{suffix} needs {least} or more values of {name}, there are {len(values)} '
            f'({_list(values)})',
            'Add the images that are missing, or correct their sidecars.',
        )


def _require_different(members: Sequence[Member]) -> None:
    seen: dict[tuple[float, ...], Member] = {}
    for member in members:
        same = seen.setdefault(_order(member.parameters), member)
        if same is not member:
            raise BadImageError(
                member.image.path,
                f'its times and angles are those of {same.image.path.name}',
                'Correct the sidecars; save repetitions as runs of their own.',
            )


def _list(values: Iterable[float]) -> str:
    return ', '.join(f'{value:g}' for value in sorted(values))


def _require_states(members: Sequence[Member], suffix: str) -> None:
    """Require what multi-parameter mapping and transfer ratios compare."""
    image = members[0].image
    off = [member for member in members if member.parameters['mt'] is False]
    on = [member for member in members if member.parameters['mt']]
    if suffix in ('MPM', 'MTS', 'MTR') and len(off) + len(on) < len(members):
        unknown = next(member for member in members if member.parameters['mt'] is None)
        raise BadImageError(
            unknown.image.path, 'MTState is missing',
            f'Write true or false to {sidecar_path(unknown.image.path).name}.',
        )  # fmt: skip
    angles = {member.parameters['flip_angle'] for member in off}
    if suffix in ('MPM', 'MTS') and len(angles) < 2:
        raise BadImageError(
            image.path,
            f'{suffix} needs two flip angles without magnetisation transfer, there '
            f'{"is one" if len(angles) == 1 else "is none"}',
            'Add the images that are missing, or correct FlipAngle and MTState.',
        )
    if suffix in ('MTS', 'MTR') and not (on and off):
        raise BadImageError(
            image.path,
            f'{suffix} needs images with and without magnetisation transfer',
            'Add the images that are missing, or correct MTState.',
        )


def _require_degrees(members: Sequence[Member], suffix: str) -> None:
    angles = [member.parameters['flip_angle'] for member in members]
    known = [angle for angle in angles if angle]
    if 'FlipAngle' in REQUIRED[suffix] and known and max(known) < LEAST_DEGREES:
        image = members[0].image
        raise BadImageError(
            image.path,
            f'the largest FlipAngle is {max(known):g}: is it in radians?',
            f'Write it in degrees to {sidecar_path(image.path).name}.',
        )
