"""Plan, sync and watch, with stores and a catalog in memory."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renditions.core import planning, reconcile
from renditions.core.ask import PLAIN, Ask
from renditions.core.comparison import Comparison
from renditions.core.difference import Difference
from renditions.core.follow import Following, follow
from renditions.core.leases import reopen
from renditions.core.outcome import Outcome
from renditions.core.planning import plan
from renditions.core.ports import StoredObject, Unreadable
from renditions.core.reconcile import Order, sync
from renditions.core.selection import Selection
from renditions.core.summary import Summary
from renditions.errors import StoreFailed, WorkerDied
from renditions.model.recipe import Rendition
from renditions.model.source import MaxRemovals
from world import World, make_pipeline


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "LONGEST_PAUSE", timedelta())


def run_sync(world: World, **changes: object) -> Summary:
    return sync(world.run(world.processor(**changes).process))  # type: ignore[arg-type]


def test_a_second_sync_without_changes_does_nothing(world: World) -> None:
    for number in range(20):
        world.upload(f"{number}.jpg", b"x%d" % number)
    first, second = run_sync(world), run_sync(world)
    assert (first.results, first.standing) == ({"done": 20}, {})
    assert (second.results, second.standing) == ({}, {"done": 20})
    assert second.all_done
    world.check_promise()


def test_plan_lists_new_replaced_and_removed_pictures_and_sync_processes_all_of_them(world: World) -> None:
    for name in ("keep.jpg", "replace.jpg", "remove.jpg"):
        world.upload(name, name.encode())
    run_sync(world)
    world.upload("new.jpg", b"new")
    world.upload("replace.jpg", b"other")
    world.remove("remove.jpg")
    planned = world.plan()
    assert planned == [("new.jpg", "create"), ("remove.jpg", "remove"), ("replace.jpg", "update")]
    assert world.plan() == planned, "planning changes nothing"
    assert run_sync(world).results == {"done": 2, "removed": 1}
    assert world.plan() == []
    world.check_promise()


def test_a_sync_processes_failed_pictures_again(world: World) -> None:
    for number in range(5):
        world.upload(f"{number}.jpg", b"x%d" % number)
    summary = run_sync(world, output=world.break_writes(2))
    assert summary.results == {"done": 5}
    assert summary.all_done
    world.check_promise()


def test_a_picture_that_always_fails_is_given_up_until_it_is_retried(world: World) -> None:
    world.upload("photo.jpg", b"x")

    def crash(*_: Any) -> Any:
        raise WorkerDied("the worker ended")

    summary = run_sync(world, render=crash)
    assert summary.results == {"failed": 1}
    assert not summary.all_done
    again = run_sync(world)
    assert (again.results, again.standing) == ({}, {"failed": 1})
    assert not again.all_done, "while a picture is failed, not everything is up to date"
    record = world.catalog.get("photo.jpg")
    assert record
    assert reopen(world.catalog, record)
    assert run_sync(world).all_done
    world.check_promise()


def test_a_forced_run_does_not_retry_a_picture_that_fails_during_the_run(world: World) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        world.upload(name, name.encode())
    run_sync(world)
    process = world.processor(output=world.break_writes(1)).process
    summary = sync(world.run(process, ask=Ask(is_forced=True)))
    assert (summary.results, summary.waiting) == ({"done": 2}, 1)


def test_rejected_pictures_do_not_block_other_pictures_and_are_not_retried(world: World) -> None:
    world.upload("a.jpg", b"bad")
    world.upload("b.jpg", b"good")
    assert run_sync(world).results == {"rejected": 1, "done": 1}
    again = run_sync(world)
    assert (again.results, again.standing) == ({}, {"rejected": 1, "done": 1})
    assert not again.all_done


@pytest.mark.parametrize("threads", [1, 8])
def test_the_first_by_name_of_several_pictures_with_one_key_gets_the_key(world: World, threads: int) -> None:
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="{stem}.jpg"))
    for name in ("a/photo.jpg", "b/photo.jpg", "c/photo.jpg", "d/photo.png"):
        world.upload(name, name.encode())
    sync(world.run(threads=threads))
    statuses = [(record.name, record.status, record.blocked_by) for record in world.catalog.list()]
    assert statuses == [
        ("a/photo.jpg", "done", None),
        ("b/photo.jpg", "rejected", "a/photo.jpg"),
        ("c/photo.jpg", "rejected", "a/photo.jpg"),
        ("d/photo.png", "rejected", "a/photo.jpg"),
    ]
    world.check_promise()


def test_one_sync_gives_the_key_of_a_removed_picture_to_the_next_picture(world: World) -> None:
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="{name}"))
    world.upload("a/photo.jpg", b"a")
    world.upload("b/photo.jpg", b"b")
    run_sync(world)
    world.remove("a/photo.jpg")
    assert run_sync(world).all_done
    assert [record.name for record in world.catalog.list()] == ["b/photo.jpg"]
    world.check_promise()


def test_a_picture_keeps_its_outputs_while_its_file_is_still_being_written(world: World) -> None:
    world.upload("photo.jpg", b"one")
    run_sync(world)
    real_head = world.source.head

    class Busy:
        is_spelled = world.source.is_spelled

        def head(self, key: str) -> StoredObject | None:
            found = real_head(key)
            return found and replace(found, complete=False)

        def list(self, *args: Any) -> Iterator[StoredObject]:
            return (replace(found, complete=False) for found in world.source.list(*args))

    world.upload("photo.jpg", b"two")
    assert world.processor(source=Busy()).process("photo.jpg").result == "waiting"
    assert len(list(world.output.list())) == 2
    assert run_sync(world).all_done
    world.check_promise()


def test_a_stopped_sync_finishes_pictures_in_progress(world: World) -> None:
    for number in range(30):
        world.upload(f"{number:02}.jpg", b"x%d" % number)
    stop = threading.Event()
    processor = world.processor()

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        if name == "05.jpg":
            stop.set()
        return processor.process(name, ask)

    summary = sync(world.run(process, threads=2, stop=stop))
    assert summary.interrupted
    assert 5 <= summary.results["done"] <= 8
    assert all(record.lease is None for record in world.catalog.list())
    assert run_sync(world).all_done
    world.check_promise()


def test_a_sync_that_is_stopped_while_it_waits_for_a_picture_begins_no_other_picture(world: World) -> None:
    class Stop(threading.Event):
        """An event that is set while the sync waits for a free thread."""

        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            return super().is_set()

    stop, begun = Stop(), list[str]()

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        begun.append(name)
        deadline = time.monotonic() + 60
        while stop.asked < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        stop.set()
        return world.processor().process(name, ask)

    for name in ("a.jpg", "b.jpg", "c.jpg"):
        world.upload(name, name.encode())
    assert sync(world.run(process, threads=1, stop=stop)).interrupted
    assert begun == ["a.jpg"]


def test_plan_raises_an_error_if_the_source_cannot_be_listed(world: World) -> None:
    class Away:
        def list(self, *_: object) -> Iterator[StoredObject]:
            raise StoreFailed("the folder is away")

    world.upload("photo.jpg", b"x")
    run_sync(world)
    comparison = Comparison(world.pipeline, world.catalog, world.output)
    differences = planning.plan(comparison, Away(), clock=world.clock)  # type: ignore[arg-type]
    with pytest.raises(StoreFailed):
        list(differences)


names = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=4)


@settings(deadline=None, max_examples=60)
@given(before=st.sets(names), after=st.sets(names))
def test_plan_finds_the_record_of_each_picture_for_names_of_any_characters(
    before: set[str], after: set[str]
) -> None:
    """Records and objects are both listed in the order of their UTF-8 bytes.

    The plan walks through both lists at once, and misses no picture and no record.
    """
    world = World()
    for name in before:
        world.upload(f"d/{name}x.jpg", name.encode())
    world.settle()
    for name in before - after:
        world.remove(f"d/{name}x.jpg")
    for name in after - before:
        world.upload(f"d/{name}x.jpg", name.encode())
    actions = dict(world.plan())
    visible = {name for name in before | after if not name.startswith(".")}
    assert actions == {f"d/{name}x.jpg": "create" for name in (after - before) & visible} | {
        f"d/{name}x.jpg": "remove" for name in (before - after) & visible
    }


class TestFollow:
    """A watch that follows hints."""

    def follow(
        self,
        world: World,
        hints: Iterable[frozenset[str] | None],
        begin: Iterable[frozenset[str] | None] = (frozenset(),),
        ticks: int = 200,
    ) -> list[str]:
        told: list[str] = []
        full: list[int] = []

        def tick() -> Iterator[frozenset[str] | None]:
            yield from begin
            yield from hints
            for _ in range(ticks):
                pause.wait(0.001)
                yield frozenset()

        pause = threading.Event()

        def sync_all(_: Callable[[Outcome], None]) -> None:
            full.append(1)
            run_sync(world)

        following = Following(
            process=world.processor().process,
            sync_all=sync_all,
            guard=world.guard,
            catalog_size=lambda: world.known,
            threads=2,
            monotonic_seconds=lambda: 0.0,
            on_outcome=lambda outcome: told.append(f"{outcome.name} {outcome.result}"),
        )
        follow(tick(), following)
        self.full = len(full)
        return told

    def test_a_watch_processes_the_pictures_that_hints_name(self, world: World) -> None:
        def late() -> Iterator[frozenset[str] | None]:
            world.upload("photo.jpg", b"x")
            yield frozenset({"photo.jpg", "nothing.jpg"})

        told = self.follow(world, late())
        assert sorted(told) == ["nothing.jpg unchanged", "photo.jpg done"]
        assert self.full == 1, "everything is checked once, at the start"
        world.check_promise()

    def test_a_picture_that_arrives_before_the_watch_starts_is_processed(self, world: World) -> None:
        """The first full sync starts after the watch, not before."""

        def late() -> Iterator[frozenset[str] | None]:
            world.upload("photo.jpg", b"x")
            yield frozenset()

        self.follow(world, [], begin=late())
        world.check_promise()

    def test_a_watch_starts_a_full_sync_after_a_lost_hint(self, world: World) -> None:
        def late() -> Iterator[frozenset[str] | None]:
            world.upload("photo.jpg", b"x")
            yield None

        self.follow(world, late())
        assert self.full == 2
        world.check_promise()

    def test_a_watch_starts_a_full_sync_after_too_many_hints(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("renditions.core.follow.MOST_DUE", 5)
        for number in range(10):
            world.upload(f"{number}.jpg", b"%d" % number)
        self.follow(world, [frozenset(f"{number}.jpg" for number in range(10))])
        assert self.full == 2
        world.check_promise()


def test_plan_also_yields_unchanged_pictures(world: World) -> None:
    world.upload("photo.jpg", b"x")
    run_sync(world)
    (difference,) = world.differences()
    assert isinstance(difference, Difference)
    assert difference.action == "keep"


def test_a_sync_gives_a_key_that_a_rejected_picture_frees_to_a_blocked_picture(world: World) -> None:
    """The blocked picture's name comes first.

    So only a second pass over the pictures can give the freed key to the blocked picture.
    """
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="{name}"))
    world.upload("b/photo.jpg", b"earlier")
    run_sync(world)
    world.upload("a/photo.jpg", b"later")
    run_sync(world)
    world.upload("b/photo.jpg", b"bad now")
    run_sync(world)
    assert world.plan() == []
    world.check_promise()


def test_a_picture_whose_taken_key_becomes_free_in_the_same_sync_is_counted_once(world: World) -> None:
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="{name}"))
    world.upload("b/photo.jpg", b"earlier")
    run_sync(world)
    world.upload("a/photo.jpg", b"later")
    world.upload("b/photo.jpg", b"bad now")
    summary = run_sync(world)
    assert summary.results == {"rejected": 1, "done": 1}
    assert world.record("a/photo.jpg").status == "done"
    assert world.plan() == []
    world.check_promise()


def test_a_picture_that_was_only_touched_is_counted_once_in_a_sync_of_several_passes(world: World) -> None:
    world.upload("b.jpg", b"b")
    world.upload("c.jpg", b"c")
    run_sync(world)
    world.source.touch("b.jpg")
    world.source.touch("c.jpg")
    world.upload("a.jpg", b"a")
    waited: list[str] = []

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        if name == "a.jpg" and name not in waited:
            waited.append(name)
            return Outcome(name, "waiting", "it is still being written", again_after=timedelta(0))
        return world.processor().process(name, ask)

    summary = sync(world.run(process))
    assert (summary.results, summary.standing) == ({"unchanged": 2, "done": 1}, {})


def test_a_hint_about_an_excluded_picture_causes_no_output(world: World) -> None:
    world.upload("#recycle/a.jpg", b"x")
    outcome = world.processor().process("#recycle/a.jpg")
    assert (outcome.result, outcome.reason) == (
        "unchanged",
        "it is excluded by '#recycle/' in [source] exclude",
    )
    assert list(world.catalog.list()) == []


def test_a_sync_removes_no_picture_below_an_unreadable_folder(world: World) -> None:
    names = ("a.jpg", "b/1.jpg", "b/2.jpg", "b0.jpg", "c.jpg")
    for name in names:
        world.upload(name, name.encode())
    run_sync(world)
    for name in names:
        world.remove(name)
    reported: list[Outcome] = []

    class HalfReadable:
        def list(self, after: str, prefix: str, on_unreadable: Any, _: Any) -> Iterator[StoredObject]:
            on_unreadable(Unreadable("b/", "inbox/b/ can't be read"))
            yield from world.source.list(after, prefix)

        def __getattr__(self, name: str) -> Any:
            return getattr(world.source, name)

    comparison = Comparison(world.pipeline, world.catalog, world.output)
    source: Any = HalfReadable()
    summary = sync(
        world.run(
            differences=lambda _: planning.plan(comparison, source, clock=world.clock),
            on_outcome=reported.append,
        )
    )
    assert (summary.results, summary.unreadable) == ({"removed": 3}, 1)
    assert summary.has_trouble
    assert [each.name for each in reported if each.result == "unreadable"] == ["b/"]
    assert [record.name for record in world.catalog.list()] == ["b/1.jpg", "b/2.jpg"]


def take_over_key(world: World) -> None:
    """Add a new picture that needs the key of a missing one.

    The removal of the missing picture is held back.
    """
    keyed = make_pipeline(thumb=Rendition(width=200, key="{name}"))
    limits = MaxRemovals(pictures=0, percent=0)
    world.pipeline = replace(keyed, source=replace(keyed.source, max_removals=limits))
    world.upload("a/photo.jpg", b"earlier")
    run_sync(world)
    world.remove("a/photo.jpg")
    world.upload("b/photo.jpg", b"later")


def test_a_sync_names_the_picture_whose_held_removal_blocks_another_picture(world: World) -> None:
    take_over_key(world)
    outcomes: list[Outcome] = []
    summary = sync(world.run(on_outcome=outcomes.append))
    assert (summary.waiting, [held.count for held in summary.held]) == (1, [1])
    (outcome,) = outcomes
    assert (outcome.name, outcome.result, outcome.blocked_by) == ("b/photo.jpg", "waiting", "a/photo.jpg")
    assert outcome.reason == (
        "its output photo.jpg still belongs to a/photo.jpg, which is gone from the source. The output is "
        "made once a/photo.jpg is removed. If that removal is held back, run renditions sync --allow-removals"
    )
    assert world.catalog.get("b/photo.jpg") is None, "so that the next full sync finds it"


def test_one_sync_removes_a_picture_with_permission_and_processes_the_picture_that_needs_its_key(
    world: World,
) -> None:
    take_over_key(world)
    record = world.catalog.get("a/photo.jpg")
    assert record
    world.catalog.write(replace(record, removable_until=world.now + timedelta(days=1)))
    outcomes: list[Outcome] = []
    assert sync(world.run(on_outcome=outcomes.append)).all_done
    assert {outcome.name: outcome.result for outcome in outcomes} == {
        "a/photo.jpg": "removed",
        "b/photo.jpg": "done",
    }
    world.check_promise()


@pytest.mark.parametrize("is_allowed", [False, True])
def test_a_watch_processes_a_blocked_picture_again_only_when_its_key_is_free(
    world: World, *, is_allowed: bool
) -> None:
    take_over_key(world)
    if is_allowed:
        world.pipeline = replace(
            world.pipeline, source=replace(world.pipeline.source, max_removals=MaxRemovals())
        )
    asked: Counter[str] = Counter()
    process = world.processor().process
    seconds = 0.0

    def count(name: str, ask: Ask = PLAIN) -> Outcome:
        asked[name] += 1
        return process(name, ask)

    def hint() -> Iterator[frozenset[str] | None]:
        nonlocal seconds
        yield None
        yield frozenset({"b/photo.jpg"})
        deadline = time.monotonic() + 60
        while not asked["b/photo.jpg"]:
            yield frozenset()
            assert time.monotonic() < deadline
        yield frozenset({"a/photo.jpg"})
        ticks = 0
        while ticks < 100 or (is_allowed and world.catalog.get("b/photo.jpg") is None):
            yield frozenset()
            assert time.monotonic() < deadline
            threading.Event().wait(0.001)
            ticks += 1
            seconds += 1.0

    follow(
        hint(),
        Following(
            process=count,
            sync_all=lambda _: None,
            guard=world.guard,
            catalog_size=lambda: world.known,
            threads=2,
            monotonic_seconds=lambda: seconds,
            on_outcome=lambda _: None,
        ),
    )
    assert asked["b/photo.jpg"] == (2 if is_allowed else 1)
    assert (world.catalog.get("b/photo.jpg") is not None) == is_allowed


def test_a_watch_processes_a_picture_again_if_its_key_became_free_during_the_processing(world: World) -> None:
    """The result that names the key's owner comes after the owner was removed."""
    take_over_key(world)
    world.pipeline = replace(
        world.pipeline, source=replace(world.pipeline.source, max_removals=MaxRemovals())
    )
    has_begun, is_free = threading.Event(), threading.Event()
    process = world.processor().process

    def late(name: str, ask: Ask = PLAIN) -> Outcome:
        outcome = process(name, ask)
        if name == "b/photo.jpg":
            has_begun.set()
            assert is_free.wait(30)
        return outcome

    def note(outcome: Outcome) -> None:
        if outcome.result == "removed":
            is_free.set()

    def hint() -> Iterator[frozenset[str] | None]:
        yield None
        yield frozenset({"b/photo.jpg"})
        assert has_begun.wait(30)
        yield frozenset({"a/photo.jpg"})
        deadline = time.monotonic() + 30
        while world.catalog.get("b/photo.jpg") is None:
            yield frozenset()
            assert time.monotonic() < deadline
            threading.Event().wait(0.001)

    follow(
        hint(),
        Following(
            process=late,
            sync_all=lambda _: None,
            guard=world.guard,
            catalog_size=lambda: world.known,
            threads=2,
            monotonic_seconds=lambda: 0.0,
            on_outcome=note,
        ),
    )
    world.check_promise()


