"""Read the messages of a dead-letter queue, and find out why they are there.

A message gets there when it was delivered too often, when a call failed after all of Lambda's retries, or
when EventBridge couldn't deliver an event. A person reads the message, and then sends it again or deletes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from renditions.errors import RecordUnreadable
from renditions.messages.events import SyncRequest, decode
from renditions.messages.intake import Picture, Refused, read_task
from renditions.model.places import S3Place
from renditions.model.record import Record

if TYPE_CHECKING:
    from renditions.aws.sqs import Queue, Received

LOOK_SECONDS = 120
"""How long SQS hides a message while a command reads the queue. Then other receivers can get it again."""

_EVENTBRIDGE_ERROR = ("ERROR_CODE", "ERROR_MESSAGE")
"""The attributes of an event that EventBridge couldn't deliver.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of a dead-letter queue."""

    received: Received
    names: tuple[str, ...]
    """The pictures that the message is about."""
    about: str
    """What the message is about, for a person."""
    why: str
    """Why the message is in this queue, as far as the message or the catalog says."""
    is_understood: bool
    """Whether this pipeline can process the message. If not, another program may need it."""

    @property
    def body(self) -> str:
        """The text to send to the queue again: the body, or a failed call's own event."""
        record = _read_failed_call(self.received.body)
        return json.dumps(record["requestPayload"]) if record else self.received.body

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the message, for ``renditions dlq list --json``."""
        sent = self.received.sent_at
        return {
            "id": self.received.id,
            "sent_at": sent.isoformat() if sent else None,
            "pictures": list(self.names),
            "about": self.about,
            "reason": self.why,
            "understood": self.is_understood,
        }


def look(
    queue: Queue, place: S3Place, find_record: Callable[[str], Record | None], limit: int
) -> Iterator[DeadLetter]:
    """Yield up to ``limit`` messages of a dead-letter queue.

    SQS hides them from other receivers for ``LOOK_SECONDS``, unless the caller ends that earlier.

    Raises:
        QueueFailed: A call to the queue failed.

    """
    seen: set[str] = set()
    while len(seen) < limit:
        received = queue.look(limit - len(seen), LOOK_SECONDS)
        fresh = [message for message in received if message.id not in seen]
        if not fresh:
            return
        for message in fresh:
            seen.add(message.id)
            yield _read(message, place, find_record)


def _read(message: Received, place: S3Place, find_record: Callable[[str], Record | None]) -> DeadLetter:
    (decoded,) = decode({"Records": [message.to_record()]}).messages
    tasks = [read_task(content, place) for content in decoded.contents]
    names = tuple(dict.fromkeys(task.name for task in tasks if isinstance(task, Picture)))
    refused = [task.why for task in tasks if isinstance(task, Refused)]
    about = [*names, *("a check of all pictures" for task in tasks if isinstance(task, SyncRequest))]
    reasons = [*refused, *_read_errors(message), *_find_reasons(names, find_record)]
    return DeadLetter(
        message,
        names,
        ", ".join(about) or "nothing of this pipeline",
        "; ".join(dict.fromkeys(reasons)) or "no reason is known: calls may have been killed or throttled",
        is_understood=bool(tasks) and not refused,
    )


def _read_errors(message: Received) -> Iterator[str]:
    """Yield the reasons that AWS attached to the message."""
    code, text = (message.attributes.get(name) for name in _EVENTBRIDGE_ERROR)
    if code or text:
        yield f"EventBridge couldn't deliver it ({': '.join(filter(None, (code, text)))})"
    if record := _read_failed_call(message.body):
        condition = record["requestContext"]["condition"]
        match record.get("responsePayload"):
            case {"errorMessage": str(text)}:
                yield f"the call failed every time ({condition}): {text}"
            case _:
                yield f"the call failed every time ({condition})"


def _find_reasons(names: tuple[str, ...], find_record: Callable[[str], Record | None]) -> Iterator[str]:
    """Yield a clause for each named picture: its state in the catalog, and why.

    A missing or unreadable record also gives a clause.
    """
    for name in names:
        own = "" if len(names) == 1 else f"{name}: "
        try:
            record = find_record(name)
        except RecordUnreadable as error:
            yield f"{own}{error}"
            continue
        if record is None:
            yield f"{own}the picture has no record"
        elif record.status in ("failed", "rejected"):
            yield f"{own}{record.status}: {record.reason}"
        elif record.status == "done":
            yield f"{own}the picture is done by now"
        else:
            yield f"{own}the picture is being processed, or its processing was interrupted"


def _read_failed_call(body: str) -> Any:
    """Return Lambda's record of a call that failed every time.

    Return None if the body is something else.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match value:
        case {"requestContext": {"functionArn": str(), "condition": str()}, "requestPayload": _}:
            return value
    return None
