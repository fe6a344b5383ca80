"""Follow hints about pictures: process each picture that a hint names, and sync now and then."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.difference import Outcome
from renditions.core.guard import RemovalWindow
from renditions.core.process import Process

SYNC_EVERY_SECONDS = 300.0
"""The time between two full syncs of ``follow``, which find changes without hints."""

MOST_DUE = 10_000
"""How many names from hints are kept. If there are more, every picture is checked instead."""


class Hints:
    """The names from hints since the last check. Many threads may share it.

    It holds at most ``MOST_DUE`` names. If there are more, it only remembers to check everything.
    """

    def __init__(self) -> None:
        self._names: set[str] | None = set()
        self._lock = threading.Lock()

    def add(self, names: frozenset[str] | None) -> None:
        """Add names that may have changed; None: any picture may have changed."""
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


@dataclass(frozen=True, slots=True)
class Following:
    """Keeps every picture up to date while hints arrive."""

    process: Process
    sync_all: Callable[[Callable[[Outcome], None]], object]
    """Runs a full sync, and passes each outcome to its argument, in the same thread.

    It is called at the first hint, if a hint is None, if too many names are due, and every
    ``SYNC_EVERY_SECONDS``.
    """
    removals: RemovalWindow
    """Limits the removals that hints imply."""
    threads: int
    """How many pictures are processed at once."""
    monotonic_seconds: Callable[[], float]
    """A clock that never goes back."""
    on_outcome: Callable[[Outcome], None]
    """Receives each outcome, in the thread that follows."""


def follow(hints: Iterator[frozenset[str] | None], following: Following) -> None:
    """Sync at the first hint, then process each picture that a hint names, until the hints end.

    ``hints`` yields the names of pictures that may have changed: None if any may have changed, an empty set
    if none has.
    """
    # Only the first hint proves that the watcher has begun. An earlier sync would miss pictures that arrive
    # between the sync and that moment.
    synced_at = -math.inf
    due = _Due()
    running: dict[Future[Outcome], tuple[str, Ask]] = {}

    def note(outcome: Outcome) -> None:
        following.on_outcome(outcome)
        if len(due) < MOST_DUE:  # beyond that, the next full sync sends the notice
            due.add_pause(outcome.name, outcome.notice_after, following.monotonic_seconds())

    with ThreadPoolExecutor(following.threads, thread_name_prefix="picture") as executor:
        for names in hints:
            now = following.monotonic_seconds()
            due.add_all(names or (), now)
            for future in [future for future in running if future.done()]:
                outcome, (name, ask) = future.result(), running.pop(future)
                if outcome.result == "held" and ask is PLAIN and following.removals.allows_one_more(now):
                    due.add(name, now, ALLOWED)
                    continue
                note(outcome)
                due.add_pause(name, outcome.again_after, now)
            if names is None or len(due) > MOST_DUE or now > synced_at + SYNC_EVERY_SECONDS:
                due.clear()
                following.sync_all(note)
                synced_at = following.monotonic_seconds()
            in_progress = {name for name, _ in running.values()}
            for name, ask in due.take(now, following.threads - len(running), in_progress):
                running[executor.submit(following.process, name, ask)] = name, ask
    for future in running:
        following.on_outcome(future.result())


class _Due:
    """The names to process, each with the time from which it is due."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[float, Ask]] = {}

    def __len__(self) -> int:
        return len(self._due)

    def add(self, name: str, moment: float, ask: Ask = PLAIN) -> None:
        self._due[name] = moment, ask

    def add_all(self, names: Iterable[str], moment: float) -> None:
        self._due.update(dict.fromkeys(names, (moment, PLAIN)))

    def add_pause(self, name: str, pause: timedelta | None, now: float) -> None:
        if pause is not None:
            self.add(name, now + pause.total_seconds())

    def clear(self) -> None:
        self._due.clear()

    def take(self, now: float, most: int, in_progress: AbstractSet[str]) -> list[tuple[str, Ask]]:
        """Remove and return up to ``most`` names that are due and not in progress."""
        ready = (name for name, (moment, _) in self._due.items() if moment <= now and name not in in_progress)
        return [(name, self._due.pop(name)[1]) for name in list(islice(ready, most))]
