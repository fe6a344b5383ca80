"""List the resources of an account, so that tests can compare two moments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session

from contract.cloud import REGION

OF_BUCKET = (
    "get_bucket_encryption",
    "get_bucket_lifecycle_configuration",
    "get_bucket_notification_configuration",
    "get_bucket_ownership_controls",
    "get_bucket_policy",
    "get_public_access_block",
)


def list_everything() -> dict[str, str]:
    """Return the configuration of the account's resources, by kind and name."""
    return {name: json.dumps(thing, default=str, sort_keys=True) for name, thing in _list()}


def _list() -> Iterator[tuple[str, Any]]:
    yield from _list_stores()
    yield from _list_messages()
    yield from _list_functions()
    yield from _list_watch()


def _list_stores() -> Iterator[tuple[str, Any]]:
    s3, dynamodb = _open("s3"), _open("dynamodb")
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        yield f"bucket {name}", bucket
        for operation in OF_BUCKET:
            try:
                yield f"{operation} {name}", _without_metadata(getattr(s3, operation)(Bucket=name))
            except ClientError as error:
                yield f"{operation} {name}", error.response["Error"]["Code"]
    for name in dynamodb.list_tables()["TableNames"]:
        yield f"table {name}", dynamodb.describe_table(TableName=name)["Table"]


def _list_messages() -> Iterator[tuple[str, Any]]:
    sqs, sns, events, scheduler = (_open(service) for service in ("sqs", "sns", "events", "scheduler"))
    for url in sqs.list_queues().get("QueueUrls", []):
        yield f"queue {url}", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    for topic in sns.list_topics()["Topics"]:
        arn = topic["TopicArn"]
        yield f"topic {arn}", sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        yield f"subscriptions {arn}", sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    for rule in events.list_rules()["Rules"]:
        yield f"rule {rule['Name']}", rule
        yield f"targets {rule['Name']}", events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    for schedule in scheduler.list_schedules()["Schedules"]:
        yield f"schedule {schedule['Name']}", _without_metadata(scheduler.get_schedule(Name=schedule["Name"]))


def _list_functions() -> Iterator[tuple[str, Any]]:
    functions, iam, gateway = _open("lambda"), _open("iam"), _open("apigatewayv2")
    for function in functions.list_functions()["Functions"]:
        yield f"function {function['FunctionName']}", function
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        yield f"mapping {mapping['UUID']}", mapping
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        yield f"role {name}", role
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            found = iam.get_role_policy(RoleName=name, PolicyName=policy)
            yield f"policy {name} {policy}", found["PolicyDocument"]
    for api in gateway.get_apis()["Items"]:
        yield f"api {api['ApiId']}", api
        yield f"routes {api['ApiId']}", gateway.get_routes(ApiId=api["ApiId"])["Items"]


def _list_watch() -> Iterator[tuple[str, Any]]:
    watch, logs = _open("cloudwatch"), _open("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        yield f"log {group['logGroupName']}", group
    for alarm in watch.describe_alarms()["MetricAlarms"]:
        # moto evaluates alarms by itself.
        yield f"alarm {alarm['AlarmName']}", {key: alarm[key] for key in alarm if not key.startswith("State")}
    for dashboard in watch.list_dashboards()["DashboardEntries"]:
        name = dashboard["DashboardName"]
        yield f"dashboard {name}", watch.get_dashboard(DashboardName=name)["DashboardBody"]


def _open(service: str) -> Any:
    return Session().create_client(service, region_name=REGION)


def _without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}
