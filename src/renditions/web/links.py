"""The URLs at which the page and programs can read originals and renditions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote

from renditions.model.record import Output, Record
from renditions.web.formats import is_shown

LINK_SECONDS = 3600
"""How long a signed URL is valid. The API repeats the same URL for up to half of that time, so that browsers
can cache the picture."""

MOST_KEPT = 5_000
"""How many signed URLs of originals, and how many of outputs, the process keeps in memory."""


class Links(Protocol):
    """The URLs of originals, renditions and previews."""

    def original(self, record: Record) -> str:
        """Return the URL of the picture's original."""
        ...

    def rendition(self, record: Record, output: Output) -> str:
        """Return the URL of one of the record's outputs."""
        ...

    def preview(self, record: Record) -> str | None:
        """Return the URL of the original's preview; None if the server makes none."""
        ...


@dataclass(frozen=True, slots=True)
class LocalLinks:
    """The URLs at which this server itself offers originals and renditions."""

    root_path: str = ""
    """The path below which clients reach the server."""
    has_previews: bool = False
    """Whether the server makes previews."""

    def original(self, record: Record) -> str:
        """See :meth:`Links.original`."""
        return f"{self.root_path}/originals/{quote(record.name)}"

    def rendition(self, record: Record, output: Output) -> str:
        """See :meth:`Links.rendition`. The URL contains the output's ETag."""
        rendition = quote(output.rendition, safe="")
        return f"{self.root_path}/renditions/{rendition}/{quote(record.name)}?v={output.etag}"

    def preview(self, record: Record) -> str | None:
        """See :meth:`Links.preview`."""
        if not self.has_previews:
            return None
        return f"{self.root_path}/previews/{quote(record.name)}?v={record.etag}"


Sign = Callable[[str, int, str | None], str]
"""Returns a signed URL. Its arguments are the key, how many seconds the URL is valid, and the name under
which browsers save the file; without a name, they show it."""


class BucketLinks:
    """Signed URLs of buckets.

    The URLs are signed because an ``<img>`` can't send a token. They point to the buckets, so that no picture
    passes through the function on Lambda. Browsers save an original instead of showing it, because it may
    contain script.
    """

    def __init__(
        self, sign_original: Sign, sign_output: Sign, clock_seconds: Callable[[], float] = time.time
    ) -> None:
        self._clock_seconds = clock_seconds

        @lru_cache(MOST_KEPT)
        def original(key: str, *_: object) -> str:
            return sign_original(key, LINK_SECONDS, key.rpartition("/")[2])

        @lru_cache(MOST_KEPT)
        def output(key: str, *_: object) -> str:
            return sign_output(key, LINK_SECONDS, None)

        self._original, self._output = original, output

    def original(self, record: Record) -> str:
        """See :meth:`Links.original`."""
        return self._original(record.name, record.etag, self._span())

    def rendition(self, record: Record, output: Output) -> str:  # noqa: ARG002 - the key is enough
        """See :meth:`Links.rendition`."""
        return self._output(output.key, output.etag, self._span())

    def preview(self, record: Record) -> None:
        """Return None: a function on Lambda makes no previews."""

    def _span(self) -> int:
        """Return the number of the present period; a URL stays the same during it."""
        return int(self._clock_seconds() // (LINK_SECONDS // 2))


def find_small(links: Links, record: Record) -> str | None:
    """Return the URL of the smallest rendition that a browser can show.

    If there is none, return the URL of the original's preview. Return None if there is no preview either.
    """
    shown = [output for output in record.outputs if is_shown(output.format) and output.width]
    smallest = min(shown, key=lambda output: (output.width or 0) * (output.height or 0), default=None)
    return links.rendition(record, smallest) if smallest else _find_original_preview(links, record)


def find_shown_original(links: Links, record: Record) -> str | None:
    """Return the URL at which a browser can show the original, or its preview.

    Return None if the browser can't show the format and there is no preview.
    """
    if record.original and is_shown(record.original.format or ""):
        return links.original(record)
    return _find_original_preview(links, record)


def _find_original_preview(links: Links, record: Record) -> str | None:
    """Return the URL of the original's preview; None if there is no preview."""
    is_there = record.original and record.original.format and record.missing_since is None
    return links.preview(record) if is_there and record.status != "rejected" else None
