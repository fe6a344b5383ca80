"""What the API works on: one pipeline's parts, and how a picture is processed and announced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from renditions.core.difference import Difference, Outcome
from renditions.core.ports import Catalog, Store
from renditions.model.pipeline import Pipeline
from renditions.web.links import Links
from renditions.web.live import Announcements


@dataclass(frozen=True)
class Service:
    """The parts behind the API. Its functions may be called from many threads."""

    pipeline: Pipeline
    source: Store
    output: Store
    catalog: Catalog
    process: Callable[[str], Outcome]
    """Processes one name at once and returns what became of it."""
    hint: Callable[[str], None]
    """Says that something happened to a name, which is then processed soon."""
    plan: Callable[[], Iterator[Difference]]
    announcements: Announcements
    links: Links
