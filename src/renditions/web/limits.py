"""How much at once and how often: what is over it is refused for a moment, and waits with who asks."""

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
    """Lets so many in at once, for any number of threads.

    Args:
        most: How many.
        what: What they are, as a refusal says it.

    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._places = threading.Semaphore(most)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be inside for a while; raise ApiError (503) when as many are already."""
        if not self._places.acquire(blocking=False):
            detail = f"the server handles at most {self._most} {self._what} at once; try again shortly"
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, detail)
        try:
            yield
        finally:
            self._places.release()


@dataclass(slots=True)
class Rate:
    """Counts what each address does in spans of time of one length. For one thread."""

    most: int
    span_seconds: float
    clock_seconds: Callable[[], float] = time.monotonic
    """One that never goes back."""
    _began: float = field(default=0.0, init=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False)

    def is_over(self, who: str) -> bool:
        """Count one more; tell whether that is more than this address may in this span."""
        now = self.clock_seconds()
        if now >= self._began + self.span_seconds:
            self._began = now
            self._counts.clear()
        self._counts[who] += 1
        return self._counts[who] > self.most
