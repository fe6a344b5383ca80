"""The totals that a tick counts and the API shows, on moto."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commands import draw
from contract.cloud import CLIENTS
from renditions.aws.counting import KeptTotals
from renditions.aws.dynamodb import DynamoCatalog
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse
from renditions.serverless import bundled
from renditions.serverless.function import open_function
from renditions.serverless.gateway import open_gateway
from serverless.test_deployed import PIPELINE, environ, lambda_runtime  # noqa: F401 - fixtures
from serverless.test_gateway import event_loop, make_call, read
from serverless.test_lambda import Call, _json_lines  # noqa: F401 - a fixture

TICK = {"source": "renditions", "detail-type": "Reconcile"}


def test_the_api_shows_the_totals_of_the_last_tick_for_many_pictures(
    environ: dict[str, str],  # noqa: F811 - a fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If there are few pictures, the API counts them itself."""
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(to_plain(parse(PIPELINE, "test", tmp_path, {}).pipeline)))
    draw(tmp_path / "photo.jpg", 64, 48)
    content = (tmp_path / "photo.jpg").read_bytes()
    function = open_function(file, environ)
    with event_loop():
        answer = open_gateway(file, environ)

        def upload(name: str) -> None:
            CLIENTS.s3.put_object(Bucket=environ["SOURCE_BUCKET"], Key=name, Body=content)
            function.handle(TICK, Call())

        def ask(path: str) -> Any:
            return read(answer(make_call("2.0", "GET", path), Call()))

        upload("a.jpg")
        kept = KeptTotals(CLIENTS.dynamodb, environ["TABLE_NAME"], "image_name")
        catalog = DynamoCatalog(CLIENTS.dynamodb, environ["TABLE_NAME"])
        counted = kept.read()
        assert counted
        assert counted.at
        assert counted.by_status == catalog.count()
        assert datetime.now(UTC) - counted.at < timedelta(minutes=1)
        catalog.delete(catalog.get("a.jpg"))  # type: ignore[arg-type]
        assert (ask("/stats")["pictures"], ask("/stats")["counted_at"]) == (0, None)
        monkeypatch.setattr(bundled, "MOST_COUNTED", 0)
        shown = ask("/stats")
        assert (shown["pictures"], datetime.fromisoformat(shown["counted_at"])) == (1, counted.at)
        assert ask("/status")["by_status"]["done"] == 1


def test_a_count_that_takes_too_long_keeps_the_former_totals(
    environ: dict[str, str],  # noqa: F811 - a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = KeptTotals(CLIENTS.dynamodb, environ["TABLE_NAME"], "image_name")
    first = datetime(2026, 1, 1, tzinfo=UTC)
    assert kept.renew(lambda: False, first)  # there is nothing to count
    monkeypatch.setattr("renditions.aws.counting.COUNTED_AT_ONCE", 1)
    row = {"image_name": {"S": "a.jpg"}, "status": {"S": "done"}, "timestamp": {"S": "2026"}}
    CLIENTS.dynamodb.put_item(TableName=environ["TABLE_NAME"], Item=row)
    assert not kept.renew(lambda: False, first + timedelta(days=1))
    found = kept.read()
    assert found
    assert found.at == first
    assert found.by_status["done"].pictures == 0