@pytest.mark.parametrize("result", ["failed", "held"])
def test_a_hint_that_comes_while_its_picture_is_processed_is_not_delayed_by_the_following_pause(
    world: World, result: str
) -> None:
    """In an earlier version the pause replaced the hint.

    So the new picture waited up to 15 minutes.
    """
    is_hinted, results = threading.Event(), [result, "done"]
    told: list[str] = []

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        if len(results) == 2:
            assert is_hinted.wait(30)
        pause = timedelta(hours=1) if results[0] == "failed" else None
        return Outcome(name, results.pop(0), "why", pause)  # type: ignore[arg-type]

    def hint() -> Iterator[frozenset[str] | None]:
        yield frozenset()  # the first hint begins a full sync
        yield frozenset({"photo.jpg"})
        yield frozenset({"photo.jpg"})
        is_hinted.set()
        deadline = time.monotonic() + 30
        while "done" not in told:
            yield frozenset()
            assert time.monotonic() < deadline
            threading.Event().wait(0.001)

    follow(
        hint(),
        Following(
            process=process,
            sync_all=lambda _: None,
            guard=world.guard,
            catalog_size=lambda: 100,
            threads=2,
            monotonic_seconds=lambda: 0.0,
            on_outcome=lambda outcome: told.append(outcome.result),
            removal_pause=timedelta(hours=1),
        ),
    )
    assert told[-1] == "done"


