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
"""How long a server may be silent."""
ATTEMPTS = 4
"""How often one call is sent if it is throttled or lost, with growing random pauses."""
CONNECTIONS = 64
"""How many threads can call one client at once without opening new connections."""

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
"""The error codes, mostly with status 400, of a call that was too early, incomplete or signed by a wrong
clock."""
_WRONG_CLOCK = ("Signature expired", "Signature not yet current")
"""The explanations of services other than S3 if the clock is wrong, not the key. A function that was frozen
between signing and sending gets them too.
"""


class Clients:
    """One client for each service, made when it is first asked for. Clients are safe for many threads.

    Ask for them in one thread. Raises ``UsageError`` if the region or the profile isn't configured.
    """

    def __init__(self) -> None:
        self._session = Session()

    @cached_property
    def s3(self) -> Any:
        """Amazon S3, or a compatible server."""
        # At other endpoints than AWS's own, botocore would sign URLs in the old way.
        return self._make("s3", signature_version="s3v4")

    @cached_property
    def signing_s3(self) -> Any:
        """The same client, for signing URLs.

        URLs of AWS's own buckets name the region. The global ones that botocore would sign redirect from a
        new bucket to its region, and no browser follows a redirect with an upload.
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
            # botocore itself knows only AWS_DEFAULT_REGION, not the name that the other SDKs use.
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

    botocore takes half an answer in JSON for an empty one: no such record, no messages, nothing refused. If
    a checksum shows it, botocore asks again, but accepts the last attempt. It checks streams itself.
    """
    if model.has_streaming_output or model.http["method"] == "HEAD":
        return
    found_bytes = len(http_response.content)
    announced_bytes = int(http_response.headers.get("content-length", found_bytes))
    if found_bytes < announced_bytes:
        raise IncompleteReadError(actual_bytes=found_bytes, expected_bytes=announced_bytes)


def error_code(error: ClientError) -> str:
    """Return AWS's error code: ``NoSuchKey``, or the HTTP status if the answer has no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def reported(where: str, *, passing: type[Failed], lasting: type[Failed]) -> Iterator[None]:
    """Translate AWS's errors.

    Args:
        where: The thing that was asked for, for the message.
        passing: The error to raise if the same call can succeed later: throttled, not reached, broken.
        lasting: The error to raise if a person has to change something: no permission, no such bucket, ….

    """
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        message = answer.get("Message") or f"HTTP status {error_code(error)}"
        text = f"{where}: {error.operation_name}: {error_code(error)}: {message}"
        raise (passing if _can_pass(error) else lasting)(text) from error
    # The last one means that the answer isn't the service's: a proxy's page, for example.
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
