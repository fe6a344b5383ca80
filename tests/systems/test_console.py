"""The steps of docs/console.md as API calls, with the values on the page."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from commands import draw, run
from contract.cloud import CLIENTS, REGION
from infra.calls import recorded
from infra.policies import find_excess, find_lacking
from renditions.aws.table import table_schema
from renditions.model.pipeline import Pipeline
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse, read_preset
from renditions.serverless.function import Function, open_function
from serverless.deployed import link_runtime, start
from serverless.test_lambda import Call

PAGE = (Path(__file__).parents[2] / "docs" / "console.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table in a section, without its heading row."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def policy() -> dict[str, Any]:
    """Return the statements of the page's policy in the form of the module's output."""
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    statements = json.loads(text)["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    return {
        "ConsoleLog" if "logs:PutLogEvents" in statement["Action"] else str(number): {
            "actions": as_list(statement["Action"]),
            "resources": as_list(statement["Resource"]),
        }
        for number, statement in enumerate(statements)
    }


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.fixture(scope="module")
def environ(aws: None) -> dict[str, str]:
    """Do steps 2 to 4 of the page; return the variables of step 6."""
    environ = dict(rows("6. The function"))
    for bucket in re.findall(r"Bucket name `([a-z-]+)`", PAGE):
        CLIENTS.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    table, key = re.findall(r"Table name `(\w+)`, partition key `(\w+)`", PAGE)[0]
    assert table == environ["TABLE_NAME"]
    wanted = table_schema(key)
    indexes = []
    for name, partition, sort, projection in rows("3. The table"):
        shown = re.findall(r"`?(\w+)`?", projection.partition("Include:")[2])
        indexes.append(
            {
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": partition.split("`")[0], "KeyType": "HASH"},
                    *([] if sort == "none" else [{"AttributeName": sort.split("`")[0], "KeyType": "RANGE"}]),
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": shown}
                if shown
                else {"ProjectionType": "KEYS_ONLY"},
            }
        )
    assert indexes == wanted["GlobalSecondaryIndexes"]
    CLIENTS.dynamodb.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **wanted)
    (topic,) = re.findall(r"type \*Standard\*, name `([a-z-]+)`", PAGE)
    assert CLIENTS.sns.create_topic(Name=topic)["TopicArn"] == environ["SNS_TOPIC_ARN"]
    return environ


def test_the_console_steps_process_the_first_picture(environ: dict[str, str], tmp_path: Path) -> None:
    """A server on this machine accepts the page's zip, role, policy and function.

    The function in the zip processes a picture.
    """
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for command in re.findall(r"^renditions (.*)$", commands, re.MULTILINE):
        assert run(tmp_path, *command.split()).code == 0
    session = Session()
    iam = session.create_client("iam", region_name=REGION)
    trusted = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    role = iam.create_role(RoleName="my-pictures", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    made = iam.create_policy(PolicyName="my-pictures", PolicyDocument=text)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="my-pictures", PolicyArn=made)
    (handler,) = re.findall(r"handler `([\w.]+)`", PAGE)
    function = session.create_client("lambda", region_name=REGION).create_function(
        FunctionName="my-pictures",
        Runtime="python3.13",
        Architectures=["arm64"],
        Role=role,
        Handler=handler,
        Code={"ZipFile": (tmp_path / "bundle.zip").read_bytes()},
        MemorySize=256,
        Timeout=120,
        Environment={"Variables": environ},
    )
    assert function["Environment"]["Variables"] == environ
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "task")
    (tmp_path / "runtime").mkdir()
    link_runtime(tmp_path / "runtime")
    draw(tmp_path / "photo.jpg")
    bucket = environ["SOURCE_BUCKET"]
    CLIENTS.s3.put_object(Bucket=bucket, Key="photo.jpg", Body=(tmp_path / "photo.jpg").read_bytes())
    told = {"bucket": {"name": bucket}, "object": {"key": "photo.jpg"}}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": told}
    reached = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    here = {"PYTHONPATH": str(tmp_path / "runtime"), **environ, **reached}
    with start(tmp_path / "task", tmp_path, here) as started:
        assert started.call({"Records": [record]}).value == {"results": {"done": 1}}
    assert CLIENTS.s3.head_object(Bucket=environ["OUTPUT_BUCKET"], Key="photo.jpg.txt")
    key = {"image_id": {"S": "photo.jpg"}}
    item = CLIENTS.dynamodb.get_item(TableName=environ["TABLE_NAME"], Key=key)["Item"]
    assert item["status"] == {"S": "done"}


def test_the_console_policy_allows_exactly_the_needed_actions(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "pipeline.json").write_text(json.dumps(to_plain(parse_base64(tmp_path))))
    draw(tmp_path / "photo.jpg")
    bucket = environ["SOURCE_BUCKET"]

    def tell(function: Function, event: str) -> None:
        records = [
            {"eventSource": "aws:s3", "eventName": event,
             "s3": {"bucket": {"name": bucket}, "object": {"key": name}}}
            for name in ("here.jpg", "broken.jpg")
        ]  # fmt: skip
        function.handle({"Records": records}, Call())

    with recorded() as calls:
        function = open_function(tmp_path / "pipeline.json", environ)
        content = (tmp_path / "photo.jpg").read_bytes()
        CLIENTS.s3.put_object(Bucket=bucket, Key="here.jpg", Body=content)
        CLIENTS.s3.put_object(Bucket=bucket, Key="broken.jpg", Body=b"no picture")
        tell(function, "ObjectCreated:Put")
        CLIENTS.s3.put_object(Bucket=bucket, Key="here.jpg", Body=content + b"\0")
        function.handle({"source": "renditions", "detail-type": "Reconcile"}, Call())
        CLIENTS.s3.delete_object(Bucket=bucket, Key="here.jpg")
        tell(function, "ObjectRemoved:Delete")
    needed = {permission for call in calls for permission in call.permissions()}
    assert find_lacking(policy(), needed) == set()
    assert find_excess(policy(), needed) == set()


def parse_base64(folder: Path) -> Pipeline:
    return parse(read_preset("base64"), "base64", folder, {}).pipeline
