"""A cache in place of CloudFront.

The cache asks the origin for each file once, and keeps the file.
"""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSED = ("content-type", "cache-control", "access-control-allow-origin", "cross-origin-resource-policy")


class Edge(ThreadingHTTPServer):
    """A server of the page's files alone, like one behaviour of CloudFront."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.origin = ""
        self.kept: dict[str, tuple[dict[str, str], bytes]] = {}
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """The handler of one request."""

    server: Edge

    def do_GET(self) -> None:
        if not self.path.startswith("/static/renditions-page-"):
            self.send_error(403)
            return
        with self.server.lock:
            if self.path not in self.server.kept:
                with urllib.request.urlopen(self.server.origin + self.path, timeout=30) as answer:  # noqa: S310 - the test's own
                    headers = {name: answer.headers[name] for name in PASSED if name in answer.headers}
                    self.server.kept[self.path] = headers, answer.read()
            headers, content = self.server.kept[self.path]
        self.send_response(200)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # a browser that goes to another page cuts the connection
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def run_edge() -> Iterator[Edge]:
    """Yield a cache that runs during the block. The caller sets its origin."""
    with Edge() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
