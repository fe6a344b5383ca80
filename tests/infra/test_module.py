"""The Terraform module, compared with the code and the README without any cloud."""

from __future__ import annotations

import inspect
import re
from itertools import product
from typing import Any

import hcl2
from module_tables import BEGIN, END, describe, read

from infra.terraform import MODULE
from renditions.aws.table import table_schema
from renditions.core.outcome import MAX_ATTEMPTS
from renditions.core.process import LEASE_MARGIN
from renditions.deploy.terraform import LONGEST_NAME, is_name
from renditions.deploy.wheels import ARCHITECTURE, PYTHON
from renditions.messages.events import Incoming, Message, SyncRequest, decode
from renditions.model import backends
from renditions.model.catalog_place import CatalogPlace
from renditions.pipeline_file import environment as pipeline_environment
from renditions.runtime import edge
from renditions.serverless import bundled, gateway
from renditions.serverless.gateway import OPEN_FOLDER, OPEN_PATHS, SIGNED_FOLDER
from renditions.serverless.telemetry import METRICS, NAMESPACE
from renditions.web.signing import SIGNING_KEYS


def resources() -> dict[tuple[str, str], dict[str, Any]]:
    """Return every resource of the module by type and name."""
    return {
        (kind.strip('"'), name.strip('"')): body
        for file in sorted(MODULE.glob("*.tf"))
        for block in hcl2.loads(file.read_text()).get("resource", [])
        for kind, named in block.items()
        for name, body in named.items()
    }


def read_locals(file: str) -> dict[tuple[str, str], Any]:
    """Return the local values of one of the module's files."""
    blocks = hcl2.loads((MODULE / file).read_text())["locals"]
    return {("locals", name): value for block in blocks for name, value in block.items()}


def read_environment() -> dict[str, str]:
    """Return the variables that the module sets for the functions."""
    variables: dict[str, str] = read_locals("main.tf")["locals", "environment"]
    return variables


def test_the_module_refuses_declared_names_that_the_module_already_uses() -> None:
    """Another value under such a name would replace the module's own."""
    text = (MODULE / "variables.tf").read_text()
    refused = [set(re.findall(r'"([^"]+)"', names)) for names in re.findall(r"!contains\(\[(.*?)\], ", text)]
    files = ("main.tf", "api.tf", "encryption.tf", "governance.tf")
    module = "".join((MODULE / file).read_text() for file in files)
    statements = set(re.findall(r"^ +([A-Z]\w+) += \{", module, re.MULTILINE))
    assert {"ReadPictures", "TableKey", "Network"} <= statements
    assert statements - {"Condition", "Principal"} in refused
    assert set(read_environment()) in refused


def test_the_function_gets_exactly_the_variables_that_the_code_reads() -> None:
    environment = read_environment()
    sources = "".join(
        inspect.getsource(module) for module in (pipeline_environment, backends, bundled, gateway, edge)
    )
    read_by_code = set(re.findall(r'"([A-Z_]{5,})"', sources))
    assert set(environment) == read_by_code
    assert read_by_code


def test_the_function_reads_the_message_of_the_schedule_as_a_tick() -> None:
    text = resources()["aws_scheduler_schedule", "reconcile"]["target"][0]["input"]
    event = dict(re.findall(r'([\w-]+) *= *"([^"]+)"', text))
    assert decode(event) == Incoming("event", (Message("", (SyncRequest(),)),)), text


def test_the_table_has_the_key_and_the_indexes_of_the_catalog() -> None:
    """The test also compares the attributes in the indexes."""
    table = resources()["aws_dynamodb_table", "this"]
    key = "${var.table.key}"
    wanted = table_schema(key)
    assert f'"{CatalogPlace().key}"' in str(read("variables.tf", "variable")["table"]["type"])
    assert table["hash_key"] == key
    others = table["dynamic"][0]['"attribute"']["for_each"]
    for attribute in wanted["AttributeDefinitions"]:
        assert (
            attribute["AttributeName"] == table["attribute"][0]["name"]
            or attribute["AttributeName"] in others
        )
    indexes = [
        {
            "IndexName": index["name"].strip('"'),
            "KeySchema": [
                {"AttributeName": index["hash_key"].strip('"'), "KeyType": "HASH"},
                *(
                    [{"AttributeName": index["range_key"].strip('"'), "KeyType": "RANGE"}]
                    if "range_key" in index
                    else []
                ),
            ],
            "Projection": {
                "ProjectionType": index["projection_type"].strip('"'),
                **({"NonKeyAttributes": [name.strip('"') for name in shown]} if shown else {}),
            },
        }
        for index in table["global_secondary_index"]
        for shown in [index.get("non_key_attributes")]
    ]
    assert indexes == wanted["GlobalSecondaryIndexes"]


