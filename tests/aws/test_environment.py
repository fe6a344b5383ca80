"""A worker with Terraform's environment, compared with the function."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aws.account import arn_of, count_messages, make_queue
from commands import RENDITIONS, draw, run
from contract.cloud import CLIENTS, name_of
from infra.terraform import find_terraform, needs_terraform
from renditions.aws.sqs import Queue
from renditions.messages.events import encode_change
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import load
from serverless.deployed import make_cloud
from serverless.test_edge import find_invalidated, make_distribution
from serverless.test_lambda import Call

pytestmark = pytest.mark.usefixtures("aws")

PIPELINE = """
[source]
store = "./inbox"
[output]
store = "./processed"
[renditions.text]
format = "base64"
[renditions.thumb]
width = 80
format = "webp"
[[notify]]
on = ["done", "rejected", "failed"]
to = "log:"
"""
PREFIXES = {"SOURCE_PREFIX": "uploads/", "OUTPUT_PREFIX": "made/", "TABLE_KEY": "image_id"}
"""The variables whose values differ from the defaults, apart from the topic's."""


@dataclass
class Cloud:
    """A function's environment, and a queue that is subscribed to its topic."""

    environment: Mapping[str, str]
    heard: Queue

    def upload(self, name: str, content: bytes) -> str:
        """Upload a picture, and return the message about it."""
        bucket, key = self.environment["SOURCE_BUCKET"], f"{PREFIXES['SOURCE_PREFIX']}{name}"
        CLIENTS.s3.put_object(Bucket=bucket, Key=key, Body=content)
        return encode_change(bucket, key)

    def read(self) -> tuple[dict[str, bytes], dict[str, str], list[tuple[str, str]]]:
        """Return the outputs by key, the statuses by picture, and the new notices."""
        bucket = self.environment["OUTPUT_BUCKET"]
        listed = CLIENTS.s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        outputs = {
            found["Key"]: CLIENTS.s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
            for found in listed
        }
        items = CLIENTS.dynamodb.scan(TableName=self.environment["TABLE_NAME"])["Items"]
        records = {item["image_id"]["S"]: item["status"]["S"] for item in items if "status" in item}
        notices = [json.loads(message.body) for message in self.heard.receive(wait_seconds=2)]
        return outputs, records, [(notice["image_name"], notice["event"]) for notice in notices]


def make(name: str) -> Cloud:
    variables = make_cloud(name, "image_id")
    queue, _ = make_queue(f"{name}-pictures", 60)
    url = str(CLIENTS.sqs.create_queue(QueueName=f"{name}-heard")["QueueUrl"])
    CLIENTS.sns.subscribe(
        TopicArn=variables["SNS_TOPIC_ARN"],
        Protocol="sqs",
        Endpoint=arn_of(url),
        Attributes={"RawMessageDelivery": "true"},
    )
    own = {name: value for name, value in variables.items() if not name.startswith("AWS_")}
    return Cloud({**own, **PREFIXES, "QUEUE_URL": queue}, Queue(CLIENTS.sqs, url))


def write_root(folder: Path, outputs: Mapping[str, Any]) -> Path:
    """Write and apply a Terraform root with only these outputs; return its folder."""
    folder.mkdir()
    blocks = (f'output "{name}" {{\n  value = {json.dumps(value)}\n}}\n' for name, value in outputs.items())
    (folder / "main.tf").write_text("".join(blocks))
    program = find_terraform()
    assert program
    for arguments in (("init",), ("apply", "-auto-approve")):
        subprocess.run([program, *arguments], cwd=folder, check=True, capture_output=True)
    return folder


def work(root: Path, cloud: Cloud) -> str:
    """Run a worker from Terraform's folder until its queue is empty; return stderr."""
    queue = cloud.environment["QUEUE_URL"]
    command = [str(RENDITIONS), "worker", "--workers", "1", "--from-terraform", str(root)]
    with subprocess.Popen(command, cwd=root.parent, stderr=subprocess.PIPE, text=True) as worker:
        while count_messages(queue) and worker.poll() is None:
            time.sleep(0.2)
        worker.send_signal(signal.SIGTERM)
        _, said = worker.communicate(timeout=60)
    assert worker.returncode == 0, said
    return said


