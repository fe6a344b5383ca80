"""Measure the cost of slow clients: ``python -m benchmarks.slow_clients``.

Set ``PYTHONPATH=tests``. The slow clients are hostile, and all others are honest. A server of ``renditions
serve`` gets 32 honest clients, each with one request after the other. Meanwhile 1,001 sockets of one kind are
kept open: if the server closes one, the benchmark opens another. ``KINDS`` lists the kinds. A last kind,
``HALF_OPEN``, opens sockets whose machine then vanishes from the network (``web.vanishing``), again and
again. The benchmark counts the honest requests and those of them that failed. It takes the 99th percentile of
the time of honest requests before, during and after the attack. Without ``--kind`` the results go into
``docs/security.md``.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET, create_connection, socket

from benchmarks.report import describe_machine, replace_section, to_markdown, to_text, today
from commands import draw, run, write_pipeline
from renditions.web.server import GONE_SECONDS
from web.browser import find_port, start_server, wait_for
from web.vanishing import Vanishing, vanishing

DOCUMENT = Path("docs/security.md")
ATTACKERS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
"""The network addresses of the slow clients of ``KINDS``. The honest clients have 127.0.0.1."""

HOST = b"Host: 127.0.0.1\r\n"
HEAD = b"GET /pictures HTTP/1.1\r\n" + HOST
UPLOAD = (
    b"POST /uploads HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: 90000\r\n\r\n"
)
LARGE = b"GET /originals/large.jpg HTTP/1.1\r\n" + HOST + b"\r\n"

KINDS: dict[str, tuple[bytes, bytes]] = {
    "silent": (b"", b""),
    "half a head": (HEAD, b""),
    "dripping head": (HEAD, b"X"),
    "a body that stops": (UPLOAD + b"{", b""),
    "dripping body": (UPLOAD, b" "),
    "an answer that isn't read": (LARGE, b""),
}
"""What each socket sends first, and then once a second."""

HALF_OPEN = "half-open: the client's machine vanished"
AUTHORIZED = b"Authorization: Bearer right\r\n"
VANISHED = ("", HEAD.decode(), (UPLOAD + b"{").decode(), (LARGE[:-2] + AUTHORIZED + b"\r\n").decode())
"""What the sockets of ``HALF_OPEN`` send, in turn, before their machine vanishes."""
EVERYWHERE = ("--host", "0.0.0.0", "--token", "right")  # noqa: S104 - the namespace has another address
VANISH_SECONDS = 10
"""The pause before the sockets are opened again, in seconds."""
ATTACK_SECONDS = 1.5 * GONE_SECONDS
"""How long each kind lasts by default, in seconds.

