"""Renamed, copied and returning pictures, with stores and a catalog in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hashing import never_render
from renditions.core.ask import ALLOWED, Ask
from renditions.core.ports import IfMatch
from renditions.core.reconcile import Order, sync
from renditions.model.catalog_place import CatalogPlace
from renditions.model.kept import KeptWishes
from renditions.model.recipe import Focus, Rendition
from renditions.model.wishes import NO_WISHES, Wishes
from world import World, make_pipeline

FOCUS = Wishes(Focus(x=10, y=20))
COVER = Rendition(width=20, height=20, fit="cover", gravity="focus")


@pytest.fixture
def world() -> World:
    world = World(make_pipeline(thumb=COVER))
    world.bind()
    world.upload("a.jpg", b"one")
    world.processor().process("a.jpg")
    world.catalog.write(replace(world.record("a.jpg"), wishes=FOCUS))
    world.processor().process("a.jpg")
    return world


FIRST = [("processing", "it is new"), ("done", "")]
"""The history of a new picture."""


def tell(world: World, name: str) -> list[tuple[str, str]]:
    """Return the status and the reason of each event in a picture's history."""
    return [(event.status, event.reason) for event in world.record(name).history]


def rename(world: World, former: str, name: str, content: bytes = b"one") -> None:
    world.remove(former)
    world.upload(name, content)


def test_a_renamed_picture_keeps_its_focus_and_is_not_rendered(world: World) -> None:
    before = world.content("a.jpg/thumb.jpg")
    rename(world, "a.jpg", "b.jpg")
    outcome = world.processor(render=never_render).process("b.jpg")
    assert (outcome.result, outcome.renamed_from) == ("done", "a.jpg")
    assert world.catalog.get("a.jpg") is None
    assert world.record("b.jpg").wishes == FOCUS
    assert world.content("b.jpg/thumb.jpg") == before
    assert [found.key for found in world.output.list()] == ["b.jpg/thumb.jpg"]
    assert tell(world, "b.jpg")[-2:] == [("processing", "it was renamed from a.jpg"), ("done", "")]
    world.check_promise()


def test_a_renamed_picture_keeps_its_output_if_the_output_key_does_not_change() -> None:
    world = World(make_pipeline(thumb=replace(COVER, key="thumbs/{name}")))
    world.bind()
    world.upload("old/a.jpg", b"one")
    world.processor().process("old/a.jpg")
    made = world.record("old/a.jpg").outputs[0]
    rename(world, "old/a.jpg", "new/a.jpg")
    assert world.processor(render=never_render).process("new/a.jpg").result == "done"
    assert world.record("new/a.jpg").outputs[0].etag == made.etag
    assert ("processing", "it was renamed from old/a.jpg") in tell(world, "new/a.jpg")
    world.check_promise()


def test_renaming_a_whole_folder_does_not_count_as_removals() -> None:
    """If renames counted as removals, the guard would hold back all of them."""
    world = World(make_pipeline(thumb=COVER))
    world.bind()
    names = [f"{number:03}.jpg" for number in range(80)]
    for name in names:
        world.upload(f"a/{name}", name.encode())
    assert sync(world.run()).results == {"done": 80}
    for name in names:
        rename(world, f"a/{name}", f"b/{name}", name.encode())
    plans = list(world.parts().preview())
    assert [(each.name, each.action, each.why) for each in plans] == [
        (f"b/{name}", "rename", f"it was renamed from a/{name}") for name in names
    ]
    world.source.folders.add("a/")
    summary = sync(world.run(world.processor(render=never_render).process))
    assert (summary.results, summary.held) == ({"done": 80}, [])
    assert sorted(record.name for record in world.catalog.list()) == [f"b/{name}" for name in names]
    world.check_promise()


@pytest.mark.parametrize("change", ["rename", "removal"])
def test_a_sync_with_renames_or_removals_verifies_each_unchanged_output_once(change: str) -> None:
    world = World(make_pipeline(thumb=COVER))
    world.bind()
    for number in range(3):
        world.upload(f"{number}.jpg", b"%d" % number)
    sync(world.run())
    world.remove("0.jpg")
    if change == "rename":
        world.upload("new.jpg", b"0")
    looked: Counter[str] = Counter()

    class Counted:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.output, name)

        def head(self, key: str) -> Any:
            looked[key] += 1
            return world.output.head(key)

    verified = Ask(verify="quick")
    parts = replace(world.parts(), output=Counted())
    run = world.run(ask=verified, differences=lambda ask: parts.plan(ask=ask))
    summary = sync(run)
    assert (summary.renamed, summary.results["removed"]) == ((1, 0) if change == "rename" else (0, 1))
    assert (looked["1.jpg/thumb.jpg"], looked["2.jpg/thumb.jpg"]) == (1, 1)


