"""Files that are still being copied, and the notices about their rejection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from doubles import MemoryStore
from renditions.core.ask import Ask
from renditions.core.follow import Following, follow
from renditions.core.outcome import Outcome
from renditions.core.ports import StoredObject
from renditions.core.reconcile import sync
from world import World

BAD = b"bad: the file ends too early"


class Fresh(MemoryStore):
    """A store whose objects changed ``unchanged_seconds`` ago."""

    unchanged_seconds = 2.0
    complete = True

    def get(self, key: str) -> tuple[StoredObject, bytes] | None:
        got = super().get(key)
        if got is None:
            return None
        found = replace(got[0], complete=self.complete, unchanged_seconds=self.unchanged_seconds)
        return found, got[1]


@pytest.fixture
def source() -> Fresh:
    return Fresh()


@pytest.fixture
def world(source: Fresh) -> World:
    return World(source=source)


def sent(world: World) -> list[str]:
    return [notice.event for notice in world.notifier.sent]


def test_the_notice_of_a_rejection_waits_until_the_file_is_unchanged_for_30_seconds(
    world: World, source: Fresh
) -> None:
    world.upload("photo.jpg", BAD)
    outcome = world.processor().process("photo.jpg")
    assert (outcome.result, outcome.notice_after) == ("rejected", timedelta(seconds=28))
    record = world.catalog.get("photo.jpg")
    assert record
    assert (record.status, record.lease, len(record.owed)) == ("rejected", None, 1)
    assert sent(world) == []
    source.unchanged_seconds = 29
    early = world.processor("another process").process("photo.jpg")
    assert (early.result, early.notice_after) == ("unchanged", timedelta(seconds=1))
    assert sent(world) == []
    source.unchanged_seconds = 30
    late = world.processor("after a restart").process("photo.jpg")
    assert (late.result, late.notice_after) == ("rejected", None)
    assert sent(world) == ["rejected"]
    assert world.plan() == []


def test_no_notice_of_a_rejection_is_sent_if_the_file_is_completed_in_time(
    world: World, source: Fresh
) -> None:
    world.upload("photo.jpg", BAD)
    world.processor().process("photo.jpg")
    world.upload("photo.jpg", b"all of it")
    assert world.processor().process("photo.jpg").result == "done"
    source.unchanged_seconds = 100
    world.settle()
    assert sent(world) == ["done"]


def test_the_notice_about_the_rejection_of_an_old_file_is_sent_at_once(world: World, source: Fresh) -> None:
    source.unchanged_seconds = 31
    world.upload("photo.jpg", BAD)
    assert world.processor().process("photo.jpg").notice_after is None
    assert sent(world) == ["rejected"]


def test_the_notice_of_a_finished_picture_is_sent_at_once(world: World) -> None:
    world.upload("photo.jpg", b"x")
    assert world.processor().process("photo.jpg").notice_after is None
    assert sent(world) == ["done"]


class Clockwork(threading.Event):
    """An event that stops a run; waiting for the event ages the files at once."""

    def __init__(self, source: Fresh, *, is_stopped: bool = False) -> None:
        super().__init__()
        self._source = source
        self._is_stopped = is_stopped
        self.during: Callable[[], object] = lambda: None

    def wait(self, timeout: float | None = None) -> bool:
        if timeout:
            self._source.unchanged_seconds += timeout
            self.during()
            if self._is_stopped:
                self.set()
        return self.is_set()


def test_a_run_that_will_be_repeated_does_not_wait_to_send_the_notice_of_a_rejection(world: World) -> None:
    world.upload("photo.jpg", BAD)
    summary = sync(world.run())
    assert (summary.results["rejected"], summary.waiting) == (1, 0)
    assert sent(world) == []


def test_a_single_run_waits_until_it_can_send_the_notice_of_a_rejection(world: World, source: Fresh) -> None:
    world.upload("photo.jpg", BAD)
    world.upload("other.jpg", b"fine")
    waits: list[tuple[int, timedelta]] = []
    summary = sync(world.run(stop=Clockwork(source), on_wait=lambda *wait: waits.append(wait)))
    assert waits == [(1, timedelta(seconds=28))]
    assert (summary.results, summary.standing) == ({"rejected": 1, "done": 1}, {})
    assert sent(world) == ["done", "rejected"]
    assert world.plan() == []
    assert sync(world.run(on_wait=None)).standing == {"rejected": 1, "done": 1}


def test_a_picture_that_is_completed_during_the_wait_is_processed_and_counted_once(
    world: World, source: Fresh
) -> None:
    world.upload("photo.jpg", BAD)
    stop = Clockwork(source)
    stop.during = lambda: world.upload("photo.jpg", b"all of it")
    summary = sync(world.run(stop=stop, on_wait=lambda *_: None))
    assert summary.results == {"done": 1}
    assert [group.state for group in summary.reasons.groups()] == []
    assert sent(world) == ["done"]


def test_an_interrupted_wait_leaves_the_notice_to_the_next_run(world: World, source: Fresh) -> None:
    world.upload("photo.jpg", BAD)
    stopped = Clockwork(source, is_stopped=True)
    summary = sync(world.run(stop=stopped, on_wait=lambda *_: None))
    assert (summary.results, summary.interrupted) == ({"rejected": 1}, True)
    assert sent(world) == []
    source.unchanged_seconds = 2
    summary = sync(world.run(stop=Clockwork(source), on_wait=lambda *_: None))
    assert (summary.results, summary.standing) == ({"rejected": 1}, {})
    assert sent(world) == ["rejected"]


def test_a_run_whose_only_target_is_its_log_sends_the_notice_at_once(world: World) -> None:
    world.upload("photo.jpg", BAD)
    ask = Ask(rests=False)
    summary = sync(world.run(ask=ask))
    assert (summary.results, sent(world)) == ({"rejected": 1}, ["rejected"])
    assert next(world.differences(ask=ask)).action == "keep"


def test_a_plan_shows_a_waiting_notice_only_when_the_notice_can_be_sent(world: World, source: Fresh) -> None:
    world.upload("photo.jpg", BAD)
    world.processor().process("photo.jpg")
    before = world.catalog.get("photo.jpg")
    (difference,) = world.differences()
    assert (difference.action, difference.notice_after) == ("keep", timedelta(seconds=28))
    world.processor().process("photo.jpg")
    assert world.catalog.get("photo.jpg") == before, "nothing is written while it waits"
    source.unchanged_seconds = 30
    (difference,) = world.differences()
    assert (difference.action, difference.why) == ("settle", "a notice must be sent")


def test_a_sync_of_several_passes_counts_a_picture_with_a_waiting_notice_once(world: World) -> None:
    """A picture that fails makes the sync plan several times."""
    world.upload("photo.jpg", BAD)
    world.upload("broken.jpg", b"one")
    for expected in ({"rejected": 1, "done": 1}, {"done": 1}):
        failing = world.processor(output=world.break_writes(1))
        summary = sync(world.run(failing.process))
        assert summary.results == expected
        assert summary.waiting == 0
        world.upload("broken.jpg", b"again")


@pytest.mark.parametrize("is_hinted", [True, False], ids=["by a hint", "in the full sync"])
def test_a_watch_sends_a_waiting_notice_after_the_rejected_file_stayed_unchanged(
    world: World, source: Fresh, *, is_hinted: bool
) -> None:
    seconds = 0.0

    def hints() -> Iterator[frozenset[str] | None]:
        nonlocal seconds
        world.upload("photo.jpg", BAD)
        yield frozenset({"photo.jpg"} if is_hinted else ())
        deadline = time.monotonic() + 60
        while sent(world) == [] and time.monotonic() < deadline:
            threading.Event().wait(0.001)
            seconds = min(seconds + 0.5, 40)  # the threads may be slower than this clock
            source.unchanged_seconds = 2 + seconds
            yield frozenset()

    def sync_all(note: Callable[[Outcome], None]) -> None:
        sync(world.run(on_outcome=note))

    following = Following(
        process=world.processor().process,
        sync_all=sync_all,
        guard=world.guard,
        catalog_size=lambda: world.known,
        threads=2,
        monotonic_seconds=lambda: seconds,
        on_outcome=lambda _: None,
    )
    follow(hints(), following)
    assert sent(world) == ["rejected"]
    assert seconds >= 28


def test_the_outcome_of_a_changing_file_says_when_the_settle_time_is_over(
    world: World, source: Fresh
) -> None:
    world.pipeline = replace(world.pipeline, source=replace(world.pipeline.source, settle=10.0))
    source.complete = False
    world.upload("photo.jpg", b"x")
    outcome = world.processor().process("photo.jpg")
    assert (outcome.result, outcome.again_after) == ("waiting", timedelta(seconds=8))


def test_a_watch_recognises_a_renamed_picture_whose_file_is_not_complete_yet(
    world: World, source: Fresh
) -> None:
    seconds = 0.0
    ended: list[tuple[str, str, str | None]] = []
    world.upload("a.jpg", b"x")

    def hints() -> Iterator[frozenset[str] | None]:
        nonlocal seconds
        yield frozenset()
        world.remove("a.jpg")
        world.upload("b.jpg", b"x")
        source.complete = False
        yield frozenset({"a.jpg", "b.jpg"})
        while seconds < 5:
            threading.Event().wait(0.2)  # the threads process what is due
            seconds += 0.5
            source.complete = seconds >= 1
            yield frozenset()

    following = Following(
        process=world.processor().process,
        sync_all=lambda note: sync(world.run(on_outcome=note)),
        guard=world.guard,
        catalog_size=lambda: world.known,
        threads=2,
        monotonic_seconds=lambda: seconds,
        on_outcome=lambda outcome: ended.append((outcome.name, outcome.result, outcome.renamed_from)),
        removal_pause=timedelta(seconds=3),
    )
    follow(hints(), following)
    assert ("b.jpg", "done", "a.jpg") in ended
    assert "removed" not in [result for _, result, _ in ended]
