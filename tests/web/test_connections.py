"""Connections of slow clients, which the server ends.

Other clients get their answers.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from renditions.web.connections import Connections, Limits
from renditions.web.server import notice_gone, open_certificate
from web.browser import make_certificate, trust

LIMITS = Limits(head_seconds=0.6, check_seconds=0.3, bytes_per_second=1_000, most=12, most_of_address=12)
"""The limits in tests with clients that are too slow."""
PATIENT = replace(LIMITS, head_seconds=30, check_seconds=30)
"""The limits for clients that must get their answer, even on a busy machine."""
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n"
BUSY = b"POST /busy HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE_BYTES = 200_000_000
BUSY_SECONDS = 6 * LIMITS.check_seconds
HELD = b"POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
WAIT_SECONDS = 30


GO = threading.Event()
"""Lets the server answer requests for /held."""
BEGUN: list[str] = []
"""The requests for /held whose body has come."""


async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the whole body, and answer with some bytes.

    The path decides how many, and whether the answer is delayed.
    """
    if scope["type"] != "http":
        return
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        pass
    if message["type"] == "http.disconnect":
        return
    if scope["path"] == "/busy":
        await asyncio.sleep(BUSY_SECONDS)
    if scope["path"] == "/held":
        BEGUN.append(scope["path"])
        await asyncio.to_thread(GO.wait, WAIT_SECONDS)
    size = LARGE_BYTES if scope["path"] == "/large" else 2
    headers = [(b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while size:
        piece = min(size, 65_536)
        size -= piece
        await send({"type": "http.response.body", "body": b"x" * piece, "more_body": size > 0})


@contextmanager
def serving(limits: Limits, tls: ssl.SSLContext | None = None, **options: Any) -> Iterator[int]:
    """Serve :func:`answer`; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    notice_gone(listener)
    http: Any = Connections(limits, tls=tls, **options).protocol
    server = uvicorn.Server(
        uvicorn.Config(answer, http=http, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def port() -> Iterator[int]:
    with serving(LIMITS) as port:
        yield port


def connect(port: int, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), WAIT_SECONDS, (address, 0))


def read_all(client: socket.socket) -> bytes:
    """Read until the server ends the connection; return the first 10,000 bytes."""
    content = b""
    try:
        while piece := client.recv(65_536):
            content = (content + piece)[:10_000]
    except ConnectionResetError:
        pass
    return content


def ask(port: int, path: str = "/") -> bytes:
    with connect(port) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return read_all(client)


def drip(client: socket.socket, content: bytes) -> bytes:
    """Send one byte at a time until the server answers.

    Return its answer, or the text of the error that ended the connection.
    """
    client.settimeout(0.05)
    for byte in content:
        try:
            client.sendall(bytes((byte,)))
            return client.recv(1000)
        except TimeoutError:
            continue
        except OSError as error:
            return str(error).encode()
    raise AssertionError("the server took everything")


@pytest.mark.parametrize("start", [b"", b"GET / HT", GET + b"GET / HT"], ids=["silent", "half", "second"])
def test_the_connection_of_a_client_that_sends_no_complete_head_is_closed(port: int, start: bytes) -> None:
    with connect(port) as client:
        client.sendall(start)
        answered = read_all(client)
    assert answered.startswith(b"HTTP/1.1 200" if start.startswith(GET) else b"HTTP/1.1 408")


def test_the_connection_of_a_client_that_sends_its_head_byte_by_byte_is_closed(port: int) -> None:
    with connect(port) as client:
        assert b"408" in drip(client, b"GET / HTTP/1.1\r\n" + b"X-Slow: 1\r\n" * 100)


def test_the_connection_of_a_client_that_sends_half_a_body_is_closed(port: int) -> None:
    with connect(port) as client:
        client.sendall(POST + b"x" * 10)
        assert b"408" in read_all(client)


def test_the_connection_of_a_client_that_sends_its_body_byte_by_byte_is_closed(port: int) -> None:
    with connect(port) as client:
        client.sendall(POST)
        assert b"408" in drip(client, b"x" * 1000)


def test_the_connection_of_a_client_that_reads_no_answer_is_closed(port: int) -> None:
    with connect(port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(LARGE)
        assert wait_until(lambda: is_reset(client))


def is_reset(client: socket.socket) -> bool:
    """Return whether the server has reset the connection.

    This reads no byte.
    """
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def wait_until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_a_client_that_sends_steadily_may_take_longer_than_the_time_between_checks() -> None:
    """The client pauses for a twentieth of that time.

    So a busy machine doesn't make it too slow.
    """
    limits = Limits(check_seconds=4, bytes_per_second=100)
    piece, count = b"x" * 1000, 30
    with serving(limits) as port, connect(port) as client:
        client.sendall(POST.replace(b"10000000", str(len(piece) * count).encode()))
        for _ in range(count):
            client.sendall(piece)
            time.sleep(0.2)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_the_server_may_take_longer_for_an_answer_than_a_client_may_pause() -> None:
    with serving(replace(LIMITS, head_seconds=30)) as port:
        assert ask(port, "/busy").startswith(b"HTTP/1.1 200")


def test_a_client_may_send_another_request_on_the_same_connection() -> None:
    with serving(PATIENT) as port, connect(port) as client:
        for _ in range(3):
            client.sendall(GET)
            answered = b""
            while not answered.endswith(b"xx"):
                answered += client.recv(1000)
            assert answered.startswith(b"HTTP/1.1 200")


def test_the_server_closes_connections_of_silent_clients_to_make_room_for_other_clients() -> None:
    patient = Limits(head_seconds=1000, check_seconds=1000, most=12, most_of_address=12)
    with serving(patient) as port, ExitStack() as stack:
        silent = [stack.enter_context(connect(port)) for _ in range(40)]
        for _ in range(5):
            assert ask(port).startswith(b"HTTP/1.1 200")
        silent[-1].sendall(GET)
        assert silent[-1].recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [POST + b"x" * 10, LARGE], ids=["no body", "no reading"])
def test_the_server_closes_connections_of_clients_that_stopped_to_make_room_for_other_clients(
    sent: bytes,
) -> None:
    patient = Limits(head_seconds=1000, check_seconds=1000, most=3, most_of_address=3)
    with serving(patient) as port, ExitStack() as stack:
        for _ in range(3):
            stopped = stack.enter_context(connect(port))
            stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stopped.sendall(sent)
        for _ in range(5):
            assert wait_until(lambda: ask(port).startswith(b"HTTP/1.1 200"))


def test_the_clients_of_one_address_leave_room_for_clients_of_another_address() -> None:
    patient = Limits(head_seconds=1000, check_seconds=1000, most=4, most_of_address=3)
    with serving(patient) as port, ExitStack() as stack:
        other = stack.enter_context(connect(port))
        for _ in range(20):
            stack.enter_context(connect(port, "127.0.0.2"))
        other.sendall(GET)
        assert other.recv(1000).startswith(b"HTTP/1.1 200")


def test_an_address_whose_connections_are_all_busy_makes_room_for_another_address() -> None:
    """Clients that asked for large answers are busy while the server reads the files."""
    patient = Limits(head_seconds=1000, check_seconds=1000, most=3, most_of_address=3)
    with serving(patient) as port, ExitStack() as stack:
        for _ in range(3):
            busy = stack.enter_context(connect(port, "127.0.0.2"))
            busy.sendall(BUSY)
            assert b"100 Continue" in busy.recv(1000)
            busy.sendall(b"x")
        time.sleep(LIMITS.check_seconds)
        assert ask(port).startswith(b"HTTP/1.1 200")


def test_a_proxy_may_have_more_connections_than_the_client_of_one_address() -> None:
    patient = Limits(head_seconds=1000, check_seconds=1000, most=6, most_of_address=2)
    with (
        serving(patient, is_shared=lambda address: address == "127.0.0.2") as port,
        ExitStack() as stack,
    ):
        through_proxy = [stack.enter_context(connect(port, "127.0.0.2")) for _ in range(5)]
        for _ in range(5):
            stack.enter_context(connect(port))
        for client in through_proxy[1:]:
            client.sendall(GET)
            assert client.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def encrypt(certificate: tuple[Path, Path], client: socket.socket) -> ssl.SSLSocket:
    return trust(certificate[0]).wrap_socket(client, server_hostname="localhost")


def test_a_client_with_tls_gets_its_answers_on_one_connection(certificate: tuple[Path, Path]) -> None:
    with serving(PATIENT, open_certificate(*certificate)) as port:
        with encrypt(certificate, connect(port)) as client:
            for _ in range(3):
                client.sendall(GET)
                answered = b""
                while not answered.endswith(b"xx"):
                    answered += client.recv(1000)
                assert answered.startswith(b"HTTP/1.1 200")
        with encrypt(certificate, connect(port)) as client:
            client.sendall(LARGE)
            count = 0
            while count < LARGE_BYTES and (received := client.recv(1_000_000)):
                count += len(received)
            assert count >= LARGE_BYTES


@pytest.mark.parametrize("start", [b"", b"\x16\x03\x01\x02\x00\x01", GET], ids=["silent", "half", "plain"])
def test_the_connection_of_a_client_that_completes_no_handshake_is_closed(
    certificate: tuple[Path, Path], start: bytes
) -> None:
    with serving(LIMITS, open_certificate(*certificate)) as port, connect(port) as client:
        client.sendall(start)
        began = time.monotonic()
        assert b"HTTP" not in read_all(client)
        assert time.monotonic() - began < WAIT_SECONDS / 2


@pytest.mark.parametrize("sent", [b"", POST + b"x", LARGE], ids=["silent", "no body", "no reading"])
def test_slow_clients_that_use_tls_are_also_disconnected(certificate: tuple[Path, Path], sent: bytes) -> None:
    with serving(LIMITS, open_certificate(*certificate)) as port:
        raw = connect(port)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with encrypt(certificate, raw) as client:
            client.sendall(sent)
            if sent == LARGE:
                assert wait_until(lambda: is_reset(client))
            else:
                assert b" 408 " in read_all(client)


def test_the_server_closes_connections_without_a_completed_handshake_to_make_room_for_other_clients(
    certificate: tuple[Path, Path],
) -> None:
    patient = Limits(head_seconds=20, check_seconds=1000, most=12, most_of_address=12)
    with serving(patient, open_certificate(*certificate)) as port, ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(connect(port))
        for _ in range(5):
            with encrypt(certificate, connect(port)) as client:
                client.sendall(GET)
                assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_server_whose_connections_are_all_busy_refuses_further_ones() -> None:
    patient = Limits(head_seconds=1000, check_seconds=1000, most=3, most_of_address=3)
    with serving(patient) as port, ExitStack() as stack:
        GO.clear()
        BEGUN.clear()
        stack.callback(GO.set)
        for _ in range(3):
            busy = stack.enter_context(connect(port))
            busy.sendall(HELD)
            assert b"100 Continue" in busy.recv(1000)
            busy.sendall(b"x")
        assert wait_until(lambda: len(BEGUN) == 3)
        with connect(port) as client:
            assert read_all(client).startswith(b"HTTP/1.1 503")
