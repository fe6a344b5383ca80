"""The Terraform module, applied to moto for each trigger: ``make test-infra``.

A poller like Lambda's passes the queue's messages from S3 to the applied bundle.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from commands import RENDITIONS, draw
from contract.cloud import CLIENTS, REGION
from deploy.test_bundle import HERE, build_from_index
from infra.calls import ACCOUNT
from infra.deploying import Applied, apply, exists, open_lambda, poll, switch_polling_off, write_root
from infra.heard import (
    ANN,
    BUS,
    PHONE,
    SENDER,
    TARGETS,
    count_mails,
    follow_bus,
    heard,
    list_alarm_topics,
    list_people,
    read_statements,
    subscribe,
    verify_sender,
)
from infra.inventory import OF_BUCKET, list_everything
from infra.terraform import find_terraform, run_terraform, write_settings
from renditions.aws.sqs import Queue
from renditions.deploy.terraform import BUNDLE, Deployment, find_program, name_after
from renditions.errors import Failed
from renditions.pipeline_file.reading import parse, read_preset
from serverless.deployed import link_runtime, start
from serverless.test_gateway import make_call, post_form, read

JWT = """{
    bundle = "${path.module}/api.zip"
    jwt    = { issuer = "https://tokens.example.com/", audiences = ["pictures"] }
  }"""
IAM = '{ bundle = "${path.module}/api.zip" }'
"""The values of ``api`` in main.tf: ``JWT`` is for an API with tokens, ``IAM`` for one with signatures."""
PAGE = ("GET /", "GET /docs", "GET /login", "GET /static/{proxy+}")
"""The page's own files, which contain no pictures. They and the health check need no authorization."""


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    (tmp_path / "runtime").mkdir()
    return link_runtime(tmp_path / "runtime")


