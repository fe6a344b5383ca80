"""Limits on concurrency and rate: a request over the limit is refused, and the client tries again."""

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
    """Limits how many callers are inside at once, for any number of threads.

    Args:
        most: How many.
        what: Their name in a refusal.

    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._places = threading.Semaphore(most)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Enter for the length of the block; raise ApiError (503) if the limit is reached."""
        if not self._places.acquire(blocking=False):
            detail = f"the server handles at most {self._most} {self._what} at once; try again shortly"
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, detail)
        try:
            yield
        finally:
            self._places.release()


@dataclass(slots=True)
class Rate:
    """Counts the actions of each network address in spans of time of one length. For one thread."""

    most: int
    span_seconds: float
    clock_seconds: Callable[[], float] = time.monotonic
    """A clock that never goes back."""
    _began: float = field(default=0.0, init=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False)

    def is_over(self, who: str) -> bool:
        """Count one more action; return whether this address is now over its limit in this span."""
        now = self.clock_seconds()
        if now >= self._began + self.span_seconds:
            self._began = now
            self._counts.clear()
        self._counts[who] += 1
        return self._counts[who] > self.most
