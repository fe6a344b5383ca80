"""The parts and functions that the API works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

from renditions.core.process import Process
from renditions.errors import RenditionsError
from renditions.model.totals import Counted
from renditions.runtime.parts import Parts
from renditions.runtime.status import Waiting
from renditions.web.links import Links
from renditions.web.live import Announcements
from renditions.web.problems import ApiError
from renditions.web.readiness import Readiness

ENDING = "The server is being stopped, or applies a new pipeline file. Try again shortly"


@dataclass(frozen=True)
class Service:
    """The parts and functions that answer the API's requests.

    Any thread may call the functions.
    """

    parts: Parts
    process: Process
    """Processes the picture of one name now and returns the outcome."""
    hint: Callable[[str], None]
    """Reports a changed picture, so that it is processed soon, or at once on Lambda without a queue."""
    announcements: Announcements
    links: Links
    redirect: Callable[[str], str] | None = None
    """Returns the URL at which clients read the output with this key. ``/i/`` redirects to it. None if this
    process sends the file itself."""
    waiting: Waiting = field(default_factory=Waiting)
    """The pictures that wait, as far as this process knows."""
    find_polling: Callable[[], str | None] = lambda: None
    """Returns a sentence about the folder that this process polls; None if it polls none."""
    find_file_problem: Callable[[], str | None] = lambda: None
    """Returns why the newest version of the pipeline file isn't applied; None if it is."""
    read_kept_totals: Callable[[], Counted | None] = lambda: None
    """Returns totals that were counted earlier, for a catalog that takes long to count; None to count now."""
    find_worker_problem: Callable[[], str | None] = lambda: None
    """Returns why the newest worker process didn't start; None if it did, or if none was needed yet."""
    is_ending: Callable[[], bool] = lambda: False
    """Returns whether the server ends, so that it renders no further picture."""
    find_refusal: Callable[[], RenditionsError | None] = lambda: None
    """Returns why this process must not write: the catalog uses another version of the pipeline file, or
    belongs to another one. Then the API is read-only. None if this process may write."""

    @cached_property
    def readiness(self) -> Readiness:
        """The checks that say whether this process can do its work."""
        return Readiness(
            self.parts,
            writes=lambda: self.find_refusal() is None,
            find_worker_problem=self.find_worker_problem,
        )

    def count(self) -> Counted:
        """Return the totals of each status, and when they were counted if earlier."""
        return self.read_kept_totals() or Counted(self.parts.catalog.count())

    def insist_writable(self) -> None:
        """Raise ApiError (403) if the source is read-only.

        Nothing can be uploaded or deleted then. Also raise the errors of :meth:`insist_in_force`.
        """
        self.insist_in_force()
        if self.parts.pipeline.source.read_only:
            detail = (
                "The source is read-only ([source] read_only): pictures can't be uploaded or deleted here. "
                "Add or delete the files in the source itself"
            )
            raise ApiError(HTTPStatus.FORBIDDEN, detail)

    def insist_in_force(self) -> None:
        """Raise the error of ``find_refusal`` if this process must not write."""
        if refusal := self.find_refusal():
            raise refusal
