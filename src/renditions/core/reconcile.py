"""Sync a whole source: process each picture that its plan shows to need work.

``sync`` makes at most ``MAX_PASSES`` passes. It makes another pass for pictures that failed, that wait, or
whose output key may have become free. Its memory doesn't grow with the number of pictures.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from renditions.core.ask import PLAIN, Ask, allow_removal, unverified
from renditions.core.catalog import Catalog
from renditions.core.difference import Difference
from renditions.core.guard import Census, Guard
from renditions.core.outcome import Outcome
from renditions.core.process import Process
from renditions.core.reasons import Reasons
from renditions.core.resting import Resting, Wait
from renditions.core.selection import EVERYTHING, Selection
from renditions.core.summary import Summary
from renditions.errors import KeyTaken
from renditions.model.binding import Held
from renditions.model.folding import EXACT, Folding
from renditions.model.record import STATUSES

MAX_PASSES = 4
"""How many passes one sync makes at most.

Another pass is for pictures that failed, that wait, or whose output key may have become free.
"""

MOST_BLOCKED = 1_000
"""A sync reports at most this many pictures that wait for a removal. It counts all of them."""

LONGEST_PAUSE = timedelta(seconds=4)
"""The longest time that a sync waits before another pass. It doesn't wait until a long lease ends."""

LONGEST_RETRY = LONGEST_PAUSE
"""If a failed picture must wait longer, the sync makes no further pass for it."""


def count_pictures(catalog: Catalog) -> int:
    """Return how many pictures have a record."""
    return sum(totals.pictures for totals in catalog.count().values())


@dataclass(frozen=True, slots=True)
class Order:
    """The caller's request to one run: how to treat pictures, and which ones."""

    ask: Ask = PLAIN
    selection: Selection = EVERYTHING
    on_wait: Wait | None = None
    """See :class:`Resting`."""

    @property
    def is_full(self) -> bool:
        """Whether the order has no selection, so that the run compares every picture."""
        return self.selection.is_all and self.selection.status is None

    def limit(self, guard: Guard, catalog: Catalog) -> Guard:
        """Return the guard for this order.

        The guard counts all records of the catalog, even if the run compares only some pictures.
        """
        return guard if self.is_full else replace(guard, catalog_size=lambda: count_pictures(catalog))


EVERYTHING_ONCE = Order()


@dataclass(frozen=True, slots=True)
class Run:
    """The parts of one sync: its plan, its processor and its guard."""

    differences: Callable[[Ask], Iterator[Difference]]
    """Makes a fresh plan. A pass may need several."""
    process: Process
    guard: Guard
    ask: Ask
    threads: int
    """How many pictures to process at once."""
    stop: threading.Event
    """If this is set, the run begins no further picture, but finishes the pictures in progress."""
    on_outcome: Callable[[Outcome], None]
    """Receives the outcomes, in the thread that syncs."""
    clock: Callable[[], datetime]
    folding: Callable[[], Folding] = lambda: EXACT
    """Returns how the output store compares keys."""
    on_wait: Wait | None = None
    """See :class:`Resting`."""


def sync(run: Run) -> Summary:
    """Process every picture that needs work, several at a time, in bounded memory.

    Each pass first does everything except the removal of missing pictures and, in unattended runs,
    restorations. Then the guard knows how many removals and restorations there are, and decides about both. A
    removal that a person allowed doesn't wait for the guard.

    Raises:
        Superseded: The catalog uses another version of the pipeline file.
        StoreFailed, CatalogFailed: The plan can't read a whole store, or the catalog.

    """
    summary = Summary()
    pause: timedelta | None = timedelta()
    blocked: Iterable[Outcome] = ()
    decided = _Decided()
    resting = Resting(run.on_wait)
    passes = 1 if run.ask.is_forced else MAX_PASSES  # a second one would make everything again
    for number in range(passes):
        if pause is None or run.stop.wait(pause.total_seconds()):
            break
        one = _Pass(run, summary, resting, decided, is_last=number == passes - 1)
        one.work()
        pause, blocked = one.pause, one.blocked
    for ended in resting.finish(run.process, run.stop):
        one.count(ended)
    for outcome in blocked:
        run.on_outcome(outcome)
    summary.interrupted = run.stop.is_set()
    return summary


@dataclass(frozen=True, slots=True)
class _Decided:
    """The pictures that earlier passes of a sync decided. Each picture counts once."""

    counts: Counter[str] = field(default_factory=Counter)
    """How many pictures the run counted, by the status of their record."""
    refused: set[str] = field(default_factory=set)
    """The pictures that the run rejected because another picture has their key.

    If a later pass finds the key free, the picture's new result counts in place of the former one.
    """


