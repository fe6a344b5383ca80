"""Reading the tasks of messages, including the messages of this package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renditions.core.outcome import Outcome
from renditions.messages.events import (
    Change,
    Content,
    Ignored,
    SyncRequest,
    Unknown,
    decode,
    encode_change,
    encode_sync,
)
from renditions.messages.intake import Picture, Refused, needs_redelivery, read_task
from renditions.model.places import S3Place
from renditions.model.record import Record, Status

PLACE = S3Place("photos", "in/")
KEYS = st.text(st.characters(codec="utf-8"), min_size=1)


def read(bodies: Sequence[str]) -> list[Content]:
    """Return the contents of messages with these bodies."""
    messages = decode(
        {"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": body} for body in bodies]}
    ).messages
    return [content for message in messages for content in message.contents]


REMOVED = Picture("a/b.jpg", "Object Deleted", is_removal=True)


@pytest.mark.parametrize(
    ("content", "task"),
    [
        (Change("photos", "in/a/b.jpg", "removed", "Object Deleted"), REMOVED),
        (Change("photos", "in/a/b.jpg", "drifted", "x"), Picture("a/b.jpg", "x", has_drifted=True)),
        (Change("other", "in/a.jpg", "created", "x"), Refused("s3://other/in/a.jpg isn't in the source, s3://photos/in/")),
        (Change("photos", "a.jpg", "created", "x"), Refused("s3://photos/a.jpg isn't in the source, s3://photos/in/")),
        (Unknown("42"), Refused("the message isn't understood: 42")),
        (SyncRequest("m"), SyncRequest("m")),
        (Ignored("s3:TestEvent"), Ignored("s3:TestEvent")),
    ],
)  # fmt: skip
def test_message_contents_become_tasks_or_are_refused(content: Content, task: object) -> None:
    assert read_task(content, PLACE) == task


@given(KEYS)
def test_any_key_is_read_back_unchanged_from_messages_of_this_package(key: str) -> None:
    assert read([encode_change("photos", key)]) == [Change("photos", key, "created", "Picture differs")]
    assert read([encode_change("photos", key, "removed")]) == [
        Change("photos", key, "removed", "Picture is gone")
    ]
    assert read([encode_change("photos", key, "drifted")]) == [
        Change("photos", key, "drifted", "Picture has other outputs")
    ]
    for request in (
        SyncRequest(key),
        SyncRequest(key, {"known": 3, "missing": 0}),
        SyncRequest(key, allowed={"removals": 3}),
    ):
        assert read([encode_sync(request)]) == [request]


@pytest.mark.parametrize("counts", ["{}", '{"known": -1}', '{"known": "1"}', '{"known": true}', "[]", "1"])
def test_empty_or_invalid_counts_in_a_message_are_read_as_no_counts(counts: str) -> None:
    detail = f'{{"after": "a", "counts": {counts}, "allowed": {counts}}}'
    body = f'{{"source": "renditions", "detail-type": "Reconcile", "detail": {detail}}}'
    (request,) = read([body])
    assert isinstance(request, SyncRequest)
    assert not request.counts
    assert request.allowed == {}


def test_a_notice_in_the_queue_is_not_read_as_a_change() -> None:
    notice = json.dumps({"source": "renditions", "detail-type": "Picture done", "detail": {"a": 1}})
    odd = json.dumps({"source": "renditions", "detail-type": "Reconcile", "detail": 1})
    assert read([notice, odd]) == [Ignored("Picture done"), Unknown(odd)]


@pytest.mark.parametrize("status", ["done", "failed"])
def test_the_message_of_a_picture_that_waits_for_a_removal_needs_no_redelivery(status: Status) -> None:
    record = Record("b.jpg", status, datetime(2026, 1, 1, tzinfo=UTC))
    waiting = Outcome("b.jpg", "waiting", "why", record=record)
    assert needs_redelivery(waiting) == (status == "failed")
    assert not needs_redelivery(replace(waiting, blocked_by="a.jpg"))
