"""What messages ask of one pipeline, and when they are redelivered: the same for functions and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.difference import Difference, Outcome
from renditions.messages.events import (
    Change,
    Content,
    Ignored,
    SyncRequest,
    Unknown,
    encode_change,
    encode_sync,
)
from renditions.model.places import S3Place

SEND_AT_ONCE = 10
"""How many messages are sent in one request: as many as SQS takes."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Something happened to a picture of this pipeline."""

    name: str
    event: str
    """What the service called it; see :class:`~renditions.messages.events.Change`."""
    is_removal: bool = False
    """Whether it names a deletion: then a missing picture is taken for a deleted one."""

    @property
    def ask(self) -> Ask:
        """What the message asks for its picture."""
        return ALLOWED if self.is_removal else PLAIN


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing can be done with it, now or later: the caller must report it."""

    why: str


Task = Picture | SyncRequest | Ignored | Refused


def read_task(content: Content, place: S3Place) -> Task:
    """Return what one part of a message asks of the pipeline whose pictures land in ``place``."""
    match content:
        case Change(_, text) | SyncRequest(text) if not _is_unicode(text):
            return Refused(f"expected a name of Unicode text, found {text!r}")
        case Change(place.bucket, place.prefix, _, event):
            return Ignored(event)  # what consoles make where they make a folder
        case Change(bucket, key, kind, event) if bucket == place.bucket and key.startswith(place.prefix):
            return Picture(key.removeprefix(place.prefix), event, kind == "removed")
        case Change(bucket, key):
            return Refused(f"expected an object in {place.spell()}, found s3://{bucket}/{key}")
        case Unknown(found):
            return Refused(f"expected a message about S3 objects, found {found}")
        case _:
            return content


def _is_unicode(text: str) -> bool:
    """Return whether a text can be encoded: JSON can have half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def needs_redelivery(outcome: Outcome) -> bool:
    """Return whether the message must be redelivered, until it ends in the dead-letter queue."""
    is_given_up = outcome.record is not None and outcome.record.status == "failed"
    return outcome.again_after is not None or outcome.result == "failed" or is_given_up


@dataclass(frozen=True, slots=True)
class FannedOut:
    """How far a reconcile over a queue got."""

    sent: int
    """How many pictures differ and got a message."""
    continues_after: str | None
    """The last name that was checked, if another message continues there."""


def fan_out(
    differences: Iterator[Difference],
    place: S3Place,
    send: Callable[[Sequence[str]], None],
    has_time: Callable[[], bool],
) -> FannedOut:
    """Send a message for each picture that differs, and one that says where to continue if time runs out.

    It checks at least one name, so that each continuation gets further than the one before it. If it fails
    on the way, a restart does no harm: the second delivery of a message finds the work done.

    Args:
        differences: The plan, in the order of the names.
        place: Where the pictures land.
        send: Puts up to ten messages into the queue.
        has_time: Returns whether there is time to check one more name and to send ten messages.

    """
    bodies: list[str] = []
    sent = 0
    for difference in differences:
        if difference.action not in ("keep", "hold", "unreadable"):
            bodies.append(encode_change(place.bucket, place.prefix + difference.name))
            sent += 1
        if len(bodies) == SEND_AT_ONCE:
            send(bodies)
            bodies = []
        if not has_time():
            send([*bodies, encode_sync(difference.name)])
            return FannedOut(sent, difference.name)
    if bodies:
        send(bodies)
    return FannedOut(sent, None)
