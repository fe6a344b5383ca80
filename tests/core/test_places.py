"""Headers of outputs, kept outputs, moved output stores, and partial runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from doubles import MemoryStore
from renditions.core import retire
from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.leases import wish
from renditions.core.ports import IfAbsent, IfMatch
from renditions.errors import Conflict
from renditions.model.recipe import Focus, Rendition
from renditions.model.record import MIXED
from renditions.model.wishes import Wishes
from world import NAME, Steps, World, expected_output, make_pipeline

WEEK = timedelta(days=7)
KEPT = Ask(keeps_undeclared=True)
ASKED = Ask(removal="asked")


def list_keys(world: World) -> list[str]:
    return [found.key for found in world.output.list()]


def use(world: World, **renditions: Rendition) -> None:
    """Use a pipeline that declares these renditions from now on."""
    world.pipeline = replace(world.pipeline, renditions=renditions)


THUMB, LARGE = Rendition(width=200), Rendition(width=1200)
MOVED = Rendition(width=200, key="moved/{name}")


class TestHeaders:
    """Tests of the field ``cache_control``."""

    def change(self, world: World, headers: str) -> MemoryStore:
        world.use_output(cache_control=headers)
        output: Any = world.output
        output.headers = headers
        return output  # type: ignore[no-any-return]

    def test_changed_headers_are_rewritten_without_rendering_and_without_a_notice(self, world: World) -> None:
        output = self.change(world, "max-age=60")
        sent, steps = len(world.notifier.sent), Steps()
        (difference,) = world.differences()
        assert difference.action == "settle"
        outcome = world.processor(steps=steps, render=None).process(NAME)
        assert outcome.result == "done"
        assert set(output.headers_of.values()) == {"max-age=60"}
        assert not {"MemoryStore.get", "MemoryStore.stream"} & set(steps.names)
        assert len(world.notifier.sent) == sent
        assert world.plan() == []
        world.check_promise()

    def test_outputs_that_are_not_made_again_also_get_the_changed_headers(self, world: World) -> None:
        output = self.change(world, "max-age=60")
        use(world, thumb=Rendition(width=99), large=LARGE)
        world.settle()
        assert set(output.headers_of.values()) == {"max-age=60"}
        world.check_promise()

    def test_a_changed_header_is_not_written_to_an_output_that_another_program_replaced(
        self, world: World
    ) -> None:
        world.overwrite(f"{NAME}/thumb.jpg", b"rubbish")
        self.change(world, "max-age=60")
        world.processor().process(NAME)
        assert world.content(f"{NAME}/thumb.jpg") == b"rubbish"
        world.processor().process(NAME, Ask(verify="quick"))
        assert world.plan() == []
        world.check_promise()

    def test_headers_that_a_worker_without_its_lease_may_have_changed_are_written_again(
        self, world: World
    ) -> None:
        """Other headers don't change an output's ETag.

        So the condition of a late worker's request can't protect the headers. The simulator found this.
        """
        output = self.change(world, "max-age=60")
        late = world.processor("late")._leases
        leased = late.take(world.record())
        world.now += timedelta(hours=1)
        world.processor("next").process(NAME)
        output.headers = ""
        with pytest.raises(Conflict), late.guard(leased, rewrites=True):
            late.rewrite_headers(leased, leased.outputs[0])
        assert set(output.headers_of.values()) == {"max-age=60"}
        assert world.record().headers == MIXED
        output.headers = "max-age=60"
        world.settle()
        assert world.plan() == []


class TestKeepReplaced:
    """Tests of former outputs that are kept, mostly by the field ``keep_replaced``."""

    def test_a_replaced_output_stays_for_the_declared_time_and_is_then_deleted(self, world: World) -> None:
        world.use_output(keep_replaced=WEEK.total_seconds())
        use(world, thumb=MOVED, large=LARGE)
        world.settle()
        assert f"{NAME}/thumb.jpg" in list_keys(world)
        assert [old.key for old in world.record().retired] == [f"{NAME}/thumb.jpg"]
        assert world.catalog.owner_of(f"{NAME}/thumb.jpg") == NAME, "no other picture may write there"
        world.now += WEEK
        assert world.plan() == [(NAME, "settle")]
        world.settle()
        assert f"{NAME}/thumb.jpg" not in list_keys(world)
        world.check_promise()

    def test_a_plan_lists_outputs_first_as_kept_and_after_their_time_as_deleted(self, world: World) -> None:
        use(world, thumb=MOVED, large=LARGE)
        (difference,) = world.differences()
        assert (difference.delete, difference.retire) == ((f"{NAME}/thumb.jpg",), ())
        world.use_output(keep_replaced=WEEK.total_seconds())
        (difference,) = world.differences()
        assert difference.delete == ()
        (old,) = difference.retire
        assert (old.key, old.place) == (f"{NAME}/thumb.jpg", "")
        assert timedelta() <= world.now + WEEK - old.delete_after < timedelta(seconds=1)
        world.settle()
        use(world, thumb=MOVED)
        (difference,) = world.differences()
        assert difference.delete == (), "also what was retired before stays"
        assert [old.key for old in difference.retire] == [f"{NAME}/large.jpg"]
        world.now += WEEK
        use(world, thumb=MOVED, large=LARGE)
        (difference,) = world.differences()
        assert (difference.action, difference.delete) == ("settle", (f"{NAME}/thumb.jpg",))

    def test_a_plan_lists_the_outputs_kept_in_the_former_output_store(self, world: World) -> None:
        world.use_output(keep_replaced=WEEK.total_seconds())
        world.move_output("elsewhere")
        (difference,) = world.differences()
        assert difference.delete == ()
        assert [(old.key, old.place) for old in difference.retire] == [
            (f"{NAME}/thumb.jpg", "out"), (f"{NAME}/large.jpg", "out"),
        ]  # fmt: skip

    def test_a_kept_output_whose_key_is_declared_again_is_not_deleted_later(self, world: World) -> None:
        world.use_output(keep_replaced=WEEK.total_seconds())
        use(world, thumb=MOVED, large=LARGE)
        world.settle()
        use(world, thumb=THUMB, large=LARGE)
        world.settle()
        assert [old.key for old in world.record().retired] == ["moved/photo.jpg"]
        world.now += WEEK
        world.settle()
        world.check_promise()

    def test_outputs_of_undeclared_renditions_stay_until_a_person_allows_their_removal(
        self, world: World
    ) -> None:
        use(world, large=LARGE)
        world.processor().process(NAME, KEPT)
        assert f"{NAME}/thumb.jpg" in list_keys(world)
        assert world.processor().process(NAME, KEPT).result == "unchanged"
        world.processor().process(NAME, PLAIN)
        assert f"{NAME}/thumb.jpg" not in list_keys(world)
        world.check_promise()

    def test_removing_a_picture_deletes_its_kept_outputs(self, world: World) -> None:
        world.use_output(keep_replaced=WEEK.total_seconds())
        use(world, thumb=MOVED, large=LARGE)
        world.settle()
        world.remove(NAME)
        world.settle()
        assert list_keys(world) == []
        world.check_promise()


class TestMovedStore:
    """Tests of a changed ``[output] store``."""

    def test_every_output_is_made_in_the_new_store_and_the_old_outputs_stay(self, world: World) -> None:
        world.move_output("elsewhere")
        (difference,) = world.differences()
        assert (difference.action, difference.make, difference.is_restore) == (
            "update",
            ("thumb", "large"),
            True,
        )
        world.settle()
        world.check_promise()
        assert len(list(world.former["out"].list())) == 2
        assert world.record().retired == ()

    def test_outputs_in_the_old_store_are_deleted_after_the_declared_time(self, world: World) -> None:
        world.use_output(keep_replaced=WEEK.total_seconds())
        world.move_output("elsewhere")
        world.settle()
        assert len(list(world.former["out"].list())) == 2
        world.now += WEEK
        world.settle()
        assert list(world.former["out"].list()) == []
        world.check_promise()

    def test_removing_a_picture_deletes_its_outputs_in_the_former_store(self, world: World) -> None:
        world.move_output("elsewhere")
        world.remove(NAME)
        assert world.processor().process(NAME, ALLOWED).result == "removed"
        assert list(world.former["out"].list()) == []

    def test_outputs_of_another_catalog_in_a_former_store_are_not_deleted(self, world: World) -> None:
        world.use_output(keep_replaced=WEEK.total_seconds())
        world.move_output("elsewhere")
        world.settle()
        former = world.former["out"]
        there = former.head(f"{NAME}/thumb.jpg")
        assert there
        former.put(there.key, b"another's", IfMatch(there.etag), "image/jpeg", "another catalog")
        world.now += WEEK
        world.settle()
        assert [found.key for found in former.list()] == [there.key]


class TestOnDelete:
    """Tests of the setting ``on_delete = "keep"``."""

    @pytest.fixture
    def world(self, world: World) -> World:
        world.pipeline = replace(world.pipeline, source=replace(world.pipeline.source, on_delete="keep"))
        return world

    def test_the_outputs_and_the_record_of_a_picture_stay_when_its_source_file_is_gone(
        self, world: World
    ) -> None:
        world.remove(NAME)
        assert world.processor().process(NAME, ALLOWED).result == "unchanged"
        assert world.record().missing_since is not None
        assert len(list_keys(world)) == 2
        assert world.plan() == []

    def test_a_changed_recipe_leaves_kept_outputs_unchanged(self, world: World) -> None:
        world.remove(NAME)
        world.settle()
        use(world, thumb=Rendition(width=7))
        assert world.plan() == []
        assert len(list_keys(world)) == 2

    def test_a_picture_that_comes_back_is_no_longer_missing(self, world: World) -> None:
        world.remove(NAME)
        world.settle()
        world.upload(NAME, b"one")
        world.settle()
        assert world.record().missing_since is None
        world.check_promise()

    def test_a_person_can_still_remove_a_kept_picture(self, world: World) -> None:
        world.remove(NAME)
        assert world.processor().process(NAME, ASKED).result == "removed"
        assert list_keys(world) == []


class TestPartialRuns:
    """Runs that make only the renditions in ``Ask.renditions``."""

    ask = Ask(renditions=frozenset({"thumb"}))

    def test_a_partial_run_deletes_no_kept_output_after_a_move_of_the_output_store(
        self, world: World
    ) -> None:
        """The output's time is over, but the output is in the former store.

        In the present store, another program wrote a file under the same key.
        """
        world.use_output(keep_replaced=WEEK.total_seconds())
        use(world, thumb=MOVED, large=LARGE, extra=Rendition(width=9, on_demand=True))
        world.settle()
        world.now += WEEK
        world.move_output("elsewhere")
        world.overwrite(f"{NAME}/thumb.jpg", b"theirs")
        before = world.record()
        assert [(old.key, old.place) for old in before.retired] == [(f"{NAME}/thumb.jpg", "")]
        outcome = world.processor().process(NAME, Ask(renditions=frozenset({"extra"})))
        assert outcome.result == "unchanged"
        assert world.content(f"{NAME}/thumb.jpg") == b"theirs"
        assert world.record() == before

    def test_a_partial_run_reports_a_picture_that_disappears_meanwhile_as_unchanged(
        self, world: World
    ) -> None:
        world.upload("bad.jpg", b"bad: it is bad")
        steps = Steps()
        probe = World()
        probe.upload("bad.jpg", b"bad: it is bad")
        probe.processor(steps=steps).process("bad.jpg", self.ask)
        _, finish, *_ = (at for at, name in enumerate(steps.names) if name == "MemoryCatalog.write")
        gone = Steps(at=finish, before=lambda: world.remove("bad.jpg"))
        outcome = world.processor(steps=gone).process("bad.jpg", self.ask)
        assert outcome.result == "unchanged"

    def test_a_new_picture_that_needs_none_of_the_requested_renditions_gets_no_record(
        self, world: World
    ) -> None:
        use(world, thumb=MOVED, extra=Rendition(width=9, on_demand=True))
        world.upload("b.jpg", b"two")
        outcome = world.processor().process("b.jpg", Ask(renditions=frozenset({"extra"})))
        assert (outcome.result, world.catalog.get("b.jpg")) == ("unchanged", None)

    def test_a_partial_run_makes_only_the_requested_rendition_and_a_full_run_makes_the_other_renditions(
        self, world: World
    ) -> None:
        world.upload("b.jpg", b"two")
        world.processor().process("b.jpg", self.ask)
        assert [key for key in list_keys(world) if key.startswith("b")] == ["b.jpg/thumb.jpg"]
        assert world.plan() == [("b.jpg", "update")]
        world.settle()
        world.check_promise()

    def test_a_partial_run_makes_no_rendition_that_was_not_requested(self, world: World) -> None:
        use(world, thumb=THUMB, large=Rendition(width=9))
        before = world.content(f"{NAME}/large.jpg")
        assert world.processor().process(NAME, self.ask).result == "unchanged"
        assert world.content(f"{NAME}/large.jpg") == before

    def test_a_partial_run_applies_the_focus_to_the_requested_rendition(self, world: World) -> None:
        square = Rendition(width=9, height=9, fit="cover", gravity="focus")
        use(world, thumb=square, large=square)
        world.settle()
        assert wish(world.catalog, world.record(), Wishes(Focus(x=1, y=2)))
        world.processor().process(NAME, self.ask)
        focused = square.focused_on(Focus(x=1, y=2))
        assert world.content(f"{NAME}/thumb.jpg") == expected_output(b"one", focused)
        assert world.content(f"{NAME}/large.jpg") != expected_output(b"one", focused)


def test_a_picture_is_rejected_if_a_foreign_object_appears_under_its_key_during_processing(
    world: World,
) -> None:
    world.upload("b.jpg", b"two")

    def intrude() -> None:
        world.output.put("b.jpg/large.jpg", b"not ours", IfAbsent(), "image/jpeg")

    steps = Steps()
    probe = World()
    probe.bind()
    probe.upload("b.jpg", b"two")
    probe.processor(steps=steps).process("b.jpg")
    at = steps.names.index("MemoryStore.put")
    outcome = world.processor(steps=Steps(at=at, before=intrude)).process("b.jpg")
    assert outcome.result == "rejected"
    assert get_refused(world, "b.jpg") == ("b.jpg/large.jpg",)
    world.remove("b.jpg")
    world.settle()
    assert world.content("b.jpg/large.jpg") == b"not ours"


def get_refused(world: World, name: str) -> tuple[str, ...]:
    record = world.catalog.get(name)
    assert record
    assert not set(record.refused_keys) & record.claimed_keys()
    return record.refused_keys


def test_a_catalog_restored_from_a_backup_takes_over_outputs_with_its_own_mark(world: World) -> None:
    """The restored catalog has its binding, and no record of the existing outputs."""
    restored = World(source=world.source, output=world.output, pipeline=make_pipeline())
    binding = world.catalog.read_binding()
    assert binding
    restored.catalog.write_binding(replace(binding, revision=0))
    restored.bind()
    assert restored.processor().process(NAME).result == "done"
    restored.check_promise()


def test_a_picture_that_is_replaced_again_and_again_keeps_only_the_newest_former_outputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In an earlier version the picture's record grew with each replacement.

    In the end it was larger than an item of DynamoDB may be.
    """
    monkeypatch.setattr(retire, "MOST_RETIRED", 3)
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200, key="{name}/{version}.jpg")))
    world.use_output(keep_replaced=3600.0)
    made: list[str] = []
    for number in range(6):
        world.upload(NAME, b"%d" % number)
        (difference,) = world.differences()
        before = {found.key for found in world.output.list()}
        world.settle()
        made.append(world.record().outputs[0].key)
        assert {found.key for found in world.output.list()} == set(made[-4:])
        assert set(difference.delete) == before - set(made[-4:])
    world.now += timedelta(hours=2)
    world.settle()
    world.check_promise()
