"""What other images lend to the T1w image of their session: a mask that only a FLAIR can give.

As a rule others lean on the T1w. A measure that uses such a resource (``optional``), of the T1w
or of an image that leans on it, runs after the image that offers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from mriderived.measures.base import Measure

if TYPE_CHECKING:
    from mriderived.workflows.plan import Unit
    from mriderived.workflows.sources import Source

#: Resources on the grid of the T1w that images of other kinds offer.
LENT = frozenset({'wmh_mask'})


def order_for_guests(units: Sequence[Unit]) -> list[Unit]:
    """Put units that may use what is lent, and what needs their outputs, behind all others."""
    last: list[Unit] = []
    first: list[Unit] = []
    offered: set[tuple[str, str]] = set()
    for unit in units:
        wanted = {(unit.image, name) for name in (*unit.measure.needs, *unit.measure.optional)}
        if _uses_guests(unit.measure) or wanted & offered:
            last.append(unit)
            offered |= {(unit.image, output.field) for output in unit.measure.outputs}
        else:
            first.append(unit)
    return [*first, *last]


def find_host(unit: Unit) -> str:
    """Return the T1w image that a unit lends to: that of its session, if it is the reference."""
    if not unit.lender or not unit.is_reference:
        return ''
    same = PurePath(unit.lender).parts[:-2] == PurePath(unit.image).parts[:-2]
    return unit.lender if same else ''


def hash_guests(
    measure: Measure, source: Source, sources: Iterable[Source], measures: Iterable[Measure]
) -> tuple[str, ...]:
    """Return what decides on the results of a measure besides its own image."""
    if not _uses_guests(measure):
        return ()
    host = source.relative if source.image.suffix == 'T1w' else source.lender
    kinds = {
        other.source
        for other in measures
        if {output.field for output in other.outputs} & LENT & {*measure.optional}
    }
    return tuple(
        guest.content
        for guest in sources
        if guest.image.suffix in kinds
        and guest.lender == host
        and guest.is_reference
        and guest.image.session == source.image.session
    )


def _uses_guests(measure: Measure) -> bool:
    return bool(LENT & {*measure.optional})
