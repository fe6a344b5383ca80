"""Failed and unprocessed messages, which a call returns to the queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from renditions.aws.sqs import Received
from renditions.core.ask import PLAIN, Ask
from renditions.core.outcome import Outcome
from renditions.errors import NoTimeLeft, QueueFailed
from renditions.model.recipe import Rendition
from renditions.serverless.redelivery import Redelivery
from serverless.test_lambda import Call, failures, load, make_function, put
from world import World, make_pipeline


@dataclass
class Sent:
    """The requests to a queue."""

    hidden: list[tuple[list[str], int]] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    error: Exception | None = None

    def hide(self, messages: Sequence[Received], seconds: int) -> None:
        if self.error:
            raise self.error
        self.hidden.append(([message.id for message in messages], seconds))

    def send(self, bodies: Sequence[str]) -> None:
        if self.error:
            raise self.error
        self.sent += bodies


def records(*bodies: Any, deliveries: int = 1, queue: str = "pictures") -> dict[str, Any]:
    """Return Lambda's event for these messages."""
    arn = f"arn:aws:sqs:eu-west-1:123456789012:{queue}"
    return {
        "Records": [
            Received(str(number), f"receipt-{number}", json.dumps(body), deliveries).to_record()
            | {"eventSourceARN": arn}
            for number, body in enumerate(bodies)
        ]
    }


OUTCOMES = {
    "done.jpg": Outcome("done.jpg", "done"),
    "failed.jpg": Outcome("failed.jpg", "failed", "no space left", timedelta(seconds=2)),
    "leased.jpg": Outcome("leased.jpg", "waiting", "another worker holds it", timedelta(seconds=300)),
    "late.jpg": Outcome("late.jpg", "failed", "no time", timedelta(seconds=2), code=NoTimeLeft.code),
}


@pytest.fixture
def sent() -> Sent:
    return Sent()


def handle(sent: Sent, event: Any, left_seconds: float | Callable[[], float] = 60.0) -> list[str]:
    """Have a function with fixed outcomes handle the event.

    Return the identifiers that it reports.
    """

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        return OUTCOMES[name]

    world = World(make_pipeline(thumb=Rendition(width=200)))
    redelivery = Redelivery("pictures", sent.send, sent.hide, Received.of_record)
    function = replace(make_function(world, process), redelivery=redelivery)
    return failures(function.handle(event, Call(left_seconds)))


def test_a_failed_message_is_redelivered_soon(sent: Sent) -> None:
    """The message doesn't wait for the queue's whole visibility timeout."""
    assert handle(sent, records(put("failed.jpg"), put("done.jpg"))) == ["0"]
    assert sent.hidden == [(["0"], 30)]
    assert sent.sent == []


@pytest.mark.parametrize(("deliveries", "seconds"), [(1, 30), (2, 60), (4, 240), (9, 900)])
def test_the_pause_before_a_redelivery_grows_with_each_delivery(
    sent: Sent, deliveries: int, seconds: int
) -> None:
    handle(sent, records(put("failed.jpg"), deliveries=deliveries))
    assert sent.hidden == [(["0"], seconds)]


def test_the_message_of_a_leased_picture_returns_when_the_lease_ends(sent: Sent) -> None:
    assert handle(sent, records(put("leased.jpg"), put("failed.jpg"))) == ["0", "1"]
    assert sorted(sent.hidden) == [(["0"], 300), (["1"], 30)]


def test_a_picture_for_which_no_time_is_left_is_sent_as_a_new_message(sent: Sent) -> None:
    event = records(put("late.jpg"), put("done.jpg"), put("failed.jpg"))
    assert handle(sent, event) == ["2"]
    assert sent.sent == [event["Records"][0]["body"]]
    assert sent.hidden == [(["2"], 30)]


def test_pictures_that_a_call_does_not_begin_are_sent_again(sent: Sent) -> None:
    event = records(put("done.jpg"), put("failed.jpg"))
    assert handle(sent, event, left_seconds=0.5) == []
    assert sent.sent == [record["body"] for record in event["Records"]]


def test_a_tick_for_which_the_pictures_leave_no_time_is_sent_again(sent: Sent) -> None:
    """Otherwise Lambda could end the call, and redeliver all its messages."""
    event = records(put("done.jpg"), load("schedule"))
    left = iter([60.0, 60.0])
    assert handle(sent, event, lambda: next(left, 3.0)) == []
    assert sent.sent == [event["Records"][1]["body"]]


def test_a_tick_begins_although_no_call_has_much_time(sent: Sent) -> None:
    assert handle(sent, records(load("schedule")), left_seconds=3.0) == []
    assert sent.sent == []


def test_a_message_about_several_pictures_counts_as_failed_if_one_of_them_failed(sent: Sent) -> None:
    both = {"Records": [put(name)["Records"][0] for name in ("late.jpg", "failed.jpg")]}
    assert handle(sent, records(both)) == ["0"]
    assert sent.sent == []


def test_the_queue_redelivers_unknown_messages(sent: Sent) -> None:
    assert handle(sent, records({"hello": 1})) == ["0"]
    assert sent.hidden == [(["0"], 30)]


def test_no_message_is_lost_while_the_queue_is_unreachable(sent: Sent) -> None:
    sent.error = QueueFailed("the queue doesn't answer")
    assert handle(sent, records(put("late.jpg"), put("failed.jpg"))) == ["1", "0"]


def test_messages_of_another_queue_are_neither_hidden_nor_sent_again(sent: Sent) -> None:
    """``QUEUE_URL`` names one queue, and a function can have several."""
    assert handle(sent, records(put("late.jpg"), put("failed.jpg"), queue="others")) == ["0", "1"]
    assert (sent.hidden, sent.sent) == ([], [])
