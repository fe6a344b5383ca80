"""The module applied to moto's server, for each trigger: ``make test-infra``.

A poller like Lambda's passes the queue's messages from S3 to the applied bundle. moto forgets some
attributes, so a second plan finds them changed. This module lists these attributes by name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from commands import RENDITIONS, draw
from contract.cloud import CLIENTS, REGION
from deploy.test_bundle import HERE, build_from_index
from infra.inventory import list_everything
from infra.planned import PROVIDER
from infra.terraform import find_terraform, run_terraform, write_settings
from renditions.aws.sqs import Queue
from renditions.deploy.bundle import API
from renditions.deploy.terraform import BUNDLE, MAIN, PLAN, Deployment, find_program
from renditions.errors import Failed
from renditions.pipeline_file.reading import parse, read_preset
from serverless.deployed import link_runtime, start
from serverless.runtime_api import Lambda
from serverless.test_gateway import make_call, post_form, read

FORGOTTEN = {
    ("aws_lambda_function", "logging_config"): "moto keeps none",
    ("aws_s3_bucket_notification", "eventbridge"): "moto keeps it, but doesn't return it",
    ("aws_sqs_queue", "redrive_policy"): "moto gives it back with blanks in it",
}
"""The attributes that a second plan on moto wrongly finds changed, and the reason."""

OUTPUTS = "".join(
    f'\noutput "{name}" {{\n  value = module.renditions.{name}\n}}\n'
    for name in ("input_bucket", "topic_arn", "function_name", "queue_url", "api_url")
)

JWT = """{
    bundle = "${path.module}/api.zip"
    jwt    = { issuer = "https://tokens.example.com/", audiences = ["pictures"] }
  }"""
IAM = '{ bundle = "${path.module}/api.zip" }'
"""The lines of main.tf for the API, with tokens and with signatures."""
PAGE = ("GET /", "GET /docs", "GET /login", "GET /static/{proxy+}")
"""The page's own files. They contain no pictures, and only they are served without authorization."""


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
        """Unpack a function's bundle, and check that Terraform applied this bundle."""
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


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    (tmp_path / "runtime").mkdir()
    return link_runtime(tmp_path / "runtime")


@pytest.fixture(autouse=True)
def _settings(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the program use the mirror of providers, and reset moto.

    moto must not start Docker.
    """
    assert find_terraform(), "THESE TESTS NEED terraform or tofu"
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(write_settings(tmp_path)))
    monkeypatch.setenv("TF_IN_AUTOMATION", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    for path, body in (("reset", b""), ("config", b'{"lambda": {"use_docker": false}}')):
        url = f"{CLIENTS.s3.meta.endpoint_url}/moto-api/{path}"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - moto's
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - the same


def open_lambda() -> Any:
    return Session().create_client("lambda", region_name=REGION)


def write_root(folder: Path, trigger: str, api: str = "null") -> None:
    """Write a main.tf with a user's changes."""
    folder.mkdir()
    own = f'trigger       = "{trigger}"\n  api           = {api}\n'
    text = re.sub(r"trigger +=.*\n", own, MAIN, count=1)
    (folder / "main.tf").write_text(text + OUTPUTS)
    (folder / "provider.tf").write_text(PROVIDER)


def apply(deployment: Deployment, pipeline: str, name: str = "pictures") -> Applied:
    checked = parse(pipeline, "test", deployment.folder, {}).pipeline
    deployment.write(checked, HERE, deployment.folder.parent / "renditions.toml", name)
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


def subscribe(topic: str) -> str:
    """Return the URL of a queue that is subscribed to the topic."""
    queue = CLIENTS.sqs.create_queue(QueueName="heard")["QueueUrl"]
    found = CLIENTS.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    CLIENTS.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=found["Attributes"]["QueueArn"])
    return str(queue)


def heard(queue: str) -> list[tuple[str, str]]:
    messages = CLIENTS.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ())
    notices = [json.loads(json.loads(message["Body"])["Message"]) for message in messages]
    return [(notice["image_name"], notice["status"]) for notice in notices]


def exists(bucket: str) -> bool:
    try:
        CLIENTS.s3.head_bucket(Bucket=bucket)
    except ClientError:
        return False
    return True


