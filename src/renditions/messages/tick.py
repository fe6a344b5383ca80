"""A schedule's tick over a queue: a reconcile in any number of calls, each started by a message of the last.

A listing only implies that a picture is gone, so the guard decides about removals, and it decides about a
whole run. No call sees a whole run: the counts of each go on to the next in its message.

    count    send a message for each picture that differs, except for those that the guard decides about:
             removals, and outputs to make again although their picture stayed the same
    judge    once everything was counted; what is held back is kept in the catalog, for a person to allow
    finish   go over the plan again, and send a message for each of what was put off and is allowed

What a message of the finish allows is limited to the number that was judged. If the source loses more
meanwhile, or if the message is delivered a week later, the rest waits for the next tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from renditions.core.difference import Difference
from renditions.core.guard import Census, Guard
from renditions.messages.events import SyncRequest, encode_change, encode_sync
from renditions.model.binding import Held
from renditions.model.places import S3Place

SEND_AT_ONCE = 10
"""How many messages are sent in one request: as many as SQS takes."""

_NOTHING_TO_DO = ("keep", "hold", "unreadable")

Send = Callable[[Sequence[str]], None]
"""Puts up to ten messages into the queue."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """How far one call of a tick got."""

    sent: int
    """How many pictures got a message."""
    next: SyncRequest | None = None
    """What another call was asked to do."""
    held: tuple[Held, ...] = ()
    """What the guard held back, where this call judged."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What a call of a tick needs."""

    plan: Callable[[str], Iterator[Difference]]
    """Plans all names above one."""
    guard: Guard
    place: S3Place
    """Where the pictures land."""
    send: Send
    keep_held: Callable[[Sequence[Held]], None]
    """Keeps in the catalog what a whole run held back, and sends notices about it."""
    clock: Callable[[], datetime]

    def run(self, request: SyncRequest, has_time: Callable[[], bool]) -> Ticked:
        """Do as much of the request as the time allows, and send what continues it.

        It checks at least one name, so that each call gets further than the one before it. If it fails on
        the way, a restart does no harm: the second delivery of a message finds the work done.

        Args:
            request: The tick, or what an earlier call of it sent.
            has_time: Returns whether there is time to check one more name and to send ten messages.

        """
        return self._finish(request, has_time) if request.allowed else self._count(request, has_time)

    def _count(self, request: SyncRequest, has_time: Callable[[], bool]) -> Ticked:
        census = self.guard.open_census(request.counts or {})
        # Before there were counts, a message said only where to continue: a part of a run can't be judged.
        is_whole = request.counts is not None or not request.after
        batch = _Batch(self.send)
        for difference in self.plan(request.after):
            census.see(difference)
            if difference.action not in _NOTHING_TO_DO and not difference.is_restore:
                batch.add(self._encode(difference, is_removal=difference.action == "remove"))
            if not has_time():
                return batch.end(SyncRequest(difference.name, census.counts() if is_whole else None))
        census.end()
        return self._judge(census, batch) if is_whole else batch.end()

    def _judge(self, census: Census, batch: _Batch) -> Ticked:
        """Decide about what was put off, and send a message that allows what isn't held back."""
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
        self.keep_held(held)
        return replace(batch.end(SyncRequest(allowed=allowed) if allowed else None), held=tuple(held))

    def _finish(self, request: SyncRequest, has_time: Callable[[], bool]) -> Ticked:
        left = dict(request.allowed)
        batch = _Batch(self.send)
        for difference in self.plan(request.after):
            what = _put_off_as(difference)
            if what and left.get(what):
                left[what] -= 1
                batch.add(self._encode(difference, is_removal=what == "removals"))
            if not any(left.values()):
                break
            if not has_time():
                return batch.end(SyncRequest(difference.name, allowed=left))
        return batch.end()

    def _encode(self, difference: Difference, *, is_removal: bool) -> str:
        return encode_change(self.place.bucket, self.place.prefix + difference.name, is_removal=is_removal)


def _put_off_as(difference: Difference) -> str | None:
    """Return what the guard calls a difference that it decides about."""
    if difference.action == "hold":
        return "removals"
    return "output" if difference.is_restore and difference.action not in _NOTHING_TO_DO else None


class _Batch:
    """Messages on their way into the queue, ten in each request."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._bodies: list[str] = []
        self._sent = 0

    def add(self, body: str) -> None:
        """Send a message for a picture, with the next ones."""
        self._bodies.append(body)
        self._sent += 1
        if len(self._bodies) == SEND_AT_ONCE:
            self._send(self._bodies)
            self._bodies = []

    def end(self, following: SyncRequest | None = None) -> Ticked:
        """Send what is left, and last the message that continues."""
        last = [encode_sync(following)] if following else []
        if self._bodies or last:
            self._send([*self._bodies, *last])
        return Ticked(self._sent, following)
