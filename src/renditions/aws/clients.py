"""AWS clients, and the translation of their errors.

botocore reads credentials, profile, region and endpoints as in every AWS program: from the environment
(``AWS_PROFILE``, ``AWS_ENDPOINT_URL``, …) and from the shared files. This module adds ``AWS_REGION``. It
doesn't use boto3, because boto3 makes the same calls as botocore and takes longer to import.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoRegionError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError
from botocore.session import Session
from urllib3.exceptions import HTTPError as StreamError

from renditions.errors import Failed, UsageError

CONNECT_SECONDS = 5
READ_SECONDS = 30
"""How long a call waits while the server sends nothing."""
ATTEMPTS = 4
"""The most attempts of one call, except to CloudFront. The pauses between them are random and grow."""
CONNECTIONS = 64
"""How many threads can call one client at once without opening new connections."""

PASSING = frozenset(
    {
        "BadDigest",
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "IncompleteBody",
        "KMS.ThrottlingException",
        "KMSThrottling",
        "KmsThrottled",
        "LimitExceededException",
        "OverLimit",
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
"""Error codes after which the same call can succeed later. The status of the answer doesn't matter.

For example, the call was throttled, incomplete, or signed while the clock was wrong.
"""
_WITH_ETAG = ("GetObject", "HeadObject", "PutObject")
"""The calls to S3 whose successful answers have an ETag."""
_CHECK = "Check AWS_ENDPOINT_URL and any proxy"
_WRONG_CLOCK = ("Signature expired", "Signature not yet current")
"""The beginnings of error messages that blame the clock.

