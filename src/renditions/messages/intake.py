"""Decide what a message asks for, and whether it needs redelivery.

The function on Lambda and the worker of a queue both use this module.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from renditions.core.ask import Ask
from renditions.core.outcome import Outcome
from renditions.messages.events import Change, Content, Ignored, SyncRequest, Unknown
from renditions.model.places import S3Place

MESSAGE_REFUSED = "message-refused"
"""The code of the outcome of a message that isn't understood, or isn't about this pipeline."""
FIRST_PAUSE_SECONDS = 30
"""How long a message stays hidden after its first failure. Each further failure doubles the time,
up to ``LONGEST_PAUSE_SECONDS``."""
LONGEST_PAUSE_SECONDS = 900
_MOST_DOUBLINGS = 10
"""How often a pause doubles before it stays the same."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A task: one picture of this pipeline may have changed."""

    name: str
    event: str
    """The service's name for the change; see :class:`~renditions.messages.events.Change`."""
    is_removal: bool = False
    """Whether the message reports a deletion. If so, the worker treats a missing picture as deleted."""
    has_drifted: bool = False
    """Whether the message reports outputs that differ from the record. If so, the worker checks them."""

    @property
    def ask(self) -> Ask:
        """The request to the worker: what to check, and whether a removal is allowed."""
        return Ask("allowed" if self.is_removal else "no", "quick" if self.has_drifted else "no")

    def joined(self, other: Picture) -> Picture:
        """Return this task with the requests of both tasks."""
        return replace(
            self,
            is_removal=self.is_removal or other.is_removal,
            has_drifted=self.has_drifted or other.has_drifted,
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that can't be processed.

    The caller must report it, and must not delete it.
    """

    why: str

    @property
    def outcome(self) -> Outcome:
        """The outcome that the caller reports for this message."""
        return Outcome("", "rejected", self.why, code=MESSAGE_REFUSED)


Task = Picture | SyncRequest | Ignored | Refused


def read_task(content: Content, place: S3Place) -> Task:
    """Return the task that one part of a message describes.

    ``place`` is the pipeline's source: the bucket and prefix of its pictures.
    """
    match content:
        case Change(_, text) | SyncRequest(text) if not _is_unicode(text):
            return Refused(f"the name {text!r} isn't valid Unicode text")
        case Change(place.bucket, place.prefix, _, event):
            return Ignored(event)  # a console creates such an empty object for a folder
        case Change(bucket, key, kind, event) if bucket == place.bucket and key.startswith(place.prefix):
            return Picture(key.removeprefix(place.prefix), event, kind == "removed", kind == "drifted")
        case Change(bucket, key):
            return Refused(f"s3://{bucket}/{key} isn't in the source, {place.spell()}")
        case Unknown(found):
            return Refused(f"the message isn't understood: {found}")
        case _:
            return content


def _is_unicode(text: str) -> bool:
    """Return whether the text can be encoded.

    JSON allows half a surrogate pair, which UTF-8 can't encode.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def needs_redelivery(outcome: Outcome) -> bool:
    """Return whether the queue must redeliver the message.

    After too many deliveries, the queue moves the message to the dead-letter queue. A message that isn't
    understood goes there too, because another program may need it.

    The queue doesn't redeliver the message of a picture that waits for another picture's removal: nothing
    failed, and a redelivery has no effect before that removal. The record differs until then, so the next
    tick finds the picture.
    """
    if outcome.blocked_by is not None:
        return False
    is_given_up = outcome.record is not None and outcome.record.status == "failed"
    return (
        outcome.again_after is not None
        or outcome.result == "failed"
        or is_given_up
        or outcome.code == MESSAGE_REFUSED
    )


def redelivery_pause(
    outcomes: Iterable[Outcome],
    deliveries: int,
    first_seconds: int = FIRST_PAUSE_SECONDS,
    longest_seconds: int = LONGEST_PAUSE_SECONDS,
) -> int:
    """Return how many seconds to hide a message after a failed delivery.

    Deliveries are counted from 1. The pause doubles with each delivery, up to ``longest_seconds``. If another
    worker holds a picture, the pause lasts at least until that worker's lease ends. An earlier redelivery
    would fail again, and the queue allows only a few:

        A  takes the lease …killed…                          the lease ends
        B                    waits, waits, dead-letter queue         :
        C                    waits                                   : makes it
    """
    doubled = min(first_seconds * 2 ** min(deliveries - 1, _MOST_DOUBLINGS), longest_seconds)
    again = (math.ceil(each.again_after.total_seconds()) for each in outcomes if each.again_after)
    return max(int(doubled), *again, 0)
