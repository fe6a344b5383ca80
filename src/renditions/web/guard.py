"""Access control: an ASGI layer around the whole application."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from renditions.web.headers import changing, keep_private, let_embed, publish
from renditions.web.limits import Gate, Rate
from renditions.web.problems import ApiError, problem
from renditions.web.reach import Reach
from renditions.web.signing import RENDITION_PATHS, SIGNED_PATHS, SigningKeys, is_signed

COOKIE = "renditions_token"
READ_METHODS = ("GET", "HEAD")
SAFE_METHODS = (*READ_METHODS, "OPTIONS")
OPEN_PATHS = ("/login", "/logout", "/health", "/ready", "/static/")
"""The paths that need no token: the login page with its files, the log-out, and the two health checks."""

MAKING_PATH = "/i/"
"""Below this path, a request to read a rendition may make it."""

MOST_CHANGES, CHANGES_SECONDS = 5_000, 10.0
"""One network address may send this many requests that change data, in this many seconds."""

MOST_WRONG_TOKENS, WRONG_TOKENS_SECONDS = 20, 60.0
"""One network address may send this many wrong tokens and logins, in this many seconds."""

MOST_STRANGERS = 100
"""How many requests without the token the server answers at once.

This limit keeps them from blocking other requests.
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """A layer that refuses a wrong host, another site's page and a missing token.

    It also refuses an invalid signature, and too many changes or wrong tokens from one address.

    Args:
        app: The application that gets the other requests.
        reach: Where clients reach the server. The guard refuses requests for other host names, because an
            attacker can make the name of another domain lead to this machine.
        token: The token that clients send in ``Authorization: Bearer …`` or in the cookie. None if every
            client that can reach the server may use it.
        keys: The keys of signed URLs. A signed URL needs no token, and any site may embed it.
        is_public: Whether every client can read all renditions without a token, and any site can embed them.

    """

    app: ASGIApp
    reach: Reach
    token: str | None
    keys: SigningKeys
    is_public: bool = False
    clock_seconds: Callable[[], float] = time.time
    """Unix time."""
    changes: Rate = field(default_factory=lambda: Rate(MOST_CHANGES, CHANGES_SECONDS))
    wrong_tokens: Rate = field(default_factory=lambda: Rate(MOST_WRONG_TOKENS, WRONG_TOKENS_SECONDS))
    strangers: Gate = field(default_factory=lambda: Gate(MOST_STRANGERS, "requests without the token"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it to the application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        headers = Headers(scope=scope)
        if self._is_published(scope):
            send = changing(send, publish)
        elif _is_signed(scope):
            send = changing(send, let_embed)
        elif self.token and not scope["path"].startswith(OPEN_PATHS):
            send = changing(send, keep_private)
        with ExitStack() as stack:
            if self.token and not self._is_known(headers):
                try:
                    stack.enter_context(self.strangers.enter())
                except ApiError as error:
                    await problem(error.status, error.detail)(scope, receive, send)
                    return
            await self._answer(scope, headers, receive, send)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        if refusal := self._refuse(scope, headers):
            status, detail = refusal
            response = problem(status, detail)
            if status == HTTPStatus.UNAUTHORIZED:
                response.headers["WWW-Authenticate"] = "Bearer"
                if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
                    response.status_code = HTTPStatus.SEE_OTHER
                    response.headers["Location"] = _log_in_from(scope)
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                response.headers["Retry-After"] = "10"
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refuse(self, scope: Scope, headers: Headers) -> tuple[HTTPStatus, str] | None:
        if self._is_published(scope):
            return None
        if _is_signed(scope):
            query = scope["query_string"].decode("latin-1")
            why = self.keys.find_problem(scope["path"], query, self.clock_seconds())
            return (HTTPStatus.FORBIDDEN, why) if why else None
        host = headers.get("host", "")
        if not self.reach.is_own_host(host):
            detail = (
                f"expected a host name of this server, found {host!r}. If clients use this name, start the "
                "server with --allowed-host and this name"
            )
            return HTTPStatus.MISDIRECTED_REQUEST, detail
        is_change = scope["method"] not in SAFE_METHODS
        has_effects = is_change or scope["path"].startswith(MAKING_PATH)
        why = _crosses_sites(headers, host, self.reach, has_effects=has_effects)
        if why and (has_effects or not _is_visit(headers)):
            return HTTPStatus.FORBIDDEN, why
        address = (scope.get("client") or ("",))[0]
        if is_change and self.changes.is_over(address):
            detail = (
                f"Too many changes from this IP address: at most {MOST_CHANGES:,} in {CHANGES_SECONDS:g} s "
                "are allowed. Try again shortly."
            )
            return HTTPStatus.TOO_MANY_REQUESTS, detail
        if self.token:
            return self._check_token(scope, headers, address)
        return None

    def is_open(self, scope: Scope) -> bool:
        """Return whether the URL leads to a public or signed picture.

        The signature can be invalid.
        """
        return self._is_public_url(scope) or is_signed_url(scope)

    def _is_public_url(self, scope: Scope) -> bool:
        return self.is_public and scope["path"].startswith(RENDITION_PATHS)

    def _is_published(self, scope: Scope) -> bool:
        """Return whether the request reads a rendition of a public server."""
        return scope["method"] in READ_METHODS and self._is_public_url(scope)

    def _is_known(self, headers: Headers) -> bool:
        return any(is_token(text, self.token) for text in _given_tokens(headers))

    def _check_token(self, scope: Scope, headers: Headers, address: str) -> tuple[HTTPStatus, str] | None:
        """Return why the request is refused; None if it is allowed.

        Each login counts as a try of its address, and so does each other request with a wrong token. Above
        ``MOST_WRONG_TOKENS`` tries, such requests are refused with 429, even a login with the right token.
        """
        is_log_in = scope["path"] == "/login" and scope["method"] not in SAFE_METHODS
        is_known = self._is_known(headers)
        is_try = is_log_in or (bool(_given_tokens(headers)) and not is_known)
        if is_try and self.wrong_tokens.is_over(address):
            detail = (
                f"Too many logins or wrong tokens from this IP address: at most {MOST_WRONG_TOKENS} in "
                f"{WRONG_TOKENS_SECONDS:g} s are allowed. Try again later."
            )
            return HTTPStatus.TOO_MANY_REQUESTS, detail
        if not is_known and not scope["path"].startswith(OPEN_PATHS):
            detail = (
                "The token is missing or wrong. Use the token that the server was started with, or that it "
                "printed when it started."
            )
            return HTTPStatus.UNAUTHORIZED, detail
        return None


def _log_in_from(scope: Scope) -> str:
    """Return the URL of the login page.

    If the request is for a place of the page, such as an open picture, the login leads there.
    """
    place = scope["query_string"].decode("latin-1") if scope["path"] == "/" else ""
    return f"/login?{urlencode({'to': place})}" if place else "/login"


def _is_signed(scope: Scope) -> bool:
    """Return whether the request reads a signed URL, with a valid signature or not."""
    return scope["method"] in READ_METHODS and is_signed_url(scope)


def is_signed_url(scope: Scope) -> bool:
    """Return whether the URL of a picture has a signature, valid or not."""
    return scope["path"].startswith(SIGNED_PATHS) and is_signed(scope["query_string"].decode("latin-1"))


def _given_tokens(headers: Headers) -> list[str]:
    given = [cookie_parser(headers.get("cookie", "")).get(COOKIE, "")]
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        given.append(bearer.strip())
    return [text for text in given if text]


def is_token(text: str, token: str | None) -> bool:
    """Return whether the text is the token; False if there is no token.

    The comparison takes constant time, so that the time reveals no part of the token.
    """
    return token is not None and hmac.compare_digest(text.encode(), token.encode())


def _crosses_sites(headers: Headers, host: str, reach: Reach, *, has_effects: bool) -> str | None:
    """Return why the browser's headers show a request from another site.

    Return None if they don't, or if pages of that origin may use the API. A browser sends ``Sec-Fetch-Site``
    to ``localhost`` and over TLS, and ``Origin`` with requests that change something. If both headers are
    missing, this function checks ``Referer``, but only of a request with effects. It doesn't check the
    ``Referer`` of other requests, because a proxy may replace the host's name, and the page must be readable
    through such a proxy.

    https://www.w3.org/TR/fetch-metadata/
    """
    expected = "expected a request from this site's own pages"
    origin = headers.get("origin")
    if origin in reach.allowed_origins:
        return None
    site = headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        return (
            f"{expected}, found Sec-Fetch-Site: {site}. To let another site's pages use the API, start the "
            "server with --allow-origin"
        )
    if origin is not None and not reach.is_own_origin(origin, host):
        return (
            f"{expected}, found Origin: {origin!r} and Host: {host!r}. If a proxy serves this site at that "
            "origin, let the proxy pass the host, or start the server with --allowed-host"
        )
    referer = headers.get("referer")
    if has_effects and site is None and origin is None and referer:
        came_from = "/".join(referer.split("/")[:3])
        if not reach.is_own_origin(came_from, host):
            return f"{expected}, found Referer: {referer!r}"
    return None


def _is_visit(headers: Headers) -> bool:
    """Return whether the browser will show the answer as a whole page.

    A browser does so after a person followed a link.
    """
    mode = headers.get("sec-fetch-mode")
    if mode is None:
        return "text/html" in headers.get("accept", "")
    return mode == "navigate" and headers.get("sec-fetch-dest") == "document"