def test_the_bucket_notification_is_created_after_its_permissions() -> None:
    waits_for = resources()["aws_s3_bucket_notification", "this"]["depends_on"]
    assert set(waits_for) == {"${aws_sqs_queue_policy.this}", "${aws_lambda_permission.uploads}"}


def test_the_queue_allows_two_more_deliveries_than_a_picture_has_attempts() -> None:
    text = (MODULE / "trigger.tf").read_text()
    deliveries = int(re.findall(r"deliveries += (\d+)", text)[0])
    assert deliveries == MAX_ATTEMPTS + 2
    assert "maxReceiveCount     = local.deliveries" in text


def test_the_queue_hides_a_message_until_the_lease_of_a_killed_call_has_ended() -> None:
    """The module's own tests show that it adds this margin to the time limit."""
    assert read_locals("trigger.tf")["locals", "lease_margin_seconds"] == LEASE_MARGIN.total_seconds()


def test_the_module_and_the_command_package_have_the_same_default_processor_and_python() -> None:
    kind = str(read("variables.tf", "variable")["function"]["type"]).replace("\\", "")
    for name, value in (("architecture", ARCHITECTURE), ("python", PYTHON)):
        assert re.findall(rf'{name}\b.*?optional\(string, "([^"]+)"\)', kind)[0] == value


def test_the_module_accepts_exactly_the_names_that_deploy_accepts() -> None:
    text = (MODULE / "variables.tf").read_text()
    form, refused = re.findall(r'regex\("([^"]+)", var\.name\)', text)
    starts = ("a", "z", "0", "-", "A", "xn--", "xn-", "sthree-", "amzn-s3-demo-", "")
    lengths = (0, 1, *range(LONGEST_NAME - 3, LONGEST_NAME))
    names = [
        start + middle * length + end
        for start, middle, length, end in product(starts, "b7-_", lengths, ("", "c", "-"))
    ]
    accepted = [name for name in names if re.search(form, name) and not re.search(refused, name)]
    assert accepted == [name for name in names if is_name(name)]
    assert accepted


def test_the_alarms_about_renditions_watch_metrics_that_the_function_reports() -> None:
    alarms = re.findall(r'namespace += "(\w+)", metric = "(\w+)"', (MODULE / "alarms.tf").read_text())
    watched = {metric for namespace, metric in alarms if namespace == NAMESPACE}
    assert watched == {"Superseded", "InvalidationsFailed"}
    assert watched <= METRICS.keys()


def test_the_module_filters_no_upload_by_its_suffix() -> None:
    assert "filter_suffix" not in "".join(file.read_text() for file in MODULE.glob("*.tf"))


def test_the_source_code_hash_of_the_function_is_the_checksum_of_its_zip() -> None:
    function = resources()["aws_lambda_function", "this"]
    assert function["source_code_hash"] == "${filebase64sha256(var.bundle)}"
    assert function["handler"] == '"lambda_function.lambda_handler"'


def test_the_time_of_a_deployment_changes_only_with_its_bundle() -> None:
    function = resources()["aws_lambda_function", "this"]
    assert read_environment()["DEPLOYED_AT"] == "${terraform_data.deployed.output}"
    deployed = resources()["terraform_data", "deployed"]
    assert deployed["input"] == "${plantimestamp()}"
    assert deployed["triggers_replace"] == function["source_code_hash"]
    assert deployed["lifecycle"][0]["ignore_changes"] == ["input"]


WITHOUT_RESOURCES = {
    "Network": "AWS offers no narrower resource for network interfaces that don't exist yet",
    "Traces": "X-Ray's actions have no resources",
}
"""The statements for which a whole resource is ``*``, and the reason."""


