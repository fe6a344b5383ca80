"""The check of an existing bucket and the start of a function, on moto's server."""

from __future__ import annotations

import pytest

from contract.cloud import CLIENTS, REGION
from renditions.aws.deployed import check_bucket, start_function
from renditions.errors import Failed, UsageError


@pytest.fixture
def bucket(aws: None, request: pytest.FixtureRequest) -> str:
    name = f"deployed-{len(request.node.name)}"
    CLIENTS.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def test_a_bucket_that_sends_its_events_to_eventbridge_is_accepted(bucket: str) -> None:
    CLIENTS.s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    check_bucket(bucket, sends_events=False)
    check_bucket(bucket, sends_events=True)


def test_a_bucket_that_sends_no_events_is_refused_with_the_setting_to_change(bucket: str) -> None:
    check_bucket(bucket, sends_events=False)
    with pytest.raises(UsageError, match=r"to EventBridge.*Properties"):
        check_bucket(bucket, sends_events=True)


@pytest.mark.usefixtures("aws")
def test_deploying_onto_a_missing_bucket_is_refused() -> None:
    with pytest.raises(UsageError, match=r"s3://no-such-bucket: HeadBucket failed: Not Found \(404\)"):
        check_bucket("no-such-bucket", sends_events=False)


@pytest.mark.usefixtures("aws")
def test_a_missing_function_is_reported_with_its_arn() -> None:
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:nowhere"
    with pytest.raises(Failed, match=rf"^{arn}: Invoke failed: .* \(ResourceNotFoundException\)"):
        start_function(arn, {"source": "renditions"})
