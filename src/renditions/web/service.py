"""What the API works on: one pipeline's parts, and how a picture is processed and announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from renditions.core.process import Process
from renditions.runtime.parts import Parts
from renditions.web.links import Links
from renditions.web.live import Announcements


@dataclass(frozen=True)
class Service:
    """What is behind the API. Its functions may be called from many threads."""

    parts: Parts
    process: Process
    """Processes one name at once and returns what became of it."""
    hint: Callable[[str], None]
    """Says that something happened to a name, which is then processed soon."""
    announcements: Announcements
    links: Links
