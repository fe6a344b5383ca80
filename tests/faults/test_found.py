"""Tests for failures that the simulator has found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from doubles import MemoryCatalog, MemoryStore
from renditions.core.ask import ALLOWED, Ask
from renditions.core.binding import Claimant, Start, bind
from renditions.core.leases import wish
from renditions.core.outbox import Outbox
from renditions.core.ports import IfMatch
from renditions.errors import NotifyFailed, StoreFailed, Superseded
from renditions.model.binding import Binding
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Focus, Rendition
from renditions.model.rendering import Rendering
from renditions.model.wishes import NO_WISHES, Wishes
from world import LOG, Crash, Steps, World, hash_render, make_pipeline

NAME = "a/photo.jpg"
COPY = "b/photo.jpg"
WIDER = make_pipeline(thumb=Rendition(width=300))
WIDE = make_pipeline(thumb=Rendition(width=200))


def crash() -> None:
    raise Crash


def find_step(world: World, *names: str) -> int:
    """Return the step at which processing first makes these consecutive calls."""
    steps = Steps()
    World.processor(world, steps=steps).process(NAME, ALLOWED)
    return next(at for at in range(steps.count) if tuple(steps.names[at : at + len(names)]) == names)


def make_first() -> World:
    world = World()
    world.upload(NAME, b"one")
    return world


def test_a_paused_worker_does_not_mistake_a_new_record_for_its_own() -> None:
    """The picture was deleted and added again during the pause.

    So the new record must have another revision.
    """
    world = make_first()
    finish = find_step(make_first(), "MemoryCatalog.write", "MemoryStore.head")

    def meanwhile() -> None:
        world.now += timedelta(hours=1)
        world.remove(NAME)
        world.settle("second")
        world.upload(NAME, b"one")
        begin = find_step(make_first(), "MemoryCatalog.write", "MemoryStore.put")
        with pytest.raises(Crash):
            world.processor("third", Steps(at=begin, after=crash)).process(NAME, ALLOWED)

    world.processor("first", Steps(at=finish, before=meanwhile)).process(NAME, ALLOWED)
    world.now += timedelta(hours=1)
    world.settle()
    world.check_promise()


def render_after(meanwhile: Callable[[], None]) -> Callable[..., Rendering]:
    """Return a renderer that calls a function while it renders."""

    def render(
        content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
    ) -> Rendering:
        meanwhile()
        return hash_render(content, accept, recipes, analyze)

    return render


class Deadly:
    """A store whose caller dies right after a change."""

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
    """Process the picture, and continue even if the worker dies."""
    try:
        world.processor("first", **{"output": Deadly(world.output), **changes}).process(NAME, ALLOWED)  # type: ignore[arg-type]
    except Crash:
        world.gone.add("first")


def test_a_worker_past_its_lease_does_not_overwrite_an_output_that_has_its_old_etag_again() -> None:
    """Other workers changed the output and changed it back."""
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


def test_a_worker_past_its_lease_does_not_delete_an_output_that_has_its_old_etag_again() -> None:
    """The worker confirmed its lease. It then slept before it sent the deletion."""
    world = World(pipeline=WIDE)
    world.upload(NAME, b"one")
    world.settle()
    world.remove(NAME)
    slept: list[Any] = []

    class Slow:
        """A catalog whose second ``get``, which confirms the lease, takes an hour."""

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
    """Without notices, no later step settles the record.

    So a lease in this record would stay there.
    """
    key = "{name}"
    world = World(pipeline=make_pipeline(notify=(), thumb=Rendition(width=200, key=key)))
    world.upload("Z/photo.jpg", b"earlier")
    world.settle()
    world.upload(NAME, b"later")
    # The steps: read record, picture, content, twins, wishes, output and claim; try to begin; look for the
    # owner's picture; refuse.
    refuse = 9
    steps = Steps(at=refuse, after=crash)
    with pytest.raises(Crash):
        world.processor("first", steps).process(NAME, ALLOWED)
    assert steps.names[-3:] == ["MemoryCatalog.write", "MemoryStore.head", "MemoryCatalog.write"]
    world.settle()
    world.check_promise()


ONLY_THUMB = Ask(renditions=frozenset({"thumb"}))


def make_done(**changes: Any) -> World:
    world = World(**changes)
    world.bind()
    world.upload(NAME, b"one")
    world.settle()
    return world


def keep_deleted(world: World) -> None:
    source = replace(world.pipeline.source, on_delete="keep")
    world.pipeline = replace(world.pipeline, source=source)


def list_keys(world: World) -> list[str]:
    return [found.key for found in world.output.list()]


def test_an_interrupted_picture_that_is_then_deleted_keeps_its_outputs_with_on_delete_keep() -> None:
    """An earlier version deleted the outputs.

    It mistook the interrupted picture's record for that of a decided picture.
    """
    world = make_done()
    keep_deleted(world)
    world.upload(NAME, b"two")
    with pytest.raises(Crash):
        world.processor("dead", render=render_after(crash)).process(NAME)
    world.gone.add("dead")
    world.remove(NAME)
    assert world.processor().process(NAME).result == "unchanged"
    assert len(list_keys(world)) == 2
    assert world.plan() == []


def test_an_unsent_notice_about_a_kept_picture_whose_source_is_gone_is_sent_later() -> None:
    class Away:
        def send(self, notice: Any) -> None:
            raise NotifyFailed("no answer")

    world = World()
    keep_deleted(world)
    world.upload(NAME, b"one")
    away: Any = dict.fromkeys((notify.target for notify in world.pipeline.notify), Away())
    world.processor(notifiers=away).process(NAME)
    world.remove(NAME)
    world.processor(notifiers=away).process(NAME)
    world.settle()
    world.now += timedelta(hours=1)
    here: Any = dict.fromkeys(away, world.notifier)
    Outbox(world.catalog, here, world.clock).send_due()
    assert [notice.name for notice in world.notifier.sent] == [NAME]


def test_a_partial_run_keeps_other_renditions_under_their_old_keys() -> None:
    """The keys of the other renditions had changed too.

    An earlier version deleted the old outputs and made no new ones.
    """
    world = make_done()
    moved = {
        name: replace(recipe, key=f"{name}/{{name}}") for name, recipe in world.pipeline.renditions.items()
    }
    world.pipeline = replace(world.pipeline, renditions=moved)
    world.processor().process(NAME, ONLY_THUMB)
    assert list_keys(world) == [f"{NAME}/large.jpg", "thumb/photo.jpg"]
    world.settle()
    world.check_promise()


def test_a_partial_run_keeps_the_outputs_of_undeclared_renditions() -> None:
    world = make_done()
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(width=9)})
    world.processor().process(NAME, ONLY_THUMB)
    assert list_keys(world) == [f"{NAME}/large.jpg", f"{NAME}/thumb.jpg"]
    assert world.plan() == [(NAME, "update")]
    world.settle()
    world.check_promise()


def test_a_partial_run_sends_its_notice_and_leaves_no_lease_and_no_pending_key() -> None:
    world = World()
    world.upload(NAME, b"one")
    world.processor().process(NAME, ONLY_THUMB)
    record = world.record(NAME)
    assert (record.owed, record.pending_keys, record.lease) == ((), (), None)
    assert [notice.event for notice in world.notifier.sent] == ["done"]


def test_current_outputs_stay_when_a_former_store_is_used_again() -> None:
    """The retired outputs in this store have the same keys, and their time is over."""
    world = make_done()
    world.use_output(keep_replaced=3600.0)
    for place in ("elsewhere", "out"):
        world.move_output(place)
        world.settle()
    world.now += timedelta(hours=2)
    world.settle()
    world.check_promise()


def test_a_removal_that_fails_in_a_former_output_store_is_continued_later() -> None:
    world = make_done()
    world.move_output("elsewhere")
    world.remove(NAME)
    former, left = world.former["out"], [1]

    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(former, name)

        def delete(self, key: str, condition: IfMatch) -> None:
            former.delete(key, condition)
            if left.pop():
                left.append(0)
                raise StoreFailed("no answer")
            left.append(0)

    store: Any = Full()
    assert world.processor(open_place=lambda _: store).process(NAME, ALLOWED).result == "failed"
    assert world.processor(open_place=lambda _: store).process(NAME, ALLOWED).result == "removed"
    assert list(former.list()) == []


def test_a_picture_that_waits_for_the_key_of_a_missing_picture_holds_no_lease() -> None:
    """The picture's first key was free.

    The picture was replaced while it was rendered, so it needs another key.
    """
    world = World(pipeline=make_pipeline(thumb=Rendition(width=200, key="{etag}")))
    world.upload("Z/photo.jpg", b"two")
    world.settle()
    world.remove("Z/photo.jpg")
    world.upload(NAME, b"one")
    processor = world.processor(render=render_after(lambda: world.upload(NAME, b"two")))
    assert processor.process(NAME).result == "waiting"
    assert world.record(NAME).lease is None
    world.settle()
    world.check_promise()


def test_a_function_deployed_before_a_take_over_is_superseded() -> None:
    catalog = MemoryCatalog()

    def claim(generation: str, start: Start) -> Binding:
        return bind(catalog, Claimant("a.toml", "in", "out", generation, start))

    claim("deployed", Start(deployed_at="2026-01-01"))
    claim("taken", Start(sets_generation=True, takes_over=True))
    with pytest.raises(Superseded):
        claim("deployed", Start(deployed_at="2026-01-01"))
    assert claim("newer", Start(deployed_at="2026-01-02")).generation == "newer"


def test_a_superseded_worker_gives_no_wishes_to_a_picture_that_a_newer_generation_processed() -> None:
    """An earlier version wrote the wishes of a removed picture into a copy's record.

    The superseded worker couldn't process the copy. So its outputs lacked the wishes until the next sync.
    """
    world = World(pipeline=WIDE)
    world.bind()
    world.upload(NAME, b"one")
    world.settle()
    wishes = Wishes(focus=Focus(x=10, y=20))
    wish(world.catalog, world.record(NAME), wishes)
    world.upload(COPY, b"one")
    world.settle()
    superseded = world.processor("superseded")
    world.pipeline = WIDER
    world.bind()
    world.processor("newer").process(COPY)
    world.remove(NAME)
    with pytest.raises(Superseded):
        superseded.process(NAME, ALLOWED)
    assert world.record(COPY).wishes == NO_WISHES
    world.now += timedelta(hours=1)
    world.settle()
    assert world.record(COPY).wishes == wishes
    world.check_promise()


def test_a_superseded_worker_takes_over_no_record_that_a_newer_generation_decided() -> None:
    """The superseded worker's pipeline declares no notices.

    So in an earlier version the renamed record owed none.
    """
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200, key="{hash}")))
    world.bind()
    superseded = world.processor("superseded")
    world.pipeline = replace(world.pipeline, notify=(LOG,), accept=Accept(max_bytes=1000))
    world.bind()
    world.upload(NAME, b"one")
    world.processor("newer").process(NAME)
    world.remove(NAME)
    world.upload(COPY, b"one")
    with pytest.raises(Superseded):
        superseded.process(COPY)
    assert world.processor("newer").process(COPY).renamed_from == NAME
    assert [notice.name for notice in world.notifier.sent] == [NAME, COPY]
    world.check_promise()


def test_an_output_stays_until_its_replacement_is_recorded_even_if_another_key_is_refused() -> None:
    """A folder can't hold both the old keys and the refused key.

    The core writes nothing under the refused key, so it must not delete the old output first.
    """
    world = make_done()
    world.overwrite(NAME, b"not ours")
    renditions = {"thumb": Rendition(width=9, key="{dir}{name}"), "small": Rendition(width=3, key="small")}
    world.pipeline = replace(world.pipeline, renditions=renditions)
    with pytest.raises(Crash):
        world.processor("dead", output=Deadly(world.output)).process(NAME)  # type: ignore[arg-type]
    assert f"{NAME}/large.jpg" in list_keys(world)
    assert "small" in list_keys(world)


def test_every_output_gets_the_declared_headers_after_they_were_changed_and_changed_back() -> None:
    """One output was written between the changes.

    Another one kept its earlier headers.
    """
    world = make_done()
    output: Any = world.output

    def use(headers: str | None, width: int) -> None:
        world.use_output(cache_control=headers)
        output.headers = headers or ""
        thumb, large = Rendition(width=width), world.pipeline.renditions["large"]
        world.pipeline = replace(world.pipeline, renditions={"thumb": thumb, "large": large})

    use("max-age=60", 7)
    world.processor(output=world.no_rewrites()).process(NAME)
    use(None, 7)
    world.settle()
    assert set(output.headers_of.values()) == {""}
