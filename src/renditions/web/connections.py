"""Limits on the server's connections, so that slow clients can't block others.

uvicorn closes only a connection that is idle between two requests. :class:`BoundedProtocol` adds the limits
of :class:`Limits`. The lowest rate is the default of Apache's mod_reqtimeout (RequestReadTimeout).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import get_remote_addr


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a server's connections."""

    head_seconds: float = 20.0
    """How long a client may take for the TLS handshake, and then for the head of each request."""
    check_seconds: float = 10.0
    """How often the server compares a connection with the lowest rate."""
    bytes_per_second: int = 500
    """The lowest rate at which a client may send a body or read an answer."""
    most: int = 800
    """How many connections the server has at most.

    Many systems allow a process 1,024 open files.
    """
    most_of_address: int = 400
    """How many connections one client's network address may have. A trusted proxy may have more."""


class Connection(Protocol):
    """A connection that takes one of the server's places."""

    address: str
    """The client's network address."""

    def abort(self) -> None:
        """End the connection at once, and free its place."""
        ...


class Connections:
    """The open connections of a server, and which of them wait for the client.

    Only one thread may use it.
    """

    def __init__(
        self,
        limits: Limits,
        is_shared: Callable[[str], bool] = lambda _: False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Set the limits.

        Args:
            limits: The limits.
            is_shared: Returns whether an address is that of a proxy, whose connections many clients share.
            tls: The context with the server's certificate. None if the server speaks plain HTTP.

        """
        self.limits = limits
        self.tls = tls
        self._is_shared = is_shared
        self._counts: Counter[str] = Counter()
        self._admitted: dict[str, dict[Connection, None]] = {}
        """For each address, its connections, the oldest first."""
        self._waiting: dict[str, dict[Connection, None]] = {}
        """For each address, the connections that wait for their client, the longest wait first."""

    def protocol(self, **options: Any) -> asyncio.Protocol:
        """Return the protocol of a new connection.

        uvicorn calls this with its own options.
        """
        bounded = BoundedProtocol(self, **options)
        return Handshake(self, bounded, self.tls) if self.tls else bounded

    def admit(self, connection: Connection) -> bool:
        """Add a connection; return whether there is room for it.

        If all places are taken, this method ends a connection of the network address with the most
        connections: the one that has waited longest for its client, or else the oldest. If that address is a
        proxy's, or has at most one connection more than the new client's address, only a waiting connection
        can end. If the client's own address has all of its places taken, only a waiting connection of that
        address can end.
        """
        limits, address = self.limits, connection.address
        leaving: Connection | None = None
        if self._counts[address] >= limits.most_of_address and not self._is_shared(address):
            leaving = self._find_waiting(address)
        elif self._counts.total() < limits.most:
            self._add(connection)
            return True
        else:
            leaving = self._find_leaving(address)
        if leaving is None:
            return False
        leaving.abort()
        self._add(connection)
        return True

    def _find_leaving(self, address: str) -> Connection | None:
        """Return the connection to end for a new one of this address.

        Return None if no connection may end.
        """
        largest = max(self._counts, key=self._counts.__getitem__)
        if self._counts[largest] > self._counts[address] + 1:
            waiting = self._find_waiting(largest)
            if waiting or not self._is_shared(largest):
                return waiting or next(iter(self._admitted[largest]))
        return self._find_waiting(max((address, *self._waiting), key=self._counts.__getitem__))

    def _find_waiting(self, address: str) -> Connection | None:
        """Return the connection of an address that has waited longest for its client.

        Return None if no connection of the address waits.
        """
        return next(iter(self._waiting.get(address, ())), None)

    def _add(self, connection: Connection) -> None:
        self._counts[connection.address] += 1
        self._admitted.setdefault(connection.address, {})[connection] = None

    def remove(self, connection: Connection) -> None:
        """Remove a connection that ``admit`` has added."""
        self.stop_waiting(connection)
        self._counts[connection.address] -= 1
        del self._admitted[connection.address][connection]
        if not self._counts[connection.address]:
            del self._counts[connection.address]
            del self._admitted[connection.address]

    def wait(self, connection: Connection) -> None:
        """Note that from now on a connection waits for its client to send or to read."""
        waiting = self._waiting.setdefault(connection.address, {})
        waiting.pop(connection, None)
        waiting[connection] = None

    def stop_waiting(self, connection: Connection) -> None:
        """Note that a connection doesn't wait for its client, or has ended."""
        waiting = self._waiting.get(connection.address, {})
        waiting.pop(connection, None)
        if not waiting:
            self._waiting.pop(connection.address, None)


class Handshake(asyncio.Protocol):
    """The beginning of a connection with TLS.

    The connection takes a place at once, and ends if the client is too slow. If asyncio ran the handshake
    itself, the connection would take no place until the handshake has ended, up to a minute later.
    """

    def __init__(self, open_connections: Connections, then: BoundedProtocol, tls: ssl.SSLContext) -> None:
        self._open = open_connections
        self._then = then
        self._tls = tls
        self.address = ""
        self._is_admitted = False
        self._raw: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._received: list[bytes] = []
        self._is_lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin the handshake, or end the connection if there is no room."""
        self._raw = transport
        self.address = (get_remote_addr(transport) or ("",))[0]
        self._is_admitted = self._open.admit(self)
        if not self._is_admitted:
            transport.abort()
            return
        self._open.wait(self)
        self._task = asyncio.get_running_loop().create_task(self._shake_hands(transport))

    async def _shake_hands(self, raw: asyncio.Transport) -> None:
        limits = self._open.limits
        try:
            transport = await asyncio.get_running_loop().start_tls(
                raw,
                self,
                self._tls,
                server_side=True,
                ssl_handshake_timeout=limits.head_seconds,
                ssl_shutdown_timeout=limits.check_seconds,
            )
        except OSError:  # the client is too slow or gone, or speaks no TLS
            transport = None
        self._leave()
        if transport is None or self._is_lost:
            return
        transport.set_protocol(self._then)
        self._then.connection_made(transport)
        # Between the handshake and here, the loop may already have read the first bytes.
        for data in self._received:
            self._then.data_received(data)

    def data_received(self, data: bytes) -> None:
        """Keep bytes that came right after the handshake."""
        self._received.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection ended right after the handshake."""
        del exc
        self._is_lost = True

    def abort(self) -> None:
        """End the connection at once."""
        self._leave()
        if self._raw:
            self._raw.abort()

    def _leave(self) -> None:
        if self._is_admitted:
            self._is_admitted = False
            self._open.remove(self)


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 on one connection, which ends if the client is slower than allowed.

    The client is in one of these phases. The server compares it with the limits every ``check_seconds``. The
    server's own work has no limit here.

    - It sends the head of a request: that may take ``head_seconds`` altogether.
    - It sends a body that the application awaits: at least at the lowest rate.
    - It reads an answer: at least at the lowest rate.
    - It goes on sending a body after it got the whole answer: the connection ends at the next check.
    """

    def __init__(self, open_connections: Connections, **options: Any) -> None:
        super().__init__(**options)
        self._open = open_connections
        self._limits = open_connections.limits
        self.address = ""
        self._is_admitted = False
        self._check_timer: asyncio.TimerHandle | None = None
        self._head_since: float | None = None
        self._received_bytes = 0
        self._was_paused = False
        self._buffered_bytes = 0
        self._has_drained = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for a request, or end the connection if there is no room."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._is_admitted = self._open.admit(self)
        if not self._is_admitted:
            self._refuse(503, "Too many connections, in all or from this IP address. Try again shortly.")
            return
        self._head_since = self.loop.time()
        self._note_waiting()
        self._check_timer = self.loop.call_later(self._limits.check_seconds, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the connection's place after the connection has ended."""
        if self._check_timer:
            self._check_timer.cancel()
        if self._is_admitted:
            self._is_admitted = False
            self._open.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self.transport.is_closing():
            return
        self._received_bytes += len(data)
        if self._head_since is None and self.conn.their_state is h11.IDLE:
            self._head_since = self.loop.time()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_since = None
            self._note_waiting()
        self._was_paused = self._was_paused or self.flow.read_paused

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._note_waiting()

    def pause_writing(self) -> None:
        """Note that the client must read before the server sends more."""
        super().pause_writing()
        self._note_waiting()

    def resume_writing(self) -> None:
        """Note that the client has read most of what the server kept for it."""
        self._has_drained = True
        super().resume_writing()
        self._note_waiting()

    def _note_waiting(self) -> None:
        if not self._is_admitted:
            return
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY) or self.flow.write_paused:
            self._open.wait(self)
        else:
            self._open.stop_waiting(self)

    def abort(self) -> None:
        """End the connection at once, and drop what the client has not read."""
        if self._is_admitted:
            self._is_admitted = False
            self._open.remove(self)
        # Without this, the system would go on sending what it has buffered (socket(7), SO_LINGER).
        client: socket.socket = self.transport.get_extra_info("socket")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _check(self) -> None:
        """End the connection if the client is too slow; else check again later."""
        limits = self._limits
        least_bytes = limits.bytes_per_second * limits.check_seconds
        head_seconds = 0.0 if self._head_since is None else self.loop.time() - self._head_since
        buffered_bytes = self.transport.get_write_buffer_size()
        is_answered = self.cycle is not None and self.cycle.response_complete
        if self._buffered_bytes and not self._has_drained and self._reads_slowly(buffered_bytes, least_bytes):
            self.abort()
        elif head_seconds >= limits.head_seconds:
            self._refuse(408, "The head of the request took too long. Send it again.")
        elif self.conn.their_state is h11.SEND_BODY and is_answered:
            self.abort()
        elif self._awaits_body() and self._received_bytes < least_bytes:
            self._refuse(408, "The body of the request came too slowly. Send the request again.")
        else:
            self._received_bytes, self._was_paused = 0, self.flow.read_paused
            self._buffered_bytes, self._has_drained = buffered_bytes, False
            self._check_timer = self.loop.call_later(limits.check_seconds, self._check)

    def _reads_slowly(self, buffered_bytes: int, least_bytes: float) -> bool:
        return buffered_bytes > max(0, self._buffered_bytes - least_bytes)

    def _awaits_body(self) -> bool:
        """Return whether the server has waited for a body since the last check."""
        is_asked = self.cycle is not None and not self.cycle.waiting_for_100_continue
        return self.conn.their_state is h11.SEND_BODY and is_asked and not self._was_paused

    def _refuse(self, status: int, reason: str) -> None:
        """Answer, if no answer has begun, and end the connection."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]
            for event in (
                h11.Response(status_code=status, headers=headers),
                h11.Data(data=reason.encode()),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event))
        self.transport.close()
