"""The leases of a function's calls, on moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.cloud import CLIENTS
from renditions.aws.dynamodb import DynamoCatalog
from renditions.core.process import LEASE_MARGIN
from renditions.messages.events import encode_change
from renditions.model.pipeline import Limits
from renditions.model.rendering import Rendering
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse
from renditions.serverless import bundled
from renditions.serverless.function import open_function
from renditions.serverless.gateway import open_gateway
from renditions.serverless.room import Room
from serverless.test_deployed import PIPELINE, environ, lambda_runtime  # noqa: F401 - fixtures
from serverless.test_gateway import event_loop, make_call
from serverless.test_lambda import Call, _json_lines  # noqa: F401 - a fixture
from world import hash_render

NAME = "photo.jpg"
CALL_SECONDS = 800
"""The time that a call has left: much more than the default of ``[limits] seconds``."""


@pytest.fixture
def leases(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:  # noqa: F811
    """Return a list that gets the remaining time of the lease at each rendering.

    Also upload the picture.
    """
    CLIENTS.s3.put_object(Bucket=environ["SOURCE_BUCKET"], Key=NAME, Body=b"one")
    catalog = DynamoCatalog(CLIENTS.dynamodb, environ["TABLE_NAME"])
    found: list[timedelta] = []

    class Watched(Room):
        def make_renderer(self, limits: Limits, render: Any = None) -> Callable[..., Rendering]:
            def look(*arguments: Any) -> Rendering:
                record = catalog.get(NAME)
                assert record
                assert record.lease
                found.append(record.lease.until - datetime.now(UTC))
                return hash_render(*arguments)

            return look

    monkeypatch.setattr(bundled, "Room", Watched)
    return found


def call_function(file: Path, environ: dict[str, str]) -> None:  # noqa: F811
    event = json.loads(encode_change(environ["SOURCE_BUCKET"], NAME))
    assert open_function(file, environ).handle(event, Call(CALL_SECONDS)) == {"results": {"done": 1}}


def call_api(file: Path, environ: dict[str, str]) -> None:  # noqa: F811
    with event_loop():
        answer = open_gateway(file, environ)(
            make_call("2.0", "POST", f"/pictures/{NAME}/process"), Call(CALL_SECONDS)
        )
    assert answer["statusCode"] == 200, answer


@pytest.mark.parametrize("call", [call_function, call_api])
def test_a_lease_lasts_longer_than_its_call_whatever_the_time_limit_of_the_pipeline_file_is(
    environ: dict[str, str],  # noqa: F811 - a fixture
    leases: list[timedelta],
    tmp_path: Path,
    call: Callable[[Path, dict[str, str]], None],
) -> None:
    """Otherwise another call could take over a picture that is still being rendered."""
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(to_plain(parse(PIPELINE, "test", tmp_path, {}).pipeline)))
    call(file, environ)
    (lease,) = leases
    assert timedelta(seconds=CALL_SECONDS) < lease <= timedelta(seconds=CALL_SECONDS) + LEASE_MARGIN
