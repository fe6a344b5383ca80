"""A proxy before a server, which answers chosen requests itself: as S3 does when it is asked too much."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
OF_A_CONNECTION = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length"})


@contextmanager
def slowed_down(target: str, refuses: Callable[[str, str], bool]) -> Iterator[str]:
    """Yield the URL of a proxy to ``target`` that refuses requests by their method and path."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(urlsplit(target).netloc, refuses)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _make_handler(netloc: str, refuses: Callable[[str, str], bool]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if refuses(self.command, self.path):
                self.answer(503, {"Content-Type": "application/xml"}, SLOW_DOWN)
                return
            connection = HTTPConnection(netloc)
            try:
                connection.request(self.command, self.path, content, dict(self.headers.items()))
                answer = connection.getresponse()
                self.answer(answer.status, dict(answer.getheaders()), answer.read())
            finally:
                connection.close()

        def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in OF_A_CONNECTION:
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward  # noqa: N815 - http.server calls them so

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
