"""Plan and sync: the difference between a whole source and its catalog, shown and closed.

``plan`` walks the source and the catalog side by side, both in the order of their keys, and yields
one :class:`~renditions.core.difference.Difference` a picture: pure data, in memory that doesn't grow with
the number of pictures. ``sync`` hands the same differences to a processor, and comes back until
nothing asks for it.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from renditions.core.difference import Difference, Outcome, compare
from renditions.core.ports import Catalog, Store, StoredObject
from renditions.core.process import Process
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record, Status

MAX_PASSES = 4
"""How often one sync compares everything: again for what failed or waits, or may have got its key free."""

LONGEST_PAUSE = timedelta(seconds=4)
"""How long a sync waits at most before another pass: it ends rather than wait for a long lease."""

SYNC_EVERY_SECONDS = 300.0
"""How often everything is looked at while following hints: for those that were never given."""

MOST_DUE = 10_000
"""How many hinted names are remembered; beyond that, everything is looked at instead."""


def plan(
    pipeline: Pipeline,
    source: Store,
    catalog: Catalog,
    *,
    clock: Callable[[], datetime],
    is_gone: Callable[[str], bool] | None = None,
    after: str = "",
) -> Iterator[Difference]:
    """Yield what is to be done for each picture and each record after ``after``, in their names' order.

    Pictures of which nothing is to be done come too, with the action ``keep``. Nothing is changed.
    """
    pictures = (found for found in source.list(after) if pipeline.source.matches(found.key))
    for name, found, record in _join(pictures, catalog.list(after)):
        blocker = catalog.get(record.blocked_by) if record and record.blocked_by else None
        yield compare(pipeline, name, found, record, now=clock(), is_gone=is_gone, blocker=blocker)


def _join(
    pictures: Iterator[StoredObject], records: Iterator[Record]
) -> Iterator[tuple[str, StoredObject | None, Record | None]]:
    """Merge two sequences that are each in the order of their UTF-8 names."""
    found, record = next(pictures, None), next(records, None)
    while found or record:
        # Python's text order is that of code points, which is that of UTF-8 bytes.
        if record is None or (found and found.key < record.name):
            assert found  # noqa: S101 - one of the two is there
            yield found.key, found, None
            found = next(pictures, None)
        elif found is None or record.name < found.key:
            yield record.name, None, record
            record = next(records, None)
        else:
            yield record.name, found, record
            found, record = next(pictures, None), next(records, None)


@dataclass(slots=True)
class Summary:
    """What a sync came to."""

    results: Counter[str] = field(default_factory=Counter)
    """How many pictures ended as each ``Outcome.result``; a picture counts once, by its last one."""
    standing: Counter[Status] = field(default_factory=Counter)
    """How many pictures needed nothing, by the status of their record."""
    waiting: int = 0
    """How many still had something to wait for at the end."""
    interrupted: bool = False

    @property
    def all_done(self) -> bool:
        """Tell whether every picture now has all that is declared."""
        bad: tuple[Status, ...] = ("rejected", "failed")
        return not (
            self.interrupted
            or self.waiting
            or any(self.results[status] or self.standing[status] for status in bad)
        )


def sync(
    differences: Callable[[], Iterator[Difference]],
    process: Process,
    *,
    threads: int,
    stop: threading.Event,
    on_outcome: Callable[[Outcome], None],
) -> Summary:
    """Close every difference, several at a time, in bounded memory.

    Args:
        differences: Makes a fresh plan; called once for each pass.
        process: Processes one name; must not raise for what is about one picture.
        threads: How many pictures are worked on at once.
        stop: Once set, no further picture is begun, and those that were are ended.
        on_outcome: Is told each outcome, in this thread.

    """
    summary = Summary()
    pause: timedelta | None = timedelta()
    for number in range(MAX_PASSES):
        if pause is None or stop.wait(pause.total_seconds()):
            break
        pause, blocked, freed = None, False, False
        summary.waiting = 0
        for ended in _run_pass(differences(), process, threads, stop):
            if isinstance(ended, Outcome):
                on_outcome(ended)
                freed = freed or ended.result in ("removed", "done", "rejected")
                if ended.again_after is not None:
                    summary.waiting += 1
                    pause = min(ended.again_after, pause or LONGEST_PAUSE)
                else:
                    summary.results[ended.result] += 1
            elif ended.record:
                blocked = blocked or ended.record.blocked_by is not None
                if number == 0:
                    summary.standing[ended.record.status] += 1
        if blocked and freed:
            pause = pause or timedelta()
    summary.interrupted = stop.is_set()
    return summary


def _run_pass(
    differences: Iterator[Difference],
    process: Process,
    threads: int,
    stop: threading.Event,
) -> Iterator[Outcome | Difference]:
    """Process what differs, several at a time; yield outcomes as they come, and what needed nothing.

    Two pictures that want the same output key are never in work together, so that it is always the
    later one in the order of names that is refused.
    """
    running: dict[Future[Outcome], frozenset[str]] = {}
    with ThreadPoolExecutor(threads, thread_name_prefix="picture") as executor:
        for difference in differences:
            if stop.is_set():
                break
            if difference.action == "keep":
                yield difference
                continue
            keys = frozenset((difference.keys or {}).values())
            while len(running) >= threads or not all(keys.isdisjoint(other) for other in running.values()):
                yield from _take_ended(running)
            running[executor.submit(process, difference.name)] = keys
        while running:
            yield from _take_ended(running)


def _take_ended(running: dict[Future[Outcome], frozenset[str]]) -> Iterator[Outcome]:
    """Wait for at least one to end; take it out and yield its outcome."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        del running[future]
        yield future.result()


