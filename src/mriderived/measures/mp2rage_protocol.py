"""The protocol of MP2RAGE, from the sidecars of its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from mriderived.core.mp2rage_signal import Protocol, simulate
from mriderived.interfaces.qmri_acquisition import QmriAcquisition, parse_qmri_acquisition
from mriderived.measures.qmri_contrasts import need_value

NO_UNIFORM = (
    'it needs the phase of both inversion times, or the uniform image of the scanner (UNIT1): '
    'magnitudes alone do not tell the sign'
)
#: Directions of a partial Fourier acquisition that leave the trains, through slices, whole.
IN_PLANE = ('PHASE', 'FREQUENCY')


class Shots(NamedTuple):
    """Excitations of a train up to the centre of k-space, and beyond it.

    ``partial`` is the share of k-space that shifted the centre; 1 where none did.
    """

    before: int
    after: int
    partial: float


class Sequence(NamedTuple):
    """The protocol, the volumes of both inversion times, and how shots were counted."""

    protocol: Protocol
    pair: tuple[int, int]
    shots: Shots


def read_sequence(acquisition: QmriAcquisition) -> Sequence:
    """Return the protocol, and which volumes are those of both inversion times.

    Of several echoes the first counts.

    Raises
    ------
    ValueError
        If a parameter is missing or no plausible one, or the times are impossible.
    """
    images = acquisition.settings
    times = [need_value(image, 'inversion_time', 'InversionTime') for image in images]
    if len(set(times)) != 2:
        raise ValueError(f'it needs two inversion times, here are {len(set(times))}')
    echoes = sorted(range(len(images)), key=lambda place: images[place].echo_time or 0.0)
    first, second = (next(p for p in echoes if times[p] == time) for time in sorted(set(times)))
    angles = [need_value(images[place], 'flip_angle', 'FlipAngle') for place in (first, second)]
    shots = count_shots(images[first].metadata)
    protocol = Protocol(
        need_value(images[first], 'preparation_time', 'RepetitionTimePreparation'),
        (times[first], times[second]),
        (angles[0], angles[1]),
        need_value(images[first], 'repetition_time', 'RepetitionTimeExcitation'),
        shots.before,
        shots.after,
        *_efficiency(images[first].metadata),
    )
    simulate(1.0, protocol)
    return Sequence(protocol, (first, second), shots)


def _efficiency(metadata: Mapping[str, Any]) -> tuple[float, ...]:
    """Return the share of the magnetisation that is inverted, if the sidecar tells it."""
    value = metadata.get('InversionEfficiency')
    return () if value is None else (_share('InversionEfficiency', value, 0.0),)


def _share(name: str, value: Any, above: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= 1:
        raise ValueError(
            f'{name} is {value!r}: it is a number above {above:g}, 1 at most. Correct it in the '
            'sidecar'
        )
    return float(value)


def count_shots(metadata: Mapping[str, Any]) -> Shots:
    """Return the excitations before and after the centre of k-space.

    Two numbers are these. One is that of all partitions of the slab, half of which lie after the
    centre; partial Fourier through slices leaves out the first ones before it (see the notes on
    MP2RAGE of the appendix on quantitative MRI of BIDS).

    Raises
    ------
    ValueError
        If the number is missing, or the share of k-space is none.

    Examples
    --------
    >>> count_shots({'NumberShots': 192, 'PartialFourierSlice': 0.75})
    Shots(before=48, after=96, partial=0.75)
    """
    shots = metadata.get('NumberShots')
    if isinstance(shots, list) and len(shots) == 1:
        shots = shots[0]
    if isinstance(shots, list) and len(shots) == 2 and all(_is_number(shot) for shot in shots):
        return Shots(round(shots[0]), round(shots[1]), 1.0)
    if isinstance(shots, list) or not _is_number(shots) or not shots > 1:
        raise ValueError(f'it needs NumberShots of each image, and one has {shots!r}')
    partial = _partial_fourier(metadata)
    if partial == 1:
        return Shots(round(shots / 2), round(shots) - round(shots / 2), 1.0)
    return Shots(max(1, round(shots * (partial - 0.5))), round(shots / 2), partial)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _partial_fourier(metadata: Mapping[str, Any]) -> float:
    """Return the share of k-space that is acquired through slices; 1 where nothing tells less."""
    name = 'PartialFourierSlice'
    if metadata.get(name) is None:
        direction = str(metadata.get('PartialFourierDirection', '')).upper()
        if direction in IN_PLANE or metadata.get('PartialFourier') is None:
            return 1.0
        name = 'PartialFourier'
    return _share(name, metadata[name], 0.5)


def notes_on_shots(shots: Shots) -> list[str]:
    """Return a sentence where partial Fourier decided on the centre of k-space."""
    if shots.partial == 1:
        return []
    return [
        f'NumberShots is one number: with {shots.partial:g} of k-space acquired, {shots.before} '
        f'shots were taken to lie before its centre and {shots.after} after it. Two numbers '
        '([before, after]) would tell.'
    ]


def protocol_obstacle(acquisition: Mapping[str, Any]) -> str:
    """Say why a collection does not tell T1, or nothing."""
    parsed = parse_qmri_acquisition(acquisition)
    has_phase = all(setting.has_phase for setting in parsed.settings)
    if not has_phase and parsed.unit1 is None:
        return str(acquisition.get('unit1_reason') or NO_UNIFORM)
    try:
        read_sequence(parsed)
    except ValueError as error:
        return str(error)
    return ''
