"""AWS clients, and what their errors mean.

Credentials, region, profile and endpoints come from where every AWS program takes them: the
environment (``AWS_REGION``, ``AWS_PROFILE``, ``AWS_ENDPOINT_URL``, …) and the shared files. botocore is
used without boto3's layer on top, which makes the same calls and takes longer to import.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoRegionError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from renditions.errors import Failed, UsageError

CONNECT_SECONDS = 5
READ_SECONDS = 30
"""How long the other side may be silent."""
ATTEMPTS = 4
"""How often one call is sent, with growing random pauses, when it is throttled or gets lost."""
CONNECTIONS = 64
"""How many threads can be in calls of one client at once without making connections anew."""

PASSING = frozenset(
    {
        "BadDigest",
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "IncompleteBody",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "RequestTimeTooSkewed",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""What is said, mostly with a status of 400, of a call that came too early, not whole or by a wrong clock."""
_WRONG_CLOCK = ("Signature expired", "Signature not yet current")
"""How a refused signature is explained, elsewhere than on S3, where not the key is wrong but the clock.

A function that was frozen between signing and sending meets it too.
"""


class Clients:
    """One client for each service, made when it is first asked for. Clients are safe for many threads.

    Ask for them in one thread; raises ``UsageError`` where no region or no such profile is configured.
    """

    def __init__(self) -> None:
        self._session = Session()

    @cached_property
    def s3(self) -> Any:
        """Amazon S3, or what speaks like it."""
        # At other endpoints than AWS's own, botocore would sign URLs in the old way.
        return self._make("s3", signature_version="s3v4")

    @cached_property
    def signing_s3(self) -> Any:
        """The same, for addresses that others follow.

        Of AWS's own buckets they name the region. The global ones that botocore would sign lead from a young
        bucket to its region by a redirect, which no browser follows with an upload.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
        """
        host = urlsplit(self.s3.meta.endpoint_url).hostname or ""
        if not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return self.s3
        return self._make("s3", signature_version="s3v4", s3={"addressing_style": "virtual"})

    @cached_property
    def dynamodb(self) -> Any:
        """Amazon DynamoDB."""
        return self._make("dynamodb")

    @cached_property
    def sns(self) -> Any:
        """Amazon SNS."""
        return self._make("sns")

    @cached_property
    def events(self) -> Any:
        """Amazon EventBridge."""
        return self._make("events")

    @cached_property
    def sqs(self) -> Any:
        """Amazon SQS."""
        return self._make("sqs")

    def _make(self, service: str, **options: Any) -> Any:
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
            **options,
        )
        try:
            # botocore itself knows AWS_DEFAULT_REGION only, not the name that the other SDKs go by.
            region = os.environ.get("AWS_REGION")
            client = self._session.create_client(service, region_name=region, config=config)
        except NoRegionError as error:
            raise UsageError(
                "no AWS region is configured: set AWS_REGION, or a region in the AWS profile"
            ) from error
        except ProfileNotFound as error:
            raise UsageError(f"{error}. Set AWS_PROFILE to a profile of the AWS configuration.") from error
        client.meta.events.register("after-call", _refuse_cut)
        return client


def _refuse_cut(http_response: Any, model: Any, **_: Any) -> None:
    """Raise IncompleteReadError if the connection ended before the answer did.

    Of half an answer in JSON botocore makes an empty one: no such record, no messages, nothing refused. Where
    a checksum tells it, it asks again, but takes what the last attempt brought. What is read as a stream
    it looks at itself.
    """
    if model.has_streaming_output or model.http["method"] == "HEAD":
        return
    found_bytes = len(http_response.content)
    announced_bytes = int(http_response.headers.get("content-length", found_bytes))
    if found_bytes < announced_bytes:
        raise IncompleteReadError(actual_bytes=found_bytes, expected_bytes=announced_bytes)


def error_code(error: ClientError) -> str:
    """Return what AWS calls the error: ``NoSuchKey``, or the HTTP status where an answer has no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def reported(where: str, *, passing: type[Failed], lasting: type[Failed]) -> Iterator[None]:
    """Translate what AWS says.

    Args:
        where: What was asked for, for the message.
        passing: What to raise if the same call can succeed later by itself: throttled, not reached, broken.
        lasting: What to raise if a person has to change something: no permission, no such bucket, ….

    """
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        message = answer.get("Message") or f"HTTP status {error_code(error)}"
        text = f"{where}: {error.operation_name}: {error_code(error)}: {message}"
        raise (passing if _can_pass(error) else lasting)(text) from error
    # The last one is about an answer that isn't the service's: a page of something in between, say.
    except (HTTPClientError, BotoConnectionError, IncompleteReadError, ResponseParserError) as error:
        raise passing(f"{where}: {error}") from error
    except BotoCoreError as error:  # no credentials, a wrong parameter
        raise lasting(f"{where}: {error}") from error


def _can_pass(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = str(error.response.get("Error", {}).get("Message", ""))
    return (
        status >= 500
        or status in (409, 429)
        or error_code(error) in PASSING
        or message.startswith(_WRONG_CLOCK)
    )
