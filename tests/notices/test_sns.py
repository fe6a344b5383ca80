"""Notices through SNS, in the forms that programs and people receive."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aws.account import arn_of
from aws.answers import Answer, answering
from aws.proxy import BAD_GATEWAY
from contract.catalogs import make_record
from contract.cloud import CLIENTS, name_of
from contract.test_catalog import FULL
from notices.receiving import DONE, HELD, LARGE, REJECTED, read_one
from renditions.aws.clients import Clients
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.notices import Notice
from renditions.model.notify import Notify
from renditions.model.registry import Shared
from renditions.notices.sns import SnsNotifier, open_notifier

pytestmark = pytest.mark.usefixtures("aws")

ARN = "arn:aws:sns:eu-west-1:123456789012:missing"
TOO_LONG = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code>"
    "<Message>Invalid parameter: Message too long</Message></Error></ErrorResponse>"
)
PUBLISHED = "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"


@pytest.fixture
def topic(tmp_path: Path, queue: str) -> str:
    """Return the ARN of a topic that sends its messages to the queue in raw form."""
    arn = CLIENTS.sns.create_topic(Name=name_of(tmp_path))["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    CLIENTS.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=arn_of(queue), Attributes=raw)
    return str(arn)


def read_request(send: Callable[[SnsNotifier], None], **wording: Any) -> dict[str, Any]:
    """Return the parameters of the request to SNS; ``wording`` has the templates."""
    sent: list[dict[str, Any]] = []
    client = Clients().sns
    client.meta.events.register("provide-client-params.sns.Publish", lambda params, **_: sent.append(params))
    topic = client.create_topic(Name="anything")["TopicArn"]
    send(SnsNotifier(client, Notify(on=("done",), to=f"sns:{topic}", **wording)))
    return sent[0]


def test_subscribed_programs_get_the_record_without_internal_attributes(topic: str, queue: str) -> None:
    open_notifier(Notify(on=("done",), to=f"sns:{topic}"), Shared()).send(REJECTED)
    item = read_one(queue)
    assert item["event"] == item["status"] == "rejected"
    assert item["image_name"] == FULL.name
    assert item["reason"] == FULL.reason
    assert item["renditions"]["small"] == {
        "key": "a/é 🖼.jpg/small.jpg", "etag": "o1", "source_etag": "e1", "fingerprint": "f1",
        "format": "jpeg", "size_bytes": 10, "width": 2, "height": 1, "focus": {"x": 12.5, "y": 0},
    }  # fmt: skip
    assert not item.keys() & {"lease", "revision", "goal", "owed", "pending_keys"}


def test_subscribed_people_receive_sentences_by_email_and_sms() -> None:
    record = replace(make_record("2026/ü.jpg", outputs=("ü.jpg/small.jpg",)), reason=None)
    request = read_request(lambda notifier: notifier.send(Notice("done", record)))
    message = json.loads(request["Message"])
    assert request["Subject"] == "2026/?.jpg is done"
    assert message["sms"] == "2026/ü.jpg is done."
    assert message["email"] == "2026/ü.jpg is done.\n\nrendition 0: ü.jpg/small.jpg, 1 bytes"
    assert request["MessageAttributes"] == {"event": {"DataType": "String", "StringValue": "done"}}


def test_people_receive_the_declared_subject_and_text() -> None:
    request = read_request(
        lambda notifier: notifier.send(REJECTED),
        subject="[Fotos: ü] {summary}",
        text="{name} ({code}): {reason}\nSeit {time}. {{}}",
    )
    message = json.loads(request["Message"])
    assert request["Subject"] == "[Fotos: ?] a/? ?.jpg is rejected"
    assert message["email"] == message["sms"]
    assert message["email"].startswith(f"{FULL.name} ({FULL.code}): {FULL.reason}\nSeit 20")
    assert message["email"].endswith("Z. {}")
    assert json.loads(message["default"])["event"] == "rejected"


def test_people_receive_a_sentence_about_held_work() -> None:
    request = read_request(lambda notifier: notifier.send(HELD))
    message = json.loads(request["Message"])
    assert request["Subject"] == "Renditions: removals held"
    assert message["sms"].startswith("The removal of 60 missing pictures is held back")
    assert json.loads(message["default"])["event"] == "removals_held"


def test_the_subject_of_an_email_is_one_line_of_at_most_a_hundred_characters() -> None:
    name = "\n" + "very/" * 50 + "long.jpg"
    request = read_request(lambda notifier: notifier.send(Notice("failed", replace(FULL, name=name))))
    assert len(request["Subject"]) == 100
    assert request["Subject"].endswith("/long.jpg is failed")
    assert request["Subject"].isprintable()


def test_a_long_sms_is_shortened_without_cutting_a_character() -> None:
    request = read_request(lambda notifier: notifier.send(Notice("failed", replace(FULL, reason="é" * 2000))))
    text = json.loads(request["Message"])["sms"]
    assert len(text.encode()) <= 1600
    assert text.endswith("é")


def test_a_notice_that_is_too_long_for_a_topic_arrives_in_a_short_form(topic: str, queue: str) -> None:
    SnsNotifier(CLIENTS.sns, Notify(on=("done",), to=f"sns:{topic}")).send(LARGE)
    item = read_one(queue)
    assert (item["event"], item["image_name"], item["status"], item["etag"]) == ("done", "é.jpg", "done", "e")
    assert item["left_out"] == ["reason", "renditions"]
    assert item["reason"] == LARGE.to_item()["reason"][:300]


def test_people_receive_the_beginning_of_a_text_that_is_too_long_for_a_topic() -> None:
    sent: list[dict[str, Any]] = []
    with answering([Answer(400, TOO_LONG), Answer(200, PUBLISHED)]) as (clients, _):
        clients.sns.meta.events.register(
            "provide-client-params.sns.Publish", lambda params, **_: sent.append(params)
        )
        SnsNotifier(clients.sns, Notify(on=("done",), to=f"sns:{ARN}")).send(LARGE)
    whole, short = (json.loads(params["Message"])["email"] for params in sent)
    assert len(short.encode()) < 8_010 < len(whole.encode())
    assert whole.startswith(short.removesuffix("…"))
    assert short.endswith("…")


def test_a_refused_notice_that_is_short_already_is_sent_only_once() -> None:
    with (
        answering([Answer(400, TOO_LONG), Answer(200, PUBLISHED)]) as (clients, _),
        pytest.raises(NotifyRefused, match="Message too long"),
    ):
        SnsNotifier(clients.sns, Notify(on=("done",), to=f"sns:{ARN}")).send(DONE)


def test_the_error_about_a_missing_topic_names_the_topic_and_is_permanent() -> None:
    with pytest.raises(NotifyRefused, match="missing") as refusal:
        open_notifier(Notify(on=("done",), to=f"sns:{ARN}"), Shared()).send(REJECTED)
    assert not refusal.value.retryable


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, PUBLISHED[: len(PUBLISHED) // 2], announced_bytes=len(PUBLISHED)),
        Answer(200, BAD_GATEWAY.decode()),
        Answer(200, "<html><title>Log in</title></html>"),
        Answer(200, "<Other/>"),
        Answer(200, ""),
    ],
    ids=["half an answer", "a page that is no XML", "a page that is XML", "other XML", "nothing"],
)
def test_an_incomplete_answer_or_an_answer_of_another_server_causes_a_retryable_error(answer: Answer) -> None:
    with answering([answer]) as (clients, _), pytest.raises(NotifyFailed) as raised:
        SnsNotifier(clients.sns, Notify(on=("done",), to=f"sns:{ARN}")).send(DONE)
    assert type(raised.value) is NotifyFailed
