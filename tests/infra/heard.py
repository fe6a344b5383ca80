"""The recipients of the notices and alarms of a deployment on moto's server."""

from __future__ import annotations

import json
from typing import Any

from botocore.session import Session

from contract.cloud import CLIENTS, REGION

ANN = "ann@example.org"
PHONE = "+491701234567"
SENDER = "shop@example.org"
BUS = "pictures"

SUBSCRIBERS = f"""notices = {{
    emails = ["{ANN}"]
    phones = ["{PHONE}"]"""
"""The beginning of the module's argument ``notices``, with two subscribers."""

TARGETS = f"""
[[notify]]
on = ["done"]
to = "events:{BUS}"
[[notify]]
on     = ["done"]
to     = "ses:{ANN}"
sender = "{SENDER}"
"""
"""Two targets of one event, beside the topic."""


def subscribe(topic: str) -> str:
    """Subscribe a new queue to the topic; return its URL."""
    queue, arn = _make_queue("heard-topic")
    CLIENTS.sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    return queue


def follow_bus() -> str:
    """Create the bus; return the URL of a queue that gets our events from it."""
    queue, arn = _make_queue("heard-bus")
    CLIENTS.events.create_event_bus(Name=BUS)
    pattern = json.dumps({"source": ["renditions"]})
    CLIENTS.events.put_rule(Name="heard", EventBusName=BUS, EventPattern=pattern)
    CLIENTS.events.put_targets(Rule="heard", EventBusName=BUS, Targets=[{"Id": "heard", "Arn": arn}])
    return queue


def verify_sender() -> None:
    """Verify the domain of the sender in SES."""
    CLIENTS.ses.create_email_identity(EmailIdentity=SENDER.partition("@")[2])


def count_mails() -> int:
    """Return how many e-mails SES sent."""
    return int(_open("ses").get_send_quota()["SentLast24Hours"])


def heard(queue: str) -> list[tuple[str, str]]:
    """Receive up to ten messages; return the picture and the event of each."""
    messages = CLIENTS.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ())
    bodies = [json.loads(message["Body"]) for message in messages]
    notices = [body.get("detail", body) for body in bodies]
    return [(notice["image_name"], notice["event"]) for notice in notices]


def list_people(topic: str) -> dict[str, set[str] | None]:
    """Return the events that each person on the topic gets; None for all messages."""
    found = CLIENTS.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    people = {each["Endpoint"]: each["SubscriptionArn"] for each in found if each["Protocol"] != "sqs"}
    policies = {
        endpoint: CLIENTS.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"].get(
            "FilterPolicy"
        )
        for endpoint, arn in people.items()
    }
    return {
        endpoint: set(json.loads(policy)["event"]) if policy else None
        for endpoint, policy in policies.items()
    }


def read_statements(role: str) -> dict[str, dict[str, Any]]:
    """Return the statements of a role's own policy, by their IDs."""
    iam = _open("iam")
    name = role.rpartition("/")[2]
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    return {statement["Sid"]: statement for statement in document["Statement"]}


def list_alarm_topics() -> set[str]:
    """Return the topics that get the alarms."""
    alarms = _open("cloudwatch").describe_alarms()["MetricAlarms"]
    return {topic for alarm in alarms for topic in alarm["AlarmActions"] + alarm["OKActions"]}


def _make_queue(name: str) -> tuple[str, str]:
    queue = str(CLIENTS.sqs.create_queue(QueueName=name)["QueueUrl"])
    found = CLIENTS.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    return queue, found["Attributes"]["QueueArn"]


def _open(service: str) -> Any:
    return Session().create_client(service, region_name=REGION)
