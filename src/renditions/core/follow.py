"""Process the pictures that hints name, and sync all pictures at intervals."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.guard import Guard
from renditions.core.outcome import Outcome, retry_pause
from renditions.core.process import Process

SYNC_EVERY_SECONDS = 300.0
"""The time between two full syncs of ``follow``, which find changes without hints."""

MOST_DUE = 10_000
"""How many names from hints ``follow`` keeps. If there are more, it checks every picture instead."""


class Hints:
    """The names in hints since the last check. Many threads may share them.

    If there are more than ``MOST_DUE`` names, this object drops them, and remembers only that every picture
    must be checked.
    """

    def __init__(self) -> None:
        self._names: set[str] | None = set()
        self._lock = threading.Lock()

    def add(self, names: frozenset[str] | None) -> None:
        """Add the names of pictures that may have changed; None: any may have."""
        with self._lock:
            if names is None or self._names is None:
                self._names = None
                return
            self._names |= names
            if len(self._names) > MOST_DUE:
                self._names = None

    def take(self) -> frozenset[str] | None:
        """Return the names added since the last call; None: check everything."""
        with self._lock:
            taken, self._names = self._names, set()
        return None if taken is None else frozenset(taken)


_ENDS_BLOCKING = ("removed", "done", "rejected")
"""After one of these results of a picture, ``follow`` processes the pictures that wait for its key."""


@dataclass(frozen=True, slots=True)
class Following:
    """The parts with which :func:`follow` keeps every picture up to date."""

    process: Process
    sync_all: Callable[[Callable[[Outcome], None]], object]
    """Runs a full sync, and passes each outcome to its argument, in the same thread.

    ``follow`` calls it at the first hint, if a hint is None, if too many names are due, and every
    ``SYNC_EVERY_SECONDS``.
    """
    guard: Guard
    """Limits the removals that hints imply."""
    catalog_size: Callable[[], int]
    """Counts the catalog's records."""
    threads: int
    """How many pictures to process at once."""
    monotonic_seconds: Callable[[], float]
    """A clock that never goes back."""
    on_outcome: Callable[[Outcome], None]
    """Receives the outcomes, in the thread that calls ``follow``."""
    removal_pause: timedelta = timedelta()
    """How long the removal of a missing picture waits. Meanwhile, its file may appear under a new name."""


def follow(hints: Iterator[frozenset[str] | None], following: Following) -> None:
    """Sync at the first hint, then process each picture that a hint names.

    This function returns when the hints end. Each hint is a set of the names of pictures that may have
    changed. A hint of None means that any picture may have changed. An empty set means that none has. This
    function starts and reports work only when a hint comes. So hints must come regularly, even empty ones.

    Raises:
        Superseded: The catalog uses another version of the pipeline file.
        Failed: The catalog or the source failed.

    An error of ``sync_all``, ``on_outcome`` or ``hints`` ends this function, too.
    """
    # Only the first hint proves that the watcher has begun. An earlier sync would miss pictures that arrive
    # between the sync and that moment.
    synced_at = -math.inf
    with ThreadPoolExecutor(following.threads, thread_name_prefix="picture") as executor:
        work = _Work(following, executor)
        for names in hints:
            now = following.monotonic_seconds()
            work.add(names or (), now)
            work.take_ended(now)
            if names is None or work.is_too_much or now > synced_at + SYNC_EVERY_SECONDS:
                work.forget()
                following.sync_all(work.note)
                synced_at = following.monotonic_seconds()
            work.begin(now)
    work.take_ended(following.monotonic_seconds())


class _Work:
    """The pictures that are due, in progress, or blocked by another picture."""

    def __init__(self, following: Following, executor: ThreadPoolExecutor) -> None:
        self._following = following
        self._executor = executor
        self._due: dict[str, tuple[float, Ask]] = {}
        self._running: dict[Future[Outcome], tuple[str, Ask, set[str]]] = {}
        """Each future's picture and request, and the pictures that may have freed keys meanwhile."""
        self._unrecorded: Counter[str] = Counter()
        """For each picture, how many failures in a row the catalog didn't record."""
        self._blocked: dict[str, set[str]] = {}
        """The pictures that wait for a key, by the name of the picture that still has the key."""

    @property
    def is_too_much(self) -> bool:
        """Whether so many pictures are due that ``follow`` checks every picture instead."""
        return len(self._due) > MOST_DUE

    def add(self, names: Iterable[str], now: float) -> None:
        """Mark these pictures as due now."""
        self._due.update(dict.fromkeys(names, (now, PLAIN)))

    def note(self, outcome: Outcome) -> None:
        """Report an outcome. If its notice must wait, mark the picture as due later."""
        self._following.on_outcome(outcome)
        if len(self._due) < MOST_DUE:  # beyond that, the next full sync sends the notice
            self._add_pause(outcome.name, outcome.notice_after)

    def forget(self) -> None:
        """Forget the due and the blocked pictures: a full sync checks every picture."""
        self._due.clear()
        self._blocked.clear()

    def begin(self, now: float) -> None:
        """Start due pictures while threads are free."""
        in_progress = {name for name, _, _ in self._running.values()}
        for name in [name for name, (moment, _) in self._due.items() if moment <= now]:
            if len(self._running) >= self._following.threads:
                break
            if name not in in_progress:
                _, ask = self._due.pop(name)
                self._running[self._executor.submit(self._following.process, name, ask)] = name, ask, set()

    def take_ended(self, now: float) -> None:
        """Report the finished pictures, and mark those that must be processed again."""
        futures = [future for future in self._running if future.done()]
        ended = [(future.result(), *self._running.pop(future)[1:]) for future in futures]
        for outcome, ask, _ in ended:
            if outcome.result == "removed" and ask is ALLOWED:
                self._following.guard.window.note()
        for outcome, ask, freed in ended:
            if outcome.result == "held" and ask is PLAIN and self._may_remove():
                self._wait(outcome.name, self._following.removal_pause, ALLOWED)
                continue
            self.note(outcome)
            self._add_pause(outcome.name, self._grow(outcome))
            if outcome.blocked_by in freed:
                self.add((outcome.name,), now)
            elif outcome.blocked_by is not None:
                self._blocked.setdefault(outcome.blocked_by, set()).add(outcome.name)
        for outcome, _, _ in ended:
            if outcome.result in _ENDS_BLOCKING:
                self.add(self._blocked.pop(outcome.name, ()), now)
                for _, _, freed in self._running.values():
                    freed.add(outcome.name)

    def _grow(self, outcome: Outcome) -> timedelta | None:
        """Return the pause before the picture's next attempt.

        The pause grows while the picture fails and the catalog can't record the failures.
        """
        if outcome.result == "failed" and outcome.again_after and outcome.record is None:
            self._unrecorded[outcome.name] += 1
            return retry_pause(self._unrecorded[outcome.name])
        self._unrecorded.pop(outcome.name, None)
        return outcome.again_after

    def _add_pause(self, name: str, pause: timedelta | None) -> None:
        if pause is not None:
            self._wait(name, pause, PLAIN)

    def _wait(self, name: str, pause: timedelta, ask: Ask) -> None:
        """Mark the picture as due later, unless a hint came while it was processed."""
        self._due.setdefault(name, (self._following.monotonic_seconds() + pause.total_seconds(), ask))

    def _may_remove(self) -> bool:
        in_progress = sum(each[1] is ALLOWED for each in (*self._due.values(), *self._running.values()))
        return self._following.guard.allows_one_more(self._following.catalog_size(), in_progress)