@pytest.fixture(autouse=True)
def _settings(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Terraform use the mirror of providers, and reset moto.

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


def check_notices(applied: Applied) -> None:
    """Check who gets the notices and the alarms, and where the function may send."""
    assert list_people(applied.outputs["topic_arn"]) == {
        ANN: {"rejected", "failed", "removals_held", "output_held", "digest"},
        PHONE: {"failed", "removals_held", "output_held", "digest"},
    }
    assert list_alarm_topics() == {applied.outputs["alarm_topic_arn"]}
    assert list_people(applied.outputs["alarm_topic_arn"]) == {ANN: None, PHONE: None}
    allowed = read_statements(applied.function()["Role"])
    arn = f"{REGION}:{ACCOUNT}"
    assert allowed["NoticeEvents"]["Resource"] == [f"arn:aws:events:{arn}:event-bus/{BUS}"]
    assert allowed["NoticeEvents"]["Action"] == ["events:PutEvents"]
    assert allowed["NoticeMails"]["Condition"] == {"StringEquals": {"ses:FromAddress": [SENDER]}}
    assert set(allowed["NoticeMails"]["Resource"]) == {
        f"arn:aws:ses:{arn}:identity/{SENDER}",
        f"arn:aws:ses:{arn}:identity/example.org",
    }


@pytest.mark.parametrize("trigger", ["sqs", "eventbridge"])
def test_the_applied_module_processes_uploads_and_can_be_destroyed(
    tmp_path: Path, runtime: Path, trigger: str
) -> None:
    """One apply is enough.

    A plan of a changed pipeline changes only the function, its bundle and the time of the deployment. The
    pictures stay until the end.
    """
    write_root(tmp_path / "deployment", trigger)
    pipeline = read_preset("thumbnail").replace('on = ["rejected", "failed"]', 'on = ["done"]') + TARGETS
    applied = apply(tmp_path / "deployment", pipeline)
    assert applied.drift() == set()
    outputs = applied.outputs
    check_notices(applied)
    switch_polling_off(outputs["function_name"])
    queues = [subscribe(outputs["topic_arn"]), follow_bus()]
    verify_sender()
    draw(tmp_path / "photo.jpg", 1920, 1080)
    code = applied.unpack(tmp_path / "task")
    kept = {"Bucket": outputs["output_bucket"], "Key": "processed/thumb_photo.jpg"}
    with start(code, tmp_path, applied.environment(runtime)) as function:
        for name, body in (("photo.jpg", (tmp_path / "photo.jpg").read_bytes()), ("broken.jpg", b"none")):
            CLIENTS.s3.put_object(Bucket=outputs["input_bucket"], Key=name, Body=body)
        poll(function, Queue(CLIENTS.sqs, outputs["queue_url"]))
        assert CLIENTS.s3.head_object(**kept)["ContentLength"] > 1000
    key = {"image_name": {"S": "photo.jpg"}}
    item = CLIENTS.dynamodb.get_item(TableName=outputs["table"], Key=key)["Item"]
    assert (item["processed_width"], item["processed_height"]) == ({"N": "200"}, {"N": "113"})
    # That broken.jpg was rejected isn't declared, so it isn't published.
    assert [heard(queue) for queue in queues] == [[("photo.jpg", "done")]] * 2
    assert count_mails() == 1
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
    """Only the health check and the page's own files need no authorization.

    The function accepts an upload.
    """
    write_root(tmp_path / "deployment", "sqs", api)
    applied = apply(tmp_path / "deployment", read_preset("base64"))
    assert applied.drift() == set()
    outputs = applied.outputs
    gateway = Session().create_client("apigatewayv2", region_name=REGION)
    (found,) = gateway.get_apis()["Items"]
    assert outputs["api_url"].startswith(found["ApiEndpoint"])
    routes = gateway.get_routes(ApiId=found["ApiId"])["Items"]
    kinds = {route["RouteKey"]: route["AuthorizationType"] for route in routes}
    page = PAGE if api == JWT else ()
    assert kinds == {"$default": authorization} | dict.fromkeys(("GET /health", *page), "NONE")
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
        assert post_form(form["url"], form["fields"], content) == 201
        assert ask("POST", "/pictures/a.jpg/process")["result"] == "done"
        assert [picture["name"] for picture in ask("GET", "/pictures")["pictures"]] == ["a.jpg"]
        refused = function.call(make_call("2.0", "GET", "/pictures", authorizer=None)).value
        assert refused["statusCode"] == 401
        healthy = function.call(make_call("2.0", "GET", "/health", authorizer=None)).value
        assert read(healthy) == {"status": "ok"}
    assert applied.deployment.plan_destruction(with_pictures=True)
    applied.deployment.unlock_pictures()
    applied.deployment.apply()
    assert gateway.get_apis()["Items"] == []
    assert open_lambda().list_functions()["Functions"] == []


def run(folder: Path, *arguments: str, code: int = 0) -> tuple[str, str]:
    """Run a command that must exit with ``code``; return its stdout and stderr.

    The line breaks of stderr are replaced by blanks.
    """
    ended = subprocess.run([RENDITIONS, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout, " ".join(ended.stderr.split())


def test_deploy_and_destroy_succeed_without_a_queue(tmp_path: Path, runtime: Path) -> None:
    """``deploy`` prints the upload URL, and with ``--sync`` it compares all pictures.

    ``destroy`` deletes the pictures only with the option ``--pictures``.
    """
    (tmp_path / "renditions.toml").write_text(read_preset("base64"))
    write_root(tmp_path / "deployment", "direct")
    out, said = run(tmp_path, "deploy", "--yes", "--json")
    assert f"Deploying as {name_after(tmp_path / 'renditions.toml')}." in said
    assert "run renditions deploy --sync" in said
    applied = Applied(Deployment(tmp_path / "deployment", find_program()), json.loads(out))
    bucket = applied.outputs["input_bucket"]
    out, said = run(tmp_path, "deploy", "--yes", "--sync")
    assert out == f"Upload pictures to s3://{bucket}/\n"
    assert "The function compares all pictures with the pipeline now." in said
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
    run(tmp_path, "destroy", "--yes")
    assert CLIENTS.s3.head_object(**kept)
    run(tmp_path, "destroy", "--pictures", "--yes")
    assert not exists(bucket)


def test_deploy_uses_an_existing_bucket_of_the_pipeline_and_leaves_it_unchanged(
    tmp_path: Path, runtime: Path
) -> None:
    """Before it changes anything, ``deploy`` reports what the bucket lacks.

    Pictures come from one prefix of the bucket, and renditions go to another.
    """
    bucket = {"Bucket": "my-bucket"}
    text = read_preset("base64").replace('"./inbox"', '"s3://my-bucket/prefix/"')
    (tmp_path / "renditions.toml").write_text(text.replace('"./processed"', '"s3://my-bucket/made/"'))
    _, said = run(tmp_path, "deploy", "--yes", code=2)
    assert "can't deploy onto s3://my-bucket: HeadBucket failed: Not Found (404)" in said
    CLIENTS.s3.create_bucket(**bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    _, said = run(tmp_path, "deploy", "--yes", code=2)
    assert "s3://my-bucket: it doesn't send its events to EventBridge" in said
    assert not (tmp_path / "deployment").exists()
    CLIENTS.s3.put_bucket_notification_configuration(
        **bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    before = list_everything()
    write_root(tmp_path / "deployment")
    out, _ = run(tmp_path, "deploy", "--yes", "--json")
    applied = Applied(Deployment(tmp_path / "deployment", find_program()), json.loads(out))
    outputs = applied.outputs
    assert (outputs["upload_to"], outputs["output_bucket"]) == ("s3://my-bucket/prefix/", "my-bucket")
    assert before.items() <= list_everything().items()
    switch_polling_off(outputs["function_name"])
    draw(tmp_path / "photo.jpg")
    environment = applied.environment(runtime)
    with start(applied.unpack(tmp_path / "task"), tmp_path, environment) as function:
        for key in ("prefix/photo.jpg", "other/photo.jpg"):
            CLIENTS.s3.put_object(**bucket, Key=key, Body=(tmp_path / "photo.jpg").read_bytes())
        poll(function, Queue(CLIENTS.sqs, outputs["queue_url"]))
    run(tmp_path, "destroy", "--pictures", "--yes")
    assert list_everything() == before
    keys = {found["Key"] for found in CLIENTS.s3.list_objects_v2(**bucket)["Contents"]}
    assert keys == {"prefix/photo.jpg", "other/photo.jpg", "made/photo.jpg.txt"}


def test_two_deployments_in_one_account_share_no_resource(tmp_path: Path) -> None:
    """Each deployment is named after its folder.

    A second deployment with the same name is refused and changes nothing. A deployment with another name is
    created beside the first one, and destroying it leaves the first one unchanged. Both names have the
    greatest length, and differ only in their last letter.
    """
    names = [f"{'pictures-' * 4}"[:31] + letter for letter in "ab"]

    def deploy(place: str, name: str) -> Applied:
        folder = tmp_path / place / name / "deployment"
        write_root(folder, "eventbridge", IAM)
        return apply(folder, read_preset("base64"))

    first = deploy("ours", names[0])
    before = list_everything()
    assert len(before) > 30
    with pytest.raises(Failed, match="apply failed"):
        deploy("theirs", names[0])
    assert list_everything() == before
    second = deploy("theirs", names[1])
    both = list_everything()
    assert before.items() <= both.items()
    # Both deployments have the same kinds of things, so the second has no part of the first.
    assert count_kinds(both) == {kind: 2 * number for kind, number in count_kinds(before).items()}
    assert second.deployment.plan_destruction(with_pictures=True)
    second.deployment.unlock_pictures()
    second.deployment.apply()
    assert list_everything() == before
    # A destruction that isn't allowed stops before it makes buckets, table or name less safe.
    ended = run_terraform(first.deployment.folder, "destroy", "-auto-approve", "-input=false")
    assert ended.returncode == 1
    assert re.search("deletion ?protection", ended.stdout + ended.stderr, re.IGNORECASE)
    left = list_everything()
    kinds = {"bucket": 3, **dict.fromkeys(OF_BUCKET, 3), "table": 1, "log": 1}
    del kinds["get_bucket_notification_configuration"]
    log = f"log /aws/lambda/{names[0]}"
    kept = {
        name: thing
        for name, thing in before.items()
        if (kind := name.partition(" ")[0]) in kinds and (kind != "log" or name == log)
    }
    assert count_kinds(kept) == kinds
    assert {name: left.get(name) for name in kept} == kept


def count_kinds(things: Mapping[str, str]) -> Counter[str]:
    """Return the number of things by kind, which is the first word of a name."""
    return Counter(name.partition(" ")[0] for name in things)