class _Pass:
    """One pass of a sync: it compares every picture, and does the work."""

    def __init__(
        self, run: Run, summary: Summary, resting: Resting, decided: _Decided, *, is_last: bool
    ) -> None:
        self._run = run
        self._summary = summary
        self._resting = resting
        self._decided = decided
        self._is_last = is_last
        self._has_blocked = self._has_freed = self._has_renamed = self._has_landing = False
        self.pause: timedelta | None = None
        """How long to wait before the next pass; None if none is needed."""
        self.blocked: deque[Outcome] = deque(maxlen=MOST_BLOCKED)
        """The pictures that wait for the removal of another picture.

        The run reports the waiting pictures of its last pass.
        """

    def work(self) -> None:
        """Do all work that the guard doesn't hold back."""
        run, summary = self._run, self._summary
        summary.waiting = summary.unreadable = summary.warnings = 0
        summary.held = []
        summary.reasons = Reasons()
        # Pictures decided in an earlier pass of this run need no work now, and don't count as standing.
        summary.standing = Counter({status: -self._decided.counts[status] for status in STATUSES})
        census = run.guard.open_census()
        for ended in _process_all(run, self._first_share(census), run.ask):
            self._take(ended)
        if self._has_renamed:  # the former names are no longer missing
            census = self._count_again(census)
        census.end()
        if run.stop.is_set():
            return
        run.guard.trust(census)
        # A picture that is still being written may be a missing one under another name.
        if self._is_last or not (self._has_landing and census.missing):
            self._finish_share("removals", census.missing, run.guard.judge_removals(census), "hold")
        if run.guard.is_attended:
            lost = run.guard.describe_loss(census)
            summary.remarks += [f"{lost.capitalize()}. This run tried to make them again."] if lost else []
        else:
            held_restores = run.guard.judge_restores(census)
            self._finish_share("output", census.restores, held_restores, "restore")
        if self._has_blocked and self._has_freed:
            self.pause = self.pause or timedelta()
        summary.standing = +summary.standing

    def _count_again(self, before: Census) -> Census:
        """Return the census after renames.

        The new census takes the numbers of outputs from ``before``, so outputs aren't verified again.
        """
        census = self._run.guard.open_census()
        for difference in self._run.differences(unverified(self._run.ask)):
            census.see(difference)
        census.outputs, census.outputs_lost = before.outputs, before.outputs_lost
        census.restores = before.restores
        return census

    def _first_share(self, census: Census) -> Iterator[Difference]:
        """Count every difference, and yield those to work on now."""
        for difference in self._run.differences(self._run.ask):
            census.see(difference)
            if difference.action == "unreadable":
                self._summary.unreadable += 1
                self._summary.reasons.add("unreadable", difference.name, difference.why)
                self._run.on_outcome(Outcome(difference.name, "unreadable", difference.why))
                continue
            if difference.warning:
                self._summary.warnings += 1
                self._run.on_outcome(Outcome(difference.name, "waiting", difference.warning))
            if self._is_deferred(difference) or difference.action == "hold":
                continue
            is_landing = difference.found is not None and not difference.found.complete
            self._has_landing = self._has_landing or (is_landing and difference.record is None)
            yield difference

    def _is_deferred(self, difference: Difference) -> bool:
        return difference.is_restore and not self._run.guard.is_attended

    def _finish_share(self, what: str, count: int, why_held: str | None, kind: str) -> None:
        """Do postponed work, or note it as held if ``why_held`` says why."""
        if not count:
            return
        if why_held:
            self._summary.held.append(Held(what, count, why_held, self._run.clock()))
            return
        is_removal = kind == "hold"
        ask = self._run.ask
        found = self._run.differences(unverified(ask) if is_removal else ask)
        share = (
            difference
            for difference in found
            if (difference.action == "hold" if is_removal else self._is_deferred(difference))
        )
        ask = allow_removal(ask) if is_removal else ask
        for ended in _process_all(self._run, share, ask):
            self._take(ended)
            if is_removal and isinstance(ended, Outcome) and ended.result == "removed":
                self._run.guard.window.note()

    def _take(self, ended: Outcome | Difference) -> None:
        """Count a picture now, or at the end of the run if the run sends its notice then."""
        if isinstance(ended, Difference) and ended.notice_after:
            self._run.on_outcome(ended.as_unchanged())
        if not self._resting.take(ended):
            self.count(ended)
        elif isinstance(ended, Outcome):
            self._run.on_outcome(ended)

    def count(self, ended: Outcome | Difference) -> None:
        """Report an outcome, and count the picture in the summary."""
        summary, decided = self._summary, self._decided
        if isinstance(ended, Difference):
            if record := ended.record:
                self._has_blocked = self._has_blocked or record.blocked_by is not None
                summary.standing[record.status] += 1
                summary.reasons.add(record.status, record.name, record.reason, record.code)
            return
        if ended.blocked_by is not None:
            summary.waiting += 1
            summary.reasons.add("waiting", ended.name, ended.reason, KeyTaken.code)
            self._has_blocked = True
            self.blocked.append(ended)
            return
        self._run.on_outcome(ended)
        self._has_renamed = self._has_renamed or ended.renamed_from is not None
        self._has_freed = self._has_freed or ended.result in ("removed", "done", "rejected")
        if ended.again_after is not None:
            summary.waiting += 1
            summary.reasons.add("waiting", ended.name, ended.reason, ended.code)
            if ended.result == "waiting" or ended.again_after <= LONGEST_RETRY:
                self.pause = min(ended.again_after, self.pause or LONGEST_PAUSE)
            return
        if ended.renamed_from is not None:
            summary.renamed += 1
        if ended.name in decided.refused:
            decided.refused.remove(ended.name)
            decided.counts["rejected"] -= 1
            summary.results["rejected"] -= 1
        is_refused = ended.result == "rejected" and ended.record and ended.record.blocked_by is not None
        if is_refused and len(decided.refused) < MOST_BLOCKED:
            decided.refused.add(ended.name)
            self._has_blocked = True
        kept = ended.record if ended.result == "unchanged" else None
        decided.counts[kept.status if kept else ended.result] += 1
        summary.results[ended.result] += 1
        summary.reasons.add(ended.result, ended.name, ended.reason, ended.code)


