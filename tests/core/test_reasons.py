"""Why pictures wait or fail, and after which failures a picture is given up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from renditions.core.outcome import LONGEST_RETRY_PAUSE, MAX_ATTEMPTS, Outcome, retry_pause
from renditions.core.reasons import MOST_GROUPS, Reasons
from renditions.core.reconcile import sync
from renditions.errors import CatalogFailed, Failed, RenderTimedOut, StoreFailed, StoreRefused, WorkerDied
from world import World

NAME = "photo.jpg"


def failing(error: Failed) -> Any:
    def render(*_: Any) -> Any:
        raise error

    return render


@pytest.fixture
def world() -> World:
    world = World()
    world.upload(NAME, b"one")
    return world


@pytest.mark.parametrize("error", [StoreFailed("no space left"), CatalogFailed("no connection")])
def test_a_picture_is_not_given_up_because_of_a_full_disk_or_a_lost_connection(
    world: World, error: Failed
) -> None:
    pauses = []
    for _ in range(MAX_ATTEMPTS + 9):
        outcome = world.processor(render=failing(error)).process(NAME)
        assert (outcome.result, outcome.reason) == ("failed", str(error))
        assert outcome.again_after
        pauses.append(outcome.again_after.total_seconds())
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900], "they grow across runs"
    assert world.notifier.sent == []
    assert world.processor().process(NAME).result == "done"
    record = world.catalog.get(NAME)
    assert record
    assert (record.attempts, record.setbacks) == (0, 0)
    world.check_promise()


@pytest.mark.parametrize("error", [RenderTimedOut("too slow"), WorkerDied("crashed")])
def test_a_picture_is_given_up_after_failures_of_the_renderer(world: World, error: Failed) -> None:
    for _ in range(MAX_ATTEMPTS):
        outcome = world.processor(render=failing(error)).process(NAME)
    assert (outcome.result, outcome.again_after) == ("failed", None)
    assert [notice.event for notice in world.notifier.sent] == ["failed"]


def test_a_picture_is_given_up_at_once_after_a_permanent_failure(world: World) -> None:
    outcome = world.processor(render=failing(StoreRefused("no permission"))).process(NAME)
    assert (outcome.result, outcome.again_after) == ("failed", None)


def test_a_sync_gives_the_reason_why_pictures_wait_and_ends_without_waiting_for_long_pauses(
    world: World,
) -> None:
    for number in range(24):
        world.upload(f"{number}.jpg", b"one %d" % number)
    renders = []

    def render(content: bytes, *_: Any) -> Any:
        renders.append(content)
        raise StoreFailed("no space left on the device")

    summary = sync(world.run(world.processor(render=render).process))
    (group,) = summary.reasons.groups()
    assert (group.state, group.count, group.code) == ("waiting", 25, "store-failed")
    assert group.reason == "no space left on the device"
    assert (summary.waiting, len(renders)) == (25, 3 * 25)
    sync(world.run(world.processor(render=render).process))
    assert len(renders) == 4 * 25, "a later run tries each picture once"


def test_a_sync_says_why_earlier_runs_failed_or_rejected_pictures(world: World) -> None:
    world.processor(render=failing(StoreRefused("no permission"))).process(NAME)
    world.upload("bad.jpg", b"bad")
    world.processor().process("bad.jpg")
    summary = sync(world.run())
    assert [(group.state, group.example, group.count) for group in summary.reasons.groups()] == [
        ("failed", NAME, 1), ("rejected", "bad.jpg", 1),
    ]  # fmt: skip
    assert summary.results.total() == 0


def test_a_summary_keeps_a_limited_number_of_different_reasons() -> None:
    reasons = Reasons()
    reasons.add("done", "done.jpg", None)
    for number in range(10 * MOST_GROUPS):
        reasons.add("waiting", f"{number}.jpg", f"reason {number}")
    groups = reasons.groups()
    assert len(groups) == MOST_GROUPS + 1
    assert sum(group.count for group in groups) == 10 * MOST_GROUPS


def test_errors_with_the_same_code_are_counted_as_one_reason() -> None:
    reasons = Reasons()
    for name in ("a.jpg", "b.jpg"):
        reasons.add("failed", name, f"{name}: No space left on device", "store-failed")
    (group,) = reasons.groups("failed")
    assert (group.count, group.example, group.reason) == (2, "a.jpg", "a.jpg: No space left on device")


def test_the_pause_between_attempts_begins_at_two_seconds_and_has_a_limit() -> None:
    assert retry_pause(1) == timedelta(seconds=2)
    assert retry_pause(100_000) == LONGEST_RETRY_PAUSE
    assert Outcome.failed(NAME, StoreFailed("away")).again_after == retry_pause(1)
