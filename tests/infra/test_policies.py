"""Terraform's own tests of the module, and its policies.

The policies are compared with the AWS calls of the examples and of the API.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from commands import draw
from contract.cloud import REGION, run_moto
from infra.calls import Call as AwsCall
from infra.calls import Permission, recorded, table_arn
from infra.policies import Policy, find_excess, find_lacking, with_condition, with_more, without
from infra.terraform import copy_module, needs_terraform, run_terraform
from renditions.aws.clients import Clients
from renditions.aws.sqs import Received
from renditions.aws.table import table_schema
from renditions.errors import Failed, RenditionsError
from renditions.model.notify import Notify
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import load
from renditions.serverless.function import open_function
from renditions.serverless.gateway import open_gateway
from renditions.serverless.secrets import read_secrets
from serverless.test_gateway import event_loop, make_call
from systems.places import EXAMPLES, NAMES
from web.gateway_server import Call

TICK = {"source": "renditions", "detail-type": "Reconcile"}
MORE = (
    "s3:PutObjectAcl",
    "s3:PutObject",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "sqs:PurgeQueue",
    "iam:PassRole",
)

NOT_HELD = {
    (
        "ListOutputs",
        "s3:ListBucket",
    ): "without permission to list, S3 answers 403 for a missing key, and moto 404",
}
"""The permissions that moto doesn't check, and the reason."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    """Run the module's own tests, which must pass.

    Return the outputs of the policies' tests, by the name of each run.
    """
    module = copy_module(tmp_path_factory.mktemp("terraform") / "module")
    for arguments in (
        ("fmt", "-check", "-recursive", "-diff"),
        ("init", "-input=false", "-backend=false"),
        ("test", "-filter=tests/module.tftest.hcl"),
    ):
        ended = run_terraform(module, *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    # With each run's state Terraform prints the schema of all resources on AWS, which takes many seconds.
    ended = run_terraform(module, "test", "-filter=tests/policies.tftest.hcl", "-json", "-verbose")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, [line for line in lines if line["@level"] == "error"]
    return {
        line["@testrun"]: {
            name: output["value"] for name, output in line["test_state"].get("outputs", {}).items()
        }
        for line in lines
        if line["type"] == "test_state"
    }


@pytest.fixture(scope="module")
def cloud() -> Iterator[Clients]:
    """Yield clients of a separate server.

    :func:`make_environment` creates resources there with the names in the policies.
    """
    with run_moto() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield Clients()


def make_environment(cloud: Clients, outputs: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Reset moto, and create the resources that the outputs name.

    Return a function's environment.
    """
    reset = urllib.request.Request(f"{cloud.s3.meta.endpoint_url}/moto-api/reset", method="POST")  # noqa: S310
    urllib.request.urlopen(reset, timeout=30).close()  # noqa: S310
    for bucket in (outputs["input_bucket"], outputs["output_bucket"]):
        cloud.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    versioning = {"Status": "Enabled"}
    cloud.s3.put_bucket_versioning(Bucket=outputs["input_bucket"], VersioningConfiguration=versioning)
    schema = table_schema("image_name")
    cloud.dynamodb.create_table(TableName=outputs["table"], BillingMode="PAY_PER_REQUEST", **schema)
    topic = cloud.sns.create_topic(Name=outputs["topic_arn"].rpartition(":")[2])["TopicArn"]
    assert topic == outputs["topic_arn"]
    queue = cloud.sqs.create_queue(QueueName="renditions")["QueueUrl"] if outputs.get("queue_url") else ""
    return {
        "SOURCE_BUCKET": outputs["input_bucket"],
        "SOURCE_PREFIX": prefix,
        "OUTPUT_BUCKET": outputs["output_bucket"],
        "OUTPUT_PREFIX": "processed/",
        "TABLE_NAME": outputs["table"],
        "TABLE_KEY": "image_name",
        "SNS_TOPIC_ARN": topic,
        "QUEUE_URL": queue,
        # moto has no such distribution. The refused call is recorded too, and fails no picture.
        "DISTRIBUTION_ID": outputs.get("distribution_id") or "",
    }


def write_bundle(folder: Path, example: str, *more: Notify) -> Path:
    """Write the example's pipeline in the form of a bundle; return the file."""
    pipeline = to_plain(load(EXAMPLES / example / "renditions.toml").pipeline)
    pipeline["notify"] = [*pipeline.get("notify", ()), *(write_notify(one) for one in more)]
    file = folder / f"{example}.json"
    file.write_text(json.dumps(pipeline))
    return file


