"""Announcements of the API, and how listeners get those that they missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from renditions.web import live
from renditions.web.live import MOST_KEPT, Announcements


async def take(events: AsyncIterator[str], count: int) -> list[str]:
    return [await asyncio.wait_for(anext(events), 30) for _ in range(count)]


def test_a_listener_gets_announcements_of_another_thread() -> None:
    async def listen() -> list[str]:
        announcements = Announcements(before=0)
        announcements.tell({"name": "before"})
        events = announcements.listen(None)
        heard = await take(events, 1)
        await asyncio.to_thread(announcements.tell, {"name": "after"})
        return heard + await take(events, 1)

    hello, told = asyncio.run(listen())
    assert "event: hello" in hello
    assert told == 'id: 2\nevent: picture\ndata: {"name": "after"}\n\n'


def test_a_reconnecting_listener_gets_the_missed_announcements() -> None:
    async def listen() -> list[str]:
        announcements = Announcements(before=0)
        for number in range(5):
            announcements.tell({"name": str(number)})
        return await take(announcements.listen(3), 3)

    _, four, five = asyncio.run(listen())
    assert ("id: 4" in four, "id: 5" in five) == (True, True)


def test_a_listener_that_missed_too_many_announcements_gets_a_reset() -> None:
    async def listen(after: int) -> list[str]:
        announcements = Announcements(before=0)
        for number in range(MOST_KEPT + 5):
            announcements.tell({"name": str(number)})
        return await take(announcements.listen(after), 1)

    for after in (1, MOST_KEPT + 6):
        assert "event: reset" in asyncio.run(listen(after))[0]


def test_an_idle_listener_gets_events_that_say_the_connection_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "KEEPALIVE_SECONDS", 0.001)

    async def listen() -> list[str]:
        return await take(Announcements(before=0).listen(None), 3)

    assert asyncio.run(listen())[1:] == ["event: here\ndata: {}\n\n"] * 2


def test_closing_the_announcements_ends_a_listener() -> None:
    async def listen() -> list[str]:
        announcements = Announcements(before=0)
        events = announcements.listen(None)
        heard = await take(events, 1)
        announcements.close()
        return heard + [event async for event in events]

    assert len(asyncio.run(listen())) == 1


def test_a_listener_from_an_earlier_run_of_the_server_gets_a_reset() -> None:
    """Each run numbers its announcements from its start time on.

    So the last number of an earlier run is lower than all numbers of this one.
    """

    async def listen() -> list[str]:
        earlier = Announcements()
        earlier.tell({"name": "before"})
        await asyncio.sleep(0.01)
        now = Announcements()
        hello = await take(earlier.listen(None), 1)
        for number in range(5):
            now.tell({"name": str(number)})
        last = int(hello[0].split()[1])
        return await take(now.listen(last), 1)

    assert "event: reset" in asyncio.run(listen())[0]
