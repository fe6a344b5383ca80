"""Stream events about pictures to listening clients."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

MOST_KEPT = 1_000
"""How many announcements the server keeps for clients that lost their connection."""

KEEPALIVE_SECONDS = 15.0
"""How often the server sends an event over an idle connection.

The event keeps proxies from closing the connection. It also lets a page notice a dead connection. A comment
couldn't do that: browsers don't report comments to the page.
"""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event about a picture."""

    number: int
    """The announcement's number. It grows by one with each announcement."""
    item: dict[str, Any]

    def to_event(self) -> str:
        """Return the announcement as a server-sent event (WHATWG HTML, 9.2)."""
        return f"id: {self.number}\nevent: picture\ndata: {json.dumps(self.item)}\n\n"


class Announcements:
    """The newest announcements. Any thread may call ``tell``.

    Args:
        before: The first announcement gets the next number after this one. By default it is the time in
            microseconds, so the numbers of an earlier run are lower. A client that continues after a number
            of an earlier run gets a reset.

    """

    def __init__(self, before: int | None = None) -> None:
        self._kept: deque[Announcement] = deque(maxlen=MOST_KEPT)
        self._number = time.time_ns() // 1000 if before is None else before
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._closed = False

    def tell(self, item: dict[str, Any]) -> None:
        """Announce an event to all listeners."""
        with self._lock:
            self._number += 1
            self._kept.append(Announcement(self._number, item))
        self._wake()

    def close(self) -> None:
        """End all running ``listen`` calls."""
        self._closed = True
        self._wake()

    def after(self, number: int | None) -> list[Announcement]:
        """Return the kept announcements after this number; an empty list for None."""
        with self._lock:
            return [] if number is None else [each for each in self._kept if each.number > number]

    async def listen(self, after: int | None) -> AsyncIterator[str]:
        """Yield server-sent events until ``close``.

        The first event is ``hello``. With a number, the kept events after this number follow. If the client
        missed announcements that the server no longer keeps, or if the number is unknown, the stream begins
        with ``reset`` instead, and then ``hello``: the client must reload everything. After
        ``KEEPALIVE_SECONDS`` without an event, ``here`` follows.
        """
        news = asyncio.Event()
        self._listeners[news] = asyncio.get_running_loop()
        try:
            with self._lock:
                oldest = self._kept[0].number if self._kept else self._number + 1
                newest = self._number
            if after is not None and not oldest - 1 <= after <= newest:
                yield f"id: {newest}\nevent: reset\ndata: {{}}\n\n"
                after = newest
            last = newest if after is None else after
            yield f"id: {last}\nevent: hello\ndata: {{}}\n\n"
            while not self._closed:
                news.clear()
                for each in self.after(last):
                    yield each.to_event()
                    last = each.number
                try:
                    await asyncio.wait_for(news.wait(), KEEPALIVE_SECONDS)
                except TimeoutError:
                    yield "event: here\ndata: {}\n\n"
        finally:
            del self._listeners[news]

    def _wake(self) -> None:
        for news, loop in list(self._listeners.items()):
            loop.call_soon_threadsafe(news.set)