def write_notify(entry: Notify) -> dict[str, Any]:
    written = {"on": list(entry.on), "to": entry.to, "sender": entry.sender}
    return {name: value for name, value in written.items() if value is not None}


def told(environ: Mapping[str, str], names: Sequence[str], event: str = "ObjectCreated:Put") -> Any:
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": event,
                "s3": {
                    "bucket": {"name": environ["SOURCE_BUCKET"]},
                    "object": {"key": environ["SOURCE_PREFIX"] + name},
                },
            }
            for name in names
        ]
    }


SECRETS = {
    "WEBHOOK_KEY": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-AbCdEf",
    "API_TOKEN": "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/token",
}
"""The secrets of the module's test of a governed account."""


def run_function(cloud: Clients, environ: Mapping[str, str], folder: Path, *more: Notify) -> list[AwsCall]:
    """Run every example; return the calls that the function made.

    Each example gets new, changed and deleted pictures.
    """
    draw(folder / "photo.jpg", 700, 400)
    bucket, prefix = environ["SOURCE_BUCKET"], environ["SOURCE_PREFIX"]
    with recorded() as calls:
        for number, example in enumerate(NAMES):
            # Each example is deployed after the one before, so it is in force.
            deployed = {**environ, "DEPLOYED_AT": f"2026-01-{number + 1:02}T00:00:00Z"}
            function = open_function(write_bundle(folder, example, *more), deployed)
            photo = (folder / "photo.jpg").read_bytes()
            for name, content in (("photo.jpg", photo), ("broken.jpg", b"no picture")):
                cloud.s3.put_object(Bucket=bucket, Key=prefix + name, Body=content)
            function.handle(told(environ, ["photo.jpg", "broken.jpg"]), Call())
            if environ["QUEUE_URL"]:  # the message isn't done, so it is hidden for a while
                received = Received("1", "receipt", "not understood", 1)
                function.handle({"Records": [received.to_record()]}, Call())
            function.handle(TICK, Call())
            cloud.s3.put_object(Bucket=bucket, Key=f"{prefix}photo.jpg", Body=photo + b"\0")
            function.handle(told(environ, ["photo.jpg"]), Call())
            cloud.s3.put_object(Bucket=bucket, Key=f"{prefix}unheard.jpg", Body=photo)
            function.handle(TICK, Call())
            for name in ("photo.jpg", "unheard.jpg"):
                cloud.s3.delete_object(Bucket=bucket, Key=prefix + name)
            function.handle(told(environ, ["photo.jpg", "unheard.jpg"], "ObjectRemoved:Delete"), Call())
    return calls


def _use_bin(
    cloud: Clients, environ: Mapping[str, str], call: Callable[[str, str], Mapping[str, Any]]
) -> list[int]:
    """Delete, list and restore pictures; return the statuses of the answers.

    One restoration removes the deletion's marker, the other writes the picture again.
    """
    bucket, key = environ["SOURCE_BUCKET"], f"{environ['SOURCE_PREFIX']}photo.jpg"
    deletions: list[str] = []
    answers = []
    for content in (b"one", b"two"):
        cloud.s3.put_object(Bucket=bucket, Key=key, Body=content)
        answers.append(call("DELETE", "/pictures/photo.jpg"))
        deletions.append(json.loads(answers[-1]["body"])["deletion"])
    answers.append(call("GET", "/bin"))
    answers.append(call("POST", f"/bin/{deletions[1]}/photo.jpg"))  # removes the marker
    answers.append(call("DELETE", "/pictures/photo.jpg"))
    answers.append(call("POST", f"/bin/{deletions[0]}/photo.jpg"))  # writes the picture again
    answers.append(call("DELETE", "/pictures/photo.jpg"))
    return [int(each["statusCode"]) for each in answers]


def run_api(cloud: Clients, environ: Mapping[str, str], folder: Path, *more: Notify) -> list[AwsCall]:
    """Make calls of the API; return the calls to AWS that it made."""
    draw(folder / "photo.jpg", 700, 400)
    with recorded() as calls, event_loop():
        answer = open_gateway(write_bundle(folder, "thumbnail", *more), environ)

        def ask(method: str, path: str, body: Any = None) -> int:
            return int(answer(make_call("2.0", method, path, body), Call())["statusCode"])

        key = f"{environ['SOURCE_PREFIX']}photo.jpg"
        content = (folder / "photo.jpg").read_bytes()
        form = {"name": "photo.jpg", "type": "image/jpeg", "size_bytes": len(content)}
        asked = [ask("POST", "/uploads", form)]
        cloud.s3.put_object(Bucket=environ["SOURCE_BUCKET"], Key=key, Body=content)
        asked += [
            ask("POST", "/pictures/photo.jpg/process"),
            ask("PUT", "/pictures/photo.jpg/focus", {"x": 20, "y": 30}),
            ask("DELETE", "/pictures/photo.jpg/focus"),
            *(
                ask("GET", path)
                for path in (
                    "/pictures", "/pictures/photo.jpg", "/originals/photo.jpg", "/plan", "/stats", "/formats",
                    "/renditions/thumb/photo.jpg",
                )
            ),
            ask("POST", "/retry"),
            ask("DELETE", "/pictures/photo.jpg"),
        ]  # fmt: skip
        asked += _use_bin(cloud, environ, lambda method, path: answer(make_call("2.0", method, path), Call()))
        assert all(200 <= status < 300 for status in asked), asked
        assert ask("GET", "/pictures/photo.jpg") == 404
    return calls


