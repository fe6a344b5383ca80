"""Forgetting one picture: what is removed, and what is reported as left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from doubles import MemoryStore
from renditions.core.ask import ALLOWED
from renditions.core.binding import Claimant, Standing, Start, bind
from renditions.core.forget import Reach, Report, forget
from renditions.core.neighbours import Neighbours
from renditions.core.ports import IfAbsent, IfMatch, Store
from renditions.core.process import Processor
from renditions.errors import StoreFailed
from renditions.model.kept import KeptWishes
from renditions.model.notices import UnsentNotice
from renditions.model.recipe import Focus, Rendition
from renditions.model.wishes import Wishes
from world import World, make_pipeline

NAME = "photo.jpg"
KEY = f"{NAME}/thumb.jpg"


@pytest.fixture
def world() -> World:
    world = World(pipeline=make_pipeline((), thumb=Rendition(width=200)))
    world.upload(NAME, b"one")
    world.upload("other.jpg", b"two")
    for name in (NAME, "other.jpg"):
        processor(world).process(name)
    return world


def processor(world: World) -> Processor:
    claimant = Claimant("", "in", "out", "generation", Start(sets_generation=True))
    standing = Standing(world.catalog, bind(world.catalog, claimant), claimant)
    return world.processor(standing=standing)


def run(
    world: World,
    former: Mapping[str, Store] | None = None,
    pauses: list[float] | None = None,
    *,
    is_marker_missing: bool = False,
) -> Report:
    """Forget the picture ``photo.jpg``; return the report."""
    worker = processor(world)
    assert worker.standing
    own = Neighbours(frozenset({worker.standing.catalog_id}), {})
    reach = Reach(
        world.pipeline, world.source, world.catalog, {"out": world.output, **(former or {})}, worker.process,
        lambda _: own, worker._leases, (pauses if pauses is not None else []).append,
        is_marker_missing=lambda: is_marker_missing,
    )  # fmt: skip
    return forget(NAME, reach)


def test_forget_removes_the_picture_its_outputs_and_its_record(world: World) -> None:
    report = run(world)
    assert [(trace.what, trace.where) for trace in report.removed] == [
        ("picture", "in/photo.jpg"), ("record", "sqlite:renditions.db"), ("output", f"out/{KEY}"),
    ]  # fmt: skip
    assert not report.left
    assert [found.key for found in world.source.list()] == ["other.jpg"]
    assert [found.key for found in world.output.list()] == ["other.jpg/thumb.jpg"]
    assert [record.name for record in world.catalog.list()] == ["other.jpg"]


def test_forget_reports_that_a_source_without_its_marker_may_have_the_picture(world: World) -> None:
    """The missing marker shows that the source's disk may be unmounted.

    An earlier version reported that nothing was left.
    """
    world.remove(NAME)
    report = run(world, is_marker_missing=True)
    assert [(trace.what, trace.where) for trace in report.left] == [("picture", "in/photo.jpg")]
    assert "mount the disk, and run forget again" in report.left[0].why
    assert not world.output.head(KEY)
    assert not run(world, is_marker_missing=False).left


def test_forget_drops_the_unsent_notices_about_the_picture(world: World) -> None:
    for name in (NAME, "other.jpg"):
        world.catalog.keep_notice(UnsentNotice("done", "target", name, world.now, None, 10, "no such topic"))
    assert "unsent notice 'done'" in [trace.what for trace in run(world).removed]
    assert [unsent.name for unsent in world.catalog.unsent_notices()] == ["other.jpg"]


def test_forget_can_be_repeated_and_removes_a_kept_picture_that_is_gone_from_the_source(world: World) -> None:
    world.pipeline = replace(world.pipeline, source=replace(world.pipeline.source, on_delete="keep"))
    world.remove(NAME)
    processor(world).process(NAME, ALLOWED)
    assert world.output.head(KEY)
    assert [trace.what for trace in run(world).removed] == ["record", "output"]
    assert run(world) == Report(NAME)


def test_forget_removes_proven_outputs_in_a_former_output_store(world: World) -> None:
    worker = processor(world)
    assert worker.standing
    former, foreign = MemoryStore(), MemoryStore()
    former.put(KEY, b"old", IfAbsent(), "image/jpeg", worker.standing.catalog_id)
    foreign.put(KEY, b"a website's", IfAbsent(), "image/jpeg")
    report = run(world, {"old": former, "site": foreign})
    assert [(trace.where, trace.why) for trace in report.left] == [
        (f"site/{KEY}", "nothing proves that this catalog wrote it")
    ]
    assert former.head(KEY) is None
    assert foreign.head(KEY)


def test_forget_reports_a_failing_store_and_removes_the_record(world: World) -> None:
    class Failing(MemoryStore):
        def head(self, key: str) -> None:
            raise StoreFailed("the bucket is gone")

    report = run(world, {"lost": Failing()})
    assert world.catalog.get(NAME) is None
    assert {(trace.where, trace.why) for trace in report.left} == {("lost", "the bucket is gone")}


def test_forget_leaves_the_picture_in_a_read_only_source(world: World) -> None:
    world.pipeline = replace(world.pipeline, source=replace(world.pipeline.source, read_only=True))
    report = run(world)
    assert [trace.what for trace in report.removed] == ["record", "output"]
    assert [trace.what for trace in report.left] == ["picture"]
    assert world.source.head(NAME)
    assert world.catalog.get(NAME) is None
    assert world.output.head(KEY) is None


def test_forget_waits_for_a_picture_in_progress_and_then_reports_what_it_could_not_remove(
    world: World,
) -> None:
    record = world.catalog.get(NAME)
    assert record
    worker = replace(processor(world), owner="another")
    worker._leases.take(record)
    pauses: list[float] = []
    report = run(world, pauses=pauses)
    assert pauses
    assert [trace.what for trace in report.left] == ["record", "output"]
    assert world.output.head(KEY)


def test_forget_leaves_the_output_of_another_picture_under_a_shared_key(world: World) -> None:
    there = world.output.head("other.jpg/thumb.jpg")
    assert there
    world.pipeline = make_pipeline((), thumb=Rendition(width=200, key="other.jpg/thumb.jpg"))
    world.remove(NAME)
    run(world)
    assert world.output.head("other.jpg/thumb.jpg") == there


def test_forget_deletes_the_wishes_and_notices_of_a_picture_that_was_removed_before(world: World) -> None:
    for name in (NAME, "other.jpg"):
        until = world.now + timedelta(days=9)
        world.catalog.keep_wishes(KeptWishes(name, "5e1f", Wishes(Focus(x=0.2, y=0.3)), until))
    world.catalog.keep_notice(UnsentNotice("removed", "target", NAME, world.now, None))
    world.remove(NAME)
    processor(world).process(NAME, ALLOWED)
    assert [trace.what for trace in run(world).removed] == ["unsent notice 'removed'", "kept wishes"]
    assert [kept.name for kept in world.catalog.find_content("5e1f").kept] == ["other.jpg"]
    assert run(world) == Report(NAME)


def test_forget_deletes_no_output_of_a_picture_that_was_uploaded_again_meanwhile(world: World) -> None:
    """The catalog lost the record, so ``forget`` deletes the output itself.

    Just before that, a worker of another process writes the same bytes under the key, with the same ETag.
    """
    record = world.catalog.get(NAME)
    assert record
    world.catalog.delete(record)
    uploads = [b"one"]

    class Slow(MemoryStore):
        """A store in which the picture is uploaded again before the first deletion."""

        def delete(self, key: str, condition: IfMatch) -> None:
            if uploads:
                world.upload(NAME, uploads.pop())
                processor(world).process(NAME)
            super().delete(key, condition)

    assert isinstance(world.output, MemoryStore)
    world.output.__class__ = Slow
    run(world)
    assert not uploads
    world.settle()
    world.check_promise()
