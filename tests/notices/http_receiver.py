"""A real HTTP server on loopback that receives notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """The requests that arrived, and the settings of the answers."""

    url: str = ""
    status: int = 204
    location: str = ""
    """The header ``Location`` of its answers."""
    delay_seconds: float = 0
    """How long it waits before it answers; closing the server ends the wait."""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    """The headers and the body of each request."""
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Yield a receiver that runs until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            receiver.closing.wait(receiver.delay_seconds)
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