def test_no_policy_allows_a_wildcard() -> None:
    """No action is ``*``, and no whole resource is ``*``.

    The exceptions are statements with ``Deny``, the policy of a key, which is about the key itself, and
    ``WITHOUT_RESOURCES``.
    """
    text = "".join(file.read_text() for file in MODULE.glob("*.tf") if file.name != "encryption.tf")
    for purpose in WITHOUT_RESOURCES:
        text, count = re.subn(rf'({purpose} += {{ actions = .*), resources = \["\*"\]', r"\1", text)
        assert count == 1, purpose
    # A denial covers everything.
    text, _ = re.subn(r'"Deny"\n +Action += local.network_actions\n +Resource += "\*"', "", text)
    allowing = [line for line in text.splitlines() if re.search(r'"[a-z0-9]+:\*"|= "\*"|\["\*"\]', line)]
    assert {line.split("=")[0].strip() for line in allowing} <= {"Action", "Principal"}
    assert text.count('"Deny"') == len(allowing) / 2
    assert "FullAccess" not in text


GRANTED = {
    ("aws_iam_role", "this"): {"sts:AssumeRole"},
    ("aws_iam_role", "schedule"): {"sts:AssumeRole", "aws:SourceAccount"},
    ("aws_iam_role_policy", "schedule"): {
        *("lambda:InvokeFunction", "sqs:SendMessage"),
        *("kms:Decrypt", "kms:GenerateDataKey"),
    },
    ("aws_lambda_permission", "uploads"): {"lambda:InvokeFunction"},
    ("aws_lambda_permission", "api"): {"lambda:InvokeFunction"},
    ("aws_sqs_queue_policy", "this"): {
        *("sqs:SendMessage", "aws:SourceArn", "aws:SourceAccount"),
        *("sqs:*", "aws:SecureTransport"),
    },
    ("aws_sqs_queue_policy", "dead"): {
        *("sqs:SendMessage", "aws:SourceArn", "aws:SourceAccount"),
        *("sqs:*", "aws:SecureTransport"),
    },
    ("locals", "bucket_statements"): {"s3:*", "aws:SecureTransport"},
    ("locals", "serving_statements"): {"s3:GetObject", "aws:SourceArn"},
}
"""The permissions of AWS's own services and the denied actions, with their conditions."""


def test_aws_services_have_only_the_listed_permissions() -> None:
    """Another test compares the functions' own policies with their calls."""
    named = {
        resource: {":".join(action) for action in re.findall(r"\b([a-z0-9]+):([A-Z]\w+|\*(?=\"))", str(body))}
        for resource, body in (resources() | read_locals("buckets.tf") | read_locals("serving.tf")).items()
    }
    assert {resource: actions for resource, actions in named.items() if actions} == GRANTED


def test_policies_name_only_resources_of_the_module() -> None:
    named = set(re.findall(r"\b(aws_\w+)\.(\w+)", (MODULE / "main.tf").read_text()))
    known = set(resources()) | {("aws_caller_identity", "current"), ("aws_partition", "current")}
    assert named <= known


def test_only_the_health_check_and_the_files_of_the_page_need_no_token() -> None:
    """The function answers exactly these paths without an authorizer."""
    found = resources()
    page, health = (found["aws_apigatewayv2_route", name] for name in ("page", "health"))
    routes = (str(page["for_each"]) + str(health["route_key"])).replace("\\", "")
    assert set(re.findall(r'"GET (/[^"]*)"', routes)) == {*OPEN_PATHS, f"{OPEN_FOLDER}{{proxy+}}"}


def test_signed_urls_skip_the_authorizer_only_if_the_function_has_signing_keys() -> None:
    route = resources()["aws_apigatewayv2_route", "signed"]
    assert route["route_key"] == f'"GET {SIGNED_FOLDER}{{proxy+}}"'
    assert f'contains(keys(var.secrets), "{SIGNING_KEYS}")' in route["count"].replace("\\", "")


def test_the_readme_has_every_input_and_output() -> None:
    """After you change a variable, run ``python docs/module_tables.py``."""
    readme = (MODULE / "README.md").read_text()
    assert readme.partition(BEGIN)[2].partition(END)[0].strip() == describe()


def test_every_variable_has_a_type_and_a_description() -> None:
    for name, variable in read("variables.tf", "variable").items():
        assert variable["type"], name
        assert variable["description"].strip('"').endswith("."), name
