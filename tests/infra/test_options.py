"""Each option of the module, in a plan with the real provider on moto's server."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.planned import PROVIDER, Plan, plan_calls, plan_root
from infra.terraform import MODULE, copy_module, needs_terraform
from renditions.deploy.terraform import KEPT
from renditions.model.notice_events import NOTICE_EVENTS
from renditions.web.cors import PICTURE_METHODS, PICTURE_READ, PICTURE_SENT, PREFLIGHT_SECONDS
from renditions.web.pages import FILES
from systems.places import EXAMPLES

KEYS = {
    name: f"arn:aws:kms:eu-west-1:123456789012:key/{number}0000000-0000-4000-8000-000000000000"
    for number, name in enumerate(
        ("input", "output", "code", "queues", "topics", "table", "logs", "secrets"), start=1
    )
}
WEBHOOK = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/token"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1234"
CORS_S3_ORIGIN = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf"
"""CloudFront's managed policy that passes a request's origin to the bucket.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html"""
BOUNDARY = "arn:aws:iam::123456789012:policy/Boundary"
API = '  api = { bundle = "${path.module}/module/tests/empty.zip" }'
POLICY = """jsonencode({
    Statement = [
      { Sid = "Audit", Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "*" }
    ]
  })"""
MOVED = 'transition = { days = 30, storage_class = "GLACIER_IR" }'

CALLS = {
    "plain": f'  name = "abc"\n{API}',
    "longest": f'  name = "abcdefghijklmnopqrstuvwxyz-abcde"\n  trigger = "eventbridge"\n{API}',
    "encrypted": f'  name = "encrypted"\n{API}\n  kms_keys = {{\n'
    + "\n".join(f'    {name} = "{key}"' for name, key in KEYS.items())
    + "\n  }",
    "governed": f"""  name = "governed"
{API}
  permissions_boundary = "{BOUNDARY}"
  tracing              = true
  tags                 = {{ CostCentre = "42" }}
  network              = {{ subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }}
  secrets              = {{ WEBHOOK_SECRET = "{WEBHOOK}", RENDITIONS_SIGNING_KEYS = "{PARAMETER}" }}
  extra_statements = {{
    Originals = {{
      actions    = ["s3:GetObject"]
      resources  = ["arn:aws:s3:::originals/*"]
      conditions = {{ StringEquals = {{ "s3:ExistingObjectTag/public" = ["yes"] }} }}
    }}
  }}""",
    "served": f"""  name    = "served"
  serving = {{
    domains         = ["img.example.com"]
    certificate_arn = "{CERTIFICATE}"
    public_keys     = {{ first = "-----BEGIN PUBLIC KEY-----\\nMIIB\\n-----END PUBLIC KEY-----\\n" }}
    invalidate      = true
    accept_function = "${{path.module}}/module/tests/accept.js"
  }}
  output = {{ cors_origins = ["https://shop.example.com"] }}""",
    "scoped": """  name    = "scoped"
  serving = {}
  api = {
    bundle = "${path.module}/module/tests/empty.zip"
    jwt = {
      issuer    = "https://tokens.example.com/"
      audiences = ["pictures"]
      scopes = {
        read   = ["pictures/read", "pictures/admin"]
        change = ["pictures/write", "pictures/admin"]
        delete = ["pictures/admin"]
      }
    }
    requests_per_second  = 20
    burst                = 40
    reserved_concurrency = 10
  }""",
    "noticed": """  name    = "noticed"
  notices = {
    emails       = ["all@example.com"]
    email_events = ["done"]
    phones       = ["+491701234567"]
    mail_senders = ["pictures@example.com"]
  }
  alarms  = { emails = ["ops@example.com"] }""",
    "tuned": """  name     = "tuned"
  trigger  = "direct"
  function = {
    architecture         = "x86_64"
    python               = "3.12"
    memory_mb            = 3008
    timeout_seconds      = 300
    reserved_concurrency = 50
    queue_concurrency    = 10
    recursion            = false
  }
  table              = { name = "tuned-pictures", key = "image_id" }
  notices            = { event_buses = ["orders"], eventbridge = true, phone_events = ["failed"] }
  alarms             = { phones = ["+491701234567"] }
  reconcile_schedule = "rate(6 hours)"
  log_retention_days = 365
  keep_pictures      = false
  serving            = { price_class = "PriceClass_100" }""",
    "given": """  name    = "given"
  trigger = "eventbridge"
  input   = { bucket = "photos", prefix = "in/" }
  output  = { bucket = "photos", prefix = "out/" }""",
    "stored": f"""  name   = "stored"
  code   = {{ bucket = "artifacts", prefix = "functions/" }}
  input  = {{ versioning = true, noncurrent_days = 7, policy = {POLICY}, {MOVED} }}
  output = {{ versioning = true, noncurrent_days = 9, policy = {POLICY}, {MOVED} }}""",
}


@pytest.fixture(scope="module")
def plan(aws: None, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Return a plan with one call of the module for each group of options."""
    return plan_calls(tmp_path_factory.mktemp("options"), CALLS)


