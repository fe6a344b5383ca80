"""What a picture costs in DynamoDB: the numbers of docs/lambda.md."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands import draw
from contract.cloud import CLIENTS, name_of
from infra.calls import Call as Request
from infra.calls import recorded
from renditions.messages.events import Kind, encode_change
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse
from renditions.serverless.function import open_function
from serverless.deployed import make_cloud
from serverless.test_lambda import Call

pytestmark = pytest.mark.usefixtures("aws")

OUTPUTS = 4
PIPELINE = """
[source]
store = "./inbox"
[output]
store = "./processed"
""" + "".join(f"[renditions.w{width}]\nwidth = {width}\n" for width in range(20, 20 + OUTPUTS))
DOCUMENT = Path(__file__).parents[2] / "docs" / "lambda.md"
UNITS_OFF = 3
WRITES = {"PutItem": 1, "DeleteItem": 1, "TransactWriteItems": 2}
"""The operations that write, and how many units each kilobyte of an item costs.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html"""


@dataclass(frozen=True)
class Cost:
    """What one event of a picture costs."""

    reads: int
    """Items that were read, and queries."""
    writes: int
    """Writes of the record. A transaction with the claims counts as one write."""
    claims: int
    """Claims that were written or deleted."""
    units: int
    """Write request units of the table, without its indexes."""


def measure(requests: list[Request]) -> Cost:
    reads = writes = claims = units = 0
    for request in requests:
        if request.service != "dynamodb":
            continue
        if request.operation not in WRITES:
            assert request.operation in ("GetItem", "Query"), request.operation
            reads += 1
            continue
        parts = [next(iter(part.values())) for part in request.parameters.get("TransactItems", ())]
        writes += 1
        claims += max(len(parts) - 1, 0)
        for part in parts or [request.parameters]:
            kilobytes = math.ceil(max(size_of(part.get("Item", {})), 1) / 1024)
            units += WRITES[request.operation] * kilobytes
    return Cost(reads, writes, claims, units)


def size_of(value: Any) -> int:
    """Return about how many bytes DynamoDB counts for an item."""
    match value:
        case dict():
            return sum(len(name.encode()) + size_of(element) for name, element in value.items())
        case list():
            return sum(map(size_of, value))
    return len(str(value).encode())


def run(folder: Path, *, has_topic: bool) -> dict[str, Cost]:
    """Have a function process the events of a picture; return what each costs."""
    environ = make_cloud(name_of(folder)) | {"DEPLOYED_AT": "2026-01-01T00:00:00Z"}
    declared = f'[[notify]]\non = ["done", "rejected"]\nto = "sns:{environ.pop("SNS_TOPIC_ARN")}"\n'
    text = PIPELINE + (declared if has_topic else "")
    (folder / "pipeline.json").write_text(json.dumps(to_plain(parse(text, "t", folder, {}).pipeline)))
    draw(folder / "photo.jpg")
    photo, bucket = (folder / "photo.jpg").read_bytes(), environ["SOURCE_BUCKET"]
    with recorded() as requests:
        function = open_function(folder / "pipeline.json", environ)

        def tell(key: str, content: bytes | None, kind: Kind = "created") -> None:
            if content is not None:
                CLIENTS.s3.put_object(Bucket=bucket, Key=key, Body=content)
            function.handle(json.loads(encode_change(bucket, key, kind)), Call())

        def delete() -> None:
            CLIENTS.s3.delete_object(Bucket=bucket, Key="photo.jpg")
            tell("photo.jpg", None, "removed")

        tell("first.jpg", photo + b"first")  # so that the catalog is bound
        events: dict[str, Callable[[], None]] = {
            "a new picture": lambda: tell("photo.jpg", photo),
            "its event once more": lambda: tell("photo.jpg", None),
            "a replaced picture": lambda: tell("photo.jpg", photo + b"replaced"),
            "a rejected new picture": lambda: tell("broken.jpg", b"no picture"),
            "a deleted picture": delete,
        }
        costs = {}
        for name, event in events.items():
            requests.clear()
            event()
            costs[name] = measure(requests)
    return costs


def read_table() -> dict[str, list[int]]:
    """Return the numbers of the table in the document, by event."""
    part = DOCUMENT.read_text().partition("### What a picture costs in DynamoDB")[2].partition("\n#")[0]
    rows = re.findall(r"^\| ([a-z ]+) \|((?: \d+ \|)+)$", part, re.MULTILINE)
    return {name: [int(number) for number in numbers.split("|") if number.strip()] for name, numbers in rows}


def test_processing_a_picture_takes_the_reads_and_writes_that_the_document_lists(tmp_path: Path) -> None:
    """A record is written to begin, to finish, and after its notice was sent.

    Without a topic there are two writes.
    """
    for has_topic in (True, False):
        (tmp_path / str(has_topic)).mkdir()
    with_topic, without = (run(tmp_path / str(each), has_topic=each) for each in (True, False))
    print(with_topic, without)
    said = read_table()
    assert {
        name: [cost.reads, cost.writes, without[name].writes, cost.claims]
        for name, cost in with_topic.items()
    } == {name: numbers[:-1] for name, numbers in said.items()}
    # A record of about a kilobyte can take a unit more or less.
    assert all(abs(cost.units - said[name][-1]) <= UNITS_OFF for name, cost in with_topic.items())
