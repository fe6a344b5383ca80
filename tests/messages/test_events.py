"""Recorded events, and the contents that they decode to.

The files in ``events`` follow the examples on the AWS pages that ``origins.json`` names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from renditions.messages.events import (
    Change,
    Content,
    Ignored,
    Incoming,
    Message,
    SyncRequest,
    Unknown,
    decode,
    find_bodies,
)

EVENTS = Path(__file__).parent / "events"
BUCKET = "amzn-s3-demo-bucket"
FIRST, SECOND, THIRD = (
    "059f36b4-87a3-44ab-83d2-661975830a7d",
    "2e1424d4-f796-459a-8184-9c92662be6da",
    "e5d1b9c2-30a4-4f7e-9f14-2a1d6b7c8e90",
)
TASK = "dGFza2lkZ29lc2hlcmUK"
PUT = Change(BUCKET, "2026/red flower (1).jpg", "created", "ObjectCreated:Put")
TEST = Ignored("s3:TestEvent")
CALL = Unknown("a call of an HTTP API, which belongs to the API's own function")


def event(*contents: Content) -> Incoming:
    return Incoming("event", (Message("", contents),))


def queue(*messages: tuple[Content, ...]) -> Incoming:
    ids = (FIRST, SECOND, THIRD)
    return Incoming("queue", tuple(map(Message, ids, messages)))


def created(key: str, name: str) -> Change:
    return Change(BUCKET, key, "created", name)


def removed(key: str, name: str) -> Change:
    return Change(BUCKET, key, "removed", name)


TABLE: dict[str, Incoming] = {
    "s3-put": event(PUT),
    "s3-multipart-versioned": event(created("résumé + 🌷.png", "ObjectCreated:CompleteMultipartUpload")),
    "s3-several-records": event(
        created("a//b.jpg", "ObjectCreated:Copy"),
        removed("/leading.jpg", "ObjectRemoved:Delete"),
        created("../up.jpg", "ObjectCreated:Post"),
    ),
    "s3-delete-marker": event(removed("gone.jpg", "ObjectRemoved:DeleteMarkerCreated")),
    "s3-lifecycle-expiration": event(removed("expiration/old.jpg", "LifecycleExpiration:Delete")),
    "s3-restore-completed": event(created("archive/photo.jpg", "ObjectRestore:Completed")),
    "s3-restore-started": event(Ignored("ObjectRestore:Post")),
    "s3-replication-failed": event(Ignored("Replication:OperationFailedReplication")),
    "s3-tagging": event(Ignored("ObjectTagging:Put")),
    "s3-test-event": event(TEST),
    "s3-in-sqs": queue((PUT,), (removed("gone.jpg", "ObjectRemoved:Delete"),), (TEST,)),
    "s3-in-sns": event(PUT),
    "s3-in-sns-in-sqs": queue((PUT,), (TEST,)),
    "s3-in-raw-sns-in-sqs": queue((PUT, created("second.jpg", "ObjectCreated:Put"))),
    "eventbridge-created": event(created("2026/red flower+(1).jpg", "Object Created")),
    "eventbridge-deleted": event(removed("gone%20.jpg", "Object Deleted")),
    "eventbridge-expired": event(removed("old.jpg", "Object Deleted")),
    "eventbridge-restored": event(created("archive/photo.jpg", "Object Restore Completed")),
    "eventbridge-tagged": event(Ignored("Object Tags Added")),
    "eventbridge-in-sqs": queue(
        (created("100%.jpg", "Object Created"),), (removed("a+b.jpg", "Object Deleted"),)
    ),
    "batch-1.0": Incoming("batch job", (Message(TASK, (created("customer image+1.jpg", "batch job"),)),)),
    "batch-2.0": Incoming("batch job", (Message(TASK, (created("customerImage1.jpg", "batch job"),)),)),
    "failed-calls-in-sqs": queue((PUT,), (SyncRequest(),)),
    "schedule": event(SyncRequest()),
    "schedule-in-sqs": queue((SyncRequest(),)),
    "api-call-1.0": event(CALL),
    "api-call-2.0": event(CALL),
    "mixed-with-unknown": queue((Unknown("not JSON"),), (PUT,), (Unknown('{"hello": "world"}'),)),
}


def load(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def test_each_event_file_is_in_the_table_and_in_the_list_of_origins() -> None:
    origins = load("origins")
    assert {path.stem for path in EVENTS.glob("*.json")} - {"origins"} == set(TABLE)
    assert {name.removesuffix(".json") for name in origins} == set(TABLE)
    assert all(url.startswith("https://docs.aws.amazon.com/") for url in origins.values())


@pytest.mark.parametrize("name", TABLE)
def test_a_recorded_event_decodes_to_its_expected_contents(name: str) -> None:
    assert decode(load(name)) == TABLE[name]


def in_sqs(body: Any) -> Any:
    return {"Records": [{"eventSource": "aws:sqs", "messageId": FIRST, "body": json.dumps(body)}]}


def in_sns_event(body: Any) -> Any:
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(body)}}]}


def in_sns(body: Any) -> Any:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:…", "Message": json.dumps(body)}


def notification(key: str) -> Any:
    put = load("s3-put")
    put["Records"][0]["s3"]["object"]["key"] = quote_plus(key)
    return put


def bus_event(key: str) -> Any:
    made = load("eventbridge-created")
    made["detail"]["object"]["key"] = key
    return made


def task(key: str) -> Any:
    job = load("batch-1.0")
    job["tasks"][0]["s3Key"] = quote_plus(key)
    return job


ENVELOPES: list[Callable[[Any], Any]] = [
    lambda body: body,
    in_sqs,
    in_sns_event,
    lambda body: in_sqs(in_sns(body)),
    lambda body: in_sqs(in_sns_event(body)),
    lambda body: in_sqs(in_sqs(body)),
]
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)


@settings(deadline=None, max_examples=50)
@given(KEYS)
@example("🌷" * 256)
@example("../a//b+c d%20é.jpg")
def test_any_key_is_decoded_unchanged_from_each_envelope(key: str) -> None:
    for put_in in ENVELOPES:
        for body in (notification(key), bus_event(key)):
            (message,) = decode(put_in(body)).messages
            (change,) = message.contents
            assert isinstance(change, Change)
            assert (change.bucket, change.key, change.kind) == (BUCKET, key, "created")
    (message,) = decode(task(key)).messages
    assert message.contents == (created(key, "batch job"),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Records", "eventSource", "body", "s3", "Sns", "tasks", "detail", "source", "x"]),
        inner | st.sampled_from(["aws:sqs", "aws:s3", "aws:sns", "aws.s3"]), max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(JSON)
def test_decoding_an_arbitrary_value_raises_no_error(value: Any) -> None:
    for put_in in ENVELOPES:
        assert decode(put_in(value)).messages


def test_an_invalid_message_does_not_block_the_other_messages() -> None:
    batch = load("s3-in-sqs")
    batch["Records"][1] = {"eventSource": "aws:sqs", "messageId": SECOND}
    batch["Records"][2]["body"] = '{"Records": [' * 100_000 + "0" + "]}" * 100_000
    first, second, third = decode(batch).messages
    assert first.contents == (PUT,)
    assert (second.id, *second.contents) == (
        SECOND,
        Unknown('{"eventSource": "aws:sqs", "messageId": "2e1424d4-f796-459a-8184-9c92662be6da"}'),
    )
    assert third.contents == (Unknown("something nested too deeply"),)


def test_bodies_are_found_beside_records_without_a_body() -> None:
    batch = load("s3-in-sqs")
    first, second, third = batch["Records"]
    batch["Records"] = [first, None, "text", {**second, "body": 1}, third]
    assert len(decode(batch).messages) == 5
    assert find_bodies(batch) == [first["body"], third["body"]]
    assert find_bodies(load("s3-put")) == []


def test_a_key_that_is_not_utf8_is_reported() -> None:
    put = load("s3-put")
    put["Records"][0]["s3"]["object"]["key"] = "a%FF.jpg"
    assert decode(put) == event(Unknown("the key 'a%FF.jpg', which isn't URL-encoded UTF-8"))


def test_the_description_of_an_unknown_message_is_cut_to_200_characters() -> None:
    (message,) = decode({"long": "x" * 1000}).messages
    (unknown,) = message.contents
    assert isinstance(unknown, Unknown)
    assert len(unknown.found) == 200