def test_the_tested_plans_set_every_option_that_the_module_accepts() -> None:
    """In a plan, the provider checks the options that resources get."""
    text = (MODULE / "variables.tf").read_text()
    types = re.findall(
        r'^variable "(\w+)" \{.*?^  type += (.*?)^(?:  \w|\n|\})', text, re.MULTILINE | re.DOTALL
    )
    options = {path for name, kind in types for path in find_paths(f"{name} = {kind}")}
    assert {"function.recursion", "api.jwt.scopes.read", "output.transition.days"} <= options
    planned = {path for arguments in CALLS.values() for path in find_paths(arguments)}
    # Each call has a bundle, and a validation refuses the other one.
    assert options - planned == {"bundle", "serving.cors_origins"}


def find_paths(text: str) -> set[str]:
    """Return the path of each name that gets a value.

    Capitalised names, the user's own, are left out.
    """
    paths: set[str] = set()
    parents: list[str] = []
    last = ""
    for name, brace in re.findall(r"\b([A-Za-z_]\w*) *=(?!=)|([{}])", text):
        if name:
            last = "" if name[0].isupper() else name
            paths.add(".".join(filter(None, [*parents, last])))
        elif brace == "{":
            parents.append(last)
        else:
            parents.pop()
    return paths


@needs_terraform
def test_planned_resources_have_their_declared_settings(plan: Plan) -> None:
    planned = plan.resources("tuned")
    function = planned["aws_lambda_function.this"]
    assert (function["architectures"], function["runtime"], function["memory_size"]) == (
        ["x86_64"],
        "python3.12",
        3008,
    )
    assert (function["timeout"], function["reserved_concurrent_executions"]) == (300, 50)
    table = planned["aws_dynamodb_table.this"]
    assert (table["name"], table["hash_key"], table["deletion_protection_enabled"]) == (
        "tuned-pictures",
        "image_id",
        False,
    )
    assert planned["aws_scheduler_schedule.reconcile[0]"]["schedule_expression"] == "rate(6 hours)"
    assert planned["aws_cloudwatch_log_group.this"]["retention_in_days"] == 365
    assert planned["aws_cloudfront_distribution.this[0]"]["price_class"] == "PriceClass_100"
    assert not any("recursion_config" in address for address in planned)


@needs_terraform
def test_existing_buckets_are_left_unchanged(plan: Plan) -> None:
    """The module creates only the bucket for bundles."""
    buckets = {address for address in plan.resources("given") if address.startswith("aws_s3_bucket")}
    assert buckets
    assert all(address.endswith('.this["code"]') for address in buckets)


@needs_terraform
def test_deployments_with_the_shortest_and_the_longest_names_can_be_planned(plan: Plan) -> None:
    """The provider checks the lengths of names and prefixes when it plans."""
    longest = plan.resources("longest")
    prefix = "abcdefghijklmnopqrstuvwxyz-a"
    assert longest['aws_s3_bucket.this["output"]']["bucket_prefix"] == f"{prefix}-output-"
    assert longest["aws_iam_role.schedule[0]"]["name_prefix"] == f"{prefix}-schedule-"
    assert longest["aws_dynamodb_table.this"]["name"] == "abcdefghijklmnopqrstuvwxyz-abcde"
    shortest = plan.resources("plain")
    assert shortest['aws_s3_bucket.this["input"]']["bucket_prefix"] == "abc-input-"


