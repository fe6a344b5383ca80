"""A proxy before a server that simulates a bad network and a busy server."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, get_args
from urllib.parse import urlsplit

Fault = Literal["slow down", "error", "gateway", "reset", "lost", "cut", "late"]
"""What happens to a request.

    slow down  refused with 503, as S3 does under load
    error      refused with 500, without a body
    gateway    refused with 502, and a page for people
    reset      the connection is reset before the server gets the request
    lost       the server executes the request; the connection is reset before the answer
    cut        the server executes the request; the connection ends in the middle of the answer
    late       the server executes the request after a pause
"""
FAULTS: tuple[Fault, ...] = get_args(Fault)

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
BAD_GATEWAY = b"<!DOCTYPE html><html><head><title>Bad gateway</title><meta charset=utf-8><p>Sorry.</html>"
REFUSALS: dict[str, tuple[int, str, bytes]] = {
    "slow down": (503, "application/xml", SLOW_DOWN),
    "error": (500, "text/plain", b""),
    "gateway": (502, "text/html", BAD_GATEWAY),
}
LATE_SECONDS = 0.1
OF_A_CONNECTION = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length"})


@dataclass(frozen=True, slots=True)
class Request:
    """The part of a request that the proxy reads before it forwards the request."""

    method: str
    path: str
    operation: str
    """``DynamoDB_20120810.GetItem``, …; empty for services that don't name it in a header."""


class Proxy(ThreadingHTTPServer):
    """A proxy that adds the faults that ``choose`` returns."""

    daemon_threads = True

    def __init__(self, netloc: str, choose: Callable[[Request], Fault | None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.netloc = netloc
        self.choose = choose


class Handler(BaseHTTPRequestHandler):
    """One connection to a proxy."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def handle_one(self) -> None:
        """Handle one request with the fault that ``choose`` returns, if any."""
        fault = self.server.choose(Request(self.command, self.path, self.headers.get("X-Amz-Target", "")))
        if fault == "reset":  # before its content is read
            self.reset()
            return
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault in REFUSALS:
            status, content_type, refusal = REFUSALS[fault]
            self.answer(status, {"Content-Type": content_type}, refusal)
            return
        if fault == "late":
            time.sleep(LATE_SECONDS)
        status, headers, body = self.forward(content)
        if fault == "lost" or (fault == "cut" and not body):
            self.reset()
        else:
            self.answer(status, headers, body, is_cut=fault == "cut")

    def forward(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return the server's status, headers and body."""
        connection = HTTPConnection(self.server.netloc)
        try:
            connection.request(self.command, self.path, content, dict(self.headers.items()))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def answer(self, status: int, headers: dict[str, str], content: bytes, *, is_cut: bool = False) -> None:
        """Send an answer, or announce its whole length and send only half of it."""
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in OF_A_CONNECTION:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if is_cut:
            content = content[: len(content) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(content)

    def reset(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        # Without lingering, closing sends a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815 - http.server calls them so

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def proxied(target: str, choose: Callable[[Request], Fault | None]) -> Iterator[str]:
    """Yield the URL of a proxy to ``target``.

    ``choose`` decides on each request. Many threads call it.
    """
    with Proxy(urlsplit(target).netloc, choose) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
