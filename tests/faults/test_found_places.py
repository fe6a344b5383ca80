"""More failures that the simulator found, in rare situations.

Each involves a changed output store, a shared key or a kept picture.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from doubles import MemoryCatalog, MemoryStore
from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.leases import Leases
from renditions.core.ports import IfAbsent
from renditions.core.strays import Stray, delete_stray
from renditions.errors import Superseded
from renditions.model.folding import Folding
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from world import Crash, Steps, World, make_pipeline

NAME = "a/photo.jpg"
KEY = f"{NAME}/thumb.jpg"
IGNORES_CASE = Folding(ignores_case=True)


def keep_deleted(world: World) -> None:
    world.pipeline = replace(world.pipeline, source=replace(world.pipeline.source, on_delete="keep"))


def test_a_picture_does_not_overwrite_a_foreign_file_in_a_new_output_store() -> None:
    """The picture claims the same key for the former store.

    So an earlier version took the file for an output.
    """
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200)))
    world.bind()
    world.upload(NAME, b"one")
    world.settle()
    world.move_output("elsewhere")
    world.overwrite(KEY, b"not ours")
    steps = Steps()
    world.processor("first", steps).process(NAME)
    assert "MemoryStore.put" not in steps.names
    assert world.content(KEY) == b"not ours"
    record = world.catalog.get(NAME)
    assert record
    assert KEY not in record.claimed_keys()


def test_a_former_output_is_deleted_even_if_its_key_differs_from_a_current_key_only_in_case() -> None:
    world = World(output=MemoryStore(IGNORES_CASE), catalog=MemoryCatalog(IGNORES_CASE))
    world.bind()
    world.upload(NAME, b"one")
    world.settle()
    world.use_output(keep_replaced=3600.0)
    world.move_output("elsewhere")
    thumb = Rendition(width=200, key="{dir}{name}/Thumb.jpg")
    world.pipeline = replace(world.pipeline, renditions={"thumb": thumb})
    world.settle()
    world.now += timedelta(hours=2)
    world.settle()
    assert list(world.former["out"].list()) == []
    world.check_promise()


def test_a_key_that_another_picture_gets_is_no_longer_reported_as_foreign() -> None:
    """An earlier version asked people to move away the other picture's output."""
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200, key="{stem}.jpg")))
    world.bind()
    world.overwrite("photo.jpg", b"not ours")
    world.upload("b/photo.jpg", b"two")
    world.settle()
    world.lose_outputs(["photo.jpg"])
    world.upload(NAME, b"one")
    world.processor().process(NAME)
    world.settle()
    record = world.catalog.get("b/photo.jpg")
    assert record
    assert (record.blocked_by, record.refused_keys) == (NAME, ())
    world.check_promise()


def test_processing_reports_no_failure_if_another_worker_took_the_lease_of_a_missing_picture() -> None:
    """The worker lost its lease while it processed the picture.

    In an earlier version, the worker then reported a failure.
    """
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200)))
    keep_deleted(world)
    world.upload(NAME, b"one")
    steps = Steps()
    World.processor(world, steps=steps).process(NAME)
    world = World(pipeline=world.pipeline)
    world.upload(NAME, b"one")
    read = steps.names.index("MemoryStore.stream")

    def meanwhile() -> None:
        world.remove(NAME)
        world.now += timedelta(hours=1)
        world.processor("second").process(NAME)

    outcome = world.processor("first", Steps(at=read, before=meanwhile)).process(NAME)
    assert outcome.result == "unchanged"


def test_a_crash_while_strays_are_deleted_leaves_no_record_with_on_delete_keep() -> None:
    """An earlier version took a stray's claim for the record of a missing picture.

    So it kept the claim, as ``on_delete = "keep"`` demands for pictures.
    """
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200)))
    keep_deleted(world)
    found = world.output.put(KEY, b"ours", IfAbsent(), "image/jpeg", "us")

    class Deadly(MemoryStore):
        def delete(self, *_: object) -> None:
            raise Crash

    leases = Leases(world.catalog, Deadly(), "strays", world.clock, timedelta(minutes=5))
    with pytest.raises(Crash):
        delete_stray(Stray(found, "ours"), leases, world.clock)
    (left,) = world.catalog.list()
    world.now += timedelta(hours=1)
    assert world.processor().process(left.name, PLAIN).result == "held"
    assert world.processor().process(left.name, ALLOWED).result == "removed"
    assert not world.output.head(KEY)


def prepare_return() -> World:
    """Return a world whose former output store is used again.

    Its picture is gone, and an output of the picture is in that store.
    """
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200, key="{stem}.jpg")))
    world.bind()
    world.use_output(keep_replaced=3600.0)
    world.upload(NAME, b"one")
    world.settle()
    world.move_output("elsewhere")
    world.settle()
    world.move_output("out")
    world.remove(NAME)
    return world


def test_a_worker_does_not_delete_a_former_output_that_another_picture_has_replaced() -> None:
    """The worker saw that no picture claims the key.

    Another picture then wrote its output there. An earlier version deleted this output.
    """
    steps = Steps()
    prepare_return().processor("first", steps).process(NAME, ALLOWED)
    assert "MemoryStore.delete" in steps.names
    for at in range(steps.count):
        world = prepare_return()

        def meanwhile(world: World = world) -> None:
            world.upload("b/photo.jpg", b"two")
            world.processor("second").process("b/photo.jpg", ALLOWED)

        world.processor("first", Steps(at=at, before=meanwhile)).process(NAME, ALLOWED)
        world.settle()
        world.check_promise()


