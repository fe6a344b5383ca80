"""Count the requests of runs on AWS: ``python -m benchmarks.requests``.

Set ``PYTHONPATH=tests``. The benchmark also computes the cost of the requests.

moto's server stands for AWS, with S3's own pages of 1,000 keys. The benchmark first creates a bucket of
pictures, with a record and four outputs for each. It then counts all requests of four runs: a plan, a plan
that verifies the outputs, a schedule's tick that verifies the outputs, and a tick that holds removals back.
The costs for a million pictures go into ``docs/lambda.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.report import DOCUMENT, Table, replace_section, to_markdown, to_text, today
from contract.cloud import CLIENTS, REGION, make_table, run_moto
from infra.calls import recorded
from renditions.aws.table import KIND, record_to_item
from renditions.core.ask import PLAIN, Ask
from renditions.core.binding import Claimant, Start, bind, hold
from renditions.core.ports import IfAbsent
from renditions.messages.events import SyncRequest
from renditions.messages.tick import Tick
from renditions.model.catalog_place import CatalogPlace
from renditions.model.original import Original
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Pipeline
from renditions.model.places import S3Place
from renditions.model.recipe import Rendition
from renditions.model.record import Output, Record
from renditions.model.source import Source
from renditions.model.wishes import NO_WISHES
from renditions.runtime.parts import Parts, now, open_parts

THREADS = 8
MANY = 1_000_000

USD = {
    "s3 ListObjectsV2": 0.005 / 1000,
    "s3 HeadObject": 0.0004 / 1000,
    "s3 GetObject": 0.0004 / 1000,
}
"""The assumed price of each request to S3 Standard in us-east-1; see https://aws.amazon.com/s3/pricing/"""
USD_OF_READ_UNIT = 0.125 / 1_000_000
"""The assumed price of a read request unit of DynamoDB on demand in us-east-1; see https://aws.amazon.com/dynamodb/pricing/on-demand/"""

Requests = Mapping[str, int]


def main() -> None:
    """Count, print, and write the costs into the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.requests", description=__doc__)
    parser.add_argument("--pictures", type=int, nargs="+", default=[1_000])
    table: Table = [["run", "pictures", "requests", "read units", f"at {MANY:,}, USD"]]
    with run_moto(keys_of_page=1000) as environ:
        os.environ.update(environ)
        for count in parser.parse_args().pictures:
            table += [_row(name, count, *counted) for name, counted in _measure(count).items()]
            print(to_text(table), flush=True)
    text = f"`python -m benchmarks.requests`, {today()}.\n\n{to_markdown(table)}"
    replace_section("requests", text, DOCUMENT.with_name("lambda.md"))


def _row(name: str, count: int, requests: Requests, read_units: float) -> list[str]:
    usd = sum(USD.get(kind, 0) * number for kind, number in requests.items()) + USD_OF_READ_UNIT * read_units
    spelled = ", ".join(f"{number:,} {kind}" for kind, number in sorted(requests.items()))
    return [name, f"{count:,}", spelled, f"{read_units:,.0f}", f"{usd / count * MANY:.2f}"]


def _measure(count: int) -> dict[str, tuple[Requests, float]]:
    bucket = f"requests-{count}"
    pipeline = Pipeline(
        source=Source(store=f"s3://{bucket}-in/"),
        output=OutputPlace(store=f"s3://{bucket}-out/"),
        catalog=CatalogPlace(store=f"dynamodb:{bucket}"),
        renditions={f"w{width}": Rendition(width=width) for width in (1200, 600, 300, 200)},
    )
    for suffix in ("in", "out"):
        CLIENTS.s3.create_bucket(
            Bucket=f"{bucket}-{suffix}", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    make_table(bucket, pipeline.catalog.key)
    names = [f"{number // 1000:04}/{number:07}.jpg" for number in range(count)]
    with open_parts(pipeline, Path()) as parts, ThreadPoolExecutor(THREADS) as executor:
        bind(parts.catalog, Claimant("", "in", "out", "1", Start(sets_generation=True)))
        units = _read_units([*executor.map(partial(_make, parts), names)], pipeline.catalog.key)
    runs: dict[str, Callable[[Parts], None]] = {
        "plan": lambda parts: _plan(parts, PLAIN),
        "plan --verify": lambda parts: _plan(parts, Ask(verify="quick")),
        "a tick that checks outputs": _check,
        "a tick that holds removals back": _hold_back,
    }
    measured: dict[str, tuple[Requests, float]] = {}
    for name, run in runs.items():
        if run is _hold_back:
            for key in names[: count // 2]:
                CLIENTS.s3.delete_object(Bucket=f"{bucket}-in", Key=key)
        with recorded() as calls, open_parts(pipeline, Path()) as parts:
            run(parts)
        measured[name] = Counter(f"{call.service} {call.operation}" for call in calls), units
    return measured


def _plan(parts: Parts, ask: Ask) -> None:
    found = {difference.action for difference in parts.plan(ask=ask)}
    if found != {"keep"}:
        raise RuntimeError(f"expected a plan without differences, found {found}")


def _check(parts: Parts) -> None:
    """Check all outputs as a tick does."""
    declared = replace(parts.declared, output=replace(parts.declared.output, verify="always"))
    found = {difference.action for difference in replace(parts, declared=declared).plan_tick("")}
    if found != {"keep"}:
        raise RuntimeError(f"expected a tick without differences, found {found}")


def _hold_back(parts: Parts) -> None:
    """Run a tick that must hold back removals, in one call with enough time."""
    sent: list[str] = []
    guard = replace(parts.preview_guard(), is_attended=False)
    tick = Tick(parts.plan_tick, guard, S3Place("", ""), sent.extend, partial(hold, parts.catalog), now)
    ticked = tick.run(SyncRequest(), lambda: True)
    if sent or not ticked.held:
        raise RuntimeError(f"expected held removals, found {ticked}")


def _make(parts: Parts, name: str) -> Record:
    """Make a picture with its outputs; write and return the record of a sync."""
    pipeline = parts.pipeline
    found = parts.source.put(name, name.encode(), IfAbsent(), "image/jpeg")
    fingerprints = pipeline.fingerprints()
    outputs = [
        (rendition, parts.output.put(key, key.encode(), IfAbsent(), "image/jpeg"))
        for rendition, key in pipeline.output_keys(name, found.etag).items()
    ]
    return parts.catalog.write(
        Record(
            name=name,
            status="done",
            timestamp=now(),
            etag=found.etag,
            goal=pipeline.goal_of(name, found.etag, NO_WISHES, "jpeg"),
            rules=pipeline.rules,
            original=Original(4_000_000, "jpeg", 4000, 3000, 1),
            outputs=tuple(
                Output(
                    rendition, made.key, made.etag, found.etag, fingerprints[rendition], "jpeg",
                    made.size_bytes, 1200, 900, sha256=hashlib.sha256(made.key.encode()).hexdigest(),
                )
                for rendition, made in outputs
            ),
            place=pipeline.output.store,
            headers=pipeline.output.headers,
            generation=1,
        )
    )  # fmt: skip


def _read_units(records: Sequence[Record], key_name: str) -> float:
    """Return DynamoDB's read units for listing these records.

    A listing reads the names from an index, and then each item with a consistent read.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    """
    items = sum(-(-len(json.dumps(record_to_item(record, key_name))) // 4096) for record in records)
    names = sum(len(record.name) + len(key_name) + len("kind") + len(KIND) for record in records)
    return items + names / 4096 / 2


if __name__ == "__main__":
    main()
