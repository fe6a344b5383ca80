"""Put the unfinished messages of a call back into their queue.

Without this module, a queue would redeliver such a message after its visibility timeout, which must be long
enough for the slowest call. And each delivery counts: after a few, the message ends in the dead-letter queue.

    failed        The message is hidden for a pause that grows with the deliveries.
    had no time   The message goes into the queue again as a new one, so that the delivery doesn't count.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from renditions.core.outcome import Outcome
from renditions.errors import NoTimeLeft, QueueFailed
from renditions.messages.events import Message
from renditions.messages.intake import needs_redelivery, redelivery_pause
from renditions.model.batches import in_batches

if TYPE_CHECKING:
    from renditions.aws.sqs import Received

log = logging.getLogger(__name__)

Results = Sequence[tuple[Message, Sequence[Outcome]]]
"""The messages of a call, each with the outcomes of its contents."""


@dataclass(frozen=True, slots=True)
class Redelivery:
    """The return of unfinished messages to the queue that they came from.

    Messages of other queues are left to their visibility timeout.
    """

    queue: str
    """The queue's name."""
    send: Callable[[Sequence[str]], object]
    """Puts new messages into the queue."""
    hide: Callable[[Sequence[Received], int], object]
    """Hides received messages for this many seconds."""
    read: Callable[[Mapping[str, Any]], Received | None]
    """Returns the received message of a record of Lambda's event; None if the record lacks something."""

    def settle(self, event: Mapping[str, Any], results: Results) -> list[str]:
        """Put unfinished messages back; return the ids of those that SQS must redeliver.

        Messages that had no time are sent again as new ones. Failed messages are hidden for a pause. The ids
        are those of the failed messages, and of the messages that couldn't be sent again.
        """
        records = {
            record["messageId"]: record
            for record in event["Records"]
            if isinstance(record, dict) and isinstance(record.get("messageId"), str) and self._is_ours(record)
        }
        resent: list[tuple[str, str]] = []
        pauses: defaultdict[int, list[Received]] = defaultdict(list)
        failed = []
        for message, outcomes in results:
            undone = [outcome for outcome in outcomes if needs_redelivery(outcome)]
            received = self.read(records[message.id]) if message.id in records else None
            if not undone:
                continue
            if received and all(outcome.code == NoTimeLeft.code for outcome in undone):
                resent.append((message.id, received.body))
                continue
            failed.append(message.id)
            if received:
                pauses[redelivery_pause(undone, received.deliveries)].append(received)
        for seconds, messages in pauses.items():
            for some in in_batches(messages):
                _attempt(self.hide, some, seconds)
        for part in in_batches(resent):
            if not _attempt(self.send, [body for _, body in part]):
                failed += [identifier for identifier, _ in part]
        return failed

    def _is_ours(self, record: Mapping[str, Any]) -> bool:
        arn = record.get("eventSourceARN")
        return arn is None or str(arn).rpartition(":")[2] == self.queue


def _attempt(request: Callable[..., object], *arguments: Any) -> bool:
    """Make a request to the queue; return whether it succeeded.

    After a failure, the visibility timeout applies.
    """
    try:
        request(*arguments)
    except QueueFailed as error:
        log.warning("%s. The queue redelivers the messages after its visibility timeout.", error)
        return False
    return True
