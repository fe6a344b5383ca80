"""Huge AVIFs in a function whose memory the kernel limits: ``make test-memory``.

Linux kills a process of a control group that takes more memory than the group has, as Lambda does. An AVIF of
a few kilobytes and 99.8 megapixels takes 1.6 GB.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from commands import draw
from contract.cloud import CLIENTS, name_of
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse
from serverless.deployed import make_cloud, upload
from serverless.runtime_api import Lambda, start_function

PIPELINE = """
[source]
store = "./inbox"
[output]
store = "./processed"
[renditions.thumb]
width = 200
[renditions.large]
width = 1600
"""
LIMIT_SECONDS = 300.0
SIDE = 9_990
"""The square of this is 99.8 megapixels."""
ROOTS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.peak"),
)
"""The folder of control groups, and the names of the limit and the peak, of versions 1 and 2."""


@contextmanager
def control_group(name: str, memory_mb: int) -> Iterator[tuple[Path, Path]]:
    """Create a group with this much memory, in MiB.

    Yield its folder, and the file with its peak. Skip the test if this user can't create one.
    """
    for root, limit, peak in ROOTS:
        folder = root / name
        try:
            folder.mkdir()
            (folder / limit).write_text(str(memory_mb * 2**20))
        except OSError:
            continue
        try:
            yield folder, folder / peak
        finally:
            folder.rmdir()
        return
    pytest.skip("NOT TESTED: this user can't limit memory by a control group")


@pytest.fixture(scope="module")
def huge() -> bytes:
    """Return an AVIF of one colour and 99.8 megapixels."""
    pyvips = pytest.importorskip("pyvips")
    image = pyvips.Image.black(1, 1).new_from_image([200, 100, 50]).copy(interpretation="srgb")
    content: bytes = image.embed(0, 0, SIDE, SIDE, extend="copy").heifsave_buffer(
        compression="av1", Q=50, effort=0
    )
    return content


def write_pictures(folder: Path, huge: bytes) -> list[list[Path]]:
    """Write four batches of five huge AVIFs and five photos each; return their paths."""
    draw(folder / "photo.jpg", 4000, 3000)
    photo = (folder / "photo.jpg").read_bytes()
    batches = []
    for batch in range(4):
        files = []
        for number in range(5):
            # Each file has other bytes: the same content would be rendered only once.
            mark = bytes([batch, number])
            files += [folder / f"{batch}{number}.avif", folder / f"{batch}{number}.jpg"]
            files[-2].write_bytes(huge + b"\0\0\0\x0cfree\0\0" + mark)
            files[-1].write_bytes(photo[:2] + b"\xff\xfe\0\x04" + mark + photo[2:])
        batches.append(files)
    return batches


def run(function: Lambda, environ: dict[str, str], batches: list[list[Path]]) -> None:
    """Upload each batch, and pass its messages to the function until none is left."""
    for batch in batches:
        left = batch
        for _ in range(len(batch)):
            ended = upload(function, environ, *left, limit_seconds=LIMIT_SECONDS)
            assert ended.error is None, function.log_file.read_text()[-2000:]
            numbers = [int(failure["itemIdentifier"]) for failure in ended.value["batchItemFailures"]]
            left = [left[number] for number in numbers]
            if not left:
                break
        assert not left


def find_results(environ: dict[str, str]) -> tuple[Counter[tuple[str, str]], set[str]]:
    """Return the number of records by suffix and status, and all reasons."""
    items = CLIENTS.dynamodb.get_paginator("scan").paginate(TableName=environ["TABLE_NAME"])
    records = [item for page in items for item in page["Items"] if "status" in item]
    counts = Counter((record["image_name"]["S"][-3:], record["status"]["S"]) for record in records)
    return counts, {record["reason"]["S"] for record in records if "reason" in record}


@pytest.mark.parametrize("memory_mb", [1024, 1769, 3008])
def test_no_batch_takes_more_memory_than_the_function_has(
    aws: None, tmp_path: Path, huge: bytes, memory_mb: int
) -> None:
    """No call is killed. The ordinary photos are made, and the AVIFs where they fit.

    Where they don't fit, the reason of the rejection names the function's memory.
    """
    environ: dict[str, Any] = make_cloud(name_of(tmp_path))
    code = tmp_path / "task"
    code.mkdir()
    shutil.copy(Path(__file__).with_name("limited_app.py"), code)
    pipeline = parse(PIPELINE, "test", tmp_path, {}).pipeline
    (code / "pipeline.json").write_text(json.dumps(to_plain(pipeline)))
    batches = write_pictures(tmp_path, huge)
    with control_group(f"renditions-{os.getpid()}-{memory_mb}", memory_mb) as (group, peak):
        environ |= {
            "CONTROL_GROUP": str(group),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        with start_function(code, "limited_app.lambda_handler", tmp_path / "log", environ) as function:
            run(function, environ, batches)
            peak_mb = int(peak.read_text()) // 2**20
    counts, reasons = find_results(environ)
    print(f"{memory_mb} MB: peak {peak_mb} MB, {dict(counts)}")
    assert counts["jpg", "done"] == 20
    if memory_mb == 1024:
        assert counts["vif", "rejected"] == 20
        assert all("a function with 1,024 MB of memory has" in reason for reason in reasons)
    else:
        assert counts["vif", "done"] == 20
    assert sum(counts.values()) == 40