@needs_terraform
def test_a_worker_with_its_environment_from_terraform_writes_the_same_outputs_as_the_function(
    tmp_path: Path,
) -> None:
    """Prefixes, key and topic all differ from their defaults."""
    from renditions.serverless.function import open_function  # noqa: PLC0415 - it sets up its own log

    (tmp_path / "renditions.toml").write_text(PIPELINE)
    draw(tmp_path / "photo.jpg")
    content = (tmp_path / "photo.jpg").read_bytes()
    (tmp_path / "pipeline.json").write_text(
        json.dumps(to_plain(load(tmp_path / "renditions.toml", {}).pipeline))
    )
    by_function, by_worker = make(name_of(tmp_path / "function")), make(name_of(tmp_path / "worker"))
    function = open_function(tmp_path / "pipeline.json", by_function.environment)
    event = json.loads(by_function.upload("a/photo.jpg", content))
    assert function.handle(event, Call()) == {"results": {"done": 1}}
    root = write_root(tmp_path / "deployment", {"environment": by_worker.environment})
    Queue(CLIENTS.sqs, by_worker.environment["QUEUE_URL"]).send([by_worker.upload("a/photo.jpg", content)])
    work(root, by_worker)
    outputs, records, notices = by_function.read()
    assert outputs.keys() == {"made/a/photo.jpg/text.txt", "made/a/photo.jpg/thumb.webp"}
    assert records == {"a/photo.jpg": "done"}
    assert notices == [("a/photo.jpg", "done")]
    assert by_worker.read() == (outputs, records, notices)


def upload_and_work(root: Path, cloud: Cloud, seed: int) -> str:
    """Upload a photo with this seed; return stderr of a worker that processes it."""
    draw(root.parent / "photo.jpg", seed=seed)
    content = (root.parent / "photo.jpg").read_bytes()
    Queue(CLIENTS.sqs, cloud.environment["QUEUE_URL"]).send([cloud.upload("photo.jpg", content)])
    return work(root, cloud)


@needs_terraform
def test_a_worker_with_its_environment_from_terraform_invalidates_replaced_outputs(tmp_path: Path) -> None:
    (tmp_path / "renditions.toml").write_text(PIPELINE)
    cloud = make(name_of(tmp_path))
    distribution = {"DISTRIBUTION_ID": make_distribution(name_of(tmp_path))}
    root = write_root(tmp_path / "deployment", {"environment": {**cloud.environment, **distribution}})

    upload_and_work(root, cloud, seed=1)
    assert find_invalidated(distribution) == []

    upload_and_work(root, cloud, seed=2)
    paths = [path for batch in find_invalidated(distribution) for path in batch]
    assert sorted(paths) == ["/photo.jpg/text.txt", "/photo.jpg/thumb.webp"]


@needs_terraform
def test_a_worker_reports_a_failed_invalidation_and_still_records_its_picture_as_done(tmp_path: Path) -> None:
    (tmp_path / "renditions.toml").write_text(PIPELINE)
    cloud = make(name_of(tmp_path))
    environment = {**cloud.environment, "DISTRIBUTION_ID": "EMISSING"}
    root = write_root(tmp_path / "deployment", {"environment": environment})

    upload_and_work(root, cloud, seed=1)
    said = " ".join(upload_and_work(root, cloud, seed=2).split())

    assert "Can't invalidate outputs: distribution EMISSING" in said
    assert cloud.read()[1] == {"photo.jpg": "done"}


@needs_terraform
def test_a_terraform_root_without_the_needed_output_is_reported_with_what_to_add(tmp_path: Path) -> None:
    (tmp_path / "renditions.toml").write_text(PIPELINE)
    write_root(tmp_path / "deployment", {"table": "Pictures"})
    ended = run(tmp_path, "worker", "--from-terraform", "deployment")
    assert ended.code == 2
    assert 'deployment has no output "environment". Add it to main.tf' in ended.err.replace("\n", " ")


def test_the_worker_command_refuses_to_start_without_a_queue_or_a_terraform_folder(tmp_path: Path) -> None:
    (tmp_path / "renditions.toml").write_text(PIPELINE)
    ended = run(tmp_path, "worker")
    assert ended.code == 2
    assert "worker: no queue" in ended.err
    ended = run(tmp_path, "worker", "--from-terraform", "missing")
    assert ended.code == 2
    assert "there is no folder 'missing'" in ended.err.replace("\n", " ")
