"""Headers about embedding, loading and caching, which layers add to answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PUBLIC_SECONDS = 300
"""How long caches may keep a public picture whose URL doesn't name its version.

After a new picture replaced it, they show the former one for at most this long.
"""


def changing(send: Send, change: Callable[[MutableHeaders], None]) -> Send:
    """Return a ``send`` that changes the answer's headers first."""

    async def send_changed(message: Message) -> None:
        if message["type"] == "http.response.start":
            change(MutableHeaders(scope=message))
        await send(message)

    return send_changed


@dataclass(frozen=True, slots=True)
class Labelled:
    """A layer that adds headers to every answer that lacks them.

    It also makes the ETag of a compressed answer a weak one.
    """

    app: ASGIApp
    headers: Mapping[str, str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add headers to its answer."""
        await self.app(scope, receive, changing(send, self._add))

    def _add(self, headers: MutableHeaders) -> None:
        for name, value in self.headers.items():
            headers.setdefault(name, value)
        tag = headers.get("ETag", "")
        if "Content-Encoding" in headers and tag.startswith('"'):
            # The compressed bytes differ from those that a strong tag names (RFC 9110, 8.8.1).
            headers["ETag"] = f"W/{tag}"


def restrict(origins: Iterable[str] = (), files_url: str = "") -> dict[str, str]:
    """Return the headers that limit what the page may load.

    The page may load its own server's files, and pictures of ``data:`` and ``blob:`` URLs. It may also load
    pictures from these origins, and send requests to them, and load its files below ``files_url``. Other
    sites can't embed the answers.
    """
    sources = " ".join(("'self'", *sorted(set(origins))))
    files = f"'self' {files_url}".rstrip()
    policy = (
        f"default-src 'none'; img-src {sources} {files_url} data: blob:; style-src {files}; "
        f"script-src {files}; "
        f"connect-src {sources}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ).replace("  ", " ")
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def keep_private(headers: MutableHeaders) -> None:
    """Keep shared caches from storing this answer.

    The answer depends on a token or a cookie.

    https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.7
    """
    headers["Cache-Control"] = _for_one_client(headers.get("Cache-Control", "no-cache"))
    headers.add_vary_header("Cookie, Authorization")


def let_embed(headers: MutableHeaders) -> None:
    """Allow pages of other sites to embed the picture.

    Only the client's own cache may keep it.
    """
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    headers["Cache-Control"] = _for_one_client(headers.get("Cache-Control", "no-cache"))


def publish(headers: MutableHeaders) -> None:
    """Allow other sites to embed the picture, and all caches to keep it.

    A missing ``Cache-Control`` or ``no-cache`` becomes a lifetime of ``PUBLIC_SECONDS``. A ``Cache-Control``
    with ``private`` or ``no-store`` stays unchanged.
    """
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    lifetime = headers.get("Cache-Control", "no-cache")
    if lifetime == "no-cache":
        lifetime = f"max-age={PUBLIC_SECONDS}"
    if not _names(lifetime) & {"public", "private", "no-store"}:
        lifetime = f"public, {lifetime}"
    headers["Cache-Control"] = lifetime


def _for_one_client(cache_control: str) -> str:
    """Return the same lifetime, for the client's own cache only."""
    directives = [directive.strip() for directive in cache_control.split(",")]
    kept = [each for each in directives if not _names(each) & {"public", "private", "s-maxage"}]
    return ", ".join(("private", *kept))


def _names(cache_control: str) -> set[str]:
    """Return the names of the directives, in lower case."""
    return {each.partition("=")[0].strip().lower() for each in cache_control.split(",")}