EVENTS = Notify(on=("done", "rejected", "failed"), to="events:default")
MAILS = Notify(on=("done",), to="ses:ann@example.org", sender="pictures@example.org")
TOPIC = Notify(on=("done",), to="sns:arn:aws:sns:eu-west-1:123456789012:renditions")
"""A notice to the topic. The API's example declares none."""
CASES = [
    ("uploads_go_through_a_queue_by_default", "policy", run_function, ()),
    ("uploads_can_go_through_eventbridge", "policy", run_function, ()),
    ("uploads_can_go_straight_to_the_function", "policy", run_function, (EVENTS, MAILS)),
    ("an_api_without_jwt_needs_signatures_of_iam", "api_policy", run_api, (TOPIC, MAILS)),
    ("a_governed_account_s_keys_network_and_secrets_get_their_permissions", "policy", run_function, ()),
    ("a_governed_account_s_keys_network_and_secrets_get_their_permissions", "api_policy", run_api, (TOPIC,)),
]


def read_all_secrets() -> list[AwsCall]:
    """Ask for the secrets of a governed account; return the calls."""
    with recorded() as calls:
        for name, arn in SECRETS.items():
            with pytest.raises(Failed, match=name):
                read_secrets({name: arn})
    return calls


def name_keys(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the ARN of the KMS key of each resource, by the resource's ARN."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/"
    return {
        f"arn:aws:s3:::{outputs['input_bucket']}": f"{key}input",
        f"arn:aws:s3:::{outputs['output_bucket']}": f"{key}output",
        outputs["topic_arn"]: f"{key}topics",
        outputs["queue_arn"]: f"{key}queues",
        table_arn(outputs["table"]): f"{key}table",
        **dict.fromkeys(SECRETS.values(), f"{key}secrets"),
    }


@needs_terraform
@pytest.mark.parametrize(
    ("run", "output", "work", "notices"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES]
)
def test_the_policy_allows_exactly_the_needed_actions(
    runs: Mapping[str, Mapping[str, Any]],
    cloud: Clients,
    tmp_path: Path,
    run: str,
    output: str,
    work: Any,
    notices: tuple[Notify, ...],
) -> None:
    """The test also checks that the comparison detects wrong policies."""
    policy: Policy = runs[run][output]
    prefix = "uploads/" if run == "uploads_can_go_through_eventbridge" else ""
    calls = work(cloud, make_environment(cloud, runs[run], prefix), tmp_path, *notices)
    needed: set[Permission] = {permission for call in calls for permission in call.permissions()}
    if run == "a_governed_account_s_keys_network_and_secrets_get_their_permissions":
        calls += read_all_secrets()
        keys = name_keys(runs[run])
        needed |= {
            permission for call in calls for permission in call.permissions() | call.key_permissions(keys)
        }
    assert find_lacking(policy, needed) == set()
    assert find_excess(policy, needed) == set()
    for purpose, statement in policy.items():
        for action in statement["actions"]:
            assert find_lacking(without(policy, purpose, action), needed), (purpose, action)
        # A statement for all resources isn't checked: there, an action of any call counts as needed.
        for action in set(MORE) - set(statement["actions"]) if statement["resources"] != ["*"] else ():
            assert find_excess(with_more(policy, purpose, action), needed), (purpose, action)
        if "conditions" in statement:
            assert find_excess(with_condition(policy, purpose, {}), needed), purpose
            other = {"StringEquals": {"ses:FromAddress": ["other@example.org"]}}
            assert find_lacking(with_condition(policy, purpose, other), needed), purpose


@dataclass
class Held:
    """A server that enforces a role's policy on S3 calls with the role's credentials."""

    cloud: Clients
    """Clients whose calls the server doesn't check."""
    iam: Any
    sts: Any
    patch: pytest.MonkeyPatch

    def hold(self, policy: Policy) -> None:
        """Give this process the role with this policy.

        The server checks resources only for S3. So the role may do everything in DynamoDB, SNS and SQS.
        """
        statements = [
            {"Action": one["actions"], "Resource": one["resources"]}
            for one in policy.values()
            if one["actions"]
        ]
        others = {"Action": ["dynamodb:*", "sns:*", "sqs:*"], "Resource": "*"}
        text = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow"} | one for one in (*statements, others)],
            }
        )
        with suppress(self.iam.exceptions.EntityAlreadyExistsException):
            self.iam.create_role(RoleName="held", AssumeRolePolicyDocument=text)
        self.iam.put_role_policy(RoleName="held", PolicyName="held", PolicyDocument=text)
        role = self.iam.get_role(RoleName="held")["Role"]["Arn"]
        found = self.sts.assume_role(RoleArn=role, RoleSessionName="held")["Credentials"]
        for variable, name in (
            ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
            ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
            ("AWS_SESSION_TOKEN", "SessionToken"),
        ):
            self.patch.setenv(variable, found[name])
        self._let_by(0)

    def let_go(self, environment: Mapping[str, str]) -> None:
        self._let_by(9999)
        self.patch.delenv("AWS_SESSION_TOKEN", raising=False)
        for name, value in environment.items():
            self.patch.setenv(name, value)

    def _let_by(self, requests: int) -> None:
        url = f"{self.cloud.s3.meta.endpoint_url}/moto-api/reset-auth"
        plain = {"Content-Type": "text/plain"}
        asked = urllib.request.Request(url, str(requests).encode(), plain)  # noqa: S310 - moto's
        urllib.request.urlopen(asked, timeout=30).close()  # noqa: S310 - the same