It is longer than ``GONE_SECONDS``, after which the server's system ends connections of vanished clients.
"""


class Honest:
    """Clients that send one request after the other, and count and time them."""

    def __init__(self, port: int, clients: int) -> None:
        self._port = port
        self._ends = threading.Event()
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        while not self._ends.wait(0.2):
            began = time.perf_counter()
            connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                connection.request("GET", "/pictures?limit=10", headers={"Authorization": "Bearer right"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(str(answer.status))
            except (OSError, HTTPException) as error:
                self.failures.append(str(error))
            finally:
                connection.close()
            self.seconds.append(time.perf_counter() - began)

    def take(self) -> tuple[int, int, float]:
        """Return how many requests there were since the last call, and how many failed.

        Also return the 99th percentile of their time, in seconds.
        """
        seconds, failures = self.seconds, self.failures
        self.seconds, self.failures = [], []
        return len(seconds), len(failures), statistics.quantiles(seconds, n=100)[98]

    def stop(self) -> None:
        """Let each client end its request, and wait until all have ended."""
        self._ends.set()
        for thread in self._threads:
            thread.join()


@contextmanager
def attacked(port: int, count: int, kind: str) -> Iterator[None]:
    """Keep ``count`` sockets of a kind open.

    If the server closes a socket, open another one soon.
    """
    first, then = KINDS[kind]
    ends = threading.Event()
    sockets: list[socket] = []
    numbers = itertools.count()

    def keep() -> None:
        while not ends.is_set():
            for client in sockets[:]:
                if _is_closed(client, then, reads=first != LARGE):
                    sockets.remove(client)
                    client.close()
            with suppress(OSError):  # the server may have no room now
                while len(sockets) < count and not ends.is_set():
                    sockets.append(_open(port, next(numbers), first))
            ends.wait(1)

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
        for client in sockets:
            client.close()


@contextmanager
def vanished(clients: Vanishing, port: int, count: int) -> Iterator[None]:
    """During the block, open ``count`` sockets and let them vanish, repeatedly."""
    ends = threading.Event()

    def keep() -> None:
        while not ends.is_set():
            clients.come_back()
            with suppress(OSError):  # the server may have no room now
                clients.connect(port, count, VANISHED)
            clients.vanish()
            ends.wait(VANISH_SECONDS)

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def _open(port: int, index: int, first: bytes) -> socket:
    client = create_connection(("127.0.0.1", port), 5, (ATTACKERS[index % len(ATTACKERS)], 0))
    client.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    client.sendall(first)
    client.setblocking(False)
    return client


def _is_closed(client: socket, then: bytes, *, reads: bool) -> bool:
    """Send the next bytes; return whether the server has ended the connection."""
    try:
        client.send(then)
        return reads and client.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def main() -> None:
    """Measure and print the table; without ``--kind`` write it into the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow_clients", description=__doc__)
    parser.add_argument("--sockets", type=int, default=1001)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=ATTACK_SECONDS, help="how long each kind lasts")
    parser.add_argument("--kind", choices=[*KINDS, HALF_OPEN], action="append", help="default: all")
    asked = parser.parse_args()
    rows = []
    for kind in asked.kind or (*KINDS, HALF_OPEN):
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            if kind == HALF_OPEN:
                try:
                    clients = stack.enter_context(vanishing())
                except OSError as error:
                    print(f"NOT MEASURED: {kind}: this user can't make network namespaces ({error})")
                    continue
                port = stack.enter_context(_served(Path(folder), *EVERYWHERE))
                attack = vanished(clients, port, asked.sockets)
            else:
                port = stack.enter_context(_served(Path(folder)))
                attack = attacked(port, asked.sockets, kind)
            rows.append(_measure(port, kind, attack, asked.clients, asked.seconds))
    table = [
        [
            "sockets",
            "p99 before, ms",
            "p99 during, ms",
            "p99 after, ms",
            "honest requests",
            "of these failed",
        ],
        *rows,
    ]
    print(to_text(table))
    text = (
        f"{today()}, {describe_machine()}; {asked.sockets:,} sockets, {asked.clients} honest clients, "
        f"{asked.seconds:g} s of each kind (`python -m benchmarks.slow_clients`)."
    )
    if asked.kind is None:
        replace_section("slow clients", f"{text}\n\n{to_markdown(table)}", DOCUMENT)


def _measure(
    port: int, kind: str, attack: AbstractContextManager[None], clients: int, seconds: float
) -> list[str]:
    honest = Honest(port, clients)
    try:
        time.sleep(5)
        before = honest.take()
        with attack:
            time.sleep(seconds)
            during = honest.take()
        time.sleep(2)
        honest.take()
        time.sleep(5)
        after = honest.take()
    finally:
        honest.stop()
    counted = [f"{each[2] * 1000:.0f}" for each in (before, during, after)]
    total = [before[0] + during[0] + after[0], before[1] + during[1] + after[1]]
    return [kind, *counted, f"{total[0]:,}", str(total[1])]


@contextmanager
def _served(folder: Path, *options: str) -> Iterator[int]:
    """Serve a few pictures, one of them large; yield the port."""
    write_pipeline(folder, "[renditions.thumb]\nwidth = 200\n", "[accept]\nmax_bytes = 100_000_000\n")
    for number in range(20):
        draw(folder / "inbox" / f"{number}.jpg", seed=number)
    draw(folder / "inbox" / "large.jpg", 6000, 4000, quality=100)
    if run(folder, "sync").code:
        raise SystemExit("the sync failed")
    port = find_port()
    server = start_server(folder, port, *options)
    try:
        wait_for(f"http://127.0.0.1:{port}")
        yield port
    finally:
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    main()
