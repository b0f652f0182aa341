"""``status.tsv``, renewed as participants end, however many there are."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mriderived.bids.status import write_status_table

#: Gathering the records may take one part in so many of a run's time.
_SHARE = 50


class StatusTable:
    """Renews the table at most so often that the time it takes does not matter.

    It holds the units of everybody: renewed after each of 100,000 participants, it would take
    longer than they do.
    """

    def __init__(self, out_dir: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._out_dir = out_dir
        self._clock = clock
        self._due = clock()

    def renew(self) -> None:
        """Write the table if it is time for it."""
        if self._clock() >= self._due:
            self.write()

    def write(self) -> None:
        """Write the table."""
        start = self._clock()
        write_status_table(self._out_dir)
        end = self._clock()
        self._due = end + _SHARE * (end - start)