@pytest.fixture
def held() -> Iterator[tuple[Held, Mapping[str, str]]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INITIAL_NO_AUTH_ACTION_COUNT", "9999")
        with run_moto() as environment:
            for name, value in environment.items():
                patch.setenv(name, value)
            iam, sts = (Session().create_client(name, region_name=REGION) for name in ("iam", "sts"))
            yield Held(Clients(), iam, sts, patch), environment


@needs_terraform
def test_each_s3_action_of_the_policy_is_needed_on_a_server_that_enforces_the_policy(
    runs: Mapping[str, Mapping[str, Any]], held: tuple[Held, Mapping[str, str]], tmp_path: Path
) -> None:
    """The whole policy is enough to process and delete pictures, and for a tick.

    If one of its S3 actions is missing, the function fails or leaves other outputs. The exceptions are in
    ``NOT_HELD``.
    """
    outputs = runs["uploads_go_through_a_queue_by_default"]
    policy: Policy = outputs["policy"]
    server, environment = held
    draw(tmp_path / "photo.jpg", 300, 200)
    bundle = write_bundle(tmp_path, "base64")

    def work(policy: Policy) -> tuple[Any, ...]:
        """Return each call's answer or failure, and the number of outputs after it."""
        server.let_go(environment)
        environ = make_environment(server.cloud, outputs, "")
        body = (tmp_path / "photo.jpg").read_bytes()
        seen: list[Any] = []
        for step, event in (
            ("put", told(environ, ["photo.jpg"])),
            ("tick", TICK),
            ("delete", told(environ, ["photo.jpg"], "ObjectRemoved:Delete")),
        ):
            if step == "put":
                server.cloud.s3.put_object(Bucket=environ["SOURCE_BUCKET"], Key="photo.jpg", Body=body)
            if step == "delete":
                server.cloud.s3.delete_object(Bucket=environ["SOURCE_BUCKET"], Key="photo.jpg")
            server.hold(policy)
            try:
                seen.append(open_function(bundle, environ).handle(event, Call()))
            except RenditionsError as error:
                seen.append(type(error).__name__)
            server.let_go(environment)
            seen.append(server.cloud.s3.list_objects_v2(Bucket=environ["OUTPUT_BUCKET"])["KeyCount"])
        return tuple(seen)

    whole = work(policy)
    assert whole[1::2] == (1, 1, 0)
    assert work(policy) == whole
    not_missed = {
        (purpose, action)
        for purpose, statement in policy.items()
        for action in statement["actions"]
        if action.startswith("s3:") and work(without(policy, purpose, action)) == whole
    }
    assert not_missed == NOT_HELD.keys()


@needs_terraform
def test_the_module_is_formatted_valid_and_passes_its_own_tests(
    runs: Mapping[str, Mapping[str, Any]],
) -> None:
    assert {case[0] for case in CASES} <= runs.keys()