S3 has an error code for this. Other services use a code that can also mean a wrong key. A Lambda function
that was frozen between signing and sending gets such messages, too.
"""


class Clients:
    """One client for each service, created on first use.

    Many threads can use a client, but only one thread at a time may create clients by reading the properties.
    The properties raise ``UsageError`` if the region is needed and not configured, if the profile doesn't
    exist, or if the settings or the credentials are invalid.
    """

    def __init__(self) -> None:
        self._session = Session()

    @cached_property
    def s3(self) -> Any:
        """The client of Amazon S3, or of a compatible server."""
        # Without this version, botocore signs URLs in the old way for every endpoint that isn't AWS's own.
        return self._make("s3", signature_version="s3v4")

    @cached_property
    def signing_s3(self) -> Any:
        """The client of S3 that signs URLs.

        On AWS it signs URLs that name the region, except for us-east-1. By default botocore signs global
        URLs. The global URL of a new bucket redirects to the region, and browsers don't follow a redirect
        when they upload.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
        """
        host = urlsplit(self.s3.meta.endpoint_url).hostname or ""
        if not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return self.s3
        return self._make("s3", signature_version="s3v4", s3={"addressing_style": "virtual"})

    @cached_property
    def dynamodb(self) -> Any:
        """The client of Amazon DynamoDB."""
        return self._make("dynamodb")

    @cached_property
    def sns(self) -> Any:
        """The client of Amazon SNS."""
        return self._make("sns")

    @cached_property
    def events(self) -> Any:
        """The client of Amazon EventBridge."""
        return self._make("events")

    @cached_property
    def ses(self) -> Any:
        """The client of Amazon SES, version 2."""
        return self._make("sesv2")

    @cached_property
    def sqs(self) -> Any:
        """The client of Amazon SQS."""
        return self._make("sqs")

    @cached_property
    def secretsmanager(self) -> Any:
        """The client of AWS Secrets Manager."""
        return self._make("secretsmanager")

    @cached_property
    def ssm(self) -> Any:
        """The client of AWS Systems Manager, which stores parameters."""
        return self._make("ssm")

    @cached_property
    def cloudfront(self) -> Any:
        """The client of Amazon CloudFront.

        A function calls CloudFront after its pictures, so this client doesn't wait for long.
        """
        return self._make(
            "cloudfront",
            connect_timeout=3,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 2},
        )

    def open_lambda(self, region: str) -> Any:
        """Return a client of AWS Lambda in a region.

        Raises:
            UsageError: The configured profile doesn't exist, or the settings or the credentials are invalid.

        """
        return self._make("lambda", region)

    def _make(self, service: str, region: str | None = None, **options: Any) -> Any:
        defaults = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
            "max_pool_connections": CONNECTIONS,
            "tcp_keepalive": True,
        }
        config = Config(**{**defaults, **options})
        try:
            # botocore itself reads only AWS_DEFAULT_REGION. The other SDKs read AWS_REGION.
            region = region or os.environ.get("AWS_REGION")
            client = self._session.create_client(service, region_name=region, config=config)
        except NoRegionError as error:
            raise UsageError(
                "no AWS region is configured: set AWS_REGION, or a region in the AWS profile"
            ) from error
        except ProfileNotFound as error:
            raise UsageError(
                f"can't find the AWS profile {error.kwargs['profile']!r}. Set AWS_PROFILE to a profile of "
                "the AWS configuration."
            ) from error
        except (BotoCoreError, ValueError) as error:  # ValueError: AWS_ENDPOINT_URL isn't a URL
            raise UsageError(
                f"can't call AWS with these settings: {_trim(error)}. Check the variables AWS_… of the "
                "environment, and the files of the AWS configuration"
            ) from error
        client.meta.events.register("after-call", _refuse_cut)
        client.meta.events.register("before-parse", _refuse_foreign)
        return client


def _refuse_cut(http_response: Any, model: Any, **_: Any) -> None:
    """Raise IncompleteReadError if the connection ended before the answer was whole.

    botocore reads half a JSON answer as an empty answer: no such record, no messages, nothing refused. If a
    checksum reveals the fault, botocore sends the call again, but it accepts the last answer in any case.
    botocore checks streams itself, so this function leaves them out.
    """
    if model.has_streaming_output or model.http["method"] == "HEAD":
        return
    found_bytes = len(http_response.content)
    announced_bytes = int(http_response.headers.get("content-length", found_bytes))
    if found_bytes < announced_bytes:
        raise IncompleteReadError(actual_bytes=found_bytes, expected_bytes=announced_bytes)


def _refuse_foreign(operation_model: Any, response_dict: Any, **_: Any) -> None:
    """Raise ResponseParserError for an answer of another server, such as a proxy.

    A proxy may answer with a page of its own, and status 200 or 404. botocore reads most such answers as
    empty, so the call seems to succeed, or an object seems to be missing. For others it raises obscure
    errors.
    """
    model, status, body = operation_model, response_dict["status_code"], response_dict["body"]
    is_success = status < HTTPStatus.MULTIPLE_CHOICES
    if is_success and model.name in _WITH_ETAG and "ETag" not in response_dict["headers"]:
        raise ResponseParserError(
            f"another server answered instead of the service, without an ETag. {_CHECK}"
        )
    if model.http["method"] == "HEAD" or (is_success and model.has_streaming_output):
        return
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:  # after such a status, botocore sends the call again
        return
    start = body[:100].lstrip().lower()
    protocol = model.service_model.resolved_protocol
    is_foreign = start.startswith((b"<!doctype html", b"<html"))
    if is_success:
        is_foreign |= protocol == "json" and not start.startswith(b"{")
        is_foreign |= protocol == "query" and f"{model.name}Result".encode() not in body
    elif status == HTTPStatus.NOT_FOUND:
        is_foreign |= protocol == "rest-xml" and b"<Error" not in body
    if is_foreign:
        shown = start[:40].decode(errors="replace")
        raise ResponseParserError(f"another server answered instead of the service, with {shown!r}. {_CHECK}")


def error_code(error: ClientError) -> str:
    """Return AWS's error code, for example ``NoSuchKey``.

    If the answer has no body, return the HTTP status.
    """
    return str(error.response.get("Error", {}).get("Code", ""))


def caused_by(error: Failed, *codes: str) -> bool:
    """Return whether AWS's answer had one of these error codes.

    ``error`` is one that :func:`reported` raised.
    """
    cause = error.__cause__
    return isinstance(cause, ClientError) and error_code(cause) in codes


_CHECK_NAME = "Check the name, the account and the region"
_CHECK_POLICIES = "Check the policies of these credentials and of the resource"
_CHECK_CREDENTIALS = "Check the AWS credentials, or log in again"
_ADVICE = {
    "NoSuchBucket": _CHECK_NAME,
    "ResourceNotFoundException": _CHECK_NAME,
    "NotFound": _CHECK_NAME,
    "NotFoundException": _CHECK_NAME,
    "AWS.SimpleQueueService.NonExistentQueue": _CHECK_NAME,
    "NotImplemented": "This server lacks something that Renditions needs, for example conditional writes",
    "PermanentRedirect": "The bucket is in another region: set AWS_REGION",
    "AuthorizationHeaderMalformed": "The bucket is in another region: set AWS_REGION",
    "AccessDenied": _CHECK_POLICIES,
    "AccessDeniedException": _CHECK_POLICIES,
    "AuthorizationError": _CHECK_POLICIES,
    "InvalidAccessKeyId": _CHECK_CREDENTIALS,
    "SignatureDoesNotMatch": _CHECK_CREDENTIALS,
    "ExpiredToken": _CHECK_CREDENTIALS,
    "ExpiredTokenException": _CHECK_CREDENTIALS,
    "InvalidClientTokenId": _CHECK_CREDENTIALS,
    "UnrecognizedClientException": _CHECK_CREDENTIALS,
}
"""What a person can do about AWS's lasting errors, by their codes."""