def test_the_outputs_that_a_worker_past_its_lease_wrote_to_a_former_store_stay_claimed() -> None:
    """The worker had written to the former store.

    In an earlier version, it then claimed the keys as if they were in the present store.
    """
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200)))
    world.bind()
    world.use_output(keep_replaced=3600.0)
    world.upload(NAME, b"one")

    def meanwhile() -> None:
        world.now += timedelta(hours=1)
        world.move_output("elsewhere")
        world.pipeline = replace(world.pipeline, accept=Accept(max_bytes=99))
        world.bind()
        world.settle("second")

    steps = Steps()
    probe = World(pipeline=world.pipeline)
    probe.bind()
    probe.upload(NAME, b"one")
    probe.processor("probe", steps).process(NAME)
    at = steps.names.index("MemoryStore.put")
    with pytest.raises(Superseded):
        world.processor("first", Steps(at=at, before=meanwhile)).process(NAME)
    assert world.catalog.owner_of(KEY) == NAME
    world.settle()
    world.now += timedelta(hours=2)
    world.settle()
    assert list(world.former["out"].list()) == []
    world.check_promise()


def test_a_crash_while_strays_are_deleted_deletes_no_file_in_a_store_that_is_used_later() -> None:
    """In an earlier version, the record that claims a stray's key named no store.

    So a sync deleted the file under this key in the store that was used later.
    """
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200)))
    world.bind()
    found = world.output.put(KEY, b"ours", IfAbsent(), "image/jpeg", "us")

    class Deadly(MemoryStore):
        def delete(self, *_: object) -> None:
            raise Crash

    leases = Leases(world.catalog, Deadly(), "strays", world.clock, timedelta(minutes=5))
    with pytest.raises(Crash):
        delete_stray(Stray(found, "ours"), leases, world.clock, place="out")
    world.move_output("elsewhere")
    world.overwrite(KEY, b"not ours")
    world.now += timedelta(hours=1)
    world.settle()
    assert world.content(KEY) == b"not ours"
    assert not list(world.catalog.list())


def test_a_partial_run_records_no_output_whose_file_it_overwrote_under_a_key_of_different_case() -> None:
    """In an earlier version the record named both outputs, which were one file."""
    thumb = Rendition(width=200, key="{dir}{name}/Thumb.jpg")
    world = World(
        pipeline=make_pipeline((), thumb=thumb),
        output=MemoryStore(IGNORES_CASE),
        catalog=MemoryCatalog(IGNORES_CASE),
    )
    world.bind()
    world.upload(NAME, b"one")
    world.settle()
    large = Rendition(width=900, key="{dir}{name}/THUMB.jpg")
    world.pipeline = make_pipeline((), thumb=replace(thumb, key="{dir}{name}/small.jpg"), large=large)
    world.upload(NAME, b"two")
    world.processor().process(NAME, Ask(renditions=frozenset({"large"})))
    assert [made.rendition for made in world.record(NAME).outputs] == ["large"]
    world.settle()
    world.check_promise()


def test_a_partial_run_rejects_a_picture_if_two_of_its_renditions_have_the_same_file() -> None:
    """An earlier version compared only the keys of the renditions that the run made."""
    world = World(output=MemoryStore(IGNORES_CASE), catalog=MemoryCatalog(IGNORES_CASE))
    world.pipeline = make_pipeline((), thumb=Rendition(width=200))
    world.bind()
    world.upload(NAME, b"one")
    world.settle()
    large = Rendition(width=900, key="{dir}{name}/THUMB.jpg")
    world.pipeline = make_pipeline((), thumb=Rendition(width=200), large=large)
    world.upload(NAME, b"two")
    outcome = world.processor().process(NAME, Ask(renditions=frozenset({"large"})))
    assert "thumb and large would both write" in (outcome.reason or "")
    world.settle()
    world.check_promise()


@pytest.fixture
def returned() -> World:
    """Return a world whose output store is used again.

    The picture a.jpg left an output there, under the key ``a``. Another picture, a.png, claims that key for
    the store that was used meanwhile.
    """
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200, key="{stem}")))
    world.use_output(keep_replaced=3600.0)
    world.bind()
    world.upload("a.jpg", b"one")
    world.settle()
    world.move_output("elsewhere")
    world.upload("a.jpg", b"bad")
    world.settle()
    world.upload("a.png", b"two")
    world.settle()
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(width=200)})
    world.move_output("out")
    return world


def test_an_output_in_a_store_that_is_used_again_is_deleted_although_another_picture_claims_its_key(
    returned: World,
) -> None:
    """The other picture claims the former store's key until a sync processes it."""
    assert returned.catalog.owner_of("a") == "a.png"
    returned.settle()
    returned.now += timedelta(hours=2)
    returned.settle()
    returned.check_promise()
    assert not list(returned.former["elsewhere"].list())


def test_a_removal_goes_on_if_another_picture_claims_a_key_of_a_store_that_is_used_again(
    returned: World,
) -> None:
    """In an earlier version the refusal ended the call with an error."""
    returned.processor().process("a.png")
    returned.remove("a.jpg")
    returned.pipeline = replace(returned.pipeline, renditions={"thumb": Rendition(width=200, key="{stem}")})

    class Late(MemoryCatalog):
        """A catalog whose answer comes after another picture claimed the key ``a``."""

        def owner_of(self, key: str) -> str | None:
            owner = super().owner_of(key)
            if key == "a" and owner is None:
                self.__class__ = MemoryCatalog  # type: ignore[assignment]
                returned.processor().process("a.png")
            return owner

    returned.catalog.__class__ = Late
    assert returned.processor().process("a.jpg", ALLOWED).result == "removed"
    assert returned.catalog.owner_of("a") == "a.png"
    returned.now += timedelta(hours=2)
    returned.settle()
    returned.check_promise()
