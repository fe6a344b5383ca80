"""Previews for the page: small pictures of originals that browsers can't show.

A preview is made when the page asks for it. It is no rendition: no record names it, and no signed or public
URL leads to it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from renditions.core.ports import Renderer, Stopped
from renditions.model.fields import hash_of
from renditions.model.pipeline import NO_ANALYSIS, Pipeline
from renditions.model.recipe import Rendition
from renditions.model.revisions import newest_engine
from renditions.web.limits import Gate
from renditions.web.pictures import find_original, get_picture
from renditions.web.problems import ApiError
from renditions.web.service import ENDING, Service

RECIPE = Rendition(width=1024, height=1024, format="webp")
"""The recipe of a preview: the whole picture, at most 1024 pixels on a side."""

MOST_WAITING = 100
"""How many requests wait for previews at once."""

MOST_AT_ONCE = 2
"""How many originals are in memory at once for previews. One worker process renders them."""

NO_PREVIEW = b""
"""The cached content if no preview of a picture can be made, so that the server doesn't try each time."""


class Cache(Protocol):
    """A cache of previews, by the picture's name and version."""

    def get(self, name: str, version: str) -> bytes | None:
        """Return the preview; None if the cache doesn't have it."""
        ...

    def put(self, name: str, version: str, content: bytes) -> None:
        """Keep the preview, and delete those of the picture's other versions."""
        ...

    def drop(self, name: str) -> bool:
        """Delete the picture's previews; return whether there were any."""
        ...


@dataclass(frozen=True, slots=True)
class Previews:
    """Previews of originals, made by a worker under the pipeline's rules and limits."""

    render: Renderer
    cache: Cache | None
    """The kept previews; None if the catalog isn't a file. The browser's cache is then the only one."""


@dataclass(frozen=True, slots=True)
class PreviewApi:
    """The endpoint of previews."""

    service: Service
    previews: Previews | None
    """The maker of previews; None if the server makes none."""
    waiting: Gate = field(default_factory=lambda: Gate(MOST_WAITING, "requests for previews"))
    rendering: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))

    async def show(self, request: Request) -> Response:
        """Answer with a picture's preview.

        Raises:
            ApiError: There is no such picture, no preview can be made, too many requests wait, or the server
                ends.

        """
        name = request.path_params["name"]
        if self.previews is None:
            raise ApiError(
                HTTPStatus.NOT_FOUND,
                "this server makes no previews (serve --no-previews). Download the original instead",
            )
        with self.waiting.enter():
            # Requests that wait here need no thread, so others are answered meanwhile.
            async with self.rendering:
                try:
                    etag, content = await run_in_threadpool(self._make, self.previews, name)
                except Stopped:
                    raise ApiError(
                        HTTPStatus.SERVICE_UNAVAILABLE, f"{name!r} has no preview. {ENDING}"
                    ) from None
        if content == NO_PREVIEW:
            raise ApiError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"can't make a preview of {name!r}. Download the original instead",
            )
        is_fixed = request.query_params.get("v") == etag
        lifetime = "private, max-age=31536000, immutable" if is_fixed else "no-cache"
        headers = {"ETag": f'"{etag}"', "Cache-Control": lifetime}
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content, media_type="image/webp", headers=headers)

    def _make(self, previews: Previews, name: str) -> tuple[str, bytes]:
        """Return the original's ETag and its preview, or ``NO_PREVIEW``.

        Raise ApiError (404) if there is no such picture.
        """
        parts, cache = self.service.parts, previews.cache
        get_picture(self.service, name)
        found = find_original(self.service, name)
        if found is None:
            raise ApiError(HTTPStatus.NOT_FOUND, f"there is no picture {name!r}")
        version = _version_of(parts.pipeline, found.etag)
        if cache and (kept := cache.get(name, version)) is not None:
            return found.etag, kept
        got = parts.source.get(name) if found.size_bytes <= parts.pipeline.accept.max_bytes else None
        if got is None or got[0].etag != found.etag:
            return found.etag, NO_PREVIEW
        rendering = previews.render(got[1], parts.pipeline.accept, {"preview": RECIPE}, NO_ANALYSIS)
        made = rendering.made.get("preview")
        content = made.content if made else NO_PREVIEW
        if cache:
            cache.put(name, version, content)
            if parts.catalog.get(name) is None:  # the picture was removed meanwhile, and with it its previews
                cache.drop(name)
        return found.etag, content


def _version_of(pipeline: Pipeline, etag: str) -> str:
    """Return a hash over everything that decides what a preview shows."""
    return hash_of([etag, pipeline.rules, newest_engine(), RECIPE])
