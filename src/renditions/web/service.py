"""The API's parts: those of one pipeline, and how it processes and announces a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from renditions.core.process import Process
from renditions.errors import Superseded
from renditions.runtime.parts import Parts
from renditions.web.links import Links
from renditions.web.live import Announcements
from renditions.web.problems import ApiError

SUPERSEDED = (
    "Another version of the pipeline file is in force for this catalog, so nothing is written here. "
    "Change the file, or run renditions sync, to apply this one"
)


@dataclass(frozen=True)
class Service:
    """The parts and functions that answer the API's requests. Any thread may call the functions."""

    parts: Parts
    process: Process
    """Processes one name now and returns the outcome."""
    hint: Callable[[str], None]
    """Reports that something happened to a name, so that it is processed soon."""
    announcements: Announcements
    links: Links
    is_superseded: bool = False
    """Whether another version of the pipeline file is in force: then everything can only be read."""

    def insist_writable(self) -> None:
        """Raise ApiError (403) if pictures can't be uploaded and deleted, because the source is read-only."""
        self.insist_in_force()
        if self.parts.pipeline.source.read_only:
            detail = (
                "The source is read-only ([source] read_only): pictures can't be uploaded or deleted here. "
                "Add or delete the files in the source itself"
            )
            raise ApiError(HTTPStatus.FORBIDDEN, detail)

    def insist_in_force(self) -> None:
        """Raise Superseded if another version of the pipeline file is in force."""
        if self.is_superseded:
            raise Superseded(SUPERSEDED)
