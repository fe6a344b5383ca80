"""Clients beside many failed pictures and many slow readers are hardly delayed.

In the suite there are few of them. ``make test-crowds`` has 100,000 failed pictures and 100 slow readers.
"""

from __future__ import annotations

import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from commands import draw, write_pipeline
from renditions.core.follow import Hints
from renditions.local.sqlite import SqliteCatalog
from renditions.model.record import Record
from renditions.web.app import make_app
from web.browser import find_port, start_server, wait_for
from web.test_api import REACH, open_service
from web.test_load import ask, wait_until_processed
from world import World

FAILED, READERS = (
    int(os.environ.get(name, default)) for name, default in (("MANY_FAILED", 600), ("SLOW_READERS", 30))
)
LARGE_BYTES = 40_000_000
MOST_SECONDS = 2.0
"""How long another client may typically wait, on a busy machine."""
MOST_RARE_SECONDS = 20.0
"""The longest that another client may ever wait. A busy machine may stop it for a while."""


@contextmanager
def asking(ask_once: Callable[[], object]) -> Iterator[list[float]]:
    """Ask again and again during the block; yield the list of seconds per answer."""
    times: list[float] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.02):
            began = time.monotonic()
            ask_once()
            times.append(time.monotonic() - began)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()


def describe(times: list[float]) -> str:
    return f"{len(times):,} others waited {statistics.median(times):.3f} s, at most {max(times):.3f} s"


def check(times: list[float]) -> None:
    assert statistics.median(times) < MOST_SECONDS
    assert max(times) < MOST_RARE_SECONDS


def read_bytes(pid: int) -> int:
    """Return the memory that a process has now (Linux)."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) * 1024


def write_failed(catalog: SqliteCatalog) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(FAILED):
        moment = began + timedelta(milliseconds=number)
        catalog.write(
            Record(f"{number}.jpg", "failed", moment, reason="it fails", attempts=3, goal="g", etag="e")
        )


def test_a_retry_of_many_failed_pictures_is_done_in_bounded_steps(tmp_path: Path) -> None:
    catalog, hints = SqliteCatalog(tmp_path / "c.db"), Hints()
    write_failed(catalog)
    world = World()
    service = replace(
        open_service(world),
        parts=replace(world.parts(), catalog=catalog),
        hint=lambda name: hints.add(frozenset((name,))),
    )
    seconds, retried = [], 0
    body: dict[str, str] | None = {}
    with (
        TestClient(make_app(service, secret=b"secret", reach=REACH)) as client,
        asking(lambda: client.get("/pictures?limit=50").raise_for_status()) as others,
    ):
        while body is not None:
            began = time.monotonic()
            answer = client.post("/retry", json=body).raise_for_status().json()
            seconds.append(time.monotonic() - began)
            retried += answer["retried"]
            body = {"cursor": answer["next"]} if answer["next"] else None
    catalog.close()
    steps = f"{len(seconds):,} requests of at most {max(seconds):.3f} s"
    print(f"{retried:,} retried in {steps}; {describe(others)}")
    assert retried == FAILED
    assert len(seconds) == -(-FAILED // 200)
    assert max(seconds) < 15
    check(others)
    taken = hints.take()
    assert taken is None if FAILED > 10_000 else len(taken or ()) == FAILED


def test_slow_readers_of_a_large_file_hardly_delay_other_clients(tmp_path: Path) -> None:
    write_pipeline(tmp_path, "[renditions.a]\nwidth = 20\n")
    draw(tmp_path / "inbox" / "large.jpg")
    with (tmp_path / "inbox" / "large.jpg").open("ab") as file:
        file.write(os.urandom(LARGE_BYTES))
    port = find_port()
    server = start_server(tmp_path, port, "--no-access-log")
    try:
        wait_for(f"http://127.0.0.1:{port}")
        wait_until_processed(port, 1)
        before_bytes = read_bytes(server.pid)
        with ExitStack() as stack:
            for _ in range(READERS):
                reader = stack.enter_context(socket.socket())
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                reader.connect(("127.0.0.1", port))
                reader.sendall(b"GET /originals/large.jpg HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
                assert reader.recv(15).startswith(b"HTTP/1.1 200 OK")
            with asking(lambda: ask(port, "/pictures")) as others:
                time.sleep(3)
            grown_bytes = read_bytes(server.pid) - before_bytes
        print(f"{READERS} slow readers: {describe(others)}; the server took {grown_bytes:,} bytes more")
        check(others)
        assert grown_bytes < 20_000_000 + READERS * 1_000_000
    finally:
        server.terminate()
        assert server.wait(60) in (0, 130)


if not Path("/proc/self/status").exists():
    pytestmark = pytest.mark.skip("NOT TESTED: memory is read from /proc")
