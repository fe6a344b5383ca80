"""Notices through SNS and EventBridge, as programs and people get them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aws.answers import Answer, answering
from contract.catalogs import make_record
from contract.cloud import CLIENTS, name_of
from contract.test_catalog import FULL
from renditions.aws.cloud import Cloud
from renditions.aws.sns import EventBridgeNotifier, SnsNotifier
from renditions.aws.sqs import Queue
from renditions.errors import NotifyFailed, NotifyRefused, UsageError
from renditions.model.record import Notice

pytestmark = pytest.mark.usefixtures("aws")

REJECTED = Notice("rejected", FULL)


@pytest.fixture
def queue(tmp_path: Path) -> tuple[str, str]:
    """Make a queue; return its URL and ARN."""
    url = CLIENTS.sqs.create_queue(QueueName=name_of(tmp_path))["QueueUrl"]
    attributes = CLIENTS.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return url, attributes["QueueArn"]


@pytest.fixture
def topic(tmp_path: Path, queue: tuple[str, str]) -> str:
    """Make a topic whose messages come to the queue as they are."""
    arn = CLIENTS.sns.create_topic(Name=name_of(tmp_path))["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    CLIENTS.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue[1], Attributes=raw)
    return str(arn)


@pytest.fixture
def bus(tmp_path: Path, queue: tuple[str, str]) -> str:
    """Make a bus whose events of ours come to the queue."""
    name = name_of(tmp_path)
    CLIENTS.events.create_event_bus(Name=name)
    pattern = json.dumps({"source": ["renditions"], "detail-type": ["Picture rejected"]})
    CLIENTS.events.put_rule(Name=name, EventBusName=name, EventPattern=pattern)
    CLIENTS.events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "1", "Arn": queue[1]}])
    return name


def read_one(url: str) -> Any:
    (message,) = Queue(CLIENTS.sqs, url).receive(wait_seconds=5)
    return json.loads(message.body)


def read_request(send: Callable[[SnsNotifier], None]) -> dict[str, Any]:
    """Return the parameters with which SNS is called."""
    sent: list[dict[str, Any]] = []
    client = Cloud()._clients.sns
    client.meta.events.register("provide-client-params.sns.Publish", lambda params, **_: sent.append(params))
    topic = client.create_topic(Name="anything")["TopicArn"]
    send(SnsNotifier(client, topic))
    return sent[0]


def test_programs_get_the_record_without_what_is_the_catalogs_own(topic: str, queue: tuple[str, str]) -> None:
    Cloud().open_notifier(f"sns:{topic}").send(REJECTED)
    item = read_one(queue[0])
    assert item["event"] == item["status"] == "rejected"
    assert item["image_name"] == FULL.name
    assert item["reason"] == FULL.reason
    assert item["renditions"]["small"] == {
        "key": "a/é 🖼.jpg/small.jpg", "etag": "o1", "source_etag": "e1", "fingerprint": "f1",
        "format": "jpeg", "size_bytes": 10, "width": 2, "height": 1,
    }  # fmt: skip
    assert not item.keys() & {"lease", "revision", "goal", "owed", "pending_keys"}


def test_an_event_of_a_bus_is_chosen_by_what_it_tells(bus: str, queue: tuple[str, str]) -> None:
    notifier = Cloud().open_notifier(f"events:{bus}")
    notifier.send(Notice("done", make_record("other.jpg")))
    notifier.send(REJECTED)
    event = read_one(queue[0])
    assert (event["source"], event["detail-type"]) == ("renditions", "Picture rejected")
    assert event["detail"]["reason"] == FULL.reason
    assert event["time"] == "2026-01-02T03:04:05Z"


def test_people_get_sentences() -> None:
    record = replace(make_record("2026/ü.jpg", outputs=("ü.jpg/small.jpg",)), reason=None)
    request = read_request(lambda notifier: notifier.send(Notice("done", record)))
    message = json.loads(request["Message"])
    assert request["Subject"] == "2026/?.jpg is done"
    assert message["sms"] == "2026/ü.jpg is done."
    assert message["email"] == "2026/ü.jpg is done.\n\nrendition 0: ü.jpg/small.jpg, 1 bytes"
    assert request["MessageAttributes"] == {"event": {"DataType": "String", "StringValue": "done"}}


def test_a_subject_is_one_line_of_a_hundred_characters_at_most() -> None:
    name = "\n" + "very/" * 50 + "long.jpg"
    request = read_request(lambda notifier: notifier.send(Notice("failed", replace(FULL, name=name))))
    assert len(request["Subject"]) == 100
    assert request["Subject"].endswith("/long.jpg is failed")
    assert request["Subject"].isprintable()


def test_a_text_message_is_cut_between_characters() -> None:
    request = read_request(lambda notifier: notifier.send(Notice("failed", replace(FULL, reason="é" * 2000))))
    text = json.loads(request["Message"])["sms"]
    assert len(text.encode()) <= 1600
    assert text.endswith("é")


def test_a_missing_topic_or_bus_is_named_and_not_tried_again() -> None:
    arn = "arn:aws:sns:eu-west-1:123456789012:nobody"
    for target in (f"sns:{arn}", "events:nobody"):
        with pytest.raises(NotifyRefused, match="nobody") as refusal:
            Cloud().open_notifier(target).send(REJECTED)
        assert not refusal.value.retryable


@pytest.mark.parametrize(
    ("code", "error"), [("ThrottlingException", NotifyFailed), ("InternalFailure", NotifyFailed),
                        ("AccessDeniedException", NotifyRefused)],
)  # fmt: skip
def test_an_event_that_is_refused_in_an_answer_of_success_is_seen(code: str, error: type[Exception]) -> None:
    body = json.dumps({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "words"}]})
    with answering([Answer(200, body)]) as (clients, _), pytest.raises(error, match="words") as raised:
        EventBridgeNotifier(clients.events, "default").send(REJECTED)
    assert type(raised.value) is error


def test_another_target_is_none_of_ours() -> None:
    with pytest.raises(UsageError, match="sns:ARN"):
        Cloud().open_notifier("mailto://a")
