"""Processing of one picture, with stores and a catalog in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from doubles import MemoryStore
from renditions.core.ask import ALLOWED
from renditions.core.leases import reopen, wish
from renditions.core.ports import IfAbsent, IfMatch, Stopped, StoredObject
from renditions.errors import Archived, Failed, RenderTimedOut, StoreFailed, WorkerDied
from renditions.local.folder import FolderStore
from renditions.model.lease import LONGEST_LEASE, Lease
from renditions.model.original import Analysis, Original
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Focus, Rendition
from renditions.model.record import MOST_EVENTS, Record
from renditions.model.rendering import Rendering
from renditions.model.wishes import NO_WISHES, Wishes
from world import Steps, World, expected_output, hash_render, make_pipeline

NAME = "a/photo.jpg"
SEEN = Original(3, "png", width=40, height=30, frames=1)


@pytest.fixture
def world() -> World:
    return World()


def test_a_new_picture_gets_its_outputs_its_record_and_its_notice(world: World) -> None:
    world.upload(NAME, b"one")
    outcome = world.processor().process(NAME)
    assert outcome.result == "done"
    assert [found.key for found in world.output.list()] == [f"{NAME}/large.jpg", f"{NAME}/thumb.jpg"]
    assert [(notice.event, notice.name) for notice in world.notifier.sent] == [("done", NAME)]
    world.check_promise()


def test_a_second_hint_about_an_unchanged_picture_does_nothing(world: World) -> None:
    world.upload(NAME, b"one")
    world.processor().process(NAME)
    steps = Steps()
    outcome = world.processor(steps=steps).process(NAME)
    assert outcome.result == "unchanged"
    assert steps.names == ["MemoryCatalog.get", "MemoryStore.head"]
    assert len(world.notifier.sent) == 1


def test_a_picture_that_is_not_rendered_because_the_program_ends_has_the_same_record_as_before(
    world: World,
) -> None:
    def render(*_: object) -> NoReturn:
        raise Stopped

    world.upload(NAME, b"one")
    with pytest.raises(Stopped):
        world.processor(render=render).process(NAME)
    assert list(world.catalog.list()) == []
    world.processor().process(NAME)
    before = world.record(NAME)
    moved = Rendition(width=1000, key="moved/{name}")
    world.pipeline = replace(world.pipeline, renditions={**world.pipeline.renditions, "large": moved})
    with pytest.raises(Stopped):
        world.processor(render=render).process(NAME)
    assert replace(world.record(NAME), revision=before.revision) == before
    assert world.catalog.owner_of("moved/photo.jpg") is None
    assert world.processor("other").process(NAME).result == "done"
    world.check_promise()


def test_processing_a_picture_without_notices_takes_two_catalog_writes(world: World) -> None:
    world.pipeline = make_pipeline(notify=())
    world.upload(NAME, b"one")
    steps = Steps()
    world.processor(steps=steps).process(NAME)
    assert steps.names.count("MemoryCatalog.write") == 2


def test_the_dimensions_of_a_picture_are_kept_when_later_processing_needs_no_pixels(world: World) -> None:
    """The renderer may leave the header unread if it makes only Base64."""
    world.upload(NAME, b"one")
    world.processor(render=lambda *args: replace(hash_render(*args), original=SEEN)).process(NAME)
    both = {**world.pipeline.renditions, "text": Rendition(width=9)}
    world.pipeline = replace(world.pipeline, renditions=both)
    world.processor(render=lambda *args: replace(hash_render(*args), original=Original(3, "png"))).process(
        NAME
    )
    assert world.catalog.get(NAME).original == SEEN  # type: ignore[union-attr]
    world.upload(NAME, b"two")
    world.processor(render=lambda *args: replace(hash_render(*args), original=Original(3, "png"))).process(
        NAME
    )
    assert world.catalog.get(NAME).original == Original(3, "png")  # type: ignore[union-attr]


def test_a_picture_is_cropped_around_its_focus_and_keeps_the_focus_when_replaced(world: World) -> None:
    square = Rendition(width=9, height=9, fit="cover", gravity="focus")
    world.pipeline = replace(world.pipeline, renditions={"square": square, "large": Rendition()})
    world.upload(NAME, b"one")
    world.processor().process(NAME)
    first = {output.rendition: output.fingerprint for output in world.catalog.get(NAME).outputs}  # type: ignore[union-attr]
    assert wish(world.catalog, world.catalog.get(NAME), Wishes(Focus(x=10, y=20)))  # type: ignore[arg-type]
    assert not wish(world.catalog, Record(NAME, "done", world.now), NO_WISHES)
    made: list[str] = []

    def render(content: bytes, accept: Accept, recipes: Mapping[str, Rendition], *more: Any) -> Rendering:
        made.extend(recipes)
        assert all(recipe.focus == Focus(x=10, y=20) for recipe in recipes.values() if recipe.fit == "cover")
        return hash_render(content, accept, recipes, *more)

    world.processor(render=render).process(NAME)
    assert made == ["square"]
    world.upload(NAME, b"two")
    world.processor(render=render).process(NAME)
    record = world.catalog.get(NAME)
    assert record is not None
    assert record.wishes.focus == Focus(x=10, y=20)
    assert {output.rendition: output.fingerprint for output in record.outputs}["square"] != first["square"]


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, Focus(x=10, y=20)), (Focus(x=1, y=2), Focus(x=10, y=20)), (Focus(x=1, y=2), None)],
)
def test_the_history_says_that_the_focus_changed(
    world: World, before: Focus | None, after: Focus | None
) -> None:
    square = Rendition(width=9, height=9, fit="cover", gravity="focus")
    world.pipeline = make_pipeline(square=square, large=Rendition())
    world.upload(NAME, b"one")
    for focus in (None, before, after):
        world.processor().process(NAME)
        assert wish(world.catalog, world.record(NAME), Wishes(focus))
    world.processor().process(NAME)
    assert world.record(NAME).history[-2].reason == "square was made before the focus changed"
    world.pipeline = make_pipeline(square=replace(square, width=8), large=Rendition())
    world.processor().process(NAME)
    assert world.record(NAME).history[-2].reason == "square was made with another recipe"


def test_a_rendition_on_demand_is_made_on_request_and_then_updated_with_its_picture(world: World) -> None:
    zoom = Rendition(width=9, on_demand=True)
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(), "zoom": zoom})
    world.upload(NAME, b"one")
    world.processor().process(NAME)
    assert [found.key for found in world.output.list()] == [f"{NAME}/thumb.jpg"]
    assert wish(world.catalog, world.catalog.get(NAME), Wishes(demanded=("zoom",)))  # type: ignore[arg-type]
    world.processor().process(NAME)
    assert world.content(f"{NAME}/zoom.jpg") == expected_output(b"one", zoom)
    world.upload(NAME, b"two")
    world.settle()
    assert world.content(f"{NAME}/zoom.jpg") == expected_output(b"two", zoom)
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition()})
    world.settle()
    world.check_promise()


def test_a_record_keeps_the_newest_events_of_its_picture(world: World) -> None:
    world.upload(NAME, b"one")
    world.processor().process(NAME)
    world.upload(NAME, b"bad")
    world.processor().process(NAME)
    record = world.catalog.get(NAME)
    assert record is not None
    assert [(event.status, event.reason) for event in record.history] == [
        ("processing", "it is new"), ("done", ""),
        ("processing", "the picture changed"), ("rejected", "it is bad"),
    ]  # fmt: skip
    for number in range(MOST_EVENTS):
        record = record.with_event(world.now, "failed", f"{number} " + "x" * 1000)
    assert len(record.history) == MOST_EVENTS
    assert record.history[0].reason.startswith("0 xx")
    assert len(record.history[0].reason) < 1000


def test_a_hint_about_a_missing_picture_does_nothing(world: World) -> None:
    assert world.processor().process("nothing.jpg").result == "unchanged"
    assert list(world.catalog.list()) == []


def test_a_key_that_the_pipeline_does_not_match_is_ignored(world: World) -> None:
    world.upload("notes.txt", b"text")
    assert world.processor().process("notes.txt").result == "unchanged"
    assert list(world.catalog.list()) == []


def test_the_picture_is_processed_once_although_eight_threads_get_fifty_hints(world: World) -> None:
    world.upload(NAME, b"one")
    rendered = []

    def render(*args: object) -> Rendering:
        rendered.append(args)
        return hash_render(*args)  # type: ignore[arg-type]

    processor = world.processor(render=render)
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(processor.process, [NAME] * 50))
    assert len(rendered) == 1
    assert len(world.notifier.sent) == 1
    assert {outcome.result for outcome in outcomes} <= {"done", "unchanged", "waiting"}
    world.check_promise()


def test_only_the_rendition_whose_recipe_changed_is_made_again(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle()
    world.pipeline = make_pipeline(thumb=Rendition(width=200), large=Rendition(width=1200, quality=50))
    (difference,) = world.differences()
    assert (difference.action, difference.make) == ("update", ("large",))
    steps = Steps()
    world.processor(steps=steps).process(NAME)
    assert steps.names.count("MemoryStore.put") == 1
    world.check_promise()


def test_removing_a_rendition_deletes_its_output_without_reading_the_picture(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle()
    world.pipeline = make_pipeline(thumb=Rendition(width=200))
    steps = Steps()
    assert world.processor(steps=steps).process(NAME).result == "done"
    assert not {"MemoryStore.get", "MemoryStore.stream"} & set(steps.names)
    world.check_promise()


def test_an_output_key_can_change_to_a_key_below_the_old_key_and_back(world: World, tmp_path: Path) -> None:
    """In a folder, no file can lie below another file.

    So the worker first deletes an old output that is in the way.
    """
    world.output = FolderStore(tmp_path, create=True)
    flat = Rendition(width=200, key="{stem}.{ext}")
    deep = Rendition(width=200, key="{stem}.{ext}/thumb.{ext}")
    world.upload("a.jpg", b"one")
    world.upload("b/c.jpg", b"two")
    for recipe in (flat, deep, flat):
        world.pipeline = make_pipeline(thumb=recipe)
        world.settle()
        world.check_promise()
    world.upload("c.jpg", b"three")
    world.settle()
    assert world.catalog.get("c.jpg").blocked_by == "b/c.jpg"  # type: ignore[union-attr]
    world.pipeline = make_pipeline(thumb=replace(deep, key="{dir}{name}/thumb.{ext}"))
    blocked = world.processor().process("c.jpg")
    assert (blocked.result, blocked.record.errors[0][1].code) == ("rejected", "key-taken")  # type: ignore[union-attr]
    world.settle()
    world.check_promise()


def test_valid_renditions_are_not_made_again_after_the_rules_changed(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle()
    world.pipeline = replace(world.pipeline, accept=Accept(min_width=3))
    made: list[object] = []

    def render(content: bytes, accept: Accept, recipes: object, analyze: Analyze) -> Rendering:
        made.append(recipes)
        return hash_render(content, accept, {}, analyze)

    assert world.processor(render=render).process(NAME).result == "done"
    assert made == [{}]
    world.check_promise()


def test_valid_renditions_are_not_made_again_after_the_analyze_table_changed(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle()
    before = world.catalog.get(NAME)
    world.pipeline = replace(world.pipeline, analyze=Analyze(transparency=True))
    (difference,) = world.differences()
    assert (difference.action, difference.make) == ("update", ())
    assert difference.why == "[accept], [analyze] or [limits] changed"
    steps = Steps()
    assert world.processor(steps=steps).process(NAME).result == "done"
    assert "MemoryStore.put" not in steps.names
    after = world.catalog.get(NAME)
    assert before
    assert after
    assert after.outputs == before.outputs
    assert after.original
    assert after.original.analysis == Analysis(transparency=False)
    assert world.plan() == []
    world.check_promise()


def test_making_a_rendition_again_keeps_the_analysis(world: World) -> None:
    world.pipeline = replace(world.pipeline, analyze=Analyze(transparency=True))
    world.upload(NAME, b"one")
    world.settle()
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(width=100)})
    world.settle()
    record = world.catalog.get(NAME)
    assert record
    assert record.original
    assert record.original.analysis == Analysis(transparency=False)


def test_a_file_over_the_byte_limit_is_rejected_without_being_read(world: World) -> None:
    world.pipeline = replace(world.pipeline, accept=Accept(max_bytes=10))
    world.upload(NAME, b"eleven bytes")
    steps = Steps()
    outcome = world.processor(steps=steps).process(NAME)
    assert (outcome.result, outcome.reason) == (
        "rejected",
        (
            "the file has 12 bytes, more than the 10 that [accept] max_bytes allows. "
            "Use a smaller file, or raise the limit"
        ),
    )
    assert not {"MemoryStore.get", "MemoryStore.stream"} & set(steps.names)


def crash(*_: Any) -> Any:
    raise WorkerDied("the worker ended")


def test_a_picture_that_fails_three_times_is_given_up_with_a_notice(world: World) -> None:
    world.upload(NAME, b"one")
    results = []
    for _ in range(3):
        outcome = world.processor(render=crash).process(NAME)
        results.append(
            (outcome.result, outcome.again_after is not None, outcome.record and outcome.record.attempts)
        )
        assert outcome.reason == "the worker ended"
    assert results == [("failed", True, 1), ("failed", True, 2), ("failed", False, 3)]
    assert [notice.event for notice in world.notifier.sent] == ["failed"]
    assert world.plan() == []
    assert world.processor().process(NAME).result == "unchanged"


def test_a_replaced_picture_is_tried_again_after_the_old_picture_was_given_up(world: World) -> None:
    world.upload(NAME, b"one")
    for _ in range(3):
        world.processor(render=crash).process(NAME)
    world.upload(NAME, b"two")
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


def test_a_picture_that_fails_permanently_is_given_up_at_once(world: World) -> None:
    class DeniedError(StoreFailed):
        retryable = False

    def render(*args: object) -> Rendering:
        raise DeniedError("access denied")

    world.upload(NAME, b"one")
    outcome = world.processor(render=render).process(NAME)
    assert (outcome.result, outcome.again_after is not None) == ("failed", False)


def test_the_outputs_of_a_picture_are_deleted_when_a_rejected_file_replaces_it(world: World) -> None:
    world.use_output(keep_replaced=3600.0)
    world.upload(NAME, b"one")
    world.settle()
    assert len(list(world.output.list())) == 2
    world.upload(NAME, b"bad")
    world.settle()
    assert world.record(NAME).status == "rejected"
    assert list(world.output.list()) == []


def test_a_picture_whose_rendering_times_out_keeps_its_old_outputs(world: World) -> None:
    def render(*args: object) -> Rendering:
        raise RenderTimedOut("took longer than 60 s")

    world.upload(NAME, b"one")
    world.settle()
    world.upload(NAME, b"two")
    for _ in range(3):
        assert world.processor(render=render).process(NAME).result == "failed"
    assert len(list(world.output.list())) == 2
    world.remove(NAME)
    world.settle()
    world.check_promise()


def test_a_rendition_that_can_not_be_made_does_not_block_the_other_renditions(world: World) -> None:
    world.upload(NAME, b"half")
    outcome = world.processor().process(NAME)
    assert (outcome.result, outcome.reason) == ("rejected", "large: too half")
    assert outcome.record
    assert [output.rendition for output in outcome.record.outputs] == ["thumb"]
    world.check_promise()


def test_a_lease_blocks_processing_only_while_its_owner_is_alive(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle("other")
    record = world.catalog.get(NAME)
    assert record
    lease = Lease("other", world.now + LONGEST_LEASE)
    world.catalog.write(replace(record, status="processing", goal="", lease=lease))
    outcome = world.processor().process(NAME)
    assert (outcome.result, outcome.again_after is not None) == ("waiting", True)
    world.gone.add("other")
    assert world.processor().process(NAME).result == "done"


def test_an_archived_picture_is_rejected_until_it_is_restored_and_retried(world: World) -> None:
    class Archive(MemoryStore):
        head = world.source.head

        def stream(self, *_: object) -> NoReturn:
            raise Archived("restore it first")

    world.upload(NAME, b"one")
    processor = world.processor(source=Archive())
    outcome = processor.process(NAME)
    assert (outcome.result, outcome.reason) == ("rejected", "restore it first")
    assert processor.process(NAME).result == "unchanged"
    rejected = world.catalog.get(NAME)
    assert rejected
    assert reopen(world.catalog, rejected)
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


def test_a_picture_restored_from_its_archive_is_processed_by_the_next_call_or_sync(world: World) -> None:
    class Archive(MemoryStore):
        is_archived: bool | None = True

        def stream(self, *part: Any) -> Iterator[bytes]:
            if self.is_archived is not False:
                raise Archived("restore it first")
            return super().stream(*part)

        def head(self, key: str) -> StoredObject | None:
            got = super().get(key)
            return replace(got[0], is_archived=self.is_archived) if got else None

    world.source = archive = Archive()
    archive.put(NAME, b"one", IfAbsent(), "")
    assert world.processor().process(NAME).result == "rejected"
    for is_archived in (True, None):
        archive.is_archived = is_archived
        assert world.plan() == [], "it is neither read again nor reported again"
    archive.is_archived = False
    (difference,) = world.differences()
    assert (difference.action, difference.why) == ("update", "it was restored from its archive")
    assert world.processor().process(NAME).result == "done"
    assert [notice.event for notice in world.notifier.sent] == ["rejected", "done"]


def test_the_later_of_two_pictures_with_one_key_is_rejected_with_a_reason_that_names_the_other_picture(
    world: World,
) -> None:
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="thumb_{name}"))
    world.upload("a/photo.jpg", b"a")
    world.upload("b/photo.jpg", b"b")
    world.settle()
    record = world.catalog.get("b/photo.jpg")
    assert record
    assert record.status == "rejected"
    assert record.reason == (
        "the output key 'thumb_photo.jpg' belongs to 'a/photo.jpg'. Rename one of the two pictures, or "
        "put {key} into the rendition's key"
    )
    assert record.blocked_by == "a/photo.jpg"
    world.check_promise()


def test_a_blocked_picture_is_processed_after_its_key_becomes_free(world: World) -> None:
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="thumb_{name}"))
    world.upload("a/photo.jpg", b"a")
    world.upload("b/photo.jpg", b"b")
    world.settle()
    world.remove("a/photo.jpg")
    world.settle()
    record = world.catalog.get("b/photo.jpg")
    assert record
    assert record.status == "done"
    world.check_promise()


def test_a_picture_is_rejected_if_two_of_its_renditions_have_the_same_key(world: World) -> None:
    world.pipeline = make_pipeline(
        one=Rendition(width=1, key="{dir}{name}"), two=Rendition(width=2, key="{dir}{stem}.jpg")
    )
    world.upload("photo.jpg", b"x")
    world.upload("photo.png", b"y")
    world.processor().process("photo.jpg")
    record = world.catalog.get("photo.jpg")
    assert record
    assert (record.status, record.reason) == (
        "rejected",
        "one and two would both write 'photo.jpg'. Change the key of one of the two renditions",
    )


def test_a_picture_is_rejected_if_a_foreign_file_has_its_key_and_the_file_stays(world: World) -> None:
    world.upload(NAME, b"one")
    key = f"{NAME}/thumb.jpg"
    world.output.put(key, b"not ours", IfAbsent(), "image/jpeg")
    outcome = world.processor().process(NAME)
    assert outcome.result == "rejected"
    assert outcome.reason
    assert key in outcome.reason
    assert outcome.record
    assert [made.rendition for made in outcome.record.outputs] == ["large"]
    assert outcome.record.refused_keys == (key,)
    world.remove(NAME)
    assert world.processor().process(NAME, ALLOWED).result == "removed"
    assert {found.key: world.content(found.key) for found in world.output.list()} == {key: b"not ours"}


def test_a_rejected_picture_gets_its_outputs_after_the_foreign_file_is_moved_away(world: World) -> None:
    world.upload(NAME, b"one")
    stored = world.output.put(f"{NAME}/thumb.jpg", b"not ours", IfAbsent(), "image/jpeg")
    world.processor().process(NAME)
    world.output.delete(f"{NAME}/thumb.jpg", IfMatch(stored.etag))
    assert [difference.why for difference in world.differences()] == ["its key may be free now"]
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


def test_a_refused_foreign_file_is_replaced_after_overwrite_is_declared(world: World) -> None:
    world.upload(NAME, b"one")
    world.output.put(f"{NAME}/thumb.jpg", b"not ours", IfAbsent(), "image/jpeg")
    assert world.processor().process(NAME).result == "rejected"
    world.pipeline = replace(world.pipeline, output=replace(world.pipeline.output, overwrite=True))
    assert [difference.action for difference in world.differences()] == ["update"]
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


def test_a_foreign_file_is_replaced_if_overwrite_is_declared(world: World) -> None:
    world.pipeline = replace(world.pipeline, output=replace(world.pipeline.output, overwrite=True))
    world.upload(NAME, b"one")
    world.output.put(f"{NAME}/thumb.jpg", b"not ours", IfAbsent(), "image/jpeg")
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


def test_processing_raises_the_error_of_a_failing_catalog_and_leaves_no_output_unclaimed(
    world: World,
) -> None:
    world.upload(NAME, b"one")
    steps = Steps(at=3, before=lambda: (_ for _ in ()).throw(Failed("the catalog is away")))
    with pytest.raises(Failed):
        world.processor(steps=steps).process(NAME)
    assert list(world.output.list()) == []
    world.settle()
    world.check_promise()


def test_a_picture_with_an_invalid_output_key_is_rejected_and_can_be_deleted(
    world: World, tmp_path: Path
) -> None:
    """The picture's output can't exist, so there is nothing to delete."""
    world.output = FolderStore(tmp_path / "out", create=True)
    world.upload("a//b.jpg", b"one")
    world.settle()
    record = world.catalog.get("a//b.jpg")
    assert record
    assert (record.status, record.pending_keys, record.owed) == ("rejected", (), ())
    assert "without a part that is empty" in (record.reason or "")
    world.remove("a//b.jpg")
    world.settle()
    world.check_promise()


def test_a_failure_is_raised_even_if_the_lease_was_lost(world: World) -> None:
    """The source fails at the second look, after another process wrote the record."""

    class Failing(MemoryStore):
        looks = 0

        def head(self, key: str) -> StoredObject | None:
            self.looks += 1
            if self.looks == 1:
                return world.source.head(key)
            record = world.catalog.get(key)
            assert record
            assert reopen(world.catalog, record)
            raise StoreFailed("no route to the store")

        stream = world.source.stream

    world.upload("photo.jpg", b"1")
    with pytest.raises(StoreFailed, match="no route"):
        world.processor(source=Failing()).process("photo.jpg")
    world.settle()
    world.check_promise()


def test_two_pictures_are_processed_at_the_same_time(world: World) -> None:
    """Each render waits until the other one has started."""
    world.upload("one.jpg", b"1")
    world.upload("two.jpg", b"2")
    barrier = threading.Barrier(2, timeout=10)

    def render(*args: object) -> Rendering:
        barrier.wait()  # both are here at once
        return hash_render(*args)  # type: ignore[arg-type]

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(world.processor(render=render).process, ["one.jpg", "two.jpg"]))
    world.check_promise()
