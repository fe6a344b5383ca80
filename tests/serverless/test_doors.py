"""Any events for the handler, which must answer as documented.

The handler processes the valid messages of a batch. The handler, the store in a folder and the catalog in
SQLite are the real ones; the renderer only hashes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from renditions.aws.sqs import Received
from renditions.core.ask import PLAIN, Ask
from renditions.core.catalog import Catalog
from renditions.errors import Failed
from renditions.local.folder import FolderStore
from renditions.local.sqlite import SqliteCatalog
from renditions.model.places import S3Place
from renditions.model.recipe import Rendition
from renditions.model.source import Source
from renditions.serverless.function import Function
from renditions.serverless.redelivery import Redelivery
from world import World, make_pipeline

EVENTS = Path(__file__).parents[1] / "messages" / "events"
RECORDED = {path.stem: json.loads(path.read_text()) for path in EVENTS.glob("*.json")}
del RECORDED["origins"]
BUCKET = "amzn-s3-demo-bucket"
GOOD = "good.jpg"
TEMPLATES = ("{key}/thumb.{ext}", "{dir}thumb_{name}", "{stem}.{format}", "{rendition}/{etag}{ext}", "a{dir}")


class Call:
    """A context with enough time."""

    function_name = "pictures"
    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@dataclass
class Door:
    """A function, its parts, and the names that it processed."""

    function: Function
    world: World
    catalog: Catalog
    processed: list[str]


@contextmanager
def opened(template: str = TEMPLATES[0], prefix: str = "") -> Iterator[Door]:
    """Yield a function that keeps outputs in a folder and records in SQLite."""
    pipeline = make_pipeline(thumb=Rendition(width=200, key=template))
    pipeline = replace(pipeline, source=Source(store="in", match=("*",)))
    with TemporaryDirectory() as folder, SqliteCatalog(Path(folder) / "catalog.db") as catalog:
        world = World(pipeline, output=FolderStore(Path(folder) / "out", create=True))
        processor = world.processor(catalog=catalog)
        processed: list[str] = []

        def process(name: str, ask: Ask = PLAIN) -> Any:
            processed.append(name)
            return processor.process(name, ask)

        function = Function(
            S3Place(BUCKET, prefix),
            process,
            lambda after: iter(()),
            lambda: world.guard,
            lambda held: None,
            threads=1,
            redelivery=Redelivery("pictures", list, lambda messages, seconds: None, Received.of_record),
        )
        yield Door(function, world, catalog, processed)


def notification(key: str) -> Any:
    event = copy.deepcopy(RECORDED["s3-put"])
    event["Records"][0]["s3"]["object"]["key"] = quote_plus(key)
    return event


def batch(*bodies: Any) -> dict[str, Any]:
    """Return an SQS event. A text is used unchanged as a body."""
    return {
        "Records": [
            {
                "eventSource": "aws:sqs",
                "messageId": str(number),
                "body": body if isinstance(body, str) else json.dumps(body),
            }
            for number, body in enumerate(bodies)
        ]
    }


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=6
)


@st.composite
def changed_events(draw: Any) -> Any:
    """Draw a recorded event, and return it with a few changes.

    Parts are replaced, removed or repeated.
    """
    event = copy.deepcopy(RECORDED[draw(st.sampled_from(sorted(RECORDED)))])
    for _ in range(draw(st.integers(0, 3))):
        parent: Any = None
        place: Any = None
        value = event
        while isinstance(value, dict | list) and value and (parent is None or draw(st.integers(0, 3))):
            places = sorted(value) if isinstance(value, dict) else range(len(value))
            parent, place = value, draw(st.sampled_from(list(places)))
            value = parent[place]
        if parent is None:
            return draw(VALUES)
        match draw(st.sampled_from(["replace", "remove", "repeat", "text"])):
            case "replace":
                parent[place] = draw(VALUES)
            case "remove":
                del parent[place]
            case "repeat" if isinstance(parent, list):
                parent.append(value)
            case _:
                parent[place] = json.dumps(value)[: draw(st.integers(0, 200))]
    return event


def check_answer(handle: Callable[[], Any]) -> None:
    """Call the function, and check its answer or its failure.

    The answer must be one that can be sent. A failure must be a documented one.
    """
    try:
        answer = handle()
    except Failed:
        return
    json.dumps(answer)


@settings(deadline=None, max_examples=60)
@given(changed_events() | VALUES)
def test_the_function_answers_any_event_or_fails_as_documented(event: Any) -> None:
    with opened() as door:
        check_answer(lambda: door.function.handle(event, Call()))


@settings(deadline=None, max_examples=60)
@given(st.lists(changed_events() | VALUES | st.text(), max_size=3), st.integers(0, 3))
@example([{"source": "renditions", "detail-type": "Reconcile", "detail": {"after": "\ud800"}}], 0)
@example(["[" * 100_000, "9" * 5_000], 1)
def test_invalid_messages_of_a_batch_do_not_block_valid_ones(bodies: list[Any], place: int) -> None:
    """A valid message is processed and not redelivered.

    Any messages may come before and after it.
    """
    bodies.insert(place, notification(GOOD))
    number = str(bodies.index(notification(GOOD)))
    with opened() as door:
        door.world.upload(GOOD, b"good")
        answer = door.function.handle(batch(*bodies), Call())
        assert {"itemIdentifier": number} not in answer["batchItemFailures"]
        record = door.catalog.get(GOOD)
        assert record
        assert record.status == "done"


@pytest.mark.parametrize("depth", [900, 980, 990, 1_000, 100_000])
def test_an_event_that_is_nested_too_deeply_is_reported(depth: int) -> None:
    nested: Any = 0
    for _ in range(depth):
        nested = [nested]
    records = batch(notification(GOOD))
    records["Records"].append({"eventSource": "aws:sqs", "messageId": "deep", "x": nested})
    with opened() as door:
        door.world.upload(GOOD, b"good")
        assert door.function.handle(records, Call()) == {"batchItemFailures": [{"itemIdentifier": "deep"}]}
        assert door.processed == [GOOD]


def test_a_message_with_a_key_that_is_not_text_is_logged_and_reported_as_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    event = copy.deepcopy(RECORDED["eventbridge-created"])
    event["detail"]["object"]["key"] = "\ud800.jpg"
    with opened() as door:
        answer = door.function.handle(batch(event), Call())
        assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["0"]
        assert door.processed == []
    assert "isn't valid Unicode text" in caplog.text


def test_the_folder_marker_that_the_aws_console_creates_is_not_a_picture() -> None:
    with opened(prefix="in/") as door:
        assert door.function.handle(batch(notification("in/")), Call()) == {"batchItemFailures": []}
        assert door.processed == []


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=80), st.sampled_from(TEMPLATES))
@example("../../up.jpg", "{dir}thumb_{name}")
@example("a//b\n\0\x7f.jpg", "{dir}thumb_{name}")
@example("🌷" * 80 + "/" + "é" * 40, "{stem}.{format}")
def test_a_picture_with_any_key_is_done_or_rejected(key: str, template: str) -> None:
    """The record has the picture's key and matches its outputs.

    Deleting the picture deletes the record and the outputs. Keys that no
    pattern of the source matches aren't pictures.
    """
    with opened(template) as door:
        door.world.upload(key, b"content")
        assert door.function.handle(batch(notification(key)), Call()) == {"batchItemFailures": []}
        record = door.catalog.get(key)
        assert (record is not None) == door.world.pipeline.source.matches(key)
        if record is None:
            return
        assert record.status == "done" or (record.status == "rejected" and record.reason)
        output = door.world.output
        assert {(made.key, made.etag) for made in record.outputs} == {
            (found.key, found.etag) for found in output.list()
        }
        door.world.remove(key)
        deleted = notification(key)
        deleted["Records"][0]["eventName"] = "ObjectRemoved:Delete"
        assert door.function.handle(batch(deleted), Call()) == {"batchItemFailures": []}
        assert list(output.list()) == []
        assert list(door.catalog.list()) == []
