"""Helpers for a deployed bundle.

They build the bundle, make a cloud on moto, and fill a folder with the libraries of Lambda's runtime.
"""

from __future__ import annotations

import json
import os
import zipfile
from contextlib import AbstractContextManager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from contract.cloud import CLIENTS, REGION, make_table
from deploy.test_bundle import HERE, build_from_index
from renditions.pipeline_file.reading import parse
from serverless.runtime_api import Lambda, start_function

IN_LAMBDA = (
    "awslambdaric", "simplejson", "snapshot-restore-py",
    "botocore", "jmespath", "python-dateutil", "six", "urllib3",
)  # fmt: skip
"""The libraries of AWS's Python runtime that the bundle or the runtime client uses."""


def link_runtime(folder: Path) -> Path:
    """Fill a folder with only the runtime's own libraries; return the folder."""
    for name in IN_LAMBDA:
        for file in distribution(name).files or ():
            top = file.parts[0]
            target = folder / top
            if top != ".." and not target.exists():
                target.symlink_to(Path(str(distribution(name).locate_file(top))))
    return folder


def unpack(pipeline: str, folder: Path) -> Path:
    """Build the pipeline's bundle, and return the folder where it is unpacked."""
    bundle = build_from_index(parse(pipeline, "test", folder, {}).pipeline, folder / "bundle.zip", HERE)
    with zipfile.ZipFile(bundle.file) as archive:
        archive.extractall(folder / "task")
    return folder / "task"


def make_cloud(name: str, key_name: str = "image_name") -> dict[str, str]:
    """Create two buckets, a table and a topic.

    Return the function's environment.
    """
    for bucket in (f"{name}-in", f"{name}-out"):
        CLIENTS.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    make_table(name, key_name)
    return {
        "SOURCE_BUCKET": f"{name}-in",
        "OUTPUT_BUCKET": f"{name}-out",
        "TABLE_NAME": name,
        "SNS_TOPIC_ARN": CLIENTS.sns.create_topic(Name=name)["TopicArn"],
        **{key: value for key, value in os.environ.items() if key.startswith("AWS_")},
    }


def start(code: Path, folder: Path, environ: dict[str, str]) -> AbstractContextManager[Lambda]:
    """Return a context that runs the bundle's handler.

    With ``-S``, Python ignores the site-packages of this environment.
    """
    return start_function(code, "lambda_function.lambda_handler", folder / "log", environ, "-S")


def upload(function: Lambda, environ: dict[str, str], *files: Path, limit_seconds: float = 60.0) -> Any:
    """Put the files into the source bucket, and call the function; return its answer.

    The event is the one that S3 sends through SQS.
    """
    keys = [environ.get("SOURCE_PREFIX", "") + file.name for file in files]
    for key, file in zip(keys, files, strict=True):
        CLIENTS.s3.put_object(Bucket=environ["SOURCE_BUCKET"], Key=key, Body=file.read_bytes())
    bodies = [
        {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
         "s3": {"bucket": {"name": environ["SOURCE_BUCKET"]}, "object": {"key": key}}}
        for key in keys
    ]  # fmt: skip
    return function.call(
        {
            "Records": [
                {"eventSource": "aws:sqs", "messageId": str(number), "body": json.dumps({"Records": [body]})}
                for number, body in enumerate(bodies)
            ]
        },
        limit_seconds,
    )


def read(environ: dict[str, str], key: str) -> bytes:
    """Return the content of an object in the output bucket."""
    content: bytes = CLIENTS.s3.get_object(Bucket=environ["OUTPUT_BUCKET"], Key=key)["Body"].read()
    return content
