"""A stand-in for Lambda's event source mapping: it passes a queue to a function.

It takes messages in batches, calls the function, and deletes the messages that the function doesn't report as
failed. SQS redelivers the failed messages after the visibility timeout. It moves messages that were
delivered too often to the dead-letter queue.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws.account import count_messages
from contract.cloud import CLIENTS
from renditions.aws.sqs import Queue, Received
from serverless.runtime_api import Ended


@dataclass
class Poller:
    """A poller that passes a queue's messages to a function."""

    url: str
    call: Callable[[Any], Ended]
    """Invokes the function with an event."""
    answers: list[Ended] = field(default_factory=list)
    """The function's answers, in order."""
    deliveries: int = 0
    """How many messages the function got, counting each delivery."""

    def poll(self, wait_seconds: int = 1) -> bool:
        """Pass one batch to the function; return whether there was one."""
        queue = Queue(CLIENTS.sqs, self.url)
        messages = queue.receive(wait_seconds=wait_seconds)
        if not messages:
            return False
        self.deliveries += len(messages)
        ended = self.call({"Records": [message.to_record() for message in messages]})
        self.answers.append(ended)
        if done := _find_done(messages, ended):
            queue.delete(done)
        return True

    def drain(self, limit_seconds: float = 90.0) -> None:
        """Pass messages to the function until the queue is empty."""
        deadline = time.monotonic() + limit_seconds
        while count_messages(self.url):
            self.poll()
            assert time.monotonic() < deadline, f"{count_messages(self.url)} messages are left"


def _find_done(messages: Sequence[Received], ended: Ended) -> list[Received]:
    """Return the messages that are done.

    If the answer is an error or invalid, no message is done.
    """
    match ended.value:
        case {"batchItemFailures": [*failures]} if ended.error is None:
            failed = {failure.get("itemIdentifier") for failure in failures}
        case None if ended.error is None:
            failed = set()
        case _:
            return []
    known = {message.id for message in messages}
    return [message for message in messages if message.id not in failed] if failed <= known else []
