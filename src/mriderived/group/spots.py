"""Participants as points of a picture: where each is, so that a click opens a report."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from mriderived.figures.spots import locate
from mriderived.group.chapters import Spot
from mriderived.group.records import Row

#: What the caption of such a picture says.
ON_CLICK = 'A click on a point opens the report of the participant.'


def find_spots(axes: Axes, x: ArrayLike, y: ArrayLike, rows: Iterable[Row]) -> list[Spot]:
    """Return where each row of the cohort is in a figure that is complete."""
    places = locate(axes, x, y)
    return [
        (round(float(left), 4), round(float(top), 4), row.participant, row.session)
        for (left, top), row in zip(places, rows, strict=True)
    ]