@dataclass(frozen=True, slots=True)
class Places:
    """The folded output keys of one picture, and the folders that these keys lie in."""

    keys: frozenset[str]
    folders: frozenset[str]

    @classmethod
    def of(cls, keys: Iterable[str]) -> Places:
        """Return these folded keys with the folders that they lie in."""
        known = frozenset(keys)
        ends = ((key, at) for key in known for at, letter in enumerate(key) if letter == "/")
        return cls(known, frozenset(key[:at] for key, at in ends))

    def are_apart_from(self, other: Places) -> bool:
        """Return whether one output folder can hold the keys of both pictures.

        They must have no key in common, and no key of one picture may be a folder of the other.
        """
        return self.keys.isdisjoint(other.keys | other.folders) and self.folders.isdisjoint(other.keys)


def _process_all(run: Run, differences: Iterator[Difference], ask: Ask) -> Iterator[Outcome | Difference]:
    """Process the pictures that differ, several at a time.

    Yield their outcomes, and the differences of pictures that need no work.

    Two pictures are never in progress together if they want the same output key, or if a folder couldn't hold
    both of their outputs. So of two such new pictures, Renditions refuses the picture whose name comes later.
    """
    folding = run.folding()
    running: dict[Future[Outcome], Places] = {}
    executor = ThreadPoolExecutor(run.threads, thread_name_prefix="picture")
    with executor, _stopped_by_interrupt(run.stop):
        for difference in differences:
            if run.stop.is_set():
                break
            if difference.action == "keep":
                yield difference
                continue
            places = Places.of(map(folding, (difference.keys or {}).values()))
            while len(running) >= run.threads or not all(map(places.are_apart_from, running.values())):
                yield from _take_ended(running)
            if run.stop.is_set():
                break
            asked = allow_removal(ask) if difference.action == "remove" else ask
            running[executor.submit(run.process, difference.name, asked)] = places
        while running:
            yield from _take_ended(running)


@contextmanager
def _stopped_by_interrupt(stop: threading.Event) -> Iterator[None]:
    """Set ``stop`` if Ctrl-C interrupts the block.

    Then pictures that wait for a worker aren't rendered. The commands handle Ctrl-C themselves, but other
    Python programs get KeyboardInterrupt.
    """
    try:
        yield
    except KeyboardInterrupt:
        stop.set()
        raise


def _take_ended(running: dict[Future[Outcome], Places]) -> Iterator[Outcome]:
    """Wait until at least one picture is processed, and yield the new outcomes."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        del running[future]
        yield future.result()
