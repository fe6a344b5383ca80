"""Circuits: the targets of notices that this process leaves alone for a while.

A target that doesn't answer costs each attempt many seconds. So after one failure, a process keeps the
target's notices in the outbox without trying. After a pause it makes one attempt, whose result decides.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from renditions.model.notices import FIRST_PAUSE


@dataclass(frozen=True, slots=True)
class Pause:
    """The time during which a target gets no notice, because an attempt failed."""

    until: datetime
    reason: str
    """Why the last attempt failed."""


class Circuits:
    """The paused targets of one process. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paused: dict[str, Pause] = {}

    def find_pause(self, target: str, now: datetime) -> Pause | None:
        """Return the target's pause, or None if the caller must try to send now.

        When a pause ends, the first caller gets None. This method then starts a new pause, and returns it to
        all other callers until :meth:`note` reports the result.
        """
        with self._lock:
            pause = self._paused.get(target)
            # A pause that ends later than any can was set before the clock was put back.
            if pause and not now < pause.until <= now + FIRST_PAUSE:
                self._paused[target] = Pause(now + FIRST_PAUSE, pause.reason)
                return None
            return pause

    def note(self, target: str, now: datetime, failure: str | None) -> None:
        """Remember the result of an attempt; ``failure`` is None if it succeeded."""
        with self._lock:
            if failure is None:
                self._paused.pop(target, None)
            else:
                self._paused[target] = Pause(now + FIRST_PAUSE, failure)
