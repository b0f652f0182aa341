"""What is done, but would come out better now: units that went without something optional.

A step that failed leaves those that only would have used it without it: a BOLD run has other
confounds without tissues. When that step is tried again, so are they, and whatever they feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mriderived.bids.status import UnitRecord
    from mriderived.workflows.plan import Unit

#: A field of an output of an image.
_Offer = tuple[str, str]
_LACKED = ('failed', 'skipped')


def renew(
    units: Sequence[Unit], previous: Mapping[tuple[str, str, str | None], UnitRecord]
) -> list[Unit]:
    """Return the units, with those to run again that went without what is tried again now."""
    tried: set[_Offer] = set()
    renewed: set[_Offer] = set()
    found = list(units)
    for place, unit in enumerate(units):
        own = {(unit.image, output.field) for output in unit.measure.outputs}
        if unit.state == 'to run':
            record = previous.get(unit.key)
            if record is not None and record.status in _LACKED:
                tried |= own
        elif unit.state == 'done' and (
            _offers(unit, unit.measure.optional) & tried
            or _offers(unit, (*unit.measure.needs, *unit.measure.optional)) & renewed
        ):
            renewed |= own
            found[place] = replace(unit, state='to run')
    return found


def _offers(unit: Unit, names: Iterable[str]) -> set[_Offer]:
    return {(image, name) for name in names for image in (unit.image, unit.lender)}