@pytest.mark.parametrize("trigger", ["sqs", "eventbridge"])
def test_the_module_can_be_applied_changed_and_destroyed(tmp_path: Path, runtime: Path, trigger: str) -> None:
    """One apply is enough. A changed pipeline changes only the function.

    The pictures stay until the end.
    """
    write_root(tmp_path / "deployment", trigger)
    pipeline = read_preset("thumbnail").replace('on = ["rejected"', 'on = ["done", "rejected"')
    applied = apply(Deployment(tmp_path / "deployment", find_program()), pipeline)
    assert applied.drift() == set()
    outputs = applied.outputs
    switch_polling_off(outputs["function_name"])
    notices = subscribe(outputs["topic_arn"])
    draw(tmp_path / "photo.jpg", 1920, 1080)
    code = applied.unpack(tmp_path / "task")
    kept = {"Bucket": outputs["output_bucket"], "Key": "processed/thumb_photo.jpg"}
    with start(code, tmp_path, applied.environment(runtime)) as function:
        body = (tmp_path / "photo.jpg").read_bytes()
        CLIENTS.s3.put_object(Bucket=outputs["input_bucket"], Key="photo.jpg", Body=body)
        poll(function, Queue(CLIENTS.sqs, outputs["queue_url"]))
        assert CLIENTS.s3.head_object(**kept)["ContentLength"] > 1000
    key = {"image_name": {"S": "photo.jpg"}}
    item = CLIENTS.dynamodb.get_item(TableName=outputs["table"], Key=key)["Item"]
    assert (item["processed_width"], item["processed_height"]) == ({"N": "200"}, {"N": "113"})
    assert heard(notices) == [("photo.jpg", "done")]
    changed = pipeline.replace("width  = 200", "width  = 220")
    checked = parse(changed, "test", tmp_path, {}).pipeline
    build_from_index(checked, applied.deployment.folder / BUNDLE, HERE)
    mapping = {("aws_lambda_event_source_mapping", "enabled")}  # switched off above
    assert {kind for kind, _ in applied.drift() - mapping} == {
        "aws_lambda_function",
        "aws_s3_object",
        "terraform_data",
    }
    assert applied.deployment.plan_destruction(with_pictures=False)
    applied.deployment.apply()
    assert CLIENTS.s3.head_object(**kept)
    assert open_lambda().list_functions()["Functions"] == []
    assert applied.deployment.plan_destruction(with_pictures=True)
    applied.deployment.unlock_pictures()
    applied.deployment.apply()
    assert not exists(outputs["input_bucket"])
    assert CLIENTS.dynamodb.list_tables()["TableNames"] == []


@pytest.mark.parametrize(("api", "authorization"), [(JWT, "JWT"), (IAM, "AWS_IAM")])
def test_the_api_is_created_on_request_and_needs_authorization(
    tmp_path: Path, runtime: Path, api: str, authorization: str
) -> None:
    """Every route needs authorization, except the routes of the page's own files.

    The function accepts an upload.
    """
    write_root(tmp_path / "deployment", "sqs", api)
    applied = apply(Deployment(tmp_path / "deployment", find_program()), read_preset("base64"))
    assert applied.drift() == set()
    outputs = applied.outputs
    gateway = Session().create_client("apigatewayv2", region_name=REGION)
    (found,) = gateway.get_apis()["Items"]
    assert outputs["api_url"].startswith(found["ApiEndpoint"])
    routes = gateway.get_routes(ApiId=found["ApiId"])["Items"]
    kinds = {route["RouteKey"]: route["AuthorizationType"] for route in routes}
    assert kinds == {"$default": authorization} | dict.fromkeys(PAGE if api == JWT else (), "NONE")
    if api == JWT:
        rules = CLIENTS.s3.get_bucket_cors(Bucket=outputs["input_bucket"])["CORSRules"]
        assert [rule["AllowedOrigins"] for rule in rules] == [[found["ApiEndpoint"]]]
    for authorizer in {route["AuthorizerId"] for route in routes if route["AuthorizationType"] == "JWT"}:
        known = gateway.get_authorizer(ApiId=found["ApiId"], AuthorizerId=authorizer)
        assert known["JwtConfiguration"] == {
            "Audience": ["pictures"],
            "Issuer": "https://tokens.example.com/",
        }
    (integration,) = gateway.get_integrations(ApiId=found["ApiId"])["Items"]
    assert applied.function("-api")["FunctionArn"] in integration["IntegrationUri"]
    switch_polling_off(outputs["function_name"])
    code = applied.unpack(tmp_path / "task", "api.zip", "-api")
    environment = applied.environment(runtime, "-api")
    with start(code, tmp_path, environment) as function:

        def ask(method: str, path: str, body: Any = None) -> Any:
            return read(function.call(make_call("2.0", method, path, body)).value)

        content = b"\xff\xd8\xff and so on"
        form = ask("POST", "/uploads", {"name": "a.jpg", "type": "image/jpeg", "size_bytes": len(content)})
        assert post_form(form["url"], form["fields"], content) in (200, 204)
        assert ask("POST", "/pictures/a.jpg/process")["result"] == "done"
        assert [picture["name"] for picture in ask("GET", "/pictures")["pictures"]] == ["a.jpg"]
        refused = function.call(make_call("2.0", "GET", "/pictures", authorizer=None)).value
        assert refused["statusCode"] == 401
    assert applied.deployment.plan_destruction(with_pictures=True)
    applied.deployment.unlock_pictures()
    applied.deployment.apply()
    assert gateway.get_apis()["Items"] == []
    assert open_lambda().list_functions()["Functions"] == []


