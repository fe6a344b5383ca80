"""Clients that vanish without closing connections, like a machine without power.

They run in a network namespace whose only link goes down. The test itself enters a second new namespace, with
the other end of the link. The machine's own namespace gets no link: a browser in it, of another test, would
drop the requests that it waits for. This needs Linux, ``ip``, ``nsenter`` and ``unshare``, and the rights of
root over the network. An ordinary user has them within ``unshare --map-root-user --net``.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SERVER = "198.51.100.1"
"""The server's address on the link to the clients (RFC 5737: for documentation only, so unused)."""
CLIENTS = ("198.51.100.2", "198.51.100.3", "198.51.100.4")
"""The addresses of the clients."""

_CLIENT = """
import json, socket, sys
port, count, addresses, sent = json.loads(sys.stdin.readline())
kept = []
for number in range(count):
    try:
        client = socket.create_connection((SERVER, port), 30, (addresses[number % len(addresses)], 0))
        kept.append(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(sent[number % len(sent)].encode())
    except OSError:
        pass  # the server may have made room for others
print(len(kept), flush=True)
sys.stdin.read()
"""
"""The program in the namespace. It opens connections, and keeps them until its input ends."""


class Vanishing:
    """Clients in a namespace with one link.

    Args:
        link: The name of the link on the clients' side.
        namespace: The process that holds the namespace.

    """

    def __init__(self, link: str, namespace: int) -> None:
        self._link = link
        self._namespace = namespace
        self.enter = ("nsenter", "--net", "--target", str(namespace))
        """The words before a command that run it in the namespace."""
        self.clients: list[subprocess.Popen[str]] = []

    def connect(self, port: int, count: int, sent: Sequence[str]) -> None:
        """Open connections to a port of ``SERVER``, and send these texts in turn.

        Ignore connections that fail. Raise OSError if the clients' process ends.
        """
        command = [*self.enter, sys.executable, "-c"]
        client = subprocess.Popen(
            [*command, _CLIENT.replace("SERVER", repr(SERVER))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.clients.append(client)
        assert client.stdin
        assert client.stdout
        client.stdin.write(json.dumps([port, count, CLIENTS, list(sent)]) + "\n")
        client.stdin.flush()
        if not client.stdout.readline():
            raise OSError("the clients in the namespace have ended")

    def vanish(self) -> None:
        """Take the link down on the clients' side. The server gets no packet about it."""
        _ip("link", "set", self._link, "down", inside=self._namespace)

    def come_back(self) -> None:
        """End the earlier clients, and bring the link up again for new ones."""
        self.end()
        _ip("link", "set", self._link, "up", inside=self._namespace)

    def end(self) -> None:
        """End all clients. If they have vanished, the server gets no packet about it."""
        for each in self.clients:
            each.kill()
            each.communicate()
        self.clients.clear()


@contextmanager
def vanishing() -> Iterator[Vanishing]:
    """Enter a new network namespace for the block, and yield clients in another one.

    A link joins the two namespaces. All sockets, threads and processes that the calling thread creates within
    the block are in the entered namespace.

    Raise OSError if this user may not create network namespaces.
    """
    with _entered():
        _ip("link", "set", "lo", "up")
        holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo ready; exec cat"],
            stdin=subprocess.PIPE,  # so that it ends with this process
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert holder.stdout
            if not holder.stdout.readline():
                raise PermissionError("unshare --net failed")
            with _linked(holder.pid) as clients:
                yield clients
        finally:
            holder.kill()
            holder.communicate()


@contextmanager
def _entered() -> Iterator[None]:
    """Move the calling thread into a new network namespace for the block."""
    # From Python 3.12 on, os has both functions and the constant.
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000

    def check(result: int) -> None:
        if result:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    with Path("/proc/thread-self/ns/net").open("rb") as before:
        check(libc.unshare(clone_newnet))
        try:
            yield
        finally:
            check(libc.setns(before.fileno(), clone_newnet))


@contextmanager
def _linked(inside: int) -> Iterator[Vanishing]:
    """Link this network namespace to that of a process, and yield its clients.

    ``inside`` is the process's ID. Both ends of the link get addresses.
    """
    ours, theirs = "server", "clients"
    _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", str(inside))
    clients = Vanishing(theirs, inside)
    _ip("address", "add", f"{SERVER}/24", "dev", ours)
    _ip("link", "set", ours, "up")
    for address in CLIENTS:
        _ip("address", "add", f"{address}/24", "dev", theirs, inside=inside)
    for link in ("lo", theirs):
        _ip("link", "set", link, "up", inside=inside)
    try:
        yield clients
    finally:
        clients.end()


def _ip(*arguments: str, inside: int | None = None) -> None:
    before = ["nsenter", "--net", "--target", str(inside)] if inside else []
    ended = subprocess.run([*before, "ip", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise PermissionError(f"ip {' '.join(arguments)}: {ended.stderr.strip()}")
