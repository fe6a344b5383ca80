"""Check existing buckets for a deployment, and start its function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from renditions.aws.clients import Clients, reported
from renditions.errors import Failed, UsageError


def check_bucket(bucket: str, *, sends_events: bool) -> None:
    """Check that a deployment can use an existing bucket.

    Args:
        bucket: The bucket's name.
        sends_events: Whether the bucket must send its events to EventBridge.

    Raises:
        UsageError: The bucket can't be used, or the AWS settings are invalid. The message says what to do.

    """
    client = Clients().s3
    try:
        with reported(f"s3://{bucket}", passing=Failed, lasting=Failed):
            client.head_bucket(Bucket=bucket)
            configured = client.get_bucket_notification_configuration(Bucket=bucket) if sends_events else {}
    except Failed as error:
        raise UsageError(
            f"can't deploy onto {error}. The bucket must exist, and you need permission to read its "
            "settings. Or name a folder as the store: then the deployment creates a bucket."
        ) from error
    if sends_events and "EventBridgeConfiguration" not in configured:
        raise UsageError(
            f"can't deploy onto s3://{bucket}: it doesn't send its events to EventBridge, so no upload would "
            "reach the function. Turn it on: in the S3 console, the bucket's Properties, Amazon EventBridge."
        )


def start_function(arn: str, event: Mapping[str, Any]) -> None:
    """Start a function with an event, without waiting until the function ends.

    Raises:
        Failed: Lambda didn't take the event.
        UsageError: The configured profile doesn't exist, or the AWS settings are invalid.

    """
    region = arn.split(":")[3]
    with reported(arn, passing=Failed, lasting=Failed):
        Clients().open_lambda(region).invoke(
            FunctionName=arn, InvocationType="Event", Payload=json.dumps(event).encode()
        )
