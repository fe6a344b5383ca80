"""A minimal Lambda Runtime API, and AWS's own runtime client started on it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:pictures"


@dataclass(frozen=True)
class Ended:
    """The function's answer: a value or its exception."""

    value: Any = None
    error: Any = None


@dataclass
class Lambda:
    """A function in its runtime.

    Its calls run one after another, as on Lambda.
    """

    log_file: Path
    events: queue.Queue[tuple[str, Any, float]] = field(default_factory=queue.Queue)
    ended: queue.Queue[Ended] = field(default_factory=queue.Queue)
    calls: int = 0

    def call(self, event: Any, limit_seconds: float = 60.0) -> Ended:
        """Invoke the function; return its answer or error.

        Raise ``queue.Empty`` if it takes more than five seconds longer than the limit.
        """
        self.calls += 1
        self.events.put((f"call-{self.calls}", event, time.time() + limit_seconds))
        return self.ended.get(timeout=limit_seconds + 5)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the parsed JSON lines in the function's log."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line.startswith("{")]


@contextmanager
def start_function(
    code: Path, handler: str, log_file: Path, environ: Mapping[str, str], *options: str
) -> Iterator[Lambda]:
    """Yield a function that runs the handler in a folder's code, as Lambda does.

    ``options`` are Python's own.
    """
    function = Lambda(log_file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(function))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *options, "-m", "awslambdaric", handler],
            cwd=code,
            env={
                "PATH": os.environ["PATH"],
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": "pictures",
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "LAMBDA_TASK_ROOT": str(code),
                **environ,
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield function
        finally:
            process.kill()
            process.wait()
            server.shutdown()
            server.server_close()


def _make_handler(function: Lambda) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            identifier, event, deadline = function.events.get()
            body = json.dumps(event).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", identifier)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", ARN)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            value = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            is_answer = self.path.endswith("/response")
            function.ended.put(Ended(value=value) if is_answer else Ended(error=value))

        def log_message(self, *_: object) -> None:
            pass

    return Handler
