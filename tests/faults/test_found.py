"""Failures that the simulator has found, each as a test of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from doubles import MemoryStore
from renditions.core.ask import ALLOWED
from renditions.core.ports import IfMatch
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering
from world import Crash, Steps, World, hash_render, make_pipeline

NAME = "a/photo.jpg"
WIDER = make_pipeline(thumb=Rendition(width=300))
WIDE = make_pipeline(thumb=Rendition(width=200))


def crash() -> None:
    raise Crash


def find_step(world: World, *names: str) -> int:
    """Return the number of the first of these consecutive calls in processing the picture."""
    steps = Steps()
    World.processor(world, steps=steps).process(NAME, ALLOWED)
    return next(at for at in range(steps.count) if tuple(steps.names[at : at + len(names)]) == names)


def make_first() -> World:
    world = World()
    world.upload(NAME, b"one")
    return world


def test_a_paused_worker_does_not_mistake_a_new_record_for_its_own() -> None:
    """The picture was deleted and added again meanwhile: the new record must not have the old revision."""
    world = make_first()
    finish = find_step(make_first(), "MemoryCatalog.write", "MemoryStore.head")

    def meanwhile() -> None:
        world.now += timedelta(hours=1)
        world.remove(NAME)
        world.settle("second")
        world.upload(NAME, b"one")
        begin = find_step(make_first(), "MemoryCatalog.write", "MemoryStore.get")
        with pytest.raises(Crash):
            world.processor("third", Steps(at=begin, after=crash)).process(NAME, ALLOWED)

    world.processor("first", Steps(at=finish, before=meanwhile)).process(NAME, ALLOWED)
    world.now += timedelta(hours=1)
    world.settle()
    world.check_promise()


def render_after(meanwhile: Callable[[], None]) -> Callable[..., Rendering]:
    """Return a renderer during which a function is called."""

    def render(
        content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
    ) -> Rendering:
        meanwhile()
        return hash_render(content, accept, recipes, analyze)

    return render


class Deadly:
    """A store; its caller dies right after a change."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, *args: Any) -> None:
        self._store.put(*args)
        raise Crash

    def delete(self, key: str, condition: IfMatch) -> None:
        self._store.delete(key, condition)
        raise Crash


def try_to_die(world: World, **changes: Any) -> None:
    """Process the picture; the worker may die."""
    try:
        world.processor("first", **{"output": Deadly(world.output), **changes}).process(NAME, ALLOWED)  # type: ignore[arg-type]
    except Crash:
        world.gone.add("first")


def test_a_worker_past_its_lease_does_not_overwrite_an_object_like_the_one_it_knew() -> None:
    """Remade with another recipe and back, the output has the same ETag, so no condition notices."""
    world = World(pipeline=WIDE)
    world.upload(NAME, b"one")
    world.settle()

    def meanwhile() -> None:
        world.now += timedelta(hours=1)
        world.settle("second")
        world.pipeline = WIDE
        world.settle("third")

    world.pipeline = WIDER
    try_to_die(world, render=render_after(meanwhile))
    world.settle()
    world.check_promise()


def test_a_worker_past_its_lease_does_not_delete_an_object_like_the_one_it_knew() -> None:
    """The lease was confirmed, then the worker slept before it sent the deletion."""
    world = World(pipeline=WIDE)
    world.upload(NAME, b"one")
    world.settle()
    world.remove(NAME)
    slept: list[Any] = []

    class Slow:
        """A catalog whose third answer, the lease's confirmation, comes after an hour."""

        asked = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(world.catalog, name)

        def get(self, name: str) -> Any:
            record = world.catalog.get(name)
            self.asked += 1
            if self.asked == 2:
                slept.append(record)
                world.now += timedelta(hours=1)
                world.settle("second")
                world.upload(NAME, b"one")
                world.settle("third")
            return record

    try_to_die(world, catalog=Slow())
    assert [record.lease.owner for record in slept] == ["first"], "it slept after the confirmation"
    world.settle()
    world.check_promise()


def test_a_crash_after_refusing_a_taken_key_leaves_no_lease() -> None:
    """Without notices nothing is left to settle, and a lease would stay in the record for ever."""
    key = "{name}"
    world = World(pipeline=make_pipeline(notify=(), thumb=Rendition(width=200, key=key)))
    world.upload("Z/photo.jpg", b"earlier")
    world.settle()
    world.upload(NAME, b"later")
    # Read picture, record, output and claim; try to begin; is the owner's picture there? refuse
    refuse = 6
    steps = Steps(at=refuse, after=crash)
    with pytest.raises(Crash):
        world.processor("first", steps).process(NAME, ALLOWED)
    assert steps.names[-3:] == ["MemoryCatalog.write", "MemoryStore.head", "MemoryCatalog.write"]
    world.settle()
    world.check_promise()
