"""The interface for sending notices.

Each kind of target has one module in ``renditions.notices``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from renditions.core.ask import Ask
from renditions.core.ports import StoredObject
from renditions.model.notices import Notice
from renditions.model.record import OwedNotice, Record

REJECTION_RESTS = timedelta(seconds=30)
"""How long a rejected file must stay unchanged before Renditions sends the notice of its rejection.

Until then, a slow copy of the file may still be in progress.
"""


def rejection_pause(found: StoredObject | None) -> timedelta | None:
    """Return how long the notice of a picture's rejection still waits.

    Return None if the notice may be sent now.
    """
    unchanged = found.unchanged_seconds if found else math.inf
    left = REJECTION_RESTS.total_seconds() - unchanged
    return timedelta(seconds=left) if left > 0 else None


def resting_notices(record: Record, found: StoredObject | None, ask: Ask) -> tuple[OwedNotice, ...]:
    """Return the record's owed notices that must wait for :func:`rejection_pause`."""
    is_early = ask.rests and rejection_pause(found) is not None
    return tuple(notice for notice in record.owed if is_early and notice.event == "rejected")


class Notifier(Protocol):
    """A target of notices.

    A notice may report any event in :data:`NOTICE_EVENTS <renditions.model.notice_events.NOTICE_EVENTS>`.
    """

    def send(self, notice: Notice) -> None:
        """Deliver the notice; raise ``NotifyFailed`` unless the delivery is certain."""
        ...


@dataclass(frozen=True, slots=True)
class Placed:
    """A notifier whose notices name their source, or one object of it."""

    notifier: Notifier
    store: str
    """The source store's URL or folder."""

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send`."""
        self.notifier.send(replace(notice, source=f"{self.store.rstrip('/')}/{notice.name}"))
