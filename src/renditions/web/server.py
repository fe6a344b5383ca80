"""The server of ``renditions serve``: the application, and beside it the follower of the folder."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

import uvicorn

from renditions.core.ask import PLAIN, Ask
from renditions.core.binding import Start
from renditions.core.difference import Outcome
from renditions.core.follow import Hints
from renditions.errors import UsageError
from renditions.runtime.machine import find_secret, open_workers, watch
from renditions.runtime.parts import Parts
from renditions.web.app import make_app
from renditions.web.guard import hosts_of
from renditions.web.links import LocalLinks
from renditions.web.live import Announcements
from renditions.web.pictures import picture_item
from renditions.web.service import Service

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SHUTDOWN_SECONDS = 5


def make_token() -> str:
    """Return a new token, for a server that other machines can reach."""
    return secrets.token_urlsafe(24)


def serve(
    parts: Parts,
    start: Start,
    *,
    host: str,
    port: int,
    token: str | None,
    workers: int,
    stop: threading.Event,
) -> None:
    """Serve the page and the API, and process new pictures, until ``stop`` is set.

    Raises:
        UsageError: the address can't be listened on, or other machines reach it and there is no token.
        Failed: the folder or the catalog went away.

    """
    if token is None and host not in LOOPBACK:
        raise UsageError(f"other machines can reach {host!r}, so a token is needed: pass --token")
    announcements = Announcements()
    hints = Hints()
    links = LocalLinks()

    def announce(outcome: Outcome) -> None:
        record = outcome.record
        item = picture_item(parts.pipeline, links, record) if record else None
        announcements.tell({**outcome.to_item(), "picture": item})

    standing = parts.bind(start)
    guard = parts.make_guard(standing, is_attended=False)
    with open_workers(parts, workers, standing) as process:

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
        )
        app = make_app(service, secret=find_secret(parts), hosts=hosts_of(host), token=token)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            limit_concurrency=1_000,
        )
        server = _Server(config, announcements, stop)
        with ThreadPoolExecutor(1, thread_name_prefix="follower") as executor:
            following = executor.submit(
                watch, parts, process, guard, workers=workers, stop=stop, on_outcome=announce, hints=hints
            )
            following.add_done_callback(
                lambda _: stop.set()
            )  # without the follower, nothing would process the folder
            try:
                server.run()
            except SystemExit as error:  # uvicorn's exit code when it couldn't start
                raise UsageError(
                    f"can't listen on {host}:{port}: if another program uses the port, choose another --port"
                ) from error
            finally:
                stop.set()
                announcements.close()
        following.result()


class _Server(uvicorn.Server):
    """A server that ends on request, live connections first, which would never end by themselves."""

    def __init__(self, config: uvicorn.Config, announcements: Announcements, stop: threading.Event) -> None:
        super().__init__(config)
        self._announcements = announcements
        self._stop = stop

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # as it is used
        """Leave signals to the caller, which sets ``stop``."""
        return nullcontext()

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end; called ten times a second."""
        return self._stop.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: object = None) -> None:
        self._announcements.close()
        await super().shutdown(sockets)  # type: ignore[arg-type]  # handed on as it came
