"""Let pages of other origins read pictures and use the API (CORS).

CORS doesn't decide which requests the server allows. It says which pages' scripts may read the answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from renditions.web.headers import changing

API_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
API_SENT = ("Authorization", "If-None-Match", "If-Range", "Last-Event-ID", "Range")
"""The headers that pages may send to the API, in addition to those that every page may send."""
API_READ = ("Content-Disposition", "Content-Range", "ETag", "Location", "Retry-After")
"""The headers that pages may read in the API's answers, in addition to those that every page may read."""

PICTURE_METHODS = ("GET", "HEAD")
PICTURE_SENT = ("If-None-Match", "Range")
PICTURE_READ = ("Content-Range", "ETag")
PREFLIGHT_SECONDS = 600
"""How long browsers may keep the answer to a preflight request.

In the Terraform module, CloudFront and the output bucket have the same values as this constant and the three
constants for pictures.
"""


def share(
    app: ASGIApp,
    is_open: Callable[[Scope], bool],
    *,
    picture_origins: tuple[str, ...],
    api_origins: tuple[str, ...] = (),
) -> ASGIApp:
    """Return the application that pages of other origins can read or use.

    A page's request for the API has no cookie: it sends the token as ``Authorization: Bearer …``.

    Args:
        app: The application that answers the requests.
        is_open: Returns whether a request's URL leads to a public or signed picture.
        picture_origins: The origins whose pages may read such pictures. ``*`` means all.
        api_origins: The origins whose pages may use the whole API.

    """
    api = pictures = app
    if api_origins:
        api = CORSMiddleware(app, api_origins, API_METHODS, API_SENT, expose_headers=API_READ)
    if picture_origins:
        pictures = CORSMiddleware(
            app,
            picture_origins,
            PICTURE_METHODS,
            PICTURE_SENT,
            expose_headers=PICTURE_READ,
            max_age=PREFLIGHT_SECONDS,
        )
    return _Shared(api, pictures, is_open, api_origins) if api_origins or picture_origins else app


@dataclass(frozen=True, slots=True)
class _Shared:
    """A layer that answers each request by the rules for its URL and its origin."""

    api: ASGIApp
    pictures: ASGIApp
    is_open: Callable[[Scope], bool]
    api_origins: tuple[str, ...]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers for the page that sent it."""
        if scope["type"] != "http" or not self.is_open(scope):
            await self.api(scope, receive, send)
            return
        is_for_api = Headers(scope=scope).get("origin") in self.api_origins
        app = self.api if is_for_api else self.pictures
        await app(scope, receive, changing(send, _vary_by_origin))


def _vary_by_origin(headers: MutableHeaders) -> None:
    """Say that the answer depends on the origin, even if the request has none.

    The request of an ``<img>`` has no origin. Without this header, the browser would use the cached answer
    for a later request of a script, and that request would fail.
    """
    if "origin" not in [name.strip().lower() for name in headers.get("Vary", "").split(",")]:
        headers.add_vary_header("Origin")
