"""An AWS account with all parts of a pipeline, on moto's server."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from contract.cloud import CLIENTS, REGION, make_table
from contract.stores import keys
from renditions.aws.dynamodb import DynamoCatalog
from renditions.aws.s3 import S3Store
from renditions.aws.sqs import Queue
from renditions.model.places import S3Place

VISIBILITY_SECONDS = 2


class Account:
    """Two buckets, a table, a topic, two queues and a dead-letter queue.

    One queue gets the topic's notices, the other one gets S3's notifications.
    """

    def __init__(self, name: str) -> None:
        self.source, self.output = self._make_bucket(f"{name}-in"), self._make_bucket(f"{name}-out")
        self.table = make_table(name, "image_name")
        self.catalog = DynamoCatalog(CLIENTS.dynamodb, name, "image_name")
        CLIENTS.s3.put_bucket_versioning(Bucket=f"{name}-out", VersioningConfiguration={"Status": "Enabled"})
        self.pictures, self.dead = make_queue(f"{name}-pictures", VISIBILITY_SECONDS)
        CLIENTS.s3.put_bucket_notification_configuration(
            Bucket=f"{name}-in",
            NotificationConfiguration={
                "QueueConfigurations": [
                    {
                        "QueueArn": arn_of(self.pictures),
                        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
                    }
                ]
            },
        )
        self.topic = str(CLIENTS.sns.create_topic(Name=name)["TopicArn"])
        url = str(CLIENTS.sqs.create_queue(QueueName=name)["QueueUrl"])
        CLIENTS.sns.subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint=arn_of(url),
            Attributes={"RawMessageDelivery": "true"},
        )
        self.notices = Queue(CLIENTS.sqs, url)

    def _make_bucket(self, name: str) -> S3Store:
        CLIENTS.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return S3Store(CLIENTS.s3, S3Place(name, ""))

    def upload(self, key: str, content: bytes, **options: str) -> None:
        """Upload a picture."""
        CLIENTS.s3.put_object(Bucket=f"{self.table}-in", Key=key, Body=content, **options)

    def read_outputs(self) -> dict[str, bytes]:
        """Return every output's content by its key."""
        found = {key: self.output.get(key) for key in keys(self.output)}
        return {key: got[1] for key, got in found.items() if got}

    def count_writes(self) -> Counter[str]:
        """Return how often each output was written, by the number of its versions."""
        pages = CLIENTS.s3.get_paginator("list_object_versions").paginate(Bucket=f"{self.table}-out")
        return Counter(version["Key"] for page in pages for version in page.get("Versions", ()))

    def read_statuses(self) -> dict[str, str]:
        """Return the status of each picture's record."""
        return {record.name: record.status for record in self.catalog.list()}

    def take_notices(self) -> list[dict[str, Any]]:
        """Return all notices and delete them."""
        found = []
        while messages := self.notices.receive(wait_seconds=1):
            found += [json.loads(message.body) for message in messages]
            self.notices.delete(messages)
        return found

    def read_notices(self) -> list[tuple[str, str]]:
        """Return each notice's picture and event, and delete the notices.

        They are in the order of the pictures' names.
        """
        return sorted((item["image_name"], item["event"]) for item in self.take_notices())

    def environ(self) -> dict[str, str]:
        """Return the environment that points a pipeline at this account."""
        return {
            "SOURCE_BUCKET": f"{self.table}-in",
            "OUTPUT_BUCKET": f"{self.table}-out",
            "TABLE_NAME": self.table,
            "SNS_TOPIC_ARN": self.topic,
        }


def make_queue(name: str, visibility_seconds: int) -> tuple[str, str]:
    """Create a queue and its dead-letter queue; return their URLs.

    SQS moves a message to the dead-letter queue after three deliveries.
    """
    dead = str(CLIENTS.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"])
    attributes = {
        "VisibilityTimeout": str(visibility_seconds),
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn_of(dead), "maxReceiveCount": 3}),
    }
    return str(CLIENTS.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]), dead


def arn_of(url: str) -> str:
    """Return a queue's ARN."""
    found = CLIENTS.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def count_messages(url: str) -> int:
    """Return how many messages a queue holds, including hidden ones."""
    found = CLIENTS.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return sum(int(found[f"ApproximateNumberOfMessages{which}"]) for which in ("", "NotVisible"))