_NO_WHOLE_ANSWER = (
    HTTPClientError,
    BotoConnectionError,
    IncompleteReadError,
    FlexibleChecksumError,
    StreamError,  # for example, TLS finds damaged data while an object is read
)
"""The errors if no answer arrived, or only a part of it, or if it was damaged on the way."""


@contextmanager
def reported(where: str, *, passing: type[Failed], lasting: type[Failed]) -> Iterator[None]:
    """Raise the AWS errors of the ``with`` block as errors of this package.

    Args:
        where: What is called, such as a bucket or a queue. The message begins with it.
        passing: The error to raise if the same call can succeed later, for example because the call was
            throttled, the service wasn't reached, or the service failed.
        lasting: The error to raise if a person has to change something: a permission, a missing bucket, …
    """
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        message = answer.get("Message") or "no reason given"
        text = f"{where}: {error.operation_name} failed: {message.rstrip('.')} ({error_code(error)})"
        if advice := _ADVICE.get(error_code(error)):
            text = f"{text}. {advice}"
        raise (passing if _can_pass(error) else lasting)(text) from error
    except ResponseParserError as error:  # something else than the service answered: a proxy, for example
        raise passing(f"{where}: {error}") from error
    except _NO_WHOLE_ANSWER as error:
        raise passing(
            f"{where}: no whole answer arrived ({_trim(error)}). Check the network and AWS_ENDPOINT_URL, "
            "then try again"
        ) from error
    except CredentialRetrievalError as error:  # for example, a container's provider of credentials is down
        raise passing(
            f"{where}: the AWS credentials can't be retrieved ({_trim(error)}). Check what provides them, "
            "then try again"
        ) from error
    except BotoCoreError as error:  # no credentials, a wrong parameter
        raise lasting(
            f"{where}: the call isn't possible ({_trim(error)}). Check the AWS credentials and settings"
        ) from error


def _trim(error: Exception) -> str:
    return str(error).strip().removesuffix(".")


def _can_pass(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = str(error.response.get("Error", {}).get("Message", ""))
    return (
        (status >= 500 and status != HTTPStatus.NOT_IMPLEMENTED)
        or status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
        or error_code(error) in PASSING
        or message.startswith(_WRONG_CLOCK)
    )