def test_a_plan_shows_a_renamed_picture_once_with_its_copied_and_deleted_outputs(world: World) -> None:
    world.upload("z.jpg", b"other")
    rename(world, "a.jpg", "b.jpg")
    renamed, new = world.parts().preview()
    assert renamed.to_item() == {
        "name": "b.jpg",
        "action": "rename",
        "why": "it was renamed from a.jpg",
        "make": {"thumb": {"key": "b.jpg/thumb.jpg"}},
        "delete": ["a.jpg/thumb.jpg"],
        "renamed_from": "a.jpg",
    }
    assert (new.name, new.action) == ("z.jpg", "create")


def test_a_plan_of_a_renamed_picture_shows_the_renditions_that_must_still_be_made() -> None:
    """The renamed picture's output keeps its key, so the worker copies nothing.

    Only the new rendition is missing.
    """
    world = World(make_pipeline(thumb=replace(COVER, key="thumbs/{name}")))
    world.bind()
    world.upload("old/a.jpg", b"one")
    world.processor().process("old/a.jpg")
    rename(world, "old/a.jpg", "new/a.jpg")
    more = {**world.pipeline.renditions, "large": Rendition(width=300)}
    world.pipeline = replace(world.pipeline, renditions=more)
    (renamed,) = world.parts().preview()
    assert (renamed.action, renamed.make, renamed.delete) == ("rename", ("large",), ())


def test_a_plan_shows_a_missing_and_a_new_picture_with_different_content_separately(world: World) -> None:
    rename(world, "a.jpg", "b.jpg", b"two")
    assert [(each.name, each.action) for each in world.parts().preview()] == [
        ("a.jpg", "remove"), ("b.jpg", "create"),
    ]  # fmt: skip


def test_a_plan_shows_a_renamed_picture_once_if_missing_pictures_are_kept() -> None:
    world = World(make_pipeline(thumb=COVER))
    keeps = replace(world.pipeline.source, on_delete="keep")
    world.pipeline = replace(world.pipeline, source=keeps)
    world.bind()
    for name in ("a.jpg", "gone.jpg", "there.jpg"):
        world.upload(name, name.encode())
        world.processor().process(name)
    world.remove("gone.jpg")
    rename(world, "a.jpg", "b.jpg", b"a.jpg")
    planned = [(each.name, each.action) for each in world.parts().preview()]
    assert planned == [("there.jpg", "keep"), ("b.jpg", "rename"), ("gone.jpg", "settle")]
    some = Order(Ask(renditions=frozenset({"thumb"})))
    assert {each.action for each in world.parts().preview(some)} == {"create", "keep"}
    assert sync(world.run()).renamed == 1
    assert [(each.name, each.action) for each in world.parts().preview()] == [
        ("b.jpg", "keep"), ("there.jpg", "keep"), ("gone.jpg", "keep"),
    ]  # fmt: skip


def test_the_guard_counts_missing_pictures_and_no_renamed_pictures() -> None:
    world = World(make_pipeline(thumb=COVER))
    world.bind()
    for number in range(100):
        world.upload(f"a/{number:03}.jpg", b"%d" % number)
    sync(world.run())
    for number in range(60):
        world.remove(f"a/{number:03}.jpg")
    rename(world, "a/090.jpg", "b/090.jpg", b"90")
    (held,) = sync(world.run()).held
    assert held.count == 60
    assert world.catalog.get("b/090.jpg")


def test_a_copied_picture_gets_copies_of_the_outputs_of_the_original(world: World) -> None:
    world.catalog.write(replace(world.record("a.jpg"), wishes=NO_WISHES))
    world.processor().process("a.jpg")
    world.upload("b.jpg", b"one")
    outcome = world.processor(render=never_render).process("b.jpg")
    assert (outcome.result, outcome.renamed_from) == ("done", None)
    assert world.record("b.jpg").original == world.record("a.jpg").original
    world.check_promise()


def test_a_copy_does_not_take_the_focus_of_a_picture_that_still_exists(world: World) -> None:
    world.upload("b.jpg", b"one")
    world.processor().process("b.jpg")
    assert world.record("b.jpg").wishes == NO_WISHES
    assert world.record("a.jpg").wishes == FOCUS


def test_a_deleted_picture_gives_its_focus_to_a_copy_that_was_made_before(world: World) -> None:
    """Renaming in a bucket copies the object first and then deletes the old one."""
    world.upload("b.jpg", b"one")
    world.processor().process("b.jpg")
    world.remove("a.jpg")
    assert world.processor().process("a.jpg", ALLOWED).result == "removed"
    assert world.record("b.jpg").wishes == FOCUS
    world.check_promise()


