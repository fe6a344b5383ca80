"""The server of ``renditions serve``.

It runs the web application and follows the source folder.
"""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import uvicorn

from renditions.core.ask import PLAIN, Ask
from renditions.core.follow import Hints
from renditions.core.outcome import Outcome
from renditions.core.process import Process
from renditions.errors import Superseded, UsageError
from renditions.runtime.machine import describe_polling, find_secret, open_workers, watch
from renditions.runtime.reload import Session
from renditions.runtime.status import Waiting
from renditions.web.app import make_app
from renditions.web.connections import Connections, Limits
from renditions.web.guard import hosts_of
from renditions.web.links import LocalLinks
from renditions.web.live import Announcements
from renditions.web.pictures import picture_item
from renditions.web.service import SUPERSEDED, Service
from renditions.web.signing import SigningKeys

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SECRET_BYTES = 32
SHUTDOWN_SECONDS = 5
GONE_SECONDS = 60
"""How long a client may leave bytes unacknowledged before the system ends its connection."""


def make_token() -> str:
    """Return a new access token, for a server that other machines can reach."""
    return secrets.token_urlsafe(24)


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    It stays open between two sessions, so that no connection is refused.

    Raises:
        UsageError: The server can't listen on this address.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(
            f"can't listen on {host}:{port} ({error.strerror}). "
            "If another program uses the port, choose another --port."
        ) from error
    # Accepted connections inherit this (tcp(7)). It ends those whose client has gone without a word.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_SECONDS * 1000)
    return listener


@dataclass(frozen=True, slots=True)
class Access:
    """Where the server listens, and what its clients need."""

    host: str
    token: str | None
    keys: SigningKeys | None
    """The keys of signed URLs. None to derive one from the secret beside the catalog."""
    is_public: bool
    """Whether every client may read renditions without a token, and every site may embed them."""


def serve(session: Session, listener: socket.socket, access: Access, workers: int) -> None:
    """Serve the page and the API, and process new pictures, until the session ends.

    If the session has no standing, the page and the API are read-only.

    Raises:
        UsageError: Other machines can reach the server, and there is no token.
        Superseded: The catalog uses another version of the pipeline file by now.
        Failed: The folder or the catalog went away.

    """
    if access.token is None and access.host not in LOOPBACK:
        raise UsageError(f"other machines can reach {access.host!r}, so a token is needed: pass --token")
    parts, stop = session.parts, session.ended
    announcements = Announcements()
    hints = Hints()
    links = LocalLinks()
    waiting = Waiting()

    def announce(outcome: Outcome) -> None:
        waiting.note(outcome)
        record = outcome.record
        item = picture_item(parts.pipeline, links, record) if record else None
        announcements.tell({**outcome.to_item(), "picture": item})

    with _open_process(session, workers) as process:

        def process_and_announce(name: str, ask: Ask = PLAIN) -> Outcome:
            outcome = process(name, ask)
            announce(outcome)
            return outcome

        service = Service(
            parts=parts,
            process=process_and_announce,
            hint=lambda name: hints.add(frozenset((name,))),
            announcements=announcements,
            links=links,
            waiting=waiting,
            find_polling=lambda: describe_polling(parts),
            is_superseded=session.standing is None,
        )
        app = make_app(
            service,
            secret=find_secret(parts.pipeline, parts.directory) or secrets.token_bytes(SECRET_BYTES),
            hosts=hosts_of(access.host),
            token=access.token,
            keys=access.keys,
            is_public=access.is_public,
        )
        server = _Server(_configure(app), announcements, stop)
        with ThreadPoolExecutor(1, thread_name_prefix="follower") as executor:
            following = None
            if session.standing:
                following = executor.submit(
                    watch, session, process, workers=workers, on_outcome=announce, hints=hints
                )
                # If the follower ends, the server must end too: nothing else processes the folder.
                following.add_done_callback(lambda _: stop.set())
            try:
                server.run(sockets=[listener.dup()])
            finally:
                stop.set()
                announcements.close()
        if following:
            following.result()


def _configure(app: Callable[..., Any]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        http=Connections(Limits()).protocol,  # type: ignore[arg-type]  # uvicorn only calls it
    )


@contextmanager
def _open_process(session: Session, workers: int) -> Iterator[Process]:
    """Yield a function that processes a picture.

    Without standing, the function raises ``Superseded``.
    """
    if session.standing:
        with open_workers(session.parts, workers, session.standing) as process:
            yield process
        return

    def refuse(name: str, ask: Ask = PLAIN) -> Outcome:
        del ask
        raise Superseded(f"{name} is not processed. {SUPERSEDED}")

    yield refuse


class _Server(uvicorn.Server):
    """A server that ends when ``stop`` is set.

    Before it ends, it closes the streams of live events.
    """

    def __init__(self, config: uvicorn.Config, announcements: Announcements, stop: threading.Event) -> None:
        super().__init__(config)
        self._announcements = announcements
        self._stop = stop

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # as it is used
        """Leave signals to the caller, who sets ``stop``."""
        return nullcontext()

    async def on_tick(self, counter: int) -> bool:
        """Return whether the server must end. uvicorn calls this ten times a second."""
        return self._stop.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: object = None) -> None:
        self._announcements.close()
        await super().shutdown(sockets)  # type: ignore[arg-type]  # passed on unchanged
