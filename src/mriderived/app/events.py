"""What the process of a participant tells the one that started it."""

from __future__ import annotations

from dataclasses import dataclass

from mriderived.bids.status import UnitRecord

Key = tuple[str, str, str | None]


@dataclass(frozen=True)
class Started:
    """A unit begins."""

    title: str
    key: Key


@dataclass(frozen=True)
class Finished:
    """A unit has ended."""

    record: UnitRecord
    title: str


@dataclass(frozen=True)
class Counted:
    """So many units are going to run."""

    units: int


@dataclass(frozen=True)
class Crashed:
    """The participant as a whole could not be processed."""

    reason: str
    traceback: str


Event = Started | Finished | Counted | Crashed
