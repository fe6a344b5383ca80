"""The outcome of processing one picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from renditions.errors import RenditionsError
from renditions.model.record import Record

Result = Literal["done", "rejected", "failed", "removed", "held", "unreadable", "unchanged", "waiting"]

MAX_ATTEMPTS = 3
"""How many attempts may fail before Renditions gives up on a picture."""

LONGEST_RETRY_PAUSE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one picture, the reason, and when to process the picture again."""

    name: str
    result: Result
    reason: str | None = None
    again_after: timedelta | None = None
    """How long to wait before the next call; None if no further call is needed.

    A further call is needed if the picture can't be processed yet, if it failed and must be tried again, or
    if old outputs or old headers remain. A picture that waits for the removal of ``blocked_by`` has no such
    time.
    """
    record: Record | None = None
    code: str = ""
    """The code of the error behind ``reason``: see ``Reason``. Empty if there was no error.

    Pictures that wait or are done can have one too, for example if an old output can't be deleted.
    """
    renamed_from: str | None = None
    """The picture's former name, if this call recognised that it was renamed."""
    notice_after: timedelta | None = None
    """How long the notice of the picture's rejection still waits; None if no such notice waits.

    The next call after that time sends it.
    """
    is_notified: bool = False
    """Whether this call settled the picture and tried to send its owed notices."""
    blocked_by: str | None = None
    """The missing picture whose key this picture needs, and for whose removal this picture waits."""

    @classmethod
    def failed(cls, name: str, error: RenditionsError, record: Record | None = None) -> Outcome:
        """Return the outcome of a picture whose processing this error ended."""
        pause = retry_pause(1) if error.retryable else None
        return cls(name, "failed", str(error), pause, record, error.code)

    @classmethod
    def decided(cls, record: Record, again_after: timedelta | None = None) -> Outcome:
        """Return the outcome that a decided record describes."""
        if record.status == "processing":
            raise AssertionError(f"the record of {record.name!r} is still in progress")
        return cls(record.name, record.status, record.reason, again_after, record, record.code)

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form for the command line, the API and the API's events."""
        outputs = self.record.outputs if self.record else ()
        return {
            "name": self.name,
            "result": self.result,
            "reason": self.reason,
            "code": self.code or None,
            "renditions": {output.rendition: {"key": output.key} for output in outputs},
        } | ({"renamed_from": self.renamed_from} if self.renamed_from else {})


def is_given_up(record: Record) -> bool:
    """Return whether Renditions gave up a failed picture."""
    return record.status == "failed" and record.attempts >= MAX_ATTEMPTS and bool(record.goal)


def retry_pause(attempts: int) -> timedelta:
    """Return how long to wait after a failed attempt.

    The pause is 2 seconds after attempt 1. It doubles with each attempt, up to ``LONGEST_RETRY_PAUSE``.
    """
    return min(timedelta(seconds=2 ** min(attempts, 20)), LONGEST_RETRY_PAUSE)
