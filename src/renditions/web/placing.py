"""Layers that let the application run behind a proxy or below a path.

One layer takes the client's address, scheme and host from trusted proxies. Another removes the path below
which a proxy serves the application. So the application sees each request as if the client had sent it
directly to ``/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from renditions.web.headers import changing
from renditions.web.reach import Reach


def place(app: ASGIApp, reach: Reach) -> ASGIApp:
    """Return the application for clients that come through proxies or below a path."""
    if reach.root_path:
        app = _BelowPath(app, reach.root_path)
    return _BehindProxies(app, reach) if reach.trusted_proxies else app


@dataclass(frozen=True, slots=True)
class _BelowPath:
    """A layer that serves the application below a path.

    A proxy may pass the path on, or remove it. A proxy that removes it often changes names too: nginx, for
    example, decodes the rest of the path.
    """

    app: ASGIApp
    root_path: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"] == self.root_path:
                found = RedirectResponse(f"{self.root_path}/", HTTPStatus.PERMANENT_REDIRECT)
                await found(scope, receive, send)
                return
            scope = {**scope, **self._without(scope)}
            send = changing(send, self._complete)
        await self.app(scope, receive, send)

    def _without(self, scope: Scope) -> dict[str, Any]:
        if not scope["path"].startswith(f"{self.root_path}/"):
            return {}
        raw = scope.get("raw_path") or b""
        return {
            "path": scope["path"].removeprefix(self.root_path),
            "raw_path": raw.removeprefix(self.root_path.encode()),
        }

    def _complete(self, headers: MutableHeaders) -> None:
        location = headers.get("location", "")
        if location.startswith("/"):
            headers["location"] = self.root_path + location


class _BehindProxies:
    """A layer that takes the client's address, scheme and host from trusted proxies.

    If there are several values of ``X-Forwarded-Host``, the last one counts: the client may have sent the
    others.
    """

    def __init__(self, app: ASGIApp, reach: Reach) -> None:
        self._app = ProxyHeadersMiddleware(app, list(reach.trusted_proxies))  # type: ignore[arg-type]  # the same
        self._reach = reach

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._reach.is_trusted_proxy((scope.get("client") or ("",))[0]):
            given = Headers(scope=scope).getlist("x-forwarded-host")
            if given:
                host = given[-1].rpartition(",")[2].strip().encode("latin-1")
                kept = [each for each in scope["headers"] if each[0] != b"host"]
                scope = {**scope, "headers": [*kept, (b"host", host)]}
        await self._app(scope, receive, send)  # type: ignore[arg-type]  # the same
