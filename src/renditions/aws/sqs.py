"""A queue of messages about changes.

The worker reads it in the same way as Lambda. SQS hides a received message from other receivers for the
queue's visibility timeout. If the receiver doesn't delete the message in that time, SQS redelivers it. After
as many deliveries as the queue allows, SQS moves the message to the dead-letter queue.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from renditions.aws.clients import PASSING, Clients, reported
from renditions.errors import QueueFailed, QueueRefused, UsageError
from renditions.model.batches import MAX_BATCH, in_batches, pack
from renditions.model.registry import Shared

MAX_BATCH_BYTES = 262_144
"""How many bytes the messages of one request have together.

AWS accepts 1,048,576 bytes. Many compatible servers accept only this many, as AWS did until 2025.
"""
LONGEST_WAIT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Received:
    """A received message, hidden from other receivers until its visibility timeout."""

    id: str
    receipt: str
    """The handle of this delivery. A request needs it to delete the message, or to keep it hidden."""
    body: str
    deliveries: int
    """Which delivery attempt this is, starting at 1."""
    sent_at: datetime | None = None
    """When the message was sent into its first queue; None if the receiver didn't ask for this time."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The texts that the sender attached; empty if the receiver didn't ask for them."""

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Received | None:
        """Return the message of a record in Lambda's event.

        Return None if the record lacks a field of a message, or has an invalid value in it.
        """
        match record:
            case {
                "messageId": str(identifier),
                "receiptHandle": str(receipt),
                "body": str(body),
                "attributes": {"ApproximateReceiveCount": str(deliveries)},
            } if deliveries.isdecimal():
                return cls(identifier, receipt, body, int(deliveries))
        return None

    def to_record(self) -> dict[str, Any]:
        """Return the message in the form that Lambda's event has in its ``Records``."""
        return {
            "messageId": self.id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": {"ApproximateReceiveCount": str(self.deliveries)},
            "eventSource": "aws:sqs",
        }


class Queue:
    """The queue at a URL. Any number of threads can use it.

    Its methods raise ``QueueFailed`` or ``QueueRefused``, also if SQS refuses only some messages of a
    request. The request has then succeeded for the other messages.
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, bodies: Sequence[str], delay_seconds: int = 0) -> None:
        """Put messages into the queue, in as few requests as SQS allows.

        Receivers can get them after ``delay_seconds`` (at most 900). If a request fails, the messages of
        earlier requests are in the queue, and later requests aren't sent.
        """
        for some in pack(bodies, MAX_BATCH, MAX_BATCH_BYTES, lambda body: len(body.encode())):
            entries = [
                {"Id": str(number), "MessageBody": body, "DelaySeconds": delay_seconds}
                for number, body in enumerate(some)
            ]
            with self._reported():
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            self._check("send", answer)

    def receive(
        self,
        limit: int = MAX_BATCH,
        wait_seconds: int = LONGEST_WAIT_SECONDS,
        hide_seconds: int | None = None,
    ) -> list[Received]:
        """Take up to ``limit`` messages, but at most ``MAX_BATCH``.

        Wait up to ``wait_seconds`` (at most 20) for the first one. SQS hides these messages from other
        receivers for ``hide_seconds``; by default, for the queue's own visibility timeout.
        """
        hidden = {} if hide_seconds is None else {"VisibilityTimeout": hide_seconds}
        with self._reported():
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(limit, MAX_BATCH),
                WaitTimeSeconds=wait_seconds,
                AttributeNames=["ApproximateReceiveCount"],
                **hidden,
            )
        return [
            Received(
                id=message["MessageId"],
                receipt=message["ReceiptHandle"],
                body=message["Body"],
                deliveries=int(message["Attributes"]["ApproximateReceiveCount"]),
            )
            for message in answer.get("Messages", ())
        ]

    def look(self, limit: int, hide_seconds: int) -> list[Received]:
        """Take up to ``limit`` messages, with their attributes and times.

        One call takes at most ``MAX_BATCH``.

        SQS shows a message only to a receiver that takes it. So it hides these messages from other receivers
        for ``hide_seconds``, and counts one more delivery of each.
        """
        with self._reported():
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(limit, MAX_BATCH),
                WaitTimeSeconds=1,
                VisibilityTimeout=hide_seconds,
                AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        return [
            Received(
                id=message["MessageId"],
                receipt=message["ReceiptHandle"],
                body=message["Body"],
                deliveries=int(message["Attributes"]["ApproximateReceiveCount"]),
                sent_at=datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC),
                attributes={
                    name: attribute["StringValue"]
                    for name, attribute in message.get("MessageAttributes", {}).items()
                    if "StringValue" in attribute
                },
            )
            for message in answer.get("Messages", ())
        ]

    def find_dead_letter_queue(self) -> str | None:
        """Return the URL of this queue's dead-letter queue; None if it has none."""
        with self._reported():
            found = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["RedrivePolicy"])
            policy = found.get("Attributes", {}).get("RedrivePolicy")
            if not policy:
                return None
            name, account = json.loads(policy)["deadLetterTargetArn"].split(":")[:-3:-1]
            answer = self._client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        return str(answer["QueueUrl"])

    def delete(self, messages: Sequence[Received]) -> None:
        """Delete messages from the queue."""
        for some in in_batches(messages):
            entries = [
                {"Id": str(number), "ReceiptHandle": message.receipt} for number, message in enumerate(some)
            ]
            with self._reported():
                answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
            self._check("delete", answer)

    def hide(self, messages: Sequence[Received], seconds: int) -> None:
        """Hide messages from other receivers for this long, from now.

        With 0, other receivers can get the messages at once.
        """
        for some in in_batches(messages):
            entries = [
                {"Id": str(number), "ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
                for number, message in enumerate(some)
            ]
            with self._reported():
                answer = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            self._check("hide", answer)

    def _check(self, action: str, answer: dict[str, Any]) -> None:
        """Raise an error if a successful request failed for some of its messages."""
        failed = answer.get("Failed", ())
        for entry in failed:
            can_pass = not entry["SenderFault"] or entry["Code"] in PASSING
            some = "a message" if len(failed) == 1 else f"{len(failed)} messages"
            why = f"{entry.get('Message', '')} ({entry['Code']})".strip()
            text = f"{self._url}: can't {action} {some}: {why}"
            raise (QueueFailed if can_pass else QueueRefused)(text)

    def _reported(self) -> AbstractContextManager[None]:
        return reported(self._url, passing=QueueFailed, lasting=QueueRefused)


def open_queue(url: str, shared: Shared) -> Queue:
    """Return the queue of this URL.

    Raises:
        UsageError: It is a FIFO queue. S3 can't send notifications to one, and Renditions sends its own
            messages without the group that such a queue needs.

    """
    if url.endswith(".fifo"):
        raise UsageError(
            f"can't use the queue {url}: it is a FIFO queue, to which S3 can't send notifications. Use a "
            "standard queue"
        )
    return Queue(shared.get(Clients).sqs, url)
