"""A local server with prepared answers, for answers that moto never gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from renditions.aws.clients import Clients


@dataclass(frozen=True)
class Answer:
    """One answer of the server."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    announced_bytes: int | None = None
    """The announced length, if the connection will be cut before the end of the answer."""


@contextmanager
def answering(answers: Sequence[Answer]) -> Iterator[tuple[Clients, list[str]]]:
    """Yield clients whose requests get these answers, and the list of requests.

    The last answer is repeated.
    """
    seen: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(answers, seen)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
                clients = Clients()
                yield clients, seen
        finally:
            server.shutdown()
            thread.join()


def _make_handler(answers: Sequence[Answer], seen: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = answers[min(len(seen), len(answers) - 1)]
            seen.append(f"{self.command} {self.path}")
            body = answer.body.encode()
            announced = len(body) if answer.announced_bytes is None else answer.announced_bytes
            self.send_response(answer.status)
            self.send_header("Content-Length", str(announced))
            self.send_header("Connection", "close")
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.close_connection = True

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - http.server calls them so

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler
