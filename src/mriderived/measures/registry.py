"""Every measure that can be asked for: those of files of their own, and those made from maps."""

from __future__ import annotations

from mriderived.measures import MEASURES
from mriderived.measures.base import Measure
from mriderived.measures.region_tables import region_measures
from mriderived.measures.space_maps import space_measures

ALL_MEASURES: tuple[Measure, ...] = (
    *MEASURES,
    *region_measures(MEASURES),
    *space_measures(MEASURES),
)
