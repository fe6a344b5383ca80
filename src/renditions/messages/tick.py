"""A schedule's tick over a queue: a reconcile in several calls.

A call that leaves work sends the message that starts the next call. A picture that is missing from a listing
may still exist, so the guard decides about removals. The guard decides about a whole run. One call sees only
a part of the run, so each call's message passes the counts on:

    count    Send a message for each picture that differs. Postpone those that the guard decides about:
             removals, and outputs to make again although their picture stayed the same.
    judge    When every picture has been counted, let the guard decide. The catalog keeps the removals and
             outputs that the guard holds back, so that a person can allow them.
    finish   Plan again, and send a message for each postponed picture that the guard allowed.

The finish sends at most as many messages as the guard allowed. If more pictures disappear in the meantime, or
if the message arrives a week later, the other pictures wait for the next tick.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from renditions.core.difference import Difference
from renditions.core.guard import Census, Guard
from renditions.errors import CatalogLost
from renditions.messages.events import Kind, SyncRequest, encode_change, encode_sync
from renditions.model.batches import MAX_BATCH
from renditions.model.binding import Held
from renditions.model.places import S3Place

log = logging.getLogger(__name__)

_NOTHING_TO_DO = ("keep", "hold", "unreadable")

Send = Callable[[Sequence[str]], None]
"""Puts messages into the queue."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """The result of one call of a tick."""

    sent: int
    """For how many pictures this call sent a message."""
    next: SyncRequest | None = None
    """The request that this call sent to the next call; None if there is no next call."""
    held: tuple[Held, ...] = ()
    """The work that this call held back, because the guard decided so or the catalog was lost."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A schedule's tick, which may take several calls."""

    plan: Callable[[str], Iterator[Difference]]
    """Plans the pictures whose names come after the given name."""
    guard: Guard
    place: S3Place
    """The bucket and prefix of the source."""
    send: Send
    end_run: Callable[[Sequence[Held]], object]
    """Stores in the catalog the work that a whole run held back, and sends notices."""
    clock: Callable[[], datetime]

    def run(self, request: SyncRequest, has_time: Callable[[], bool]) -> Ticked:
        """Do as much of the request as the time allows, and send a message for the rest.

        Each call checks at least one name, so it gets further than the call before. If a call fails, it can
        run again: a picture whose message is delivered twice is already done the second time.

        If the catalog has lost its records, this method sends no messages to the queue. It stores in the
        catalog that the whole run is held back.

        Args:
            request: The tick, or the request that an earlier call sent.
            has_time: Returns whether there is time to check one more name and to send ten messages.

        Raises:
            Failed: A store, the catalog or the queue failed.

        """
        try:
            return self._finish(request, has_time) if request.allowed else self._count(request, has_time)
        except CatalogLost as lost:  # the plan raises it before its first picture
            held = hold_lost(lost, self.clock())
            self.end_run([held])
            return Ticked(0, held=(held,))

    def _count(self, request: SyncRequest, has_time: Callable[[], bool]) -> Ticked:
        census = self.guard.open_census(request.counts or {})
        # Earlier versions sent no counts, only where to continue. The guard can't judge a part of a run.
        is_whole = request.counts is not None or not request.after
        batch = _Batch(self.send)
        for difference in self.plan(request.after):
            census.see(difference)
            if difference.warning:
                log.warning("%s: %s", difference.name, difference.warning)
            if difference.action not in _NOTHING_TO_DO and not difference.is_restore:
                batch.add(self._encode(difference, "removed" if difference.action == "remove" else "created"))
            if not has_time():
                return batch.end(SyncRequest(difference.name, census.counts() if is_whole else None))
        census.end()
        return self._judge(census, batch) if is_whole else batch.end()

    def _judge(self, census: Census, batch: _Batch) -> Ticked:
        """Let the guard decide, and send the numbers that it allowed to the next call."""
        held: list[Held] = []
        allowed: dict[str, int] = {}
        for what, count, why_held in (
            ("removals", census.missing, self.guard.judge_removals(census)),
            ("output", census.restores, self.guard.judge_restores(census)),
        ):
            if count and why_held:
                held.append(Held(what, count, why_held, self.clock()))
            elif count:
                allowed[what] = count
        self.end_run(held)
        return replace(batch.end(SyncRequest(allowed=allowed) if allowed else None), held=tuple(held))

    def _finish(self, request: SyncRequest, has_time: Callable[[], bool]) -> Ticked:
        left = dict(request.allowed)
        batch = _Batch(self.send)
        for difference in self.plan(request.after):
            what = _find_postponed(difference)
            if what and left.get(what):
                left[what] -= 1
                batch.add(self._encode(difference, "removed" if what == "removals" else "created"))
            if not any(left.values()):
                break
            if not has_time():
                return batch.end(SyncRequest(difference.name, allowed=left))
        return batch.end()

    def _encode(self, difference: Difference, kind: Kind) -> str:
        # The worker sees drift only if it checks the outputs too.
        kind = "drifted" if difference.drift or difference.refreshed else kind
        return encode_change(self.place.bucket, self.place.prefix + difference.name, kind)


def hold_lost(lost: CatalogLost, since: datetime) -> Held:
    """Return all work of a run as held work, because the catalog is lost."""
    return Held("catalog", lost.foreign, lost.why, since)


def _find_postponed(difference: Difference) -> str | None:
    """Return the guard's name for a postponed difference.

    Return None if the guard doesn't decide about it.
    """
    if difference.action == "hold":
        return "removals"
    return "output" if difference.is_restore and difference.action not in _NOTHING_TO_DO else None


class _Batch:
    """A batch of messages to the queue, up to ten in each request."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._bodies: list[str] = []
        self._sent = 0

    def add(self, body: str) -> None:
        """Add a picture's message.

        Whenever there are ten messages, send them in one request.
        """
        self._bodies.append(body)
        self._sent += 1
        if len(self._bodies) == MAX_BATCH:
            self._send(self._bodies)
            self._bodies = []

    def end(self, following: SyncRequest | None = None) -> Ticked:
        """Send the remaining messages, and after them the message for the next call."""
        last = [encode_sync(following)] if following else []
        if self._bodies or last:
            self._send([*self._bodies, *last])
        return Ticked(self._sent, following)
