"""What messages ask of one pipeline, and when they are redelivered: the same for functions and workers."""

from __future__ import annotations

from dataclasses import dataclass

from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.difference import Outcome
from renditions.messages.events import Change, Content, Ignored, SyncRequest, Unknown
from renditions.model.places import S3Place


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
