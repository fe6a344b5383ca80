"""Follow hints about pictures: process each picture that a hint names, and sync now and then."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

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
    sync_all: Callable[[], object]
    """Runs a full sync.

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
    due: dict[str, tuple[float, Ask]] = {}
    running: dict[Future[Outcome], tuple[str, Ask]] = {}
    with ThreadPoolExecutor(following.threads, thread_name_prefix="picture") as executor:
        for names in hints:
            now = following.monotonic_seconds()
            due.update(dict.fromkeys(names or (), (now, PLAIN)))
            for future in [future for future in running if future.done()]:
                outcome, (name, ask) = future.result(), running.pop(future)
                if outcome.result == "held" and ask is PLAIN and following.removals.allows_one_more(now):
                    due[name] = now, ALLOWED
                    continue
                following.on_outcome(outcome)
                if outcome.again_after is not None:
                    due[name] = now + outcome.again_after.total_seconds(), PLAIN
            if names is None or len(due) > MOST_DUE or now > synced_at + SYNC_EVERY_SECONDS:
                due.clear()
                following.sync_all()
                synced_at = following.monotonic_seconds()
            in_progress = {name for name, _ in running.values()}
            for name in [name for name, (moment, _) in due.items() if moment <= now]:
                if len(running) >= following.threads:
                    break
                if name not in in_progress:
                    _, ask = due.pop(name)
                    running[executor.submit(following.process, name, ask)] = name, ask
    for future in running:
        following.on_outcome(future.result())
