"""The difference between what is wanted of one picture and what is there: pure, from what was looked at.

``reconcile`` shows it and ``process`` closes it, so a plan and what is then done can't disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from renditions.core.ports import StoredObject
from renditions.model.pipeline import NO_WISHES, Pipeline
from renditions.model.record import Record

IN_PROGRESS = "another process is working on it"

MAX_ATTEMPTS = 3
"""How often a picture is tried when something around it breaks, before it is given up as failed."""

RECHECK = timedelta(seconds=1)
"""When to check again what another process holds or writes."""

Action = Literal["create", "update", "remove", "settle", "wait", "keep"]
"""What is to be done.

    create    a picture that has no record
    update    a picture that differs from its record, or from what the pipeline wants now
    remove    the picture is gone: so are its outputs, then its record
    settle    decided, but an output is still to be deleted or a notice to be sent
    wait      somebody is still writing it, or working on it
    keep      nothing
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be done for one picture, and why."""

    name: str
    action: Action
    why: str
    make: tuple[str, ...] = ()
    """The renditions to make, in the pipeline's order."""
    keys: Mapping[str, str] | None = None
    """Every rendition's output key; None where the picture is gone or not looked at."""
    delete: tuple[str, ...] = ()
    """The output keys to delete."""
    found: StoredObject | None = None
    """The source object that it was compared with."""
    record: Record | None = None
    """The record that it was compared with."""
    again_after: timedelta | None = None
    """How long to wait before comparing again, where the action is ``wait``."""

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form, the same on the command line and in the API.

        ``make`` has an object for each rendition, by its name, as ``renditions`` of a record has.
        """
        keys = self.keys or {}
        return {
            "name": self.name,
            "action": self.action,
            "why": self.why,
            "make": {rendition: {"key": keys[rendition]} for rendition in self.make},
            "delete": list(self.delete),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture that was processed."""

    name: str
    result: Literal["done", "rejected", "failed", "removed", "unchanged", "waiting"]
    reason: str | None = None
    again_after: timedelta | None = None
    """How long to wait before the next call; None where no further call is needed.

    A further call is needed where the picture waits, has failed and isn't given up, or still owes a notice.
    """
    record: Record | None = None

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form, the same on the command line, in the API and in its events."""
        outputs = self.record.outputs if self.record else ()
        return {
            "name": self.name,
            "result": self.result,
            "reason": self.reason,
            "renditions": {output.rendition: {"key": output.key} for output in outputs},
        }


def retry_pause(attempts: int) -> timedelta:
    """Return how long to wait after this failed attempt, starting at 1; the pause doubles each time."""
    return timedelta(seconds=2**attempts)


def compare(
    pipeline: Pipeline,
    name: str,
    found: StoredObject | None,
    record: Record | None,
    *,
    now: datetime,
    is_gone: Callable[[str], bool] | None,
    blocker: Record | None = None,
) -> Difference:
    """Return what is to be done for the picture ``name``.

    Args:
        pipeline: What is wanted.
        name: The picture's key.
        found: The source object as it is now; None if it is gone or no longer matched.
        record: What the catalog holds of it.
        now: The time, for leases.
        is_gone: Tells of a lease's owner that it has ended for certain; None where a lease ends by its
            time alone.
        blocker: The record of ``record.blocked_by``, if that is set and has one.

    """
    if record and record.lease and record.leased_at(now):
        if is_gone is None:
            ends_after = record.lease.until - now
            return Difference(name, "wait", IN_PROGRESS, record=record, again_after=ends_after)
        if not is_gone(record.lease.owner):
            return Difference(name, "wait", IN_PROGRESS, record=record, again_after=RECHECK)
    if found is None:
        if record is None:
            return Difference(name, "keep", "there is no such picture")
        return Difference(
            name, "remove", "it is gone from the source", delete=record.sorted_keys(), record=record
        )
    if not found.complete:
        return Difference(name, "wait", "it is still being written", record=record, again_after=RECHECK)
    keys = pipeline.output_keys(name, found.etag, record.wishes if record else NO_WISHES)
    if record is None:
        return Difference(name, "create", "it is new", make=tuple(keys), keys=keys, found=found)
    if record.goal == pipeline.goal_of(name, found.etag, record.wishes, record.source_format) and (
        why := _why_decided(record, keys, blocker)
    ):
        delete = record.undeleted_keys()
        action: Action = "settle" if record.owed or delete else "keep"
        return Difference(name, action, why, keys=keys, delete=delete, record=record)
    stale = {
        rendition: why
        for rendition, key in keys.items()
        if (why := _why_stale(pipeline, record, rendition, key, found.etag))
    }
    wanted = frozenset(keys.values())
    return Difference(
        name,
        "update",
        _why_update(pipeline, record, found, stale),
        make=tuple(stale),
        keys=keys,
        delete=tuple(key for key in record.sorted_keys() if key not in wanted),
        found=found,
        record=record,
    )


def _why_decided(record: Record, keys: Mapping[str, str], blocker: Record | None) -> str | None:
    """Return why a record with the right goal needs no work, or None if it does."""
    match record.status:
        case "done":
            return "it is as declared"
        case "rejected" if record.blocked_by is None:
            return "it is rejected"
        case "rejected" if blocker and not blocker.claimed_keys().isdisjoint(keys.values()):
            return "it is rejected"
        case "failed" if record.attempts >= MAX_ATTEMPTS:
            return "it was given up"
        case _:
            return None


def _why_stale(pipeline: Pipeline, record: Record, rendition: str, key: str, etag: str) -> str | None:
    """Return why a rendition is to be made, or None if the record's output is right."""
    output = record.find_output(rendition)
    if output is None:
        return "is not there"
    if output.source_etag != etag:
        return "is of an older picture"
    missed = pipeline.revisions_since(output.fingerprint, rendition, record.wishes, record.source_format)
    if missed is None:
        return "is of another recipe"
    if missed:
        return f"was made by an older engine ({', '.join(revision.name for revision in missed)})"
    if output.key != key:
        return "is under another key"
    return None


def _why_update(pipeline: Pipeline, record: Record, found: StoredObject, stale: Mapping[str, str]) -> str:
    """Return, for people, why a picture with a record needs work."""
    if record.etag != found.etag:
        return "the picture changed"
    if record.status == "processing":
        return "it was interrupted"
    if record.status == "failed" and record.goal:
        return f"it failed, attempt {record.attempts + 1} of {MAX_ATTEMPTS}"
    if record.status in ("failed", "rejected") and not record.goal:
        return "it is to be tried again"
    if record.blocked_by:
        return "its key may be free now"
    if record.rules != pipeline.rules:
        return "[accept], [analyze] or [limits] changed"
    if stale:
        return ", ".join(f"{rendition} {why}" for rendition, why in stale.items())
    return "a rendition is no longer declared"