def test_a_prefix_of_only_a_slash_selects_all_pictures() -> None:
    assert Selection.of(["/"]).prefixes == ("",)
    assert Order(selection=Selection.of(["/", "b"])).is_full
    assert not Order(selection=Selection.of(["/"], "failed")).is_full
    assert Selection.of(["/a/", "b"]) == Selection(("b",), ("a/",))


def test_a_missing_picture_is_not_removed_before_a_new_file_is_complete() -> None:
    """The new picture may be the missing one under another name."""

    class Landing:
        """A source in which a new picture is complete from the second pass on."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.source, name)

        def head(self, key: str) -> Any:
            found = world.source.head(key)
            return found and replace(found, complete=found.key != "b.jpg" or len(passes) > 1)

        def list(self, *args: Any) -> Any:
            passes.append(1)
            return (replace(found, complete=len(passes) > 1) for found in world.source.list(*args))

    passes: list[int] = []
    world = World()
    world.upload("a.jpg", b"one")
    sync(world.run())
    world.remove("a.jpg")
    world.upload("b.jpg", b"one")
    source = Landing()

    def differences(ask: Ask) -> Any:
        comparison = Comparison(world.pipeline, world.catalog, world.output, ask=ask)
        return plan(comparison, source, clock=world.clock)

    told: list[Outcome] = []
    run = world.run(world.processor(source=source).process, differences=differences, on_outcome=told.append)
    summary = sync(run)
    assert (summary.results, summary.renamed) == ({"done": 1}, 1)
    assert [outcome.renamed_from for outcome in told if outcome.result == "done"] == ["a.jpg"]
    assert world.catalog.get("a.jpg") is None
