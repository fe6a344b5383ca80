"""Run moto's server on a free port, and handle one request at a time.

The program prints the port. Its argument is the latency of each request in seconds. Several requests can wait
for this time at once.

AWS promises that each request is atomic. moto promises this only without concurrent requests: of 800
conditional steps from several threads, it loses some. The server handles other requests only while a request
waits for a message in a queue.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from moto.dynamodb.models.table import Table
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.moto_server import werkzeug_app
from moto.moto_server.utilities import RegexConverter
from moto.s3.responses import S3Response
from moto.sqs.models import Queue
from werkzeug.serving import make_server

POLL_SECONDS = 0.02


class Serialised:
    """A WSGI application that handles one request after the other."""

    def __init__(self, application: Any, way_seconds: float) -> None:
        self._application = application
        self._way_seconds = way_seconds
        self._lock = threading.Lock()
        self._transactions: dict[str, tuple[tuple[Any, ...], list[bytes]]] = {}
        self._recursion: dict[str, bytes] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        time.sleep(self._way_seconds)
        if environ.get("HTTP_X_AMZ_TARGET") == "AmazonSQS.ReceiveMessage":
            return self._poll(environ, start_response)
        if environ.get("HTTP_X_AMZ_TARGET") == "DynamoDB_20120810.TransactWriteItems":
            return self._transact(environ, start_response)
        if environ["PATH_INFO"].endswith("/recursion-config"):
            return self._configure_recursion(environ, start_response)
        return self._answer(environ, start_response)

    def _configure_recursion(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Store or read a function's setting for recursive loops, which moto lacks.

        https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionRecursionConfig.html
        """
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "PUT":
            self._recursion[path] = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [self._recursion.get(path, b'{"RecursiveLoop": "Terminate"}')]

    def _transact(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Execute a transaction that hasn't succeeded yet; return its answer.

        A repeated request for a successful transaction gets the same answer.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """
        content = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        token = json.loads(content)["ClientRequestToken"]
        heads: list[tuple[Any, ...]] = []
        with self._lock:
            if token not in self._transactions:
                once = environ | {"wsgi.input": io.BytesIO(content)}
                answer = list(self._application(once, lambda *head: heads.append(head)))
                if not heads[-1][0].startswith("200"):
                    start_response(*heads[-1])
                    return answer
                self._transactions[token] = heads[-1], answer
        head, answer = self._transactions[token]
        start_response(*head)
        return answer

    def _answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with self._lock:
            return list(self._application(environ, start_response))

    def _poll(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Poll without waiting, repeatedly, instead of waiting once.

        So the server can handle other requests in between.
        """
        request = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        end = time.monotonic() + request.get("WaitTimeSeconds", 0)
        content = json.dumps(request | {"WaitTimeSeconds": 0}).encode()
        heads: list[tuple[Any, ...]] = []
        while True:
            once = environ | {"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))}
            answer = self._answer(once, lambda *head: heads.append(head))
            if time.monotonic() >= end or b'"Messages"' in b"".join(answer):
                start_response(*heads[-1])
                return answer
            time.sleep(POLL_SECONDS)


class AnyPath(RegexConverter):
    """Make moto's routes match keys with line breaks too."""

    def __init__(self, url_map: Any, *items: Any) -> None:
        super().__init__(url_map, *items)
        self.regex = f"(?s:{items[0]})"


def keep_policies_of_queues() -> None:
    """Keep a queue's policy when another attribute is set.

    The function also adds support for a redrive allow policy.
    """
    queue: Any = Queue
    queue.BASE_ATTRIBUTES.append("RedriveAllowPolicy")
    queue.redrive_allow_policy = None
    set_attributes = queue._set_attributes

    def set_and_keep(self: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        before = getattr(self, "policy", None)
        set_attributes(self, attributes, now)
        if "Policy" not in attributes:
            self.policy = before
        if not self.redrive_allow_policy:  # an empty policy removes it
            self.redrive_allow_policy = None

    queue._set_attributes = set_and_keep


def treat_requests_as_encrypted() -> None:
    """Make moto ignore statements that deny unencrypted requests.

    moto reads no conditions, so such a statement would deny each request.
    """
    statement: Any = IAMPolicyStatement
    is_permitted = statement.is_action_permitted

    def is_permitted_or_unencrypted(self: Any, *arguments: Any, **named: Any) -> Any:
        if self._statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}:
            return PermissionResult.NEUTRAL
        return is_permitted(self, *arguments, **named)

    statement.is_action_permitted = is_permitted_or_unencrypted


def return_settings_for_eventbridge() -> None:
    """Make moto's answers say whether a bucket sends its events to EventBridge.

    moto keeps this setting, but doesn't return it.
    """
    response: Any = S3Response
    serialized = response.serialized

    def serialized_with_setting(self: Any, answer: Any) -> Any:
        if isinstance(answer.result, dict) and "QueueConfigurations" in answer.result:
            kept = self.backend.get_bucket_notification_configuration(self.bucket_name)
            if kept.event_bridge is not None:
                answer.result["EventBridgeConfiguration"] = {}
        return serialized(self, answer)

    response.serialized = serialized_with_setting


def copy_table(table: Table, _: object) -> Table:
    """Copy only the parts of a table that a transaction changes.

    moto copies the whole table for each item. It also keeps in memory every table whose constructor ran, so
    this function doesn't call the constructor.
    """
    copied: Table = object.__new__(type(table))
    vars(copied).update(vars(table))
    copied.items = copy.copy(table.items)
    return copied


if __name__ == "__main__":
    keep_policies_of_queues()
    treat_requests_as_encrypted()
    return_settings_for_eventbridge()
    vars(werkzeug_app)["RegexConverter"] = AnyPath
    Table.__deepcopy__ = copy_table  # type: ignore[attr-defined]  # what copy.deepcopy asks for
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = Serialised(
        werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app),
        way_seconds=float(sys.argv[1]) if sys.argv[1:] else 0.0,
    )
    server = make_server("127.0.0.1", 0, application, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()
