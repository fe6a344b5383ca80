"""Compare the function with the engine: ``python -m benchmarks.throughput``.

The benchmark needs ``PYTHONPATH=tests``.

Two ways to render the same pictures take turns in one process. The first renders them from memory, with one
thread for each core. The second reads them from a bucket, and calls the handler with ten messages at a time.
Its stores and its catalog are moto's server on this machine, once without and once with a latency of 20 ms
for each request, which takes no CPU time. The results go into ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

from benchmarks.cases import CASES, Case
from benchmarks.environments import UnavailableError
from benchmarks.inputs import PHOTOGRAPHS, derive, fetch
from benchmarks.report import Table, describe_machine, replace_section, to_markdown, to_text, today
from contract.cloud import REGION, run_moto
from renditions.aws.clients import Clients
from renditions.aws.table import table_schema
from renditions.imaging.render import render
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Accept, Pipeline
from renditions.model.recipe import Rendition
from renditions.model.source import Source
from renditions.pipeline_file.plain import to_plain
from renditions.serverless.function import Function, open_function

_KINDS = ("jpeg-12", "jpeg-2")
_WAYS_SECONDS = (0.0, 0.02)
_MESSAGES = 10
_ROUNDS = 7
_PICTURES = 40
_PLACES = {"SOURCE_BUCKET": "photos-in", "OUTPUT_BUCKET": "photos-out", "TABLE_NAME": "ImageMetadata"}

Cost = tuple[float, float]
"""Wall and CPU seconds of one picture."""


class Call:
    """A context of Lambda whose call has enough time."""

    function_name = "pictures"
    aws_request_id = "0"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time in milliseconds until this call is ended."""
        return 900_000


def main() -> int:
    """Measure, print the table, and write it into the document.

    Return 1 if nothing can be measured.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    rounds = parser.parse_args().rounds
    try:
        fetch()
    except UnavailableError as reason:
        print(f"!! nothing can be measured: {reason}", file=sys.stderr)
        return 1
    table: Table = [
        ["", "engine, pictures/s", "function, pictures/s", "of the engine's", "CPU, of the engine's"]
    ]
    for way_seconds in _WAYS_SECONDS:
        with run_moto(way_seconds) as environment, patch.dict(os.environ, environment):
            for case in (case for case in CASES if case.kind in _KINDS):
                table.append(_row(case, way_seconds, rounds))
                print(to_text([table[0], table[-1]]), flush=True)
    text = (
        f"`PYTHONPATH=tests python -m benchmarks.throughput`, {today()}, {rounds} rounds of {_PICTURES} "
        f"pictures, on {describe_machine()}.\n\n{to_markdown(table)}"
    )
    replace_section("throughput", text)
    return 0


def _row(case: Case, way_seconds: float, rounds: int) -> list[str]:
    pictures = [derive(case.kind, photograph).read_bytes() for photograph in PHOTOGRAPHS]
    pipeline = Pipeline(
        source=Source(store="inbox"),
        output=OutputPlace(store="processed"),
        renditions={
            str(box): Rendition(format="jpeg", width=box, height=box, quality=case.quality)
            for box in case.job(Path()).boxes
        },
    )
    function = _open(pipeline)
    engine: list[Cost] = []
    ours: list[Cost] = []
    work = {f"{number}.jpg": pictures[number % len(pictures)] for number in range(_PICTURES)}
    for _ in range(rounds + 1):  # the first one isn't counted
        _fill(work)
        engine.append(_time(lambda: _render_all(list(work.values()), pipeline.renditions)))
        ours.append(_time(lambda: _call(function, list(work))))
    pairs = list(zip(ours, engine, strict=True))[1:]
    speed = [statistics.median(1 / wall for wall, _ in costs[1:]) for costs in (engine, ours)]
    return [
        case.label + (f", requests {1000 * way_seconds:.0f} ms away" if way_seconds else ""),
        *(f"{one:.1f}" for one in speed),
        f"{statistics.median(base[0] / mine[0] for mine, base in pairs):.2f}",
        f"{statistics.median(mine[1] / base[1] for mine, base in pairs):.2f}",
    ]


def _open(pipeline: Pipeline) -> Function:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pipeline.json")
        file.write_text(json.dumps(to_plain(pipeline)))
        return open_function(file, _PLACES)


def _fill(pictures: Mapping[str, bytes]) -> None:
    """Put the pictures onto the server.

    Empty the server first, because it gets slower as its content grows.
    """
    clients = Clients()
    request = Request(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset", method="POST")  # noqa: S310 - our own
    urlopen(request).close()  # noqa: S310 - as above
    clients.dynamodb.create_table(
        TableName=_PLACES["TABLE_NAME"], BillingMode="PAY_PER_REQUEST", **table_schema("image_name")
    )
    for bucket in (_PLACES["SOURCE_BUCKET"], _PLACES["OUTPUT_BUCKET"]):
        clients.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key, content in pictures.items():
        clients.s3.put_object(Bucket=_PLACES["SOURCE_BUCKET"], Key=key, Body=content)


def _render_all(pictures: Sequence[bytes], recipes: Mapping[str, Rendition]) -> None:
    """Let the engine alone render all pictures, as fast as it can on this machine."""

    def render_one(content: bytes) -> None:
        rendering = render(content, Accept(), recipes)
        if len(rendering.made) != len(recipes):
            raise RuntimeError(f"expected every rendition, found {rendering.rejected or rendering.errors}")

    with ThreadPoolExecutor(os.cpu_count()) as executor:
        list(executor.map(render_one, pictures))


def _call(function: Function, keys: Sequence[str]) -> None:
    """Call the handler like a queue, with ten messages at a time."""
    for batch in (keys[first : first + _MESSAGES] for first in range(0, len(keys), _MESSAGES)):
        records = [
            {"eventSource": "aws:sqs", "messageId": key, "body": json.dumps({"Records": [_put(key)]})}
            for key in batch
        ]
        with contextlib.redirect_stdout(io.StringIO()) as log:
            answer = function.handle({"Records": records}, Call())
        if answer != {"batchItemFailures": []}:
            raise RuntimeError(f"expected no failure, found {log.getvalue()}")


def _put(key: str) -> dict[str, Any]:
    return {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": _PLACES["SOURCE_BUCKET"]}, "object": {"key": key}},
    }


def _time(work: Callable[[], None]) -> Cost:
    started, started_cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - started) / _PICTURES, (time.process_time() - started_cpu) / _PICTURES


if __name__ == "__main__":
    sys.exit(main())
