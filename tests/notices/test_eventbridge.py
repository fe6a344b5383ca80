"""Notices through an EventBridge bus, in the form that its rules receive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aws.account import arn_of
from aws.answers import Answer, answering
from contract.catalogs import make_record
from contract.cloud import CLIENTS, name_of
from contract.test_catalog import FULL
from notices.receiving import DONE, HELD, LARGE, REJECTED, read_one
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.notices import Notice
from renditions.model.notify import Notify
from renditions.model.registry import Shared
from renditions.notices.eventbridge import EventBridgeNotifier, open_notifier

pytestmark = pytest.mark.usefixtures("aws")

PUT = '{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}'


@pytest.fixture
def bus(tmp_path: Path, queue: str) -> str:
    """Return the name of a bus whose rule sends two kinds of events to the queue."""
    name = name_of(tmp_path)
    CLIENTS.events.create_event_bus(Name=name)
    pattern = json.dumps({"source": ["renditions"], "detail-type": ["Picture rejected", "Removals held"]})
    CLIENTS.events.put_rule(Name=name, EventBusName=name, EventPattern=pattern)
    CLIENTS.events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "1", "Arn": arn_of(queue)}])
    return name


def test_a_bus_rule_selects_events_by_their_fields(bus: str, queue: str) -> None:
    notifier = open_notifier(Notify(on=("done",), to=f"events:{bus}"), Shared())
    notifier.send(Notice("done", make_record("other.jpg")))
    notifier.send(REJECTED)
    event = read_one(queue)
    assert (event["source"], event["detail-type"]) == ("renditions", "Picture rejected")
    assert event["detail"]["reason"] == FULL.reason
    assert event["time"] == "2026-01-02T03:04:05Z"


def test_the_error_about_a_missing_bus_names_the_bus_and_is_permanent() -> None:
    with pytest.raises(NotifyRefused, match="missing") as refusal:
        open_notifier(Notify(on=("done",), to="events:missing"), Shared()).send(REJECTED)
    assert not refusal.value.retryable


@pytest.mark.parametrize(
    ("code", "error"), [("ThrottlingException", NotifyFailed), ("InternalFailure", NotifyFailed),
                        ("AccessDeniedException", NotifyRefused)],
)  # fmt: skip
def test_a_notice_that_a_successful_answer_reports_as_refused_raises_an_error(
    code: str, error: type[Exception]
) -> None:
    body = json.dumps({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "words"}]})
    with answering([Answer(200, body)]) as (clients, _), pytest.raises(error, match="words") as raised:
        EventBridgeNotifier(clients.events, "default").send(REJECTED)
    assert type(raised.value) is error


def test_an_event_that_is_too_large_for_a_bus_is_sent_in_a_short_form() -> None:
    refused = {"__type": "ValidationException", "message": "Total size of the entries is over the limit."}
    sent: list[dict[str, Any]] = []
    with answering([Answer(400, json.dumps(refused)), Answer(200, PUT)]) as (clients, _):
        clients.events.meta.events.register(
            "provide-client-params.events.PutEvents", lambda params, **_: sent.append(params)
        )
        EventBridgeNotifier(clients.events, "default").send(LARGE)
    whole, short = (json.loads(params["Entries"][0]["Detail"]) for params in sent)
    assert whole == LARGE.to_item()
    assert short == LARGE.to_short_item()
    assert short["left_out"] == ["reason", "renditions"]
    with (
        answering([Answer(400, json.dumps(refused)), Answer(200, PUT)]) as (clients, _),
        pytest.raises(NotifyRefused, match="over the limit"),
    ):
        EventBridgeNotifier(clients.events, "default").send(DONE)


def test_an_incomplete_answer_of_eventbridge_causes_a_retryable_error() -> None:
    half = Answer(200, PUT[: len(PUT) // 2], announced_bytes=len(PUT))
    with answering([half]) as (clients, _), pytest.raises(NotifyFailed) as raised:
        EventBridgeNotifier(clients.events, "default").send(DONE)
    assert type(raised.value) is NotifyFailed


@pytest.mark.parametrize("body", ["<html><title>Log in</title></html>", "{}", ""])
def test_an_answer_of_another_server_causes_a_retryable_error(body: str) -> None:
    with answering([Answer(200, body)]) as (clients, _), pytest.raises(NotifyFailed) as raised:
        EventBridgeNotifier(clients.events, "default").send(DONE)
    assert type(raised.value) is NotifyFailed


def test_a_notice_about_held_work_has_its_own_event_type_on_the_bus(bus: str, queue: str) -> None:
    open_notifier(Notify(on=("done",), to=f"events:{bus}"), Shared()).send(HELD)
    event = read_one(queue)
    assert (event["detail-type"], event["detail"]["count"]) == ("Removals held", 60)
