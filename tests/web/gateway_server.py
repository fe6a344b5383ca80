"""An HTTP API of API Gateway on this machine.

It turns requests into events of payload version 2.0. Requests for the page, its files and the health check
need no token. All other requests need the one token that the gateway accepts.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import unquote

from renditions.serverless.gateway import OPEN_FOLDER, OPEN_PATHS

TOKEN = "the.right.token"  # noqa: S105 - for tests


@dataclass
class Call:
    """The context of a call on Lambda, with time left."""

    function_name: str = "renditions"
    aws_request_id: str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class Gateway(HTTPServer):
    """A gateway that passes requests to the function, one after the other.

    Lambda does the same for one instance.
    """

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.function = function


class Handler(BaseHTTPRequestHandler):
    """The handler of one request."""

    server: Gateway

    def handle_any(self) -> None:
        path, _, query = self.path.partition("?")
        path = unquote(path)
        is_page = self.command == "GET" and (path in OPEN_PATHS or path.startswith(OPEN_FOLDER))
        is_known = self.headers.get("authorization") == f"Bearer {TOKEN}"
        if not is_page and not is_known:
            self.send({"statusCode": 401, "headers": {}, "body": '{"message":"Unauthorized"}'})
            return
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        http = {"method": self.command, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
        context = {"http": http, "stage": "$default", "domainName": self.headers["host"]}
        if not is_page:
            context["authorizer"] = {"jwt": {"claims": {"sub": "ann"}, "scopes": None}}
        event = {
            "version": "2.0", "rawPath": path, "rawQueryString": query, "requestContext": context,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": base64.b64encode(body).decode() or None, "isBase64Encoded": bool(body),
        }  # fmt: skip
        self.send(self.server.function(event, Call()))

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the base class's names

    def send(self, answer: Any) -> None:
        body = answer["body"] or ""
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        self.send_response(answer["statusCode"])
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def run_gateway(function: Callable[[Any, Any], Any]) -> Iterator[str]:
    """Run the server during the block; yield its URL."""

    def run() -> None:
        with closing(asyncio.new_event_loop()) as loop:  # the adapter's
            asyncio.set_event_loop(loop)
            server.serve_forever(poll_interval=0.05)

    with Gateway(function) as server:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