def test_deploy_and_destroy_succeed_without_a_queue(tmp_path: Path, runtime: Path) -> None:
    """Deploy prints the upload URL.

    Destroy deletes the pictures only with the option.
    """

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [RENDITIONS, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    (tmp_path / "renditions.toml").write_text(read_preset("base64"))
    write_root(tmp_path / "deployment", "direct")
    applied = Applied(
        Deployment(tmp_path / "deployment", find_program()), json.loads(run("deploy", "--yes", "--json"))
    )
    bucket = applied.outputs["input_bucket"]
    assert run("deploy", "--yes").endswith(f"Upload pictures to s3://{bucket}/\n")
    assert applied.drift() == set()
    draw(tmp_path / "photo.jpg")
    environment = applied.environment(runtime)
    with start(applied.unpack(tmp_path / "task"), tmp_path, environment) as function:
        CLIENTS.s3.put_object(Bucket=bucket, Key="photo.jpg", Body=(tmp_path / "photo.jpg").read_bytes())
        told = {"bucket": {"name": bucket}, "object": {"key": "photo.jpg"}}
        record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": told}
        assert function.call({"Records": [record]}).value == {"results": {"done": 1}}
    kept = {"Bucket": applied.outputs["output_bucket"], "Key": "processed/photo.jpg.txt"}
    key = {"image_id": {"S": "photo.jpg"}}
    assert CLIENTS.dynamodb.get_item(TableName=applied.outputs["table"], Key=key)["Item"]["status"]
    run("destroy", "--yes")
    assert CLIENTS.s3.head_object(**kept)
    run("destroy", "--pictures", "--yes")
    assert not exists(bucket)


def test_two_deployments_in_one_account_never_share_anything(tmp_path: Path) -> None:
    """A second deployment with the name of the first is refused and changes nothing.

    One with a name of its own stands beside the first, and is destroyed without it. The names have the
    greatest length, and differ only in their last letter.
    """
    names = [f"{'pictures-' * 4}"[:31] + letter for letter in "ab"]

    def deploy(folder: str, name: str) -> Applied:
        if not (tmp_path / folder / "deployment").exists():
            (tmp_path / folder).mkdir(exist_ok=True)
            write_root(tmp_path / folder / "deployment", "eventbridge", IAM)
        return apply(
            Deployment(tmp_path / folder / "deployment", find_program()), read_preset("base64"), name
        )

    first = deploy("first", names[0])
    before = list_everything()
    assert len(before) > 30
    with pytest.raises(Failed, match="apply failed"):
        deploy("second", names[0])
    assert list_everything() == before
    second = deploy("second", names[1])
    both = list_everything()
    assert before.items() <= both.items()
    # Both deployments have the same kinds of things, so the second has no part of the first.
    assert count_kinds(both) == {kind: 2 * number for kind, number in count_kinds(before).items()}
    assert second.deployment.plan_destruction(with_pictures=True)
    second.deployment.unlock_pictures()
    second.deployment.apply()
    assert list_everything() == before
    # A destruction that isn't allowed stops before it makes the buckets less safe.
    ended = run_terraform(first.deployment.folder, "destroy", "-auto-approve", "-input=false")
    assert ended.returncode == 1
    assert re.search("deletion ?protection", ended.stdout + ended.stderr, re.IGNORECASE)
    left = list_everything()
    bucket = first.outputs["input_bucket"]
    kept = {name for name in before if name.endswith(bucket) and "notification" not in name}
    assert len(kept) == 6
    assert {name: left.get(name) for name in kept} == {name: before[name] for name in kept}


def count_kinds(things: Mapping[str, str]) -> Counter[str]:
    """Count things by their kind: the first word of their name."""
    return Counter(name.partition(" ")[0] for name in things)