@needs_terraform
def test_fixed_names_of_resources_contain_the_name_of_the_deployment(plan: Plan) -> None:
    """So two deployments have no name in common. Terraform makes other names unique."""
    names = ("name", "function_name", "alarm_name", "dashboard_name", "bucket")
    for name in CALLS:
        for address, values in plan.resources(name).items():
            arguments = ("key",) if address.startswith("aws_s3_object.") else names
            fixed = [values[argument] for argument in arguments if values.get(argument)]
            deployed = {"plain": "abc", "longest": "abcdefghijklmnopqrstuvwxyz-abcde"}.get(name, name)
            # The names of a stage and an authorizer belong to their API.
            if "stage" not in address and "authorizer" not in address:
                assert all(deployed in text for text in fixed), address


@needs_terraform
def test_buckets_queues_topics_table_and_logs_get_their_declared_encryption_keys(plan: Plan) -> None:
    planned = plan.resources("encrypted")
    found = {address: key for address, values in planned.items() for key in find_keys(values)}
    encryption = "aws_s3_bucket_server_side_encryption_configuration.this"
    assert found == {
        f'{encryption}["input"]': KEYS["input"],
        f'{encryption}["output"]': KEYS["output"],
        f'{encryption}["code"]': KEYS["code"],
        'aws_sqs_queue.this["queue"]': KEYS["queues"],
        'aws_sqs_queue.this["dead"]': KEYS["queues"],
        "aws_sns_topic.this": KEYS["topics"],
        "aws_sns_topic.alarms": KEYS["topics"],
        "aws_dynamodb_table.this": KEYS["table"],
        "aws_cloudwatch_log_group.this": KEYS["logs"],
        "aws_cloudwatch_log_group.api[0]": KEYS["logs"],
    }
    (rule,) = planned[f'{encryption}["input"]']["rule"]
    assert rule["bucket_key_enabled"] is True
    assert rule["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "aws:kms"
    assert not any(find_keys(values) for values in plan.resources("plain").values())


def find_keys(values: Any) -> list[str]:
    """Return the KMS keys in a resource's arguments."""
    if isinstance(values, dict):
        return [key for value in values.values() for key in find_keys(value)]
    if isinstance(values, list):
        return [key for value in values for key in find_keys(value)]
    return [values] if isinstance(values, str) and re.fullmatch(r"arn:aws:kms:\S+", values) else []


@needs_terraform
def test_roles_and_functions_get_the_declared_boundary_network_and_tags(plan: Plan) -> None:
    planned = plan.resources("governed")
    roles = {address: values for address, values in planned.items() if address.startswith("aws_iam_role.")}
    assert len(roles) == 3
    assert {values["permissions_boundary"] for values in roles.values()} == {BOUNDARY}
    for address in ("aws_lambda_function.this", "aws_lambda_function.api[0]"):
        function = planned[address]
        assert function["tracing_config"] == [{"mode": "Active"}]
        (network,) = function["vpc_config"]
        assert (network["subnet_ids"], network["security_group_ids"]) == (["subnet-1"], ["sg-1"])
    untagged = {
        address
        for address, values in planned.items()
        if "tags" in values and values["tags"] != {"CostCentre": "42"}
    }
    # S3 takes fewer tags of an object than AWS of everything else.
    assert untagged == {'aws_s3_object.bundle["pictures"]', 'aws_s3_object.bundle["api"]'}


@needs_terraform
def test_subscribers_get_only_their_declared_events_and_alarms_have_a_separate_topic(plan: Plan) -> None:
    planned = plan.resources("noticed")
    kinds = {
        address.partition("[")[0].removeprefix("aws_sns_topic_subscription."): values
        for address, values in planned.items()
        if address.startswith("aws_sns_topic_subscription.")
    }
    assert {kind: values["endpoint"] for kind, values in kinds.items()} == {
        "emails": "all@example.com",
        "phones": "+491701234567",
        "alarm_emails": "ops@example.com",
        "alarm_phones": "+491701234567",
    }
    assert json.loads(kinds["emails"]["filter_policy"]) == {"event": ["done"]}
    assert json.loads(kinds["phones"]["filter_policy"]) == {
        "event": ["digest", "failed", "output_held", "removals_held"]
    }
    assert not kinds["alarm_emails"]["filter_policy"]
    subscribed = plan.references("noticed", "aws_sns_topic_subscription", "topic_arn")
    assert subscribed == {
        "emails": "aws_sns_topic.this.arn",
        "phones": "aws_sns_topic.this.arn",
        "alarm_emails": "aws_sns_topic.alarms.arn",
        "alarm_phones": "aws_sns_topic.alarms.arn",
    }
    assert plan.references("noticed", "aws_cloudwatch_metric_alarm", "alarm_actions") == {
        "this": "aws_sns_topic.alarms.arn"
    }


@needs_terraform
def test_a_token_with_only_the_scope_for_reading_can_not_delete(plan: Plan) -> None:
    """Only the page's own files and the health check need no token."""
    routes = {
        values["route_key"]: (values["authorization_type"], values["authorization_scopes"])
        for address, values in plan.resources("scoped").items()
        if address.startswith("aws_apigatewayv2_route.") and ".page[" not in address
    }
    reading = ("JWT", ["pictures/admin", "pictures/read"])
    assert routes == {
        "$default": ("JWT", ["pictures/admin", "pictures/write"]),
        "GET /{proxy+}": reading,
        "HEAD /{proxy+}": reading,
        "DELETE /{proxy+}": ("JWT", ["pictures/admin"]),
        "GET /health": ("NONE", None),
    }


@needs_terraform
def test_the_api_limits_the_requests_per_second_and_the_concurrent_calls(plan: Plan) -> None:
    for name, requests_per_second, burst, calls in (("scoped", 20, 40, 10), ("plain", 100, 200, -1)):
        planned = plan.resources(name)
        (settings,) = planned["aws_apigatewayv2_stage.this[0]"]["default_route_settings"]
        limits = (settings["throttling_rate_limit"], settings["throttling_burst_limit"])
        assert limits == (requests_per_second, burst)
        assert planned["aws_lambda_function.api[0]"]["reserved_concurrent_executions"] == calls


@needs_terraform
def test_cloudfront_serves_the_renditions_with_the_declared_domain_and_signing_keys(plan: Plan) -> None:
    planned = plan.resources("served")
    distribution = planned["aws_cloudfront_distribution.this[0]"]
    assert distribution["aliases"] == ["img.example.com"]
    (certificate,) = distribution["viewer_certificate"]
    assert (certificate["acm_certificate_arn"], certificate["minimum_protocol_version"]) == (
        CERTIFICATE,
        "TLSv1.2_2021",
    )
    (behavior,) = distribution["default_cache_behavior"]
    assert behavior["viewer_protocol_policy"] == "redirect-to-https"
    assert [each["event_type"] for each in behavior["function_association"]] == ["viewer-request"]
    (function,) = (one for address, one in planned.items() if "cloudfront_function" in address)
    assert (function["runtime"], function["publish"]) == ("cloudfront-js-2.0", True)
    assert "function handler(event)" in function["code"]
    assert plan.references("served", "aws_cloudfront_key_group", "items") == {
        "this": "aws_cloudfront_public_key.this"
    }
    (headers,) = planned["aws_cloudfront_response_headers_policy.this[0]"]["security_headers_config"]
    assert {name for name, values in headers.items() if values} == {
        "content_security_policy",
        "content_type_options",
        "frame_options",
        "referrer_policy",
        "strict_transport_security",
    }
    assert not any("cloudfront" in address for address in plan.resources("plain"))


@needs_terraform
def test_cloudfront_and_the_bucket_let_scripts_of_declared_origins_read_pictures(plan: Plan) -> None:
    """CloudFront and the bucket send the same headers as ``renditions serve``."""
    planned = plan.resources("served")
    (headers,) = planned["aws_cloudfront_response_headers_policy.this[0]"]["cors_config"]
    assert {name.removeprefix("access_control_"): value for name, value in headers.items()} == {
        "allow_credentials": False,
        "allow_origins": [{"items": ["https://shop.example.com"]}],
        "allow_methods": [{"items": sorted(PICTURE_METHODS)}],
        "allow_headers": [{"items": sorted(PICTURE_SENT)}],
        "expose_headers": [{"items": sorted(PICTURE_READ)}],
        "max_age_sec": PREFLIGHT_SECONDS,
        "origin_override": True,
    }
    (rule,) = planned['aws_s3_bucket_cors_configuration.renditions["output"]']["cors_rule"]
    assert {name: value for name, value in rule.items() if value} == {
        "allowed_origins": ["https://shop.example.com"],
        "allowed_methods": sorted(PICTURE_METHODS),
        "allowed_headers": sorted(PICTURE_SENT),
        "expose_headers": sorted(PICTURE_READ),
        "max_age_seconds": PREFLIGHT_SECONDS,
    }
    (behavior,) = planned["aws_cloudfront_distribution.this[0]"]["default_cache_behavior"]
    assert behavior["origin_request_policy_id"] == CORS_S3_ORIGIN


@needs_terraform
def test_without_declared_origins_no_script_of_another_page_may_read_pictures(plan: Plan) -> None:
    planned = plan.resources("tuned")
    assert planned["aws_cloudfront_response_headers_policy.this[0]"]["cors_config"] == []
    (behavior,) = planned["aws_cloudfront_distribution.this[0]"]["default_cache_behavior"]
    assert not behavior["origin_request_policy_id"]
    assert not any("cors_configuration" in address for address in planned)


@needs_terraform
def test_cloudfront_serves_the_files_of_the_page_and_nothing_else_of_the_api(plan: Plan) -> None:
    """The renditions have the other paths."""
    distribution = plan.resources("scoped")["aws_cloudfront_distribution.this[0]"]
    (behavior,) = distribution["ordered_cache_behavior"]
    pattern = re.escape(behavior["path_pattern"]).replace(r"\*", ".*")
    assert re.fullmatch(pattern, f"/{FILES}app.js")
    assert behavior["allowed_methods"] == ["GET", "HEAD"]
    assert behavior["cache_policy_id"] == distribution["default_cache_behavior"][0]["cache_policy_id"]
    assert not behavior["trusted_key_groups"]
    origins = {origin["origin_id"]: origin for origin in distribution["origin"]}
    assert set(origins) == {"renditions", behavior["target_origin_id"]}
    (connection,) = origins["page"]["custom_origin_config"]
    assert (connection["origin_protocol_policy"], connection["origin_ssl_protocols"]) == (
        "https-only",
        ["TLSv1.2"],
    )
    for name in ("served", "tuned"):  # without the page
        distribution = plan.resources(name)["aws_cloudfront_distribution.this[0]"]
        assert distribution["ordered_cache_behavior"] == []
        assert [origin["origin_id"] for origin in distribution["origin"]] == ["renditions"]


@needs_terraform
def test_no_kept_resource_depends_on_a_destroyed_resource(plan: Plan) -> None:
    """When Terraform destroys a resource, it also destroys all that depend on it."""
    for name in CALLS:
        depends = plan.dependencies(name)
        assert ("aws_lambda_function", "aws_iam_role_policy") in depends
        wrong = {(kept, other) for kept, other in depends if kept in KEPT and other not in KEPT}
        assert {(kept, other) for kept, other in wrong if other != "data"} == set(), name


@needs_terraform
def test_destroy_reaches_the_protected_table_before_it_removes_the_protection_of_the_buckets(
    plan: Plan,
) -> None:
    """AWS refuses to delete the protected table, so the destroy stops there."""
    depends = plan.dependencies("stored")
    later: set[str] = set()
    found = {"aws_dynamodb_table"}
    while found:
        later |= found
        found = {other for kind, other in depends if kind in found} - later
    assert {kind for kind in KEPT if kind.startswith("aws_s3_bucket")} <= later
    assert plan.resources("stored")["aws_dynamodb_table.this"]["deletion_protection_enabled"] is True


@needs_terraform
def test_the_example_of_several_pipelines_plans_a_separate_table_for_each_pipeline(
    aws: None, tmp_path: Path
) -> None:
    """The root of the example is planned as it is, with empty bundles."""
    names = ("archive", "medical", "shop", "social")
    root = tmp_path / "examples" / "platform" / "several"
    shutil.copytree(EXAMPLES / "platform" / "several", root)
    module = copy_module(tmp_path / "infra" / "terraform")
    for name in names:
        shutil.copy(module / "tests" / "empty.zip", root / f"{name}.zip")
    (root / "provider.tf").write_text(PROVIDER)
    tables = {
        change["change"]["after"]["name"]
        for change in plan_root(root).shown["resource_changes"]
        if change["type"] == "aws_dynamodb_table"
    }
    assert tables == {f"pictures-{name}" for name in names}


def test_the_module_accepts_exactly_the_events_of_notices() -> None:
    text = (MODULE / "variables.tf").read_text()
    (known,) = re.findall(r"setsubtract\(.*?, \[(.*?)\]\)", text)
    assert set(re.findall(r"\w+", known)) == NOTICE_EVENTS.keys()


@needs_terraform
def test_lambda_gets_its_bundles_from_a_bucket(plan: Plan) -> None:
    """Lambda accepts large bundles only from a bucket."""
    for function in ("aws_lambda_function.this", "aws_lambda_function.api[0]"):
        planned = plan.resources("plain")[function]
        assert planned["filename"] is None
    checksum = hashlib.sha256((MODULE / "tests" / "empty.zip").read_bytes()).hexdigest()
    assert {
        address: values["key"]
        for address, values in plan.resources("plain").items()
        if address.startswith("aws_s3_object")
    } == {
        'aws_s3_object.bundle["pictures"]': f"abc/pictures-{checksum}.zip",
        'aws_s3_object.bundle["api"]': f"abc/api-{checksum}.zip",
    }
    assert plan.references("plain", "aws_lambda_function", "s3_key") == {
        "this": 'aws_s3_object.bundle["pictures"].key',
        "api": 'aws_s3_object.bundle["api"].key',
    }
    given = plan.resources("stored")
    assert 'aws_s3_bucket.this["code"]' not in given
    uploaded = given['aws_s3_object.bundle["pictures"]']
    assert (uploaded["bucket"], uploaded["key"]) == ("artifacts", f"functions/stored/pictures-{checksum}.zip")


@needs_terraform
def test_created_buckets_keep_versions_and_move_pictures_to_cheaper_storage_on_request(plan: Plan) -> None:
    planned = plan.resources("stored")
    versioning = {address for address in planned if address.startswith("aws_s3_bucket_versioning")}
    assert versioning == {f'aws_s3_bucket_versioning.this["{key}"]' for key in ("input", "output")}
    for key, days in (("input", 7), ("output", 9)):
        rules = {
            rule["id"]: rule
            for rule in planned[f'aws_s3_bucket_lifecycle_configuration.this["{key}"]']["rule"]
        }
        assert rules.keys() == {"unfinished-uploads", "former-versions", "cheaper-storage"}
        (former,) = rules["former-versions"]["noncurrent_version_expiration"]
        assert former["noncurrent_days"] == days
        (transition,) = rules["cheaper-storage"]["transition"]
        assert (transition["days"], transition["storage_class"]) == (30, "GLACIER_IR")
    plain = plan.resources("plain")
    assert not any(address.startswith("aws_s3_bucket_versioning") for address in plain)
    (rule,) = plain['aws_s3_bucket_lifecycle_configuration.this["output"]']["rule"]
    assert rule["id"] == "unfinished-uploads"
