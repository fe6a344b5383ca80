"""The lease of a record: while it lasts, no other worker processes the picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_LEASE = timedelta(minutes=30)
"""No lease lasts longer than this.

A lease needs 15 minutes for the longest time limit, five for calls to the stores, and one for the difference
between two clocks.
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one owner to process a picture, until a certain time."""

    owner: str
    until: datetime

    def holds_at(self, now: datetime) -> bool:
        """Return whether the lease's owner may still be working.

        If the lease ends later than ``LONGEST_LEASE`` allows, its worker's clock was ahead of ours. Such a
        lease blocks no worker:

            A  take until 13:05, by a clock an hour ahead …killed…
            B                                          12:01 take
        """
        return now < self.until <= now + LONGEST_LEASE
