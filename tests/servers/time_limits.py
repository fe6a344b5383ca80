"""A function at its time limit, in AWS's emulator of Lambda.

moto stands for the services.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from commands import draw
from contract.cloud import CLIENTS, name_of
from renditions.aws.dynamodb import DynamoCatalog
from serverless.deployed import link_runtime, make_cloud, unpack
from servers.emulator import start_emulated

HEAD = '[source]\nstore = "./inbox"\n[output]\nstore = "./processed"\n'


@pytest.fixture
def program(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--emulator"))


@pytest.fixture
def environ(aws: None, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "runtime").mkdir()
    return make_cloud(name_of(tmp_path)) | {"PYTHONPATH": str(link_runtime(tmp_path / "runtime"))}


def upload(environ: dict[str, str], *files: Path) -> None:
    for file in files:
        CLIENTS.s3.put_object(Bucket=environ["SOURCE_BUCKET"], Key=file.name, Body=file.read_bytes())


def batch(environ: dict[str, str], *names: str) -> Any:
    """Return a queue's event. Each message's id is the name of its picture."""
    records = []
    for name in names:
        told = {"bucket": {"name": environ["SOURCE_BUCKET"]}, "object": {"key": name}}
        body = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": told}]}
        records.append({"eventSource": "aws:sqs", "messageId": name, "body": json.dumps(body)})
    return {"Records": records}


def test_a_call_ends_at_its_time_limit_and_the_next_call_succeeds(
    program: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    """The picture of the ended call stays in progress, with a lease."""
    code = unpack(f'{HEAD}[renditions.slow]\nformat = "avif"\neffort = 9\nlossless = true\n', tmp_path)
    noise = np.random.default_rng(1).integers(0, 256, (2000, 3000, 3), "uint8")
    Image.fromarray(noise).save(tmp_path / "slow.png")
    draw(tmp_path / "quick.png", 16, 16)
    upload(environ, tmp_path / "slow.png", tmp_path / "quick.png")
    catalog = DynamoCatalog(CLIENTS.dynamodb, environ["TABLE_NAME"])
    with start_emulated(program, code, tmp_path / "log", environ, limit_seconds=5) as call:
        ended = call(batch(environ, "slow.png"))
        assert "Task timed out after 5.00 seconds" in str(ended)
        begun = catalog.get("slow.png")
        assert begun is not None
        assert (begun.status, begun.lease is not None) == ("processing", True)
        assert call(batch(environ, "quick.png")) == {"batchItemFailures": []}
    done = catalog.get("quick.png")
    assert done is not None
    assert done.status == "done"


def test_a_call_gives_back_messages_that_it_has_no_time_for(
    program: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    """No call reaches its limit. In the end every picture is done."""
    code = unpack(f'{HEAD}[renditions.large]\nformat = "webp"\neffort = 6\n', tmp_path)
    names = [f"{number}.jpg" for number in range(40 * (os.cpu_count() or 1))]
    for seed, name in enumerate(names):
        draw(tmp_path / name, 800, 600, seed=seed)
    upload(environ, *(tmp_path / name for name in names))
    left, calls = names, 0
    with start_emulated(program, code, tmp_path / "log", environ, limit_seconds=6) as call:
        while left:
            answer = call(batch(environ, *left))
            assert isinstance(answer, dict), answer
            assert "batchItemFailures" in answer, answer
            given_back = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
            assert len(given_back) < len(left)
            left, calls = given_back, calls + 1
    assert calls > 1
    catalog = DynamoCatalog(CLIENTS.dynamodb, environ["TABLE_NAME"])
    assert [record.status for record in catalog.list()] == ["done"] * len(names)
