"""The page: its HTML, and the files that the HTML needs.

The files' path has a digest of their content, so a browser may keep them for ever, and never uses those of
another version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = resources.files("renditions.web") / "static"

LOG_OUT = "<form method=post action=logout><button>Log out</button></form>"


def _digest() -> str:
    """Return a short hash over the names and contents of the page's files."""
    digest = hashlib.sha256()
    for file in sorted(STATIC.iterdir(), key=lambda file: file.name):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


FILES = f"static/page-{_digest()}/"
"""The path of the page's files below the server's, without the first slash."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The HTML pages.

    Their links are relative, so that they work below any path.
    """

    files_url: str = FILES
    """The URL of the folder with the pages' files, relative to each page."""

    def read(self, page: str) -> str:
        """Return the page's text."""
        return (STATIC / page).read_text("utf-8").replace('="static/', f'="{self.files_url}')

    def show(self, page: str) -> Callable[[Request], Response]:
        """Return an endpoint that serves this page."""

        def answer(_: Request) -> Response:
            return answer_page(self.read(page))

        return answer


def answer_page(text: str) -> Response:
    """Return the answer with a page."""
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})


class PageFiles(StaticFiles):
    """Serves the page's files."""

    def __init__(self) -> None:
        """Find them in this package."""
        super().__init__(packages=[("renditions.web", "static")])

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Return the answer with a file, which every cache may keep."""
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
