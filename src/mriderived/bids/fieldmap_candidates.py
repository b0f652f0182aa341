"""Which of the images that belong to an EPI run make a field map, best first.

EPI of opposite phase-encode direction, a phase difference, two phases, a field map in Hz, rad/s or
T. EPI come first because they see the shim and the head position of an EPI readout; a measured
field is last because nothing tells whether it was unwrapped well. Equals are taken by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mriderived.bids.dataset import Image
from mriderived.bids.fieldmap_metadata import (
    MetadataError,
    Readout,
    echo_times,
    echo_times_of,
    field_units,
    readout,
)

Kind = Literal['epi', 'phasediff', 'phases', 'fieldmap']
Shape = Callable[[Path], tuple[int, ...]]


@dataclass(frozen=True)
class FieldMap:
    """The field map of one run, or none and why.

    ``files`` leads from a role to an image: ``phasediff``, ``phase1``, ``phase2``, ``fieldmap``,
    ``magnitude`` (the first), ``magnitude2``, ``epi1``, ``epi2``, …; ``metadata`` holds what was
    checked: ``EchoTime1``, ``EchoTime2``, ``Units``, and under ``run``, ``epi1``, … a
    :class:`Readout`. ``reasons`` are sentences on what was taken or could not be.
    """

    kind: Kind | None
    files: Mapping[str, Path] = field(default_factory=dict, hash=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    reasons: tuple[str, ...] = ()


def candidates(
    run: Image,
    own: Readout,
    group: Sequence[Image],
    others: Sequence[Image],
    shape_of: Shape | None,
    reasons: list[str],
) -> Iterator[FieldMap]:
    """Give what can be used, best first; what cannot leaves its reason."""
    if not group:
        reasons.append('No image has that B0FieldIdentifier.')
    usable = []
    for image in group:
        if image.fault is None:
            usable.append(image)
        else:
            reasons.append(f'{image.path.name} cannot be used: {image.fault}.')
    trials: list[Callable[[], FieldMap | None]] = [
        partial(_epi, run, own, usable, others, shape_of),
        *(partial(_phase_difference, i, others) for i in _of(usable, 'phasediff')),
        *(partial(_two_phases, i, others) for i in _of(usable, 'phase1')),
        *(partial(_measured, i, others) for i in _of(usable, 'fieldmap')),
    ]
    for trial in trials:
        try:
            found = trial()
        except MetadataError as error:
            reasons.append(f'{error}.')
            continue
        if found is not None:
            yield found


def _of(images: Iterable[Image], *suffixes: str) -> list[Image]:
    return [image for image in images if image.suffix in suffixes]


def _phase_difference(image: Image, others: Sequence[Image]) -> FieldMap:
    first, second = echo_times(image)
    files = {'phasediff': image.path} | _magnitudes(image, others)
    return FieldMap('phasediff', files, {'EchoTime1': first, 'EchoTime2': second})


def _two_phases(image: Image, others: Sequence[Image]) -> FieldMap:
    later = [o for o in _of(others, 'phase2') if _is_sibling(image, o) and o.fault is None]
    if not later:
        raise MetadataError(image, 'its phase2 is missing', 'add the phase of the second echo')
    first, second = echo_times_of(image, later[0])
    files = {'phase1': image.path, 'phase2': later[0].path} | _magnitudes(image, others)
    return FieldMap('phases', files, {'EchoTime1': first, 'EchoTime2': second})


def _measured(image: Image, others: Sequence[Image]) -> FieldMap:
    units = field_units(image)
    return FieldMap(
        'fieldmap', {'fieldmap': image.path} | _magnitudes(image, others), {'Units': units}
    )


def _magnitudes(image: Image, others: Sequence[Image]) -> dict[str, Path]:
    siblings = [o for o in others if _is_sibling(image, o) and o.fault is None]
    first = _of(siblings, 'magnitude1', 'magnitude')
    if not first:
        wanted = 'magnitude' if image.suffix == 'fieldmap' else 'magnitude1'
        raise MetadataError(
            image, f'its {wanted} is missing', 'it tells where the head is: add it to fmap'
        )
    second = [('magnitude2', o.path) for o in _of(siblings, 'magnitude2')]
    return dict([('magnitude', first[0].path), *second[:1]])


def _is_sibling(image: Image, other: Image) -> bool:
    """Tell whether two images have the same name but for their suffix and echo."""

    def rest(i: Image) -> dict[str, str]:
        return {key: value for key, value in i.entities.items() if key not in ('echo', 'part')}

    return image.path.parent == other.path.parent and rest(image) == rest(other)


def _epi(
    run: Image,
    own: Readout,
    group: Sequence[Image],
    others: Sequence[Image],
    shape_of: Shape | None,
) -> FieldMap | None:
    """Take EPI of both directions, or of one and a single-band reference or the run itself."""
    images = _of(group, 'epi', 'sbref', run.suffix, 'm0scan')
    # of diffusion, a run of the other direction is as good as an EPI
    enough = ('epi', 'm0scan', *(('dwi', 'sbref') if run.suffix == 'dwi' else ()))
    if not _of(images, *enough) and len(images) < 2:
        return None
    encoded = [(image, readout(image, shape_of)) for image in images]
    axis = own.direction[0]
    encoded = [(image, way) for image, way in encoded if way.direction[0] == axis]
    if not encoded:
        raise MetadataError(
            images[0],
            f'it is not encoded along the axis of {run.path.name} ({axis})',
            'take an EPI of the same axis',
        )
    if len({way.direction for _, way in encoded}) == 1:
        opposite = encoded[0][1].direction != own.direction
        if not opposite:
            raise MetadataError(
                encoded[0][0],
                f'it is encoded in the direction of {run.path.name} ({own.direction}) and '
                'there is no opposite one',
                'add the EPI of opposite phase-encode direction',
            )
        reference = _reference(run, others)
        encoded.append((reference, readout(reference, shape_of) if reference != run else own))
    roles: dict[str, tuple[Image, Readout]] = {
        f'epi{number}': pair for number, pair in enumerate(encoded, start=1)
    }
    return FieldMap(
        'epi',
        {role: image.path for role, (image, _) in roles.items()},
        {role: way for role, (_, way) in roles.items()},
        _contrast_notes([image for image, _ in encoded]),
    )


def _contrast_notes(images: Sequence[Image]) -> tuple[str, ...]:
    """Say where the contrast of EPI images differs, which is taken for displacement."""
    times = [i.metadata.get('EchoTime') for i in images]
    known = [float(t) for t in times if isinstance(t, int | float)]
    if len(known) == len(images) and max(known) > 1.05 * min(known):
        names = ', '.join(i.path.name for i in images)
        return (
            f'{names} differ in EchoTime ({min(known):g} to {max(known):g} s): the difference of '
            'contrast is matched, but the displacement is less certain.',
        )
    return ()


def _reference(run: Image, others: Sequence[Image]) -> Image:
    """Return the run's single-band reference if there is one of its direction, else the run.

    Of diffusion it is the run, whose unweighted volumes are aligned and averaged.
    """
    for other in _of(others, 'sbref') if run.suffix != 'dwi' else ():
        same = other.entities == run.entities and other.path.parent == run.path.parent
        direction = other.metadata.get('PhaseEncodingDirection')
        if same and other.fault is None and direction == run.metadata['PhaseEncodingDirection']:
            return other
    return run
