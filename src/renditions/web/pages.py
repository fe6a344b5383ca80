"""The page: its HTML, and the files that the HTML needs.

The files' path has a digest of their content. So a browser may keep the files for ever, and never uses the
files of another version.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from renditions.model.formats import SOURCE_FORMATS

STATIC = resources.files("renditions.web") / "static"

LOG_OUT = "<form method=post action=logout><button>Log out</button></form>"

EVENTS = '<link rel="alternate" type="text/event-stream" href="events">'
"""Tells the page's scripts that the server has a stream of events."""


def _digest() -> str:
    """Return a short hash over the names and contents of the page's files."""
    digest = hashlib.sha256()
    for file in sorted(STATIC.iterdir(), key=lambda file: file.name):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


FILES = f"static/renditions-page-{_digest()}/"
"""The path of the page's files below the server's path, without the first slash."""


_MODULE = re.compile(r'<script type="module" src="static/([^"]+)">')
_IMPORT = re.compile(r"^import .*'\./([^']+)';$", re.MULTILINE)


@cache
def _read(page: str) -> str:
    """Return the page's text, with a link to each module that its script imports.

    Without these links, a browser learns of a module only when it has loaded the module that imports it. On a
    slow line each such step costs a round trip.
    https://html.spec.whatwg.org/multipage/links.html#link-type-modulepreload
    """
    text = (STATIC / page).read_text("utf-8")
    script = _MODULE.search(text)
    if script is None:
        return text
    links = (f'<link rel="modulepreload" href="static/{name}">\n' for name in _find_imports(script[1]))
    return text.replace("</head>", f"{''.join(links)}</head>")


def _find_imports(script: str) -> list[str]:
    """Return the modules that a script imports, also through other modules."""
    found = [script]
    for name in found:
        imported = _IMPORT.findall((STATIC / name).read_text("utf-8"))
        found.extend(each for each in dict.fromkeys(imported) if each not in found)
    return found[1:]


_CHOICE = 'id="choose" type="file" multiple accept="image/*'


def offer_formats(text: str, formats: Iterable[str]) -> str:
    """Return the page's HTML with an input for files that accepts these formats.

    With ``image/*``, telephones offer their photos. Documents, such as PDF, need their own media types, and
    their suffixes for systems that don't know the types.
    """
    accepted = (SOURCE_FORMATS[name] for name in formats)
    documents = [each for each in accepted if not each.media_type.startswith("image/")]
    added = [kind for each in documents for kind in (each.media_type, *(f".{end}" for end in each.suffixes))]
    return text.replace(_CHOICE, ",".join((_CHOICE, *added)))


@dataclass(frozen=True, slots=True)
class Pages:
    """The HTML pages.

    Their links are relative, so that they work below any path.
    """

    served_at: str = ""
    """The URL of another server that has the page's files too, with a final slash. Empty if there is none."""

    @property
    def other_url(self) -> str:
        """The other server's URL of the page's files; empty if there is none."""
        return self.served_at and self.served_at + FILES

    def read(self, page: str) -> str:
        """Return the page's HTML, with the URLs of its files."""
        return _read(page).replace('="static/', f'="{self.other_url or FILES}')

    def show(self, page: str) -> Callable[[Request], Response]:
        """Return an endpoint that serves this page."""

        def answer(_: Request) -> Response:
            return answer_page(self.read(page))

        return answer


PAGES = Pages()


def answer_page(text: str) -> Response:
    """Return the answer with a page."""
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})


class PageFiles(StaticFiles):
    """The ASGI application that serves the page's files."""

    def __init__(self) -> None:
        """Find the page's files in this package."""
        super().__init__(packages=[("renditions.web", "static")])

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Return the answer with a file, which every cache may keep."""
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        # The page can be on another origin than CloudFront, which passes these headers on.
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response
