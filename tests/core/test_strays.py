"""Strays in the output store: listing them, and deleting those of this catalog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from renditions.core.leases import Leases
from renditions.core.neighbours import Neighbours
from renditions.core.ports import IfAbsent, IfMatch
from renditions.core.selection import EVERYTHING, Selection
from renditions.core.strays import Claims, Stray, delete_stray, list_strays
from renditions.model.folding import EXACT
from renditions.model.recipe import Rendition
from renditions.model.record import Record
from world import NAME, Crash, Stepped, Steps, World

NEIGHBOURS = Neighbours(frozenset({"us", "before"}), {"them": None})


@pytest.fixture
def world() -> World:
    world = World()
    for key, writer in {
        "a/ours.jpg": "us", "a/predecessor.jpg": "before", "b/theirs.jpg": "them", "index.html": "",
        "b/lost.jpg": "unknown",
    }.items():  # fmt: skip
        world.output.put(key, key.encode(), IfAbsent(), "image/jpeg", writer)
    return world


def strays(world: World, selection: Selection = EVERYTHING) -> dict[str, Stray]:
    """Return the strays by key."""

    def is_claimed(key: str) -> bool:
        return world.catalog.owner_of(key) is not None

    return {stray.found.key: stray for stray in list_strays(world.output, NEIGHBOURS, is_claimed, selection)}


def leases(world: World) -> Leases:
    return Leases(world.catalog, world.output, "strays", world.clock, timedelta(minutes=5))


def test_a_mark_shows_the_owner_of_a_stray(world: World) -> None:
    assert {key: stray.whose for key, stray in strays(world).items()} == {
        "a/ours.jpg": "ours", "a/predecessor.jpg": "ours", "b/lost.jpg": "unknown",
        "b/theirs.jpg": "another's", "index.html": "unknown",
    }  # fmt: skip


def test_claimed_outputs_are_not_strays(world: World) -> None:
    world.upload("photo.jpg", b"one")
    world.processor().process("photo.jpg")
    assert "photo.jpg/thumb.jpg" not in strays(world)
    assert len(strays(world)) == 5


def test_names_and_prefixes_select_strays(world: World) -> None:
    assert list(strays(world, Selection.of(["a/", "index.html", "nothing.jpg"]))) == [
        "a/ours.jpg", "a/predecessor.jpg", "index.html",
    ]  # fmt: skip


def test_only_strays_with_the_mark_of_this_catalog_or_its_predecessor_are_deleted(world: World) -> None:
    refused = {key: delete_stray(stray, leases(world), world.clock) for key, stray in strays(world).items()}
    assert [key for key, why in refused.items() if why is None] == ["a/ours.jpg", "a/predecessor.jpg"]
    assert [found.key for found in world.output.list()] == ["b/lost.jpg", "b/theirs.jpg", "index.html"]
    assert not list(world.catalog.list())


def test_a_stray_that_became_an_output_before_its_deletion_stays(world: World) -> None:
    stray = strays(world)["a/ours.jpg"]
    claimed = Record("photo.jpg", "processing", world.now, pending_keys=("a/ours.jpg",))
    world.catalog.write(claimed)
    assert "an output of photo.jpg" in (delete_stray(stray, leases(world), world.clock) or "")
    assert world.output.head("a/ours.jpg")


def test_a_stray_that_was_replaced_before_its_deletion_stays(world: World) -> None:
    stray = strays(world)["a/ours.jpg"]
    world.output.delete("a/ours.jpg", IfMatch(stray.found.etag))
    world.output.put("a/ours.jpg", b"other", IfAbsent(), "image/jpeg")
    assert "wrote or deleted it meanwhile" in (delete_stray(stray, leases(world), world.clock) or "")
    assert world.content("a/ours.jpg") == b"other"
    assert not list(world.catalog.list())


def delete_stopped(world: World, at: int, meanwhile: Callable[[], None], **store: Any) -> str | None:
    """Delete the stray ``photo.jpg/thumb.jpg``; return why it was left, or None.

    Call ``meanwhile`` before one call to the catalog or the store: the one with the number ``at``, from 0.
    """
    (stray,) = strays(world, Selection.of(["photo.jpg/thumb.jpg"])).values()
    steps = Steps(at=at, before=meanwhile)
    ports: Any = {"catalog": Stepped(world.catalog, steps), "output": Stepped(world.output, steps)}
    why = delete_stray(stray, replace(leases(world), **ports), world.clock, **store)
    assert steps.count > at, "it was stopped"
    return why


def test_an_equal_output_stays_if_another_process_wrote_it_after_the_lease_ended(world: World) -> None:
    """The deletion's condition can't distinguish the two objects.

    Their ETags are equal.
    """
    world.upload("photo.jpg", b"one")
    world.settle()
    output = world.content("photo.jpg/thumb.jpg")
    world.catalog.delete(world.record("photo.jpg"))
    world.lose_outputs(["photo.jpg/large.jpg", "photo.jpg/thumb.jpg"])
    world.output.put("photo.jpg/thumb.jpg", output, IfAbsent(), "image/jpeg", "us")

    def meanwhile() -> None:
        world.now += timedelta(hours=1)
        world.settle()

    why = delete_stopped(world, 1, meanwhile)
    assert "wrote or deleted it meanwhile" in (why or "")
    assert world.content("photo.jpg/thumb.jpg") == output
    world.settle()
    assert [record.name for record in world.catalog.list()] == ["photo.jpg"]


def test_no_stray_is_deleted_in_a_former_store_that_became_the_output_store_again(world: World) -> None:
    """No record claims a stray in a former store.

    So a sync may have written an equal output under the same key meanwhile.
    """
    world.output.put("photo.jpg/thumb.jpg", b"one", IfAbsent(), "image/jpeg", "us")
    former = world.pipeline.output.store
    world.use_output(store="elsewhere")
    world.bind()

    def meanwhile() -> None:
        world.use_output(store=former)
        world.bind()

    why = delete_stopped(world, 1, meanwhile, place=former, claims=False)
    assert why == "its store is the output store of the pipeline file again; try again"
    assert world.output.head("photo.jpg/thumb.jpg")
    assert not list(world.catalog.list())


def test_an_output_that_keep_replaced_keeps_in_a_former_store_is_no_stray_after_its_picture_got_other_keys(
    world: World,
) -> None:
    world.use_output(keep_replaced=3600.0)
    world.bind()
    world.upload(NAME, b"one")
    world.settle()
    former = world.pipeline.output.store
    world.move_output("elsewhere")
    moved = Rendition(width=200, key="moved/{name}")
    world.pipeline = replace(world.pipeline, renditions={"thumb": moved})
    world.settle()

    def list_former() -> list[str]:
        claims = Claims.read(world.catalog, EXACT, former, is_present=False)
        found = list_strays(world.former[former], NEIGHBOURS, claims, EVERYTHING)
        return [stray.found.key for stray in found if stray.found.key.startswith(NAME)]

    kept = {old.key for old in world.record(NAME).retired}
    assert kept
    assert list_former() == []
    record = world.record(NAME)
    world.catalog.write(replace(record, retired=()))
    assert set(list_former()) == kept, "nothing keeps them any more"


def test_sync_completes_the_deletion_of_a_stray_after_a_crash(world: World) -> None:
    stray = strays(world)["a/ours.jpg"]

    steps = Steps()

    def crash() -> None:
        raise Crash

    steps.before = crash
    steps.at = 2  # the claim is the first step, its confirmation the second, the deletion the third
    ports = {
        name: Stepped(port, steps) for name, port in (("catalog", world.catalog), ("output", world.output))
    }
    with pytest.raises(Crash):
        delete_stray(stray, replace(leases(world), **ports), world.clock)  # type: ignore[arg-type]
    assert steps.names == ["MemoryCatalog.write", "MemoryCatalog.get", "MemoryStore.delete"]
    world.now += timedelta(hours=1)
    world.settle()
    assert not world.output.head("a/ours.jpg")
    assert not list(world.catalog.list())
