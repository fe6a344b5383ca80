"""The status of a catalog in the API, which contains that of the command line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from hashing import hash_render
from renditions.core.ask import PLAIN, Ask
from renditions.core.leases import reopen
from renditions.core.outcome import MAX_ATTEMPTS, Outcome
from renditions.model.notices import UnsentNotice
from renditions.runtime import status
from renditions.runtime.status import FORGOTTEN_AFTER_SECONDS, SHOWN_AFTER_SECONDS, Waiting, read_status
from renditions.web.app import make_app
from renditions.web.links import LocalLinks
from renditions.web.live import Announcements
from renditions.web.reach import Reach
from renditions.web.service import Service
from world import LOG, World

WRITTEN = "it is still being written"


@pytest.fixture
def world() -> World:
    return World()


def refuse(name: str, ask: Ask = PLAIN) -> Any:
    raise AssertionError("a status processes nothing")


def ask(world: World, waiting: Waiting, polling: str | None = None) -> Any:
    """Return what ``GET /status`` answers."""
    service = Service(
        parts=world.parts(),
        process=refuse,
        hint=refuse,
        announcements=Announcements(),
        links=LocalLinks(),
        waiting=waiting,
        find_polling=lambda: polling,
    )
    with TestClient(
        make_app(service, secret=b"secret", reach=Reach(allowed_hosts=("testserver",)))
    ) as client:
        return client.get("/status").json()


@pytest.fixture
def clock() -> list[float]:
    """Return the monotonic time, as the only element of a list."""
    return [0.0]


def test_the_status_of_the_api_contains_the_status_of_the_command_line(world: World) -> None:
    world.upload("good.jpg", b"one")
    world.upload("bad.jpg", b"bad")
    for name in ("good.jpg", "bad.jpg"):
        world.processor().process(name)
    world.upload("full.jpg", b"two")
    world.processor(output=world.break_writes(9)).process("full.jpg")
    world.catalog.keep_notice(
        UnsentNotice("done", LOG.target, "good.jpg", world.now, world.now, 1, "log:: it is down")
    )
    told = ask(world, Waiting(), "it is polled")
    shown = read_status(world.parts(), polling="it is polled").to_item()
    of_server: dict[str, Any] = {
        "read_only": False, "keep_deleted_seconds": 0, "superseded": None, "generation": None,
        "file_problem": None, "troubles": [],
    }  # fmt: skip
    assert told == shown | of_server
    assert told["by_status"] == {"processing": 0, "done": 1, "rejected": 1, "failed": 1}
    assert [(each["state"], each["example"], each["reason"]) for each in told["reasons"]] == [
        ("waiting", "full.jpg", "no space left on the device"), ("rejected", "bad.jpg", "it is bad"),
    ]  # fmt: skip
    assert told["unsent_notices"] == [
        {"target": "log:", "reason": "it is down", "given_up": False, "collected": False, "count": 1}
    ]
    assert told["polling"] == "it is polled"


def test_a_failed_picture_counts_as_waiting_until_it_is_given_up(world: World) -> None:
    world.upload("a.jpg", b"one")
    for attempts, state in ((1, "waiting"), (MAX_ATTEMPTS, "failed")):
        world.processor(output=world.break_writes(1)).process("a.jpg")
        world.catalog.write(replace(world.record("a.jpg"), attempts=attempts))
        (reason,) = ask(world, Waiting())["reasons"]
        assert (reason["state"], reason["example"]) == (state, "a.jpg")
    assert reopen(world.catalog, world.record("a.jpg"))
    (reason,) = ask(world, Waiting())["reasons"]
    assert reason["state"] == "waiting", "the next sync tries it again"


def test_the_status_has_the_reasons_of_pictures_without_a_record(world: World, clock: list[float]) -> None:
    waiting = Waiting(lambda: clock[0])
    for name in ("a.jpg", "b.jpg"):
        waiting.note(Outcome(name, "waiting", WRITTEN, timedelta(seconds=1)))
    waiting.note(Outcome("c/", "unreadable", "permission denied"))
    clock[0] = SHOWN_AFTER_SECONDS
    reasons = ask(world, waiting)["reasons"]
    assert [(each["state"], each["reason"], each["example"], each["count"]) for each in reasons] == [
        ("waiting", WRITTEN, "a.jpg", 2), ("unreadable", "permission denied", "c/", 1),
    ]  # fmt: skip


def test_the_status_leaves_out_a_picture_that_waits_only_briefly(clock: list[float]) -> None:
    waiting = Waiting(lambda: clock[0])
    waiting.note(Outcome("a.jpg", "waiting", WRITTEN))
    assert waiting.outcomes() == []
    clock[0] = SHOWN_AFTER_SECONDS - 1
    waiting.note(Outcome("a.jpg", "waiting", WRITTEN))
    clock[0] += 1
    assert [outcome.name for outcome in waiting.outcomes()] == ["a.jpg"], (
        "it has waited since its first outcome"
    )


def test_the_status_drops_a_waiting_picture_that_is_done_or_was_not_reported_for_long(
    clock: list[float],
) -> None:
    waiting = Waiting(lambda: clock[0])
    waiting.note(Outcome("a.jpg", "waiting", WRITTEN))
    waiting.note(Outcome("b/", "unreadable", "permission denied"))
    clock[0] = SHOWN_AFTER_SECONDS
    waiting.note(Outcome("a.jpg", "done"))
    assert [outcome.name for outcome in waiting.outcomes()] == ["b/"]
    clock[0] = FORGOTTEN_AFTER_SECONDS
    assert waiting.outcomes() == []


def test_the_status_reads_a_limited_number_of_records(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "MOST_READ", 2)
    for number in range(3):
        world.upload(f"{number}.jpg", b"bad")
        world.processor(render=hash_render).process(f"{number}.jpg")
    (reason,) = ask(world, Waiting())["reasons"]
    assert reason["count"] == 2
    assert ask(world, Waiting())["by_status"]["rejected"] == 3
