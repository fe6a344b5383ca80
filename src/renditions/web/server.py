"""The server of ``renditions serve``.

It runs the web application and follows the source folder.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from renditions.core.ask import PLAIN, Ask
from renditions.core.follow import Hints
from renditions.core.outcome import Outcome
from renditions.errors import Superseded, UsageError
from renditions.runtime.machine import (
    Workers,
    describe_polling,
    find_preview_cache,
    find_secret,
    open_pool,
    open_workers,
    watch,
)
from renditions.runtime.parts import Parts
from renditions.runtime.reload import Session
from renditions.runtime.status import Waiting
from renditions.web.access import AccessLog
from renditions.web.app import make_app
from renditions.web.causes import explain_unrecorded
from renditions.web.connections import BoundedProtocol, Connections, Limits
from renditions.web.links import Links, LocalLinks
from renditions.web.live import Announcements
from renditions.web.pictures import picture_item
from renditions.web.placing import place
from renditions.web.previews import Previews
from renditions.web.reach import Reach
from renditions.web.readiness import watched
from renditions.web.service import Service
from renditions.web.signing import SigningKeys

log = logging.getLogger("renditions.web")

SECRET_BYTES = 32
SHUTDOWN_SECONDS = 5
SUPERSEDED = (
    "This catalog uses another version of the pipeline file than this server, so the server writes nothing. "
    "To apply the server's version, run renditions sync (or deploy)"
)
CHECK_SECONDS = 5.0
"""How often the server checks whether it can do its work."""
GONE_SECONDS = 60
"""How long a client may leave bytes unacknowledged before the system ends its connection."""


def make_token() -> str:
    """Return a new access token, for a server that other machines can reach."""
    return secrets.token_urlsafe(24)


_PORT_ADVICE = {
    errno.EADDRINUSE: "Another program uses the port. End it, or choose another --port",
    errno.EACCES: "This user may not use the port. Choose a --port from 1024 on",
}
"""What to do if the server can't listen on a port, by the error's number."""


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    The caller keeps it open between two sessions, so that no connection is refused.

    Raises:
        UsageError: The server can't listen on this address.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = (error.strerror or "").partition(" (while")[0]
        advice = _PORT_ADVICE.get(error.errno or 0, "Choose an address of this machine as --host")
        place = f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
        raise UsageError(f"can't listen on {place} ({why}). {advice}.") from error
    notice_gone(listener)
    return listener


def notice_gone(listener: socket.socket) -> None:
    """Set the listener's options so that the system ends dead connections.

    A connection is dead if its client is gone but never closed it. The system ends such a connection after
    about ``GONE_SECONDS``.

    Accepted connections inherit the options (tcp(7)). The options for keep-alive concern connections on
    which the server sends nothing. ``TCP_USER_TIMEOUT`` concerns bytes that the client doesn't acknowledge.
    Not every system has all of these options.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", GONE_SECONDS // 2),
        ("TCP_KEEPINTVL", GONE_SECONDS // 6),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", GONE_SECONDS * 1000),
    ):
        if hasattr(socket, option):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def open_certificate(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the TLS context of a certificate and its key; None if neither is given.

    Raises:
        UsageError: Only one of the files is given, or they aren't a certificate and its key.

    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("TLS needs both files: --tls-cert and --tls-key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # With this function, OpenSSL doesn't ask for the password of an encrypted key.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:
        raise UsageError(
            f"can't use {certificate} and {key} for TLS ({error}). Both must be readable PEM files: the "
            "certificate with its chain, and its key without a password."
        ) from error
    return context


@dataclass(frozen=True, slots=True)
class Access:
    """Where clients reach the server, and which clients may use it."""

    reach: Reach
    tls: ssl.SSLContext | None
    """The context with the server's certificate. None if the server speaks plain HTTP."""
    token: str | None
    keys: SigningKeys | None
    """The keys of signed URLs. None to derive one from the server's secret."""
    is_public: bool
    """Whether every client may read renditions without a token, and every site may embed them."""
    has_previews: bool = True
    """Whether the server makes previews of originals that browsers can't show."""
    logs_requests: bool = False
    """Whether the log has a line for each request."""


def serve(session: Session, listener: socket.socket, access: Access, workers: int) -> None:
    """Serve the page and the API, and process new pictures, until the session ends.

    If the session may not write to the catalog, the page and the API are read-only. The listener stays open.

    Raises:
        UsageError: Other machines can reach the server, and there is no token. Or the server's path looks
            like one of the application's own paths. Or the source isn't a folder, or outputs could land in
            it.
        Superseded: The catalog uses another version of the pipeline file by now.
        CatalogLost: The catalog is empty, but most of the first wanted output keys hold files.
        Failed: The folder or the catalog isn't available any more, or workers can't be confined as required.
    """
    if access.token is None and access.reach.is_for_others:
        raise UsageError("other machines can reach the server, so a token is needed: pass --token")
    parts, stop = session.parts, session.ended
    announcements, hints, waiting = Announcements(), Hints(), Waiting()
    links = LocalLinks(access.reach.root_path, access.has_previews)
    announce = _announcer(parts, links, waiting, announcements)

    with _open_workers(session, workers) as opened, _open_previews(session, access) as previews:
        process = opened.processing(stop) if opened else _refuse

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
            find_file_problem=lambda: session.newest.problem,
            find_worker_problem=opened.find_problem if opened else lambda: None,
            is_ending=stop.is_set,
            find_refusal=lambda: Superseded(SUPERSEDED) if session.standing is None else None,
        )
        app = make_app(
            service,
            secret=find_secret(parts.pipeline, parts.directory) or secrets.token_bytes(SECRET_BYTES),
            reach=access.reach,
            token=access.token,
            keys=access.keys,
            is_public=access.is_public,
            previews=previews,
        )
        server = _Server(_configure(app, access), announcements, stop)
        checked = watched(service.readiness, CHECK_SECONDS, lambda: hints.add(None))
        with checked, _following(session, opened, announce, hints):
            try:
                server.run(sockets=[listener.dup()])
            finally:
                stop.set()
                announcements.close()


def _announcer(
    parts: Parts, links: Links, waiting: Waiting, announcements: Announcements
) -> Callable[[Outcome], None]:
    """Return a function that reports an outcome to clients.

    The function logs a failure that no record has, and explains it to clients.
    """

    def announce(outcome: Outcome) -> None:
        shown = explain_unrecorded(outcome)
        if shown is not outcome:
            log.warning("can't process %s: %s", outcome.name, outcome.reason)
        waiting.note(shown)
        record = shown.record
        item = picture_item(parts.pipeline, links, record) if record else None
        announcements.tell({**shown.to_item(), "picture": item})

    return announce


@contextmanager
def _following(
    session: Session, workers: Workers | None, on_outcome: Callable[[Outcome], None], hints: Hints
) -> Iterator[None]:
    """Follow the source folder in a thread until the session ends.

    Afterwards, raise the error that ended the thread. A session that may not write to the catalog follows
    nothing.
    """
    if workers is None:
        yield
        return
    with ThreadPoolExecutor(1, thread_name_prefix="follower") as executor:
        following = executor.submit(watch, session, workers, on_outcome=on_outcome, hints=hints)
        # If the follower ends, the server must end too: nothing else processes the folder.
        following.add_done_callback(lambda _: session.ended.set())
        yield
    following.result()


def _configure(app: ASGIApp, access: Access) -> uvicorn.Config:
    connections = Connections(Limits(), access.reach.is_trusted_proxy, access.tls)
    return uvicorn.Config(
        place(AccessLog(app) if access.logs_requests else app, access.reach),
        proxy_headers=False,  # ``place`` believes only the proxies that the user named
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=2 * SHUTDOWN_SECONDS,
        log_config=None,  # uvicorn's own log would write beside this program's
        http=connections.protocol,  # type: ignore[arg-type]  # uvicorn only calls it
    )


@contextmanager
def _open_workers(session: Session, count: int) -> Iterator[Workers | None]:
    """Yield the worker processes; None if the session may not write to the catalog."""
    if session.standing is None:
        yield None
        return
    with open_workers(session.parts, count, session.standing) as workers:
        yield workers


def _refuse(name: str, ask: Ask = PLAIN) -> Outcome:
    """Raise Superseded: this process may not write to the catalog."""
    del ask
    raise Superseded(f"{name} is not processed. {SUPERSEDED}")


@contextmanager
def _open_previews(session: Session, access: Access) -> Iterator[Previews | None]:
    """Yield the maker of previews; None if the server makes none."""
    if not access.has_previews:
        yield None
        return
    parts = session.parts
    with open_pool(parts, 1) as pool:  # it starts no worker before the first preview
        render = partial(pool, stop=session.ended)
        yield Previews(render, find_preview_cache(parts.pipeline, parts.directory))


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
        """End event streams at once, other requests after ``SHUTDOWN_SECONDS``.

        uvicorn itself would cancel the other requests, and log a traceback for each.
        """
        self._announcements.close()
        loop = asyncio.get_running_loop()
        cutting = loop.call_later(SHUTDOWN_SECONDS, self._cut)
        await super().shutdown(sockets)  # type: ignore[arg-type]  # passed on unchanged
        cutting.cancel()

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedProtocol):
                connection.abort()
