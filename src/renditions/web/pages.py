"""The HTML pages, which are files of the package.

Their links are relative, so that they work below any path.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

STATIC = resources.files("renditions.web") / "static"

LOG_OUT = "<form method=post action=logout><button>Log out</button></form>"


def show(page: str) -> Callable[[Request], Response]:
    """Return an endpoint that serves this page."""

    def answer(_: Request) -> Response:
        return answer_page(read_page(page))

    return answer


def read_page(page: str) -> str:
    """Return the page's text."""
    return (STATIC / page).read_text("utf-8")


def answer_page(text: str) -> Response:
    """Return the answer with a page."""
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})
