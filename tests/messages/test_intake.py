"""Reading messages, and a reconcile over a queue."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renditions.errors import StoreFailed
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
from renditions.messages.intake import FannedOut, Picture, Refused, fan_out, read_task
from renditions.model.places import S3Place
from world import World

PLACE = S3Place("photos", "in/")
NAMES = [f"{number:02}.jpg" for number in range(25)]
KEYS = st.text(st.characters(codec="utf-8"), min_size=1)


def read(bodies: list[str]) -> list[Content]:
    """Return the tasks that the function reads from these messages."""
    messages = decode(
        {"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": body} for body in bodies]}
    ).messages
    return [content for message in messages for content in message.contents]


def make_world() -> World:
    world = World()
    for name in NAMES:
        world.upload(name, name.encode())
    return world


REMOVED = Picture("a/b.jpg", "Object Deleted", is_removal=True)


@pytest.mark.parametrize(
    ("content", "task"),
    [
        (Change("photos", "in/a/b.jpg", "removed", "Object Deleted"), REMOVED),
        (Change("other", "in/a.jpg", "created", "x"), Refused("expected an object in s3://photos/in/, found s3://other/in/a.jpg")),
        (Change("photos", "a.jpg", "created", "x"), Refused("expected an object in s3://photos/in/, found s3://photos/a.jpg")),
        (Unknown("42"), Refused("expected a message about S3 objects, found 42")),
        (SyncRequest("m"), SyncRequest("m")),
        (Ignored("s3:TestEvent"), Ignored("s3:TestEvent")),
    ],
)  # fmt: skip
def test_read_task_accepts_only_messages_for_this_pipeline(content: Content, task: object) -> None:
    assert read_task(content, PLACE) == task


@given(KEYS)
def test_our_own_messages_can_carry_any_key_and_name(key: str) -> None:
    assert read([encode_change("photos", key)]) == [Change("photos", key, "created", "Picture differs")]
    assert read([encode_sync(key)]) == [SyncRequest(key)]


def test_a_notice_in_the_queue_is_not_read_as_a_change() -> None:
    notice = json.dumps({"source": "renditions", "detail-type": "Picture done", "detail": {"a": 1}})
    odd = json.dumps({"source": "renditions", "detail-type": "Reconcile", "detail": 1})
    assert read([notice, odd]) == [Ignored("Picture done"), Unknown(odd)]


def test_fan_out_sends_each_differing_picture_once_in_batches_of_ten() -> None:
    world = make_world()
    world.processor().process(NAMES[3])
    batches: list[list[str]] = []
    fanned = fan_out(world.differences(), PLACE, lambda some: batches.append([*some]), lambda: True)
    assert fanned == FannedOut(24, None)
    assert [len(batch) for batch in batches] == [10, 10, 4]
    tasks = [read_task(content, PLACE) for batch in batches for content in read(batch)]
    assert [task.name for task in tasks if isinstance(task, Picture)] == NAMES[:3] + NAMES[4:]


def test_fan_out_sends_nothing_when_nothing_differs() -> None:
    world = make_world()
    world.settle()
    sent: list[str] = []
    assert fan_out(world.differences(), PLACE, sent.extend, lambda: True) == FannedOut(0, None)
    assert sent == []


@pytest.mark.parametrize("each", [1, 2, 9, 10, 11, 25, 26])
def test_fan_out_continues_in_another_call_when_time_runs_out(each: int) -> None:
    """With any number of checked names in one call, each picture is sent exactly once."""
    world = make_world()
    found: list[str] = []
    todo = [SyncRequest()]
    while todo:
        left = iter(range(each))
        bodies: list[str] = []

        def send(some: list[str], bodies: list[str] = bodies) -> None:
            assert len(some) <= 10
            bodies += some

        def has_time(left: Iterator[int] = left) -> bool:
            return next(left, 0) + 1 < each

        fan_out(world.differences(todo.pop().after), PLACE, send, has_time)  # type: ignore[arg-type]
        tasks = [read_task(content, PLACE) for content in read(bodies)]
        found += [task.name for task in tasks if isinstance(task, Picture)]
        todo += [task for task in tasks if isinstance(task, SyncRequest)]
    assert found == NAMES


def test_a_failed_send_raises_and_is_not_the_end_of_the_plan() -> None:
    def send(_: object) -> None:
        raise StoreFailed("throttled")

    with pytest.raises(StoreFailed):
        fan_out(make_world().differences(), PLACE, send, lambda: True)
