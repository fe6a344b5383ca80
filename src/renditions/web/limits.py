"""Limits on concurrency and rate.

The server refuses a request over the limit; the client can try again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from renditions.web.problems import ApiError


class Gate:
    """A limit on how many callers are inside a block at once.

    Any number of threads can use it.

    Args:
        most: The largest number of callers.
        what: What the callers handle, for the error message.

    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._places = threading.Semaphore(most)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Take one of the places during the block; raise ApiError (503) if all are taken."""
        if not self._places.acquire(blocking=False):
            detail = (
                f"The server is busy: it handles at most {self._most} {self._what} at once. "
                "Try again shortly."
            )
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, detail)
        try:
            yield
        finally:
            self._places.release()


@dataclass(slots=True)
class Rate:
    """The number of each network address's actions in successive periods.

    Only one thread may use it.
    """

    most: int
    span_seconds: float
    clock_seconds: Callable[[], float] = time.monotonic
    """A clock that never goes back."""
    _began: float = field(default=0.0, init=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False)

    def is_over(self, who: str) -> bool:
        """Count one more action.

        Return whether this address is now over the limit of the present period.
        """
        now = self.clock_seconds()
        if now >= self._began + self.span_seconds:
            self._began = now
            self._counts.clear()
        self._counts[who] += 1
        return self._counts[who] > self.most
