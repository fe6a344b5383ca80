"""Connections of clients that vanished, which the server ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvicorn

from renditions.web.connections import Connections, Limits
from renditions.web.server import notice_gone
from web.test_connections import LARGE, POST, answer, ask, wait_until
from web.vanishing import SERVER, Vanishing, vanishing

LIMITS = Limits(head_seconds=2, check_seconds=1)


@pytest.fixture
def clients() -> Iterator[Vanishing]:
    with ExitStack() as stack:
        try:
            clients = stack.enter_context(vanishing())
        except OSError as error:
            pytest.skip(f"NOT TESTED: this user can't make network namespaces ({error})")
        yield clients


def test_the_server_closes_connections_of_vanished_clients_and_answers_other_clients(
    clients: Vanishing,
) -> None:
    listener = socket.create_server(("", 0), backlog=2048)
    notice_gone(listener)
    connections = Connections(LIMITS)
    config = uvicorn.Config(
        answer,
        http=connections.protocol,  # type: ignore[arg-type]  # uvicorn only calls it
        lifespan="off",
        log_level="error",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        port = listener.getsockname()[1]
        sent = [each.decode() for each in (b"", b"GET / HT", POST + b"x", LARGE)]
        clients.connect(port, 40, sent)
        assert wait_until(lambda: len(server.server_state.connections) == 40)
        clients.vanish()
        assert wait_until(lambda: not server.server_state.connections)
        assert ask(port).startswith(b"HTTP/1.1 200")
    finally:
        server.should_exit = True
        thread.join()


def test_the_system_ends_an_idle_connection_of_a_client_that_vanished(clients: Vanishing) -> None:
    """While the server works and sends nothing, none of its limits applies."""
    listener = socket.create_server((SERVER, 0))
    notice_gone(listener)
    for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):  # minutes would be too long for a test
        assert listener.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) <= 30
        listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3000)
    with listener:
        thread = threading.Thread(target=clients.connect, args=(listener.getsockname()[1], 1, ["x"]))
        thread.start()
        connection, _ = listener.accept()
        thread.join()
        with connection:
            connection.settimeout(30)
            assert connection.recv(10) == b"x"
            clients.vanish()
            with pytest.raises(OSError, match=r"timed out|No route") as ended:
                connection.recv(10)
            assert ended.value.errno is not None, "expected the system's timeout, found the test's own"
