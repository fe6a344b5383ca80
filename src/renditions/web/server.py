"""The server of ``renditions serve``: the application, and whoever keeps the folder in order beside it."""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress

import uvicorn

from renditions.difference import Outcome
from renditions.errors import UsageError
from renditions.runtime import Runtime
from renditions.web.app import make_app
from renditions.web.guard import hosts_of
from renditions.web.links import LocalLinks
from renditions.web.live import Announcements
from renditions.web.pictures import picture_item
from renditions.web.service import Service

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SHUTDOWN_SECONDS = 5


def make_token() -> str:
    """Return a new token, for an address that others reach too."""
    return secrets.token_urlsafe(24)


def serve(
    runtime: Runtime, *, host: str, port: int, token: str | None, workers: int, stop: threading.Event
) -> None:
    """Serve the page and the API, and keep every picture in order, until ``stop`` is set.

    Raises:
        UsageError: the address can't be listened on, or others reach it and there is no token.

    """
    if token is None and host not in LOOPBACK:
        raise UsageError(f"expected a token for an address that others reach, found none for {host!r}")
    announcements = Announcements()
    hinted: queue.SimpleQueue[str] = queue.SimpleQueue()
    links = LocalLinks()

    def announce(outcome: Outcome) -> None:
        record = outcome.record
        item = picture_item(runtime.pipeline, links, record) if record else None
        announcements.tell({"name": outcome.name, "result": outcome.result, "picture": item})

    with runtime.open_workers(workers) as process:

        def process_and_announce(name: str) -> Outcome:
            outcome = process(name)
            announce(outcome)
            return outcome

        service = Service(
            pipeline=runtime.pipeline,
            source=runtime.source,
            output=runtime.output,
            catalog=runtime.catalog,
            process=process_and_announce,
            hint=hinted.put,
            plan=runtime.plan,
            announcements=announcements,
            links=links,
        )
        app = make_app(service, secret=runtime.secret, hosts=hosts_of(host), token=token)
        follower = threading.Thread(
            target=runtime.watch,
            args=(process,),
            kwargs={
                "workers": workers,
                "stop": stop,
                "on_outcome": announce,
                "hinted": lambda: _drain(hinted),
            },
            name="follower",
        )
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
        follower.start()
        try:
            server.run()
        except SystemExit as error:  # how uvicorn says that it couldn't start
            raise UsageError(f"expected a free address, found {host}:{port} taken") from error
        finally:
            stop.set()
            announcements.close()
            follower.join()


class _Server(uvicorn.Server):
    """Ends when it is told to, and then the live connections first, which would never end by themselves."""

    def __init__(self, config: uvicorn.Config, announcements: Announcements, stop: threading.Event) -> None:
        super().__init__(config)
        self._announcements = announcements
        self._stop = stop

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # as it is used
        """Leave signals to whoever sets ``stop``."""
        return nullcontext()

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether to end."""
        return self._stop.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: object = None) -> None:
        self._announcements.close()
        await super().shutdown(sockets)  # type: ignore[arg-type]  # handed on as it came


def _drain(hinted: queue.SimpleQueue[str]) -> frozenset[str]:
    """Return the names that were hinted at since the last call."""

    def names() -> Iterator[str]:
        with suppress(queue.Empty):
            while True:
                yield hinted.get_nowait()

    return frozenset(names())
