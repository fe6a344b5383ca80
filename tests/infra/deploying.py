"""Apply deployments to moto's server, and pass them uploads as Lambda does.

moto forgets some attributes, so a second plan finds them changed. This module lists them by name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session

from contract.cloud import CLIENTS, REGION
from deploy.test_bundle import HERE, build_from_index
from infra.heard import SUBSCRIBERS
from infra.planned import PROVIDER
from renditions.aws.sqs import Queue
from renditions.deploy.bundle import API
from renditions.deploy.terraform import BUNDLE, MAIN, PLAN, Deployment, find_program
from renditions.pipeline_file.reading import parse
from serverless.runtime_api import Lambda

FORGOTTEN = {
    ("aws_lambda_function", "logging_config"): "moto keeps none",
    ("aws_sqs_queue", "redrive_policy"): "moto gives it back with blanks in it",
}
"""The attributes that a second plan on moto wrongly finds changed, and the reason."""

OUTPUTS = "".join(
    f'\noutput "{name}" {{\n  value = module.renditions.{name}\n}}\n'
    for name in ("input_bucket", "topic_arn", "alarm_topic_arn", "function_name", "queue_url", "api_url")
)


@dataclass
class Applied:
    """One deployment, and the data that a poller like AWS's own needs."""

    deployment: Deployment
    outputs: dict[str, Any]

    def function(self, suffix: str = "") -> dict[str, Any]:
        found = open_lambda().get_function(FunctionName=f"{self.outputs['function_name']}{suffix}")
        configuration: dict[str, Any] = found["Configuration"]
        return configuration

    def environment(self, runtime: Path, suffix: str = "") -> dict[str, str]:
        """Return the environment of the applied function.

        It has the variables that lead to moto.
        """
        return {
            **self.function(suffix)["Environment"]["Variables"],
            **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
            "PYTHONPATH": str(runtime),
        }

    def unpack(self, folder: Path, name: str = BUNDLE, suffix: str = "") -> Path:
        """Unpack a function's bundle; check that Terraform applied it; return the folder."""
        bundle = self.deployment.folder / name
        checksum = base64.b64encode(hashlib.sha256(bundle.read_bytes()).digest()).decode()
        assert self.function(suffix)["CodeSha256"] == checksum
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(folder)
        return folder

    def drift(self) -> set[tuple[str, str]]:
        """Return the type and the argument of each change in another plan.

        Changes of attributes that moto forgets are left out.
        """
        self.deployment.plan()
        changes = json.loads(self.deployment._read("show", "-json", PLAN))["resource_changes"]
        return {
            (change["type"], name)
            for change in changes
            for before, after in [(change["change"]["before"] or {}, change["change"]["after"] or {})]
            if change["change"]["actions"] not in (["no-op"], ["read"])
            for name in before.keys() | after.keys()
            if before.get(name) != after.get(name)
        } - FORGOTTEN.keys()


def open_lambda() -> Any:
    return Session().create_client("lambda", region_name=REGION)


def write_root(folder: Path, trigger: str | None = None, api: str = "null") -> None:
    """Write a main.tf with a user's changes.

    Without a trigger, the pipeline's source decides.
    """
    folder.mkdir(parents=True)
    text = re.sub(r"trigger +=.*", f'trigger = "{trigger}"', MAIN, count=1) if trigger else MAIN
    text = text.replace("notices = {", f"api = {api}\n\n  {SUBSCRIBERS}")
    (folder / "main.tf").write_text(text + OUTPUTS)
    (folder / "provider.tf").write_text(PROVIDER)


def apply(folder: Path, pipeline: str) -> Applied:
    """Deploy the pipeline from this folder; return the deployment.

    Its name is the one that ``renditions deploy`` chooses.
    """
    deployment = Deployment(folder, find_program())
    checked = parse(pipeline, "test", folder, {}).pipeline
    file = folder.parent / "renditions.toml"
    deployment.write(checked, HERE, file, deployment.choose_name(file, None))
    build_from_index(checked, deployment.folder / BUNDLE, HERE)
    if "api.zip" in (deployment.folder / "main.tf").read_text():
        build_from_index(checked, deployment.folder / "api.zip", HERE, API)
    if deployment.plan():
        deployment.apply()
    return Applied(deployment, dict(deployment.read_outputs()))


def switch_polling_off(function: str) -> None:
    """Keep moto from taking the messages of the queue.

    moto would delete them without processing them.
    """
    client = open_lambda()
    (mapping,) = client.list_event_source_mappings()["EventSourceMappings"]
    assert mapping["FunctionArn"].endswith(f":{function}")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


def poll(function: Lambda, queue: Queue) -> None:
    """Pass the queue's messages to the function until there are none.

    Lambda does the same.
    """
    while messages := queue.receive(wait_seconds=1):
        ended = function.call({"Records": [message.to_record() for message in messages]})
        assert ended.error is None, ended.error
        failed = {failure["itemIdentifier"] for failure in ended.value["batchItemFailures"]}
        queue.delete([message for message in messages if message.id not in failed])


def exists(bucket: str) -> bool:
    try:
        CLIENTS.s3.head_bucket(Bucket=bucket)
    except ClientError:
        return False
    return True
