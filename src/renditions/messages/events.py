"""Decode messages that report changes of S3 objects.

Decoding makes no requests. Services wrap each other's messages. S3 -> SNS -> SQS -> Lambda, for example,
gives an event that contains an SQS record, which contains an SNS envelope, which contains S3's notification.
The decoder removes each envelope wherever it finds one, so it understands any nesting, with and without raw
delivery. It also understands Lambda's record of a call that failed every time, which has the call's event. A
change is only a hint: the worker then reads the object itself and acts on its state.

A reconcile over a queue sends its own messages: one for each picture that differs, and one that says where
the next call continues, see :mod:`renditions.messages.tick`. They have the form of EventBridge's events, with
this package as their source.

Keys are URL-encoded, with ``+`` for a space, in S3's own notifications and in S3 Batch Operations. In
EventBridge's events they aren't encoded. (AWS's example for Batch Operations doesn't decode the ``+``, but S3
sends it, see https://github.com/aws-powertools/powertools-lambda-python/pull/3572. Where keys are encoded, a
``+`` in the key itself is ``%2B``.)

Formats:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote_plus

from renditions.model.notice_events import NOTICE_EVENTS

Kind = Literal["created", "removed", "drifted"]
"""The kind of a change. ``drifted`` means that a tick found outputs which differ from the record."""
Origin = Literal["queue", "batch job", "event"]
"""The service that waits for an answer. A queue (SQS) needs the list of failed messages, a batch job (S3
Batch Operations) needs each task's result, and any other event needs no answer."""

_KINDS: dict[str, Kind] = {
    # S3's notifications: the event's name, or its part before the colon
    "ObjectCreated": "created",
    "ObjectRestore:Completed": "created",
    "ObjectRemoved": "removed",
    "LifecycleExpiration": "removed",
    "ReducedRedundancyLostObject": "removed",
    # EventBridge's detail types
    "Object Created": "created",
    "Object Restore Completed": "created",
    "Object Deleted": "removed",
}

_OWN_NAMES: Mapping[Kind, str] = {
    "created": "Picture differs",
    "removed": "Picture is gone",
    "drifted": "Picture has other outputs",
}
"""The detail types of our own messages about pictures."""
_OWN_KINDS = {name: kind for kind, name in _OWN_NAMES.items()}

_NOTICES = frozenset(event.title for event in NOTICE_EVENTS.values())


@dataclass(frozen=True, slots=True)
class Change:
    """The content of a message: an object in a bucket changed."""

    bucket: str
    key: str
    """The object's key in S3, not URL-encoded."""
    kind: Kind
    event: str
    """The service's name for the change: ``ObjectCreated:Put``, ``Object Deleted``, …"""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A request to check every picture: a schedule's tick, or its continuation."""

    after: str = ""
    """The call checks only the names after this name."""
    counts: Mapping[str, int] | None = None
    """The counts of the earlier calls, see ``Census.counts``; None if they aren't known."""
    allowed: Mapping[str, int] = field(default_factory=dict)
    """How many of the postponed removals and outputs the call may send messages for, by ``Held.what``. Empty
    until every picture has been counted."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A known message that needs no work, such as S3's test event or a changed tag."""

    event: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that isn't understood; ``found`` is its short text or a description."""

    found: str


Content = Change | SyncRequest | Ignored | Unknown


