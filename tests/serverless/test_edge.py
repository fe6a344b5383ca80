"""The invalidation of CloudFront's copies of changed outputs, on moto."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from commands import draw
from contract.cloud import CLIENTS, name_of
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse
from renditions.serverless.function import open_function
from serverless.deployed import make_cloud
from serverless.test_lambda import Call, _json_lines  # noqa: F401 - a fixture

PIPELINE = """
source.store  = "./inbox"
output.store  = "./processed"
catalog.store = "sqlite:records.db"

[renditions.plain]
format = "base64"
key    = "{name}/ä 1.txt"

[renditions.versioned]
format = "base64"
key    = "{stem}-{hash}.txt"
"""


def make_distribution(name: str) -> str:
    """Create a distribution, and return its ID."""
    made = CLIENTS.cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": name,
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [{"Id": "a", "DomainName": "a.s3.amazonaws.com"}]},
            "DefaultCacheBehavior": {"TargetOriginId": "a", "ViewerProtocolPolicy": "allow-all"},
        }
    )
    return str(made["Distribution"]["Id"])


@pytest.fixture
def environ(aws: None, tmp_path: Path) -> Mapping[str, str]:
    """Return a function's environment, with a distribution."""
    name = name_of(tmp_path)
    return make_cloud(name) | {"DISTRIBUTION_ID": make_distribution(name)}


def open_handler(folder: Path, environ: Mapping[str, str]) -> Callable[[bytes | None], Any]:
    """Return a function that stores or deletes the picture, and handles the event."""
    pipeline = folder / "pipeline.json"
    pipeline.write_text(json.dumps(to_plain(parse(PIPELINE, "test", folder, {}).pipeline)))
    function = open_function(pipeline, environ)
    place = {"Bucket": environ["SOURCE_BUCKET"], "Key": "photo.jpg"}

    def handle(content: bytes | None) -> Any:
        if content is None:
            CLIENTS.s3.delete_object(**place)
        else:
            CLIENTS.s3.put_object(**place, Body=content)
        s3 = {"bucket": {"name": place["Bucket"]}, "object": {"key": place["Key"]}}
        name = "ObjectRemoved:Delete" if content is None else "ObjectCreated:Put"
        return function.handle({"Records": [{"eventSource": "aws:s3", "eventName": name, "s3": s3}]}, Call())[
            "results"
        ]

    return handle


def read_photo(folder: Path) -> bytes:
    draw(folder / "photo.jpg")
    return (folder / "photo.jpg").read_bytes()


def find_invalidated(environ: Mapping[str, str]) -> list[list[str]]:
    """Return the paths of each invalidation, the newest first."""
    distribution = environ["DISTRIBUTION_ID"]
    listed = CLIENTS.cloudfront.list_invalidations(DistributionId=distribution)["InvalidationList"]
    return [
        CLIENTS.cloudfront.get_invalidation(DistributionId=distribution, Id=item["Id"])["Invalidation"][
            "InvalidationBatch"
        ]["Paths"]["Items"]
        for item in listed.get("Items", ())
    ]


def test_replaced_and_removed_keys_without_a_version_are_invalidated(
    tmp_path: Path, environ: Mapping[str, str]
) -> None:
    """A new key was never cached, and a key with a version never gets other bytes."""
    handle = open_handler(tmp_path, environ)
    photo = read_photo(tmp_path)
    path = "/photo.jpg/%C3%A4%201.txt"
    assert handle(photo) == {"done": 1}
    assert find_invalidated(environ) == []
    assert handle(photo + b"\0") == {"done": 1}
    assert find_invalidated(environ) == [[path]]
    assert handle(photo + b"\0") == {"unchanged": 1}
    assert len(find_invalidated(environ)) == 1
    assert handle(None) == {"removed": 1}
    assert find_invalidated(environ) == [[path], [path]]


def test_a_failed_invalidation_is_logged_and_fails_no_picture(
    tmp_path: Path, environ: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    handle = open_handler(tmp_path, {**environ, "DISTRIBUTION_ID": "EMISSING"})
    photo = read_photo(tmp_path)
    assert handle(photo) == {"done": 1}
    capsys.readouterr()
    assert handle(photo + b"\0") == {"done": 1}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (failed,) = (line for line in lines if line["level"] == "ERROR")
    assert failed["InvalidationsFailed"] == 1
    assert "distribution EMISSING" in failed["message"]