def test_a_copy_that_has_a_focus_keeps_it_when_the_original_is_deleted(world: World) -> None:
    own = Wishes(Focus(x=1, y=1))
    world.upload("b.jpg", b"one")
    world.processor().process("b.jpg")
    world.catalog.write(replace(world.record("b.jpg"), wishes=own))
    world.processor().process("b.jpg")
    world.remove("a.jpg")
    world.processor().process("a.jpg", ALLOWED)
    assert world.record("b.jpg").wishes == own
    world.check_promise()


@pytest.mark.parametrize("name", ["a.jpg", "other.jpg"])
def test_a_new_picture_with_the_name_or_content_of_a_removed_picture_gets_its_focus(
    world: World, name: str
) -> None:
    world.remove("a.jpg")
    world.processor().process("a.jpg", ALLOWED)
    world.now += timedelta(days=29)
    world.upload(name, b"another" if name == "a.jpg" else b"one")
    world.processor().process(name)
    assert world.record(name).wishes == FOCUS
    assert tell(world, name) == [("processing", "it got the wishes kept for a.jpg"), *FIRST]
    world.check_promise()


def test_a_new_picture_gets_the_focus_kept_for_its_content_if_the_one_for_its_name_is_too_old(
    world: World,
) -> None:
    earlier = KeptWishes("b.jpg", "5e1f", Wishes(Focus(x=1, y=1)), world.now + timedelta(days=1))
    world.catalog.keep_wishes(earlier)
    world.remove("a.jpg")
    world.processor().process("a.jpg", ALLOWED)
    world.now += timedelta(days=2)
    world.upload("b.jpg", b"one")
    world.processor().process("b.jpg")
    assert world.record("b.jpg").wishes == FOCUS
    world.check_promise()


def test_the_focus_of_a_removed_picture_is_forgotten_after_the_default_time(world: World) -> None:
    world.remove("a.jpg")
    world.processor().process("a.jpg", ALLOWED)
    world.now += timedelta(days=31)
    world.upload("a.jpg", b"one")
    world.processor().process("a.jpg")
    assert world.record("a.jpg").wishes == NO_WISHES


def test_the_focus_of_a_removed_picture_is_not_kept_if_keep_wishes_is_zero(world: World) -> None:
    world.pipeline = replace(world.pipeline, catalog=CatalogPlace(keep_wishes=0))
    world.remove("a.jpg")
    world.processor().process("a.jpg", ALLOWED)
    world.upload("a.jpg", b"one")
    world.processor().process("a.jpg")
    assert world.record("a.jpg").wishes == NO_WISHES


def test_kept_wishes_are_not_used_if_the_pipeline_keeps_no_wishes(world: World) -> None:
    world.remove("a.jpg")
    world.processor().process("a.jpg", ALLOWED)
    world.pipeline = replace(world.pipeline, catalog=CatalogPlace(keep_wishes=0))
    world.upload("a.jpg", b"one")
    world.processor().process("a.jpg")
    assert world.record("a.jpg").wishes == NO_WISHES


def test_a_new_picture_with_the_etag_of_a_missing_picture_but_other_content_does_not_count_as_renamed(
    world: World,
) -> None:
    class Alike:
        """A source in which every object has the same ETag."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.source, name)

        def head(self, key: str) -> Any:
            found = world.source.head(key)
            return found and replace(found, etag="same")

        def stream(self, key: str, _: Any, *part: Any) -> Any:
            found = world.source.head(key)
            assert found
            return world.source.stream(key, IfMatch(found.etag), *part)

    world.catalog.write(replace(world.record("a.jpg"), etag="same"))
    rename(world, "a.jpg", "b.jpg", b"two")
    assert world.processor(source=Alike()).process("b.jpg").renamed_from is None
    assert world.catalog.get("a.jpg")


def test_only_one_of_two_new_pictures_with_the_same_content_takes_over_the_record(world: World) -> None:
    rename(world, "a.jpg", "b.jpg")
    world.upload("c.jpg", b"one")
    first, second = (world.processor().process(name) for name in ("b.jpg", "c.jpg"))
    assert (first.renamed_from, second.renamed_from) == ("a.jpg", None)
    world.check_promise()


def test_a_rejected_picture_that_is_renamed_stays_rejected(world: World) -> None:
    world.upload("bad.jpg", b"bad")
    world.processor().process("bad.jpg")
    rename(world, "bad.jpg", "worse.jpg", b"bad")
    outcome = world.processor().process("worse.jpg")
    assert (outcome.result, outcome.renamed_from) == ("rejected", "bad.jpg")
    assert tell(world, "worse.jpg")[2:] == [
        ("processing", "it was renamed from bad.jpg"), ("rejected", "it is bad"),
    ]  # fmt: skip
    world.check_promise()
