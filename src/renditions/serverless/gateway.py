"""The API and the page on AWS Lambda, behind an HTTP API of API Gateway.

The function accepts the gateway's payloads of version 2.0 and 1.0.

The function answers calls that an authorizer (JWT, IAM, or a function) allowed. Of all other calls, it
answers only those for the page's own files (they contain no pictures), for the health check, and for signed
URLs of renditions. Clients upload straight to the bucket, whose notification starts the processing. They
download straight from the buckets, by signed URLs, or from CloudFront.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mangum import Mangum
from starlette.types import ASGIApp, Receive, Scope, Send

from renditions.aws.clients import Clients
from renditions.aws.signing import Signer
from renditions.errors import UsageError
from renditions.messages.events import encode_change
from renditions.serverless.bundled import Bundled, find_bucket, open_bundled
from renditions.serverless.telemetry import log_to_stdout
from renditions.web.app import make_api
from renditions.web.headers import changing, keep_private
from renditions.web.links import LINK_SECONDS, BucketLinks, Links
from renditions.web.live import Announcements
from renditions.web.pages import Pages
from renditions.web.problems import problem, problem_item
from renditions.web.service import Service
from renditions.web.signing import SigningKeys, is_signed
from renditions.web.uploads import BucketUploads

OPEN_PATHS = ("/", "/docs", "/login", "/health")
OPEN_FOLDER = "/static/"
SIGNED_FOLDER = "/i/"
"""The path below which a signed URL needs no authorizer."""

MOST_ANSWERED_BYTES = 6_000_000
"""The largest encoded answer that the function sends. Lambda accepts 6 MB.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


def open_gateway(file: Path, environ: Mapping[str, str]) -> Callable[[Any, Any], Any]:
    """Return the function that answers API Gateway.

    The returned function uses the parts that ``open_bundled`` opens. Besides the variables of
    ``open_bundled``, ``environ`` may have these:

    - ``SERVING_URL``: the URL at which CloudFront serves the output store publicly, with a final slash.
    - ``PAGE_FILES_URL``: the URL at which CloudFront serves the page's files, with a final slash.
    - ``RENDITIONS_SIGNING_KEYS``: the keys of signed URLs.

    Raises:
        PipelineError: See ``open_bundled``.
        UsageError: A store isn't in a bucket, or the keys aren't valid. See also ``open_bundled``.
        StoreFailed: The AWS credentials can't be retrieved now, or there are none (``StoreRefused``).

    """
    log_to_stdout()
    opened = open_bundled(file, environ)
    pipeline, clients = opened.parts.declared, opened.parts.shared.get(Clients)
    source, output = (
        Signer(clients.signing_s3, find_bucket(place.store)) for place in (pipeline.source, pipeline.output)
    )
    base_url = environ.get("SERVING_URL")

    def redirect(key: str) -> str:
        return base_url + quote(key) if base_url else output.sign_download(key, LINK_SECONDS)

    links = BucketLinks(source.sign_download, output.sign_download)
    service = replace(make_service(opened, links), redirect=redirect)
    uploads = BucketUploads(service, source.sign_upload)
    pages = Pages(environ.get("PAGE_FILES_URL", ""))
    api = make_api(service, uploads, (source.origin, output.origin), pages)
    adapter = Mangum(Authorized(api, SigningKeys.read(environ)), "off")

    def handle(event: Any, context: Any) -> Any:
        if not (isinstance(event, dict) and {"version", "requestContext"} <= event.keys()):
            raise UsageError(f"expected a call of an HTTP API, found {json.dumps(event)[:200]}")
        with opened.call(context):
            return limit(adapter(event, context))

    return handle


def make_service(opened: Bundled, links: Links) -> Service:
    """Return the API's service; raise UsageError if the source isn't a bucket.

    It sends the names of pictures that need processing to the queue. Without a queue, it processes them at
    once.
    """
    send, place = opened.send, find_bucket(opened.parts.declared.source.store)

    def hint(name: str) -> None:
        if send:
            send([encode_change(place.bucket, place.prefix + name)])
        else:
            opened.process(name)

    return Service(
        parts=opened.parts,
        process=opened.process,
        hint=hint,
        announcements=Announcements(),
        links=links,
        read_kept_totals=opened.read_kept_totals,
        find_refusal=opened.find_refusal,
    )


@dataclass(frozen=True, slots=True)
class Authorized:
    """A layer that refuses calls that no authorizer allowed, except signed URLs.

    So the API stays closed if the gateway has no authorizer. The page's own files and the health check are
    open.
    """

    app: ASGIApp
    keys: SigningKeys | None = None
    """The keys of signed URLs below ``/i/``; None if the API accepts no signed URL."""
    clock_seconds: Callable[[], float] = time.time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on to the app."""
        app: ASGIApp = self.app
        is_open = scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_FOLDER)
        if not (is_open or _is_authorized(scope["aws.event"])):
            app = self._check_signature(scope)
        await app(scope, receive, send if is_open else changing(send, keep_private))

    def _check_signature(self, scope: Scope) -> ASGIApp:
        """Return the app for a signed URL, or an app that refuses the request."""
        query = scope["query_string"].decode("latin-1")
        if not (self.keys and scope["path"].startswith(SIGNED_FOLDER) and is_signed(query)):
            return problem(
                HTTPStatus.UNAUTHORIZED,
                "Not authorized: no authorizer of the API allowed this request, and its URL has no signature "
                "that the API accepts here. Below /i/, use a URL from 'renditions sign'. Elsewhere, send the "
                "token that the authorizer expects.",
            )
        why = self.keys.find_problem(scope["path"], query, self.clock_seconds())
        if scope["method"] != "GET":
            why = "A signed URL allows only GET."
        return problem(HTTPStatus.FORBIDDEN, why) if why else self.app


def _is_authorized(event: Mapping[str, Any]) -> bool:
    """Return whether an authorizer of the API allowed the call.

    In payload 2.0, ``authorizer`` has an entry for the kind of the authorizer, whose value may be null. In
    payload 1.0, a route without an authorizer can have it too, with only null values, and the caller that IAM
    found is in ``identity``.
    """
    context = event["requestContext"]
    found = context.get("authorizer") or {}
    if event["version"] == "2.0":
        return bool(found)
    caller = context.get("identity", {}).get("userArn")
    return caller is not None or any(value is not None for value in found.values())


def limit(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer, or an error with the reason if the answer is too long.

    If an answer is too long, Lambda itself sends an error without a reason. The runtime sends the body to
    Lambda as a text in JSON, in which a quote takes two bytes. Lambda limits the length of that text.
    """
    length = len(json.dumps(answer.get("body") or "", ensure_ascii=False).encode())
    if length <= MOST_ANSWERED_BYTES:
        return answer
    detail = (
        f"the answer has {length:,} bytes, encoded, and Lambda returns at most {MOST_ANSWERED_BYTES:,}. "
        "Request a smaller part: with a lower limit, or with a Range header"
    )
    status = HTTPStatus.NOT_IMPLEMENTED
    return {
        "statusCode": status,
        "headers": {"content-type": "application/problem+json"},
        "body": json.dumps(problem_item(status, detail)),
        "isBase64Encoded": False,
    }
