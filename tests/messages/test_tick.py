"""A schedule's tick over a queue: what it sends, postpones or holds back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from messages.test_intake import read
from renditions.core.ask import PLAIN, Ask
from renditions.core.binding import Claimant, Start, bind, hold
from renditions.core.guard import Guard
from renditions.core.ports import IfMatch
from renditions.errors import StoreFailed
from renditions.messages.events import SyncRequest
from renditions.messages.intake import Picture, read_task
from renditions.messages.tick import Tick, Ticked
from renditions.model.places import S3Place
from world import World

PLACE = S3Place("photos", "in/")
NAMES = [f"{number:02}.jpg" for number in range(25)]
CHECKED = Ask(verify="quick")
EACH = [1, 2, 9, 10, 11, 25, 26]


def make_world(count: int = 25) -> World:
    world = World()
    for number in range(count):
        world.upload(f"{number:02}.jpg", b"%d" % number)
    bind(world.catalog, Claimant("", "in", "out", "1", Start(sets_generation=True)))
    return world


def make_tick(world: World, send: Callable[[Sequence[str]], None], ask: Ask = PLAIN) -> Tick:
    """Return a tick over the world, as a function on Lambda makes it."""
    guard = Guard(world.pipeline.source.max_removals, is_attended=False)
    keep = partial(hold, world.catalog)
    return Tick(partial(world.differences, ask=ask), guard, PLACE, send, keep, world.clock)


def run(
    world: World, each: int = 1000, request: SyncRequest | None = None, ask: Ask = PLAIN
) -> tuple[list[Picture], list[Ticked]]:
    """Run a tick to its end; return the sent pictures, and the result of each call.

    Each call checks ``each`` names.
    """
    todo = deque([request or SyncRequest()])
    pictures: list[Picture] = []
    calls: list[Ticked] = []
    while todo:
        left = iter(range(each))
        bodies: list[str] = []

        def send(some: Sequence[str], bodies: list[str] = bodies) -> None:
            assert len(some) <= 11
            bodies += some

        def has_time(left: Iterator[int] = left) -> bool:
            return next(left, 0) + 1 < each

        calls.append(make_tick(world, send, ask).run(todo.popleft(), has_time))
        tasks = [read_task(content, PLACE) for content in read(bodies)]
        pictures += [task for task in tasks if isinstance(task, Picture)]
        todo += [task for task in tasks if isinstance(task, SyncRequest)]
    return pictures, calls


def process(world: World, pictures: Sequence[Picture]) -> None:
    for picture in pictures:
        world.processor().process(picture.name, picture.ask)


def names(pictures: Sequence[Picture]) -> list[str]:
    return [picture.name for picture in pictures]


def test_a_tick_sends_each_differing_picture_once_in_batches_of_ten() -> None:
    world = make_world()
    world.processor().process(NAMES[3])
    batches: list[list[str]] = []
    ticked = make_tick(world, lambda some: batches.append([*some])).run(SyncRequest(), lambda: True)
    assert ticked == Ticked(24)
    assert [len(batch) for batch in batches] == [10, 10, 4]
    assert names(run(world)[0]) == NAMES[:3] + NAMES[4:]


def test_a_tick_sends_nothing_when_nothing_differs() -> None:
    world = make_world()
    world.settle()
    assert run(world) == ([], [Ticked(0)])


@pytest.mark.parametrize("each", EACH)
def test_a_tick_continues_in_another_call_when_time_runs_out(each: int) -> None:
    """Over all calls, the tick sends each picture exactly once."""
    assert names(run(make_world(), each)[0]) == NAMES


def test_a_tick_may_continue_through_more_calls_than_lambda_allows_by_default() -> None:
    """By default Lambda allows about sixteen calls.

    Each call begins at a later name, so the chain ends.
    """
    _, calls = run(make_world(), 1)
    begins = [ticked.next.after for ticked in calls if ticked.next]
    assert len(begins) == len(NAMES) > 16
    assert begins == sorted(set(begins))


@pytest.mark.parametrize("each", EACH)
def test_a_tick_sends_a_few_removals_after_all_pictures_are_counted(each: int) -> None:
    world = make_world()
    world.settle()
    for name in NAMES[::9]:
        world.remove(name)
    world.upload("late.jpg", b"late")
    pictures, _ = run(world, each)
    assert [(picture.name, picture.is_removal) for picture in pictures] == [
        ("late.jpg", False),
        *((name, True) for name in NAMES[::9]),
    ]
    process(world, pictures)
    assert world.plan() == []
    world.check_promise()


@pytest.mark.parametrize("each", EACH)
def test_a_tick_sends_no_removal_when_too_many_pictures_are_gone(each: int) -> None:
    """The tick stores the held removals. It drops them when the pictures are back."""
    world = make_world()
    world.settle()
    for name in NAMES:
        world.remove(name)
    pictures, calls = run(world, each)
    assert pictures == []
    binding = world.catalog.read_binding()
    assert binding
    (held,) = binding.held
    assert calls[-1].held == (held,)
    assert (held.what, held.count) == ("removals", 25)
    assert held.why == "the source has no matching picture, but the catalog has 25 records"
    run(world, each)
    assert world.catalog.read_binding() == binding, "a second tick writes nothing new about the same removals"
    for number, name in enumerate(NAMES):
        world.upload(name, b"%d" % number)
    run(world, each)
    settled = world.catalog.read_binding()
    assert settled
    assert settled.held == ()


def test_a_tick_sends_removals_that_a_person_allowed() -> None:
    world = make_world()
    world.settle()
    for name in NAMES:
        world.remove(name)
        record = world.catalog.get(name)
        assert record
        world.catalog.write(replace(record, removable_until=world.now + timedelta(days=1)))
    pictures, calls = run(world, 10)
    assert [(picture.name, picture.is_removal) for picture in pictures] == [(name, True) for name in NAMES]
    assert calls[-1].held == ()


def test_a_tick_adds_up_the_counts_of_earlier_calls() -> None:
    """Each call finds few missing pictures. Together, they find too many."""
    world = make_world(99)
    world.settle()
    for number in range(60):
        world.remove(f"{number:02}.jpg")
    pictures, calls = run(world, 10)
    assert pictures == []
    gone = "60 of 99 pictures are gone: more than 50, and more than 30 %"
    assert calls[-1].held[0].why == f"{gone} (the limits of [source] max_removals)"


def test_pictures_that_disappear_after_the_count_wait_for_the_next_tick() -> None:
    """The message that allows three removals may come late or twice."""
    world = make_world()
    world.settle()
    for name in NAMES:
        world.remove(name)
    pictures, _ = run(world, 10, SyncRequest(allowed={"removals": 3}))
    assert names(pictures) == NAMES[:3]


def test_a_continuation_without_counts_sends_no_removals() -> None:
    """Earlier versions sent only the name after which to continue."""
    world = make_world()
    world.settle()
    world.remove(NAMES[20])
    world.upload("late.jpg", b"late")
    (request,) = read(['{"source": "renditions", "detail-type": "Reconcile", "detail": {"after": "05.jpg"}}'])
    assert request == SyncRequest("05.jpg")
    assert names(run(world, 10, SyncRequest("05.jpg"))[0]) == ["late.jpg"]


def test_a_tick_makes_no_outputs_again_if_the_pipeline_file_names_another_output_store() -> None:
    """No person has applied the changed file yet."""
    world = make_world()
    world.settle()
    world.pipeline = replace(world.pipeline, output=replace(world.pipeline.output, store="elsewhere"))
    world.upload("late.jpg", b"late")
    moved = Guard(world.pipeline.source.max_removals, is_attended=False, is_output_bound=False)
    sent: list[str] = []
    ticked = replace(make_tick(world, sent.extend), guard=moved).run(SyncRequest(), lambda: True)
    assert [(held.what, held.count) for held in ticked.held] == [("output", 25)]
    assert len(sent) == 1
    assert names(run(world)[0]) == ["late.jpg", *NAMES], "within its limits, the guard allows it"


@pytest.mark.parametrize("each", EACH)
def test_a_tick_that_checks_outputs_sends_pictures_with_lost_or_replaced_outputs(each: int) -> None:
    """The message makes the worker check the outputs too.

    By the record alone, nothing differs.
    """
    world = make_world()
    world.settle()
    lost, replaced = f"{NAMES[3]}/thumb.jpg", f"{NAMES[20]}/large.jpg"
    etags = {found.key: found.etag for found in world.output.list()}
    world.output.delete(lost, IfMatch(etags[lost]))
    world.output.put(replaced, b"rubbish", IfMatch(etags[replaced]), "image/jpeg")
    assert run(world, each)[0] == [], "a tick that doesn't check sees nothing"
    pictures, _ = run(world, each, ask=CHECKED)
    assert [(picture.name, picture.has_drifted) for picture in pictures] == [
        (NAMES[3], True),
        (NAMES[20], True),
    ]
    process(world, pictures)
    assert [each for each in world.differences(ask=CHECKED) if each.action != "keep"] == []
    world.check_promise()


def test_a_tick_restores_nothing_if_all_outputs_are_missing() -> None:
    world = make_world()
    world.settle()
    for found in list(world.output.list()):
        world.output.delete(found.key, IfMatch(found.etag))
    pictures, calls = run(world, 10, ask=CHECKED)
    assert pictures == []
    assert [(held.what, held.count) for held in calls[-1].held] == [("output", 25)]


def test_a_tick_raises_the_error_if_it_can_not_send_a_message() -> None:
    def send(_: object) -> None:
        raise StoreFailed("throttled")

    with pytest.raises(StoreFailed):
        make_tick(make_world(), send).run(SyncRequest(), lambda: True)