class Hints:
    """What happened since somebody last looked: names, or, when they are too many, the word to look at all.

    For any number of threads. However long nobody looks, no more than ``MOST_DUE`` names are held.
    """

    def __init__(self) -> None:
        self._names: set[str] | None = set()
        self._lock = threading.Lock()

    def add(self, names: frozenset[str] | None) -> None:
        """Remember that something happened to these names; None: to whatever."""
        with self._lock:
            if names is None or self._names is None:
                self._names = None
                return
            self._names |= names
            if len(self._names) > MOST_DUE:
                self._names = None

    def take(self) -> frozenset[str] | None:
        """Return the names that were added since the last call; None: everything is to be looked at."""
        with self._lock:
            taken, self._names = self._names, set()
        return None if taken is None else frozenset(taken)


def follow(
    hints: Iterator[frozenset[str] | None],
    process: Process,
    sync_all: Callable[[], object],
    *,
    threads: int,
    monotonic_seconds: Callable[[], float],
    on_outcome: Callable[[Outcome], None],
) -> None:
    """Sync at the first hint, then process each name that is hinted at, until the hints end.

    Args:
        hints: Names that something happened to; None where that isn't known; empty at each tick.
        process: Processes one name; must not raise for what is about one picture.
        sync_all: A whole sync: at first, where a hint says None, when more names are due than is good
            to remember, and every ``SYNC_EVERY_SECONDS`` for whatever no hint told of.
        threads: How many pictures are worked on at once.
        monotonic_seconds: A clock that never goes back.
        on_outcome: Is told each outcome, in this thread.

    """
    # Only after the first hint is it sure that whatever gives them has begun to look: what lands
    # between a sync and that moment would be seen by neither.
    synced_at = -math.inf
    due: dict[str, float] = {}
    running: dict[Future[Outcome], str] = {}
    with ThreadPoolExecutor(threads, thread_name_prefix="picture") as executor:
        for names in hints:
            now = monotonic_seconds()
            due.update(dict.fromkeys(names or (), now))
            for future in [future for future in running if future.done()]:
                outcome = future.result()
                del running[future]
                on_outcome(outcome)
                if outcome.again_after is not None:
                    due[outcome.name] = now + outcome.again_after.total_seconds()
            if names is None or len(due) > MOST_DUE or now > synced_at + SYNC_EVERY_SECONDS:
                due.clear()
                sync_all()
                synced_at = monotonic_seconds()
            for name in [name for name, moment in due.items() if moment <= now]:
                if len(running) >= threads:
                    break
                if name not in running.values():
                    del due[name]
                    running[executor.submit(process, name)] = name
    for future in running:
        on_outcome(future.result())
