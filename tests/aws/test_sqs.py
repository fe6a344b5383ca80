"""The queue in SQS: its messages have the form that a function on Lambda gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from aws.answers import Answer, answering
from contract.cloud import CLIENTS, name_of
from renditions.aws.sqs import Queue, Received, open_queue
from renditions.errors import QueueFailed, QueueRefused, UsageError
from renditions.messages.events import decode
from renditions.model.registry import Shared

pytestmark = pytest.mark.usefixtures("aws")

EVENT = {
    "Records": [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "in"}, "object": {"key": "a.jpg"}},
        }
    ]
}
OURS = Received("1", "receipt", "{}", 1)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Create a queue that hides received messages for a minute; return its URL."""
    attributes = {"VisibilityTimeout": "60"}
    return str(CLIENTS.sqs.create_queue(QueueName=name_of(tmp_path), Attributes=attributes)["QueueUrl"])


def test_a_received_message_is_hidden_and_is_gone_after_its_deletion(url: str) -> None:
    queue = open_queue(url, Shared())
    assert queue.receive(wait_seconds=0) == []
    for body in ("one", "two"):
        CLIENTS.sqs.send_message(QueueUrl=url, MessageBody=body)
    messages = queue.receive(wait_seconds=5)
    assert sorted(message.body for message in messages) == ["one", "two"]
    assert queue.receive(wait_seconds=0) == []
    queue.delete(messages)
    assert CLIENTS.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"].items() >= {
        ("ApproximateNumberOfMessages", "0"),
        ("ApproximateNumberOfMessagesNotVisible", "0"),
    }


def test_a_message_that_a_receiver_gives_back_is_redelivered_with_a_higher_count_of_deliveries(
    url: str,
) -> None:
    queue = Queue(CLIENTS.sqs, url)
    CLIENTS.sqs.send_message(QueueUrl=url, MessageBody="one")
    (first,) = queue.receive(limit=1, wait_seconds=5)
    queue.hide([first], 120)
    assert queue.receive(wait_seconds=0) == []
    queue.hide([first], 0)
    (second,) = queue.receive(wait_seconds=5)
    assert (first.id, first.deliveries, second.deliveries) == (second.id, 1, 2)


def test_more_or_larger_messages_than_one_request_can_have_are_handled_in_several_requests(url: str) -> None:
    queue = Queue(CLIENTS.sqs, url)
    bodies = [f"{number:02}".ljust(100_000, "x") for number in range(4)] + [f"{n}" for n in range(10, 32)]
    queue.send(bodies)
    received: list[Received] = []
    while some := queue.receive(limit=12, wait_seconds=1):
        received += some
    assert sorted(message.body for message in received) == sorted(bodies)
    queue.hide(received, 0)
    again: list[Received] = []
    while some := queue.look(limit=12, hide_seconds=60):
        again += some
    assert sorted(message.body for message in again) == sorted(bodies)
    queue.delete(again)
    counts = CLIENTS.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_fifo_queue_is_refused_with_advice() -> None:
    with pytest.raises(UsageError, match=r"/pictures.fifo: it is a FIFO queue.* Use a standard queue"):
        open_queue("https://sqs.eu-west-1.amazonaws.com/123456789012/pictures.fifo", Shared())


def test_a_message_has_the_form_of_a_record_that_lambda_gets(url: str) -> None:
    CLIENTS.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(EVENT))
    (received,) = Queue(CLIENTS.sqs, url).receive(wait_seconds=5)
    (message,) = decode({"Records": [received.to_record()]}).messages
    assert message.id == received.id
    assert "a.jpg" in str(message.contents)


def test_receiving_from_a_missing_queue_is_refused(url: str) -> None:
    with pytest.raises(QueueRefused, match=f"{url}-not"):
        Queue(CLIENTS.sqs, f"{url}-not").receive(wait_seconds=0)


@pytest.mark.parametrize(
    ("status", "code"), [(403, "OverLimit"), (400, "KMS.ThrottlingException"), (400, "KmsThrottled")]
)
def test_a_queue_with_too_many_messages_in_progress_or_a_throttled_key_causes_a_retryable_error(
    status: int, code: str
) -> None:
    """The worker then doesn't end: it waits and tries again.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """
    refused = Answer(status, json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "words"}))
    with answering([refused]) as (clients, _), pytest.raises(QueueFailed) as raised:
        Queue(clients.sqs, "http://queue").receive()
    assert type(raised.value) is QueueFailed


@pytest.mark.parametrize(("code", "ours", "error"), [("ReceiptHandleIsInvalid", True, QueueRefused),
                                                      ("InternalError", False, QueueFailed)])  # fmt: skip
def test_a_batch_request_that_fails_for_one_message_raises_an_error(
    code: str, ours: bool, error: type[Exception]
) -> None:
    failed = {"Id": "0", "SenderFault": ours, "Code": code}
    with answering([Answer(200, json.dumps({"Failed": [failed], "Successful": []}))]) as (clients, _):
        queue = Queue(clients.sqs, "http://queue")
        uses: dict[str, Callable[[list[Received]], None]] = {
            "send": lambda _: queue.send(["{}"]),
            "delete": queue.delete,
            "hide": partial(queue.hide, seconds=5),
        }
        for action, use in uses.items():
            with pytest.raises(error, match=rf"can't {action} a message: .*{code}") as raised:
                use([OURS])
            assert type(raised.value) is error
