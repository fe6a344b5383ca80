"""A worker dies or pauses at every I/O step.

It dies before or after the step. Or it pauses there while another worker runs or the picture changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.leases import reopen
from renditions.model.recipe import Rendition
from world import Crash, Steps, World, make_pipeline

NAME = "a/photo.jpg"


def crash() -> None:
    raise Crash


def new(world: World) -> None:
    world.upload(NAME, b"one")


def replaced(world: World) -> None:
    new(world)
    world.settle()
    world.upload(NAME, b"two")


def deleted(world: World) -> None:
    new(world)
    world.settle()
    world.remove(NAME)


def pipeline_changed(world: World) -> None:
    new(world)
    world.settle()
    world.pipeline = make_pipeline(
        thumb=Rendition(width=100), square=Rendition(width=1, height=1, fit="cover")
    )


def key_changed(world: World) -> None:
    new(world)
    world.settle()
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="{dir}thumb_{name}"))


def rejected(world: World) -> None:
    world.upload(NAME, b"bad")


def turned_bad(world: World) -> None:
    new(world)
    world.settle()
    world.upload(NAME, b"bad now")


def partly_made(world: World) -> None:
    world.upload(NAME, b"half")


def key_taken(world: World) -> None:
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="{name}"))
    world.upload("Z/photo.jpg", b"earlier")
    world.settle()
    world.upload(NAME, b"later")


def failed(world: World) -> None:
    new(world)
    world.processor(output=world.break_writes(99)).process(NAME, ALLOWED)


def given_up(world: World) -> None:
    for _ in range(3):
        failed(world)
    record = world.catalog.get(NAME)
    assert record
    reopen(world.catalog, record)


def lease_expired(world: World) -> None:
    replaced(world)
    with pytest.raises(Crash):
        world.processor("expired", Steps(at=5, before=crash)).process(NAME, ALLOWED)
    world.now += timedelta(hours=1)


def outputs_lost(world: World) -> None:
    new(world)
    world.settle()
    world.lose_outputs([f"{NAME}/thumb.jpg"])
    world.overwrite(f"{NAME}/large.jpg", b"rubbish")
    world.ask = Ask(removal="allowed", verify="quick", is_retry=True)


def removal_permitted(world: World) -> None:
    deleted(world)
    record = world.catalog.get(NAME)
    assert record
    world.catalog.write(replace(record, removable_until=world.now + timedelta(days=1)))
    world.ask = PLAIN


def headers_changed(world: World) -> None:
    new(world)
    world.settle()
    world.use_output(cache_control="max-age=60")
    output: Any = world.output
    output.headers = "max-age=60"


def replacement_kept(world: World) -> None:
    world.bind()
    new(world)
    world.settle()
    renditions = {"thumb": Rendition(width=200, key="{dir}thumb_{name}")}
    world.pipeline = replace(world.pipeline, renditions=renditions)
    world.use_output(keep_replaced=3600.0)


def replacement_due(world: World) -> None:
    replacement_kept(world)
    world.settle()
    world.now += timedelta(hours=2)


def key_foreign(world: World) -> None:
    world.bind()
    world.foreign[f"{NAME}/large.jpg"] = b"not ours"
    world.overwrite(f"{NAME}/large.jpg", b"not ours")
    new(world)


def store_moved(world: World) -> None:
    world.bind()
    new(world)
    world.settle()
    world.use_output(keep_replaced=3600.0)
    world.move_output("elsewhere")


def left_behind_due(world: World) -> None:
    store_moved(world)
    world.settle()
    world.now += timedelta(hours=2)


def deleted_after_a_move(world: World) -> None:
    store_moved(world)
    world.remove(NAME)


SCENARIOS = [
    new, replaced, deleted, pipeline_changed, key_changed, rejected, turned_bad, partly_made, key_taken,
    failed, given_up, lease_expired, outputs_lost, removal_permitted, headers_changed, replacement_kept,
    replacement_due, key_foreign, store_moved, left_behind_due, deleted_after_a_move,
]  # fmt: skip

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)


def count_steps(scenario: Callable[[World], None]) -> int:
    world = World()
    scenario(world)
    steps = Steps()
    world.processor(steps=steps).process(NAME, world.ask)
    return steps.count


def finish(world: World) -> None:
    """Sync until nothing is left to do, and check the promise.

    The second sync is a day later. A worker that lost its lease may leave the record of a deleted picture.
    The second sync may remove this record.
    """
    world.ask = replace(world.ask, removal="allowed")
    world.settle()
    world.now += timedelta(days=1)
    world.settle()
    world.check_promise()
    assert not any(list(store.list()) for store in world.former.values())


def crash_everywhere(scenario: Callable[[World], None]) -> int:
    """Kill a worker before and after each step, and recover each time.

    Return how many times it was killed.
    """
    total = count_steps(scenario)
    for at in range(total):
        for steps in (Steps(at=at, before=crash), Steps(at=at, after=crash)):
            world = World()
            scenario(world)
            with pytest.raises(Crash):
                world.processor("dead", steps).process(NAME, world.ask)
            world.gone.add("dead")
            finish(world)
    return 2 * total


@each_scenario
def test_a_sync_recovers_from_a_crash_at_any_step(scenario: Callable[[World], None]) -> None:
    assert crash_everywhere(scenario) >= 8


@each_scenario
def test_a_second_worker_at_any_step_causes_no_wrong_output_or_record(
    scenario: Callable[[World], None],
) -> None:
    for at in range(count_steps(scenario)):
        world = World()
        scenario(world)
        other = world.processor("other")
        steps = Steps(at=at, before=partial(other.process, NAME))
        world.processor("first", steps).process(NAME, world.ask)
        finish(world)


@each_scenario
@pytest.mark.parametrize("then", ["same", "replaced", "deleted", "changed pipeline"])
def test_a_worker_that_sleeps_past_its_lease_does_not_undo_the_work_of_another_worker(
    scenario: Callable[[World], None], then: str
) -> None:
    """At each step the first worker pauses for an hour.

    Another worker does all the work in this hour.
    """
    for at in range(count_steps(scenario)):
        world = World()
        scenario(world)

        def meanwhile(world: World = world) -> None:
            world.now += timedelta(hours=1)
            if then == "replaced":
                world.upload(NAME, b"three")
            elif then == "deleted":
                world.remove(NAME)
            elif then == "changed pipeline":
                thumb = Rendition(width=77, key=world.pipeline.renditions["thumb"].key)
                world.pipeline = replace(world.pipeline, renditions={"thumb": thumb})
            world.settle("other")

        world.processor("first", Steps(at=at, before=meanwhile)).process(NAME, world.ask)
        finish(world)


@each_scenario
def test_a_picture_that_changes_at_any_step_gets_the_outputs_of_its_newest_version(
    scenario: Callable[[World], None],
) -> None:
    for at in range(count_steps(scenario)):
        world = World()
        scenario(world)
        steps = Steps(at=at, before=partial(world.upload, NAME, b"newest"))
        world.processor(steps=steps).process(NAME, world.ask)
        finish(world)