@dataclass(frozen=True, slots=True)
class Message:
    """The part of an event that succeeds or fails as a whole.

    It is an SQS message, a task of a batch job, or the whole event of another service.
    """

    id: str
    """``messageId`` or ``taskId``; empty if the message is the whole event, or has no such id."""
    contents: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A decoded event of a Lambda call."""

    origin: Origin
    messages: tuple[Message, ...]


def decode(event: Any) -> Incoming:
    """Decode the event of a Lambda call.

    This function never raises an error: the contents have an :class:`Unknown` for each part that it doesn't
    understand.
    """
    match event:
        case {"Records": [{"eventSource": "aws:sqs"}, *_] as records}:
            return Incoming("queue", tuple(_decode_record(record) for record in records))
        case {"invocationSchemaVersion": _, "tasks": [*tasks]}:
            return Incoming("batch job", tuple(_decode_task(task) for task in tasks))
        case _:
            return Incoming("event", (Message("", _collect(_unwrap(event))),))


def find_bodies(event: Any) -> list[str]:
    """Return the bodies of the event's SQS messages.

    Return an empty list if another service sent the event.
    """
    if decode(event).origin != "queue":
        return []
    return [
        record["body"]
        for record in event["Records"]
        if isinstance(record, Mapping) and isinstance(record.get("body"), str)
    ]


def encode_change(bucket: str, key: str, kind: Kind = "created") -> str:
    """Return a message about a change of this object, for :func:`decode`."""
    detail = {"bucket": {"name": bucket}, "object": {"key": key}}
    return _encode(_OWN_NAMES[kind], detail)


def encode_sync(request: SyncRequest) -> str:
    """Return a message with this request, for :func:`decode`."""
    detail = {"after": request.after, "counts": request.counts, "allowed": request.allowed}
    return _encode("Reconcile", {name: value for name, value in detail.items() if value is not None})


def _encode(name: str, detail: Mapping[str, Any]) -> str:
    return json.dumps({"source": "renditions", "detail-type": name, "detail": detail})


def _collect(contents: Iterator[Content]) -> tuple[Content, ...]:
    try:
        return tuple(contents)
    except RecursionError:
        return (Unknown("something nested too deeply"),)


def _decode_record(record: Any) -> Message:
    match record:
        case {"messageId": str(identifier), "body": str(body)}:
            return Message(identifier, _collect(_parse(body)))
        case {"messageId": str(identifier)}:
            return Message(identifier, (Unknown(_describe(record)),))
        case _:
            return Message("", (Unknown(_describe(record)),))


def _decode_task(task: Any) -> Message:
    """Decode one task of S3 Batch Operations.

    Schema 1.0 has the bucket's ARN, schema 2.0 its name.
    """
    match task:
        case {"taskId": str(identifier), "s3Key": str(key), "s3Bucket": str(bucket)}:
            pass
        case {"taskId": str(identifier), "s3Key": str(key), "s3BucketArn": str(arn)}:
            bucket = arn.rpartition(":")[2]
        case {"taskId": str(identifier)}:
            return Message(identifier, (Unknown(_describe(task)),))
        case _:
            return Message("", (Unknown(_describe(task)),))
    return Message(identifier, (_make_change(bucket, key, "created", "batch job"),))


def _parse(text: str) -> Iterator[Content]:
    """Decode the text of a message."""
    try:
        value = json.loads(text)
    except ValueError:
        yield Unknown(_describe(text))
    else:
        yield from _unwrap(value)


def _unwrap(value: Any) -> Iterator[Content]:
    """Remove the envelopes of a message and decode its contents."""
    match value:
        case {"Records": [_, *_] as records}:
            for record in records:
                yield from _unwrap(record)
        case {"eventSource": "aws:s3", "eventName": str(name)}:
            yield _read_notification(name, value)
        case (
            {"eventSource": "aws:sqs", "body": str(text)}
            | {"EventSource": "aws:sns", "Sns": {"Message": str(text)}}
            | {"Type": "Notification", "TopicArn": _, "Message": str(text)}
        ):
            yield from _parse(text)
        case {"source": "aws.s3", "detail-type": str(name)}:
            yield _read_bus_event(name, value)
        case {"source": "aws.events" | "aws.scheduler", "detail-type": "Scheduled Event"}:
            yield SyncRequest()
        case {"source": "renditions", "detail-type": str(name)}:
            yield _read_own_message(name, value)
        case {"Service": "Amazon S3", "Event": "s3:TestEvent"}:
            yield Ignored("s3:TestEvent")
        case {"requestContext": {"functionArn": str(), "condition": str()}, "requestPayload": payload}:
            yield from _unwrap(payload)
        case _:
            yield Unknown(_describe_unknown(value))


def _describe_unknown(value: Any) -> str:
    match value:
        case {"version": "1.0" | "2.0", "requestContext": {"apiId": _}}:
            return "a call of an HTTP API, which belongs to the API's own function"
        case _:
            return _describe(value)


def _read_notification(name: str, record: Any) -> Content:
    kind = _KINDS.get(name) or _KINDS.get(name.partition(":")[0])
    if kind is None:
        return Ignored(name)
    match record:
        case {"s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return _make_change(bucket, key, kind, name)
        case _:
            return Unknown(_describe(record))


def _read_bus_event(name: str, event: Any) -> Content:
    if name not in _KINDS:
        return Ignored(name)
    match event:
        case {"detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return Change(bucket, key, _KINDS[name], name)
        case _:
            return Unknown(_describe(event))


def _read_own_message(name: str, message: Any) -> Content:
    match name, message.get("detail", {}):
        case "Reconcile", {"after": str(after), **rest}:
            return SyncRequest(
                after, _read_counts(rest.get("counts")), _read_counts(rest.get("allowed")) or {}
            )
        case "Reconcile", {}:
            return SyncRequest()
        case _, {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}} if name in _OWN_KINDS:
            return Change(bucket, key, _OWN_KINDS[name], name)
        case _ if name in _NOTICES:  # a notice that was sent to the wrong queue
            return Ignored(name)
        case _:
            return Unknown(_describe(message))


def _read_counts(value: Any) -> dict[str, int] | None:
    """Return the value if it is a mapping of names to numbers from 0; otherwise None."""
    if not isinstance(value, dict):
        return None
    are_counts = all(type(number) is int and number >= 0 for number in value.values())
    return value if are_counts else None


def _make_change(bucket: str, encoded_key: str, kind: Kind, event: str) -> Content:
    """Return the change of an object with a URL-encoded key."""
    try:
        return Change(bucket, unquote_plus(encoded_key, errors="strict"), kind, event)
    except UnicodeDecodeError:
        return Unknown(f"the key {encoded_key[:200]!r}, which isn't URL-encoded UTF-8")


def _describe(value: Any) -> str:
    """Return the value as text, at most 200 characters of it."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except RecursionError:
        return "something nested too deeply"
    return text if len(text) <= 200 else f"{text[:199]}…"
