"""A line in the log for each request."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("renditions.access")


@dataclass(frozen=True, slots=True)
class AccessLog:
    """A layer that logs each request when its answer ends.

    The line has no query and no headers, so it has no token, signature or cookie.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and log it with its status, bytes and time."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        status, size_bytes = 0, 0

        async def count(message: Message) -> None:
            nonlocal status, size_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
            size_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, count)
        finally:
            fields = {
                "client": (scope.get("client") or ("-",))[0],
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "bytes": size_bytes,
                "ms": round((time.monotonic() - began) * 1000),
            }
            text = "%(client)s %(method)s %(path)s %(status)s, %(bytes)s bytes, %(ms)s ms"
            log.info(text, fields, extra={"fields": fields})
