"""The built bundle in AWS's own runtime client, with moto for the services.

It is unpacked as on Lambda. The runtime client's import path has no files of this checkout: only the bundle
and the libraries of Lambda's runtime.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import draw
from contract.cloud import CLIENTS, name_of
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.pipeline_file.reading import parse
from serverless.deployed import link_runtime, make_cloud, read, start, unpack, upload

PIPELINE = """
[source]
store = "./inbox"
[output]
store = "./processed"
[renditions.text]
format = "base64"
"""


@pytest.fixture(scope="session")
def lambda_runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return link_runtime(tmp_path_factory.mktemp("runtime"))


@pytest.fixture
def environ(aws: None, lambda_runtime: Path, tmp_path: Path) -> dict[str, str]:
    return make_cloud(name_of(tmp_path)) | {"PYTHONPATH": str(lambda_runtime)}


def test_a_bundle_for_base64_needs_only_the_libraries_of_the_lambda_runtime(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    code = unpack(PIPELINE, tmp_path)
    draw(tmp_path / "photo.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with start(code, tmp_path, environ) as function:
        ended = upload(function, environ, tmp_path / "photo.jpg", tmp_path / "broken.jpg")
        assert ended.value == {"batchItemFailures": []}, function.log_file.read_text()
        lines = function.log_lines()
    content = (tmp_path / "photo.jpg").read_bytes()
    made = render(content, Accept(), parse(PIPELINE, "test", tmp_path, {}).pipeline.renditions).made
    assert read(environ, "photo.jpg/text.txt") == made["text"].content
    item = CLIENTS.dynamodb.get_item(TableName=environ["TABLE_NAME"], Key={"image_name": {"S": "photo.jpg"}})[
        "Item"
    ]
    assert (item["status"], item["original_size_bytes"]) == ({"S": "done"}, {"N": str(len(content))})
    assert "owed" not in item
    message = f"Processing image from bucket: {environ['SOURCE_BUCKET']}, key: photo.jpg"
    assert message in [line["message"] for line in lines]
    assert {line["Result"] for line in lines if "Result" in line} == {"done", "rejected"}


def test_a_bundle_makes_the_same_bytes_as_a_local_run(tmp_path: Path, environ: dict[str, str]) -> None:
    pipeline = PIPELINE + '[renditions.thumb]\nwidth = 80\nformat = "webp"\n'
    code = unpack(pipeline, tmp_path)
    draw(tmp_path / "photo.jpg")
    with start(code, tmp_path, environ) as function:
        ended = upload(function, environ, tmp_path / "photo.jpg")
        assert ended.value == {"batchItemFailures": []}, function.log_file.read_text()
    recipes = parse(pipeline, "test", tmp_path, {}).pipeline.renditions
    made = render((tmp_path / "photo.jpg").read_bytes(), Accept(), recipes).made
    assert read(environ, "photo.jpg/thumb.webp") == made["thumb"].content


def test_a_cold_start_imports_botocore_and_leaves_out_libraries_that_it_does_not_need(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """The process could import everything that is installed here.

    ``benchmarks.startup`` measures the times.
    """
    code = unpack(PIPELINE + "[renditions.thumb]\nwidth = 80\n", tmp_path)
    told = subprocess.run(
        [sys.executable, "-c", "import json, sys, lambda_function\nprint(json.dumps(list(sys.modules)))"],
        env=environ | {"PATH": os.environ["PATH"], "PYTHONPATH": str(code)},
        check=True,
        capture_output=True,
        text=True,
    )
    modules = {name.partition(".")[0] for name in json.loads(told.stdout)}
    assert {"renditions", "botocore", "urllib3"} <= modules
    for name in ("boto3", "msgspec", "multiprocessing", "pyvips", "rich", "sqlite3", "starlette", "typer"):
        assert importlib.util.find_spec(name), f"{name} isn't installed here"
        assert name not in modules


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SOURCE_BUCKET": ""}, 'source.store: expected "s3://bucket/prefix/" on Lambda (or SOURCE_BUCKET'),
        ({"TABLE_NAME": ""}, 'catalog.store: expected "dynamodb:TABLE" on Lambda (or TABLE_NAME'),
        ({"OUTPUT_BUCKET": "Not A Bucket"}, 'OUTPUT_BUCKET: expected "s3://bucket/prefix/" or'),
    ],
)
def test_a_function_reports_missing_and_invalid_settings_at_its_start(
    tmp_path: Path, environ: dict[str, str], changes: dict[str, str], message: str
) -> None:
    with start(unpack(PIPELINE, tmp_path), tmp_path, environ | changes) as function:
        error = function.ended.get(timeout=60).error
    assert message in error["errorMessage"]


def test_one_bucket_for_source_and_output_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    """In the same bucket each rendition would become a new picture."""
    both = environ | {"OUTPUT_BUCKET": environ["SOURCE_BUCKET"]}
    pipeline = PIPELINE.replace('format = "base64"', 'format = "base64"\nkey = "{key}.jpg"')
    with start(unpack(pipeline, tmp_path), tmp_path, both) as function:
        error = function.ended.get(timeout=60).error
    assert error["errorType"] == "PipelineError"
