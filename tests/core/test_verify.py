"""Outputs that other programs deleted or replaced, with stores in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doubles import MemoryStore
from renditions.core.ask import PLAIN, Ask
from renditions.core.outcome import Outcome
from renditions.core.ports import StoredObject
from renditions.core.reconcile import Order, sync
from renditions.core.verify import ARCHIVED, MISSING, REPLACED, UNREADABLE, verify
from renditions.errors import Archived, NotAccepted, StoreRefused
from renditions.model.record import Output
from world import NAME, World, expected_output

AGAIN = f"thumb {MISSING} again. To make it again, run renditions retry photo.jpg"
THUMB = f"{NAME}/thumb.jpg"
LARGE = f"{NAME}/large.jpg"
QUICK = Ask(verify="quick")
CONTENT = Ask(verify="content")
RETRY = Ask(verify="quick", is_retry=True)


class Touched:
    """An output store whose objects have new ETags, as after a copy."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def head(self, key: str) -> StoredObject | None:
        found = self._store.head(key)
        return found and replace(found, etag=f"{found.etag}-copied")

    def get(self, key: str) -> tuple[StoredObject, bytes] | None:
        self.reads += 1
        got = self._store.get(key)
        return got and (replace(got[0], etag=f"{got[0].etag}-copied"), got[1])


def change_outputs(world: World, **changes: Any) -> None:
    """Write the record again, with these fields in each of its outputs."""
    record = world.record()
    outputs = tuple(replace(made, **changes) for made in record.outputs)
    world.catalog.write(replace(record, outputs=outputs))


def find(world: World, rendition: str = "thumb") -> Output:
    made = world.record().find_output(rendition)
    assert made
    return made


def test_processing_without_verification_does_not_find_a_lost_output(world: World) -> None:
    world.lose_outputs()
    assert world.processor().process(NAME, PLAIN).result == "unchanged"
    assert list(world.output.list()) == []


def test_a_missing_output_is_planned_and_made_again(world: World) -> None:
    world.lose_outputs([THUMB])
    (difference,) = world.differences(ask=QUICK)
    assert (difference.action, difference.make) == ("update", ("thumb",))
    assert difference.why == f"thumb {MISSING}"
    assert difference.is_restore
    assert world.processor().process(NAME, QUICK).result == "done"
    assert (find(world).is_restored, find(world, "large").is_restored) == (True, False)
    world.check_promise()


def test_a_missing_output_of_a_picture_that_is_kept_without_its_source_is_reported(world: World) -> None:
    world.pipeline = replace(world.pipeline, source=replace(world.pipeline.source, on_delete="keep"))
    world.remove(NAME)
    world.processor().process(NAME)
    world.lose_outputs([THUMB])
    world.overwrite(LARGE, b"rubbish")
    (difference,) = world.differences(ask=QUICK)
    assert (difference.action, difference.make) == ("keep", ())
    assert difference.warning == (
        f"thumb {MISSING}, large {REPLACED}, and can't be made again, because the picture is gone from the "
        "source. Put the picture back, or run renditions forget photo.jpg"
    )
    (shown,) = world.parts().preview(Order(QUICK))
    assert shown.warning == difference.warning
    outcomes: list[Outcome] = []
    assert sync(world.run(ask=QUICK, on_outcome=outcomes.append)).warnings == 1
    assert [outcome.reason for outcome in outcomes] == [difference.warning]
    world.upload(NAME, b"one")
    assert world.processor().process(NAME, QUICK).result == "done"
    world.check_promise()


def test_a_copied_output_of_a_picture_that_is_kept_without_its_source_is_read_only_once(world: World) -> None:
    world.pipeline = replace(world.pipeline, source=replace(world.pipeline.source, on_delete="keep"))
    world.remove(NAME)
    world.processor().process(NAME)
    output: Any = Touched(world.output)  # type: ignore[arg-type]
    for _ in range(2):
        world.processor(output=output).process(NAME, QUICK)
    assert output.reads == 2, "each of two outputs once"
    assert find(world).etag.endswith("-copied")


def test_a_replaced_output_is_made_again(world: World) -> None:
    world.overwrite(LARGE, b"rubbish")
    (difference,) = world.differences(ask=QUICK)
    assert difference.why == f"large {REPLACED}"
    world.processor().process(NAME, QUICK)
    world.check_promise()


@pytest.mark.parametrize(
    ("error", "why"), [(Archived("restore it first"), ARCHIVED), (NotAccepted("encrypted"), UNREADABLE)]
)
def test_an_output_that_the_store_refuses_to_read_is_planned_with_that_reason(
    world: World, error: Exception, why: str
) -> None:
    def refuse(_: str) -> Any:
        raise error

    output: Any = Touched(world.output)  # type: ignore[arg-type]
    output.get = refuse
    assert verify(world.record(), output, "content").drift == {"large": why, "thumb": why}


def test_an_output_that_is_deleted_before_it_is_read_is_planned_as_missing(world: World) -> None:
    output: Any = Touched(world.output)  # type: ignore[arg-type]
    output.get = lambda _: None
    assert verify(world.record(), output, "quick").drift == {"large": MISSING, "thumb": MISSING}


def test_only_verification_by_content_finds_a_change_that_keeps_size_and_etag(world: World) -> None:
    rubbish = b"x" * find(world).size_bytes
    world.overwrite(THUMB, rubbish)
    there = world.output.head(THUMB)
    assert there
    record = world.record()
    outputs = tuple(
        replace(made, etag=there.etag) if made.rendition == "thumb" else made for made in record.outputs
    )
    world.catalog.write(replace(record, outputs=outputs))
    assert world.processor().process(NAME, QUICK).result == "unchanged"
    assert world.processor().process(NAME, CONTENT).result == "done"
    world.check_promise()


def test_an_output_with_another_etag_and_unchanged_content_is_kept_and_its_etag_is_recorded(
    world: World,
) -> None:
    before = find(world)
    touched: Any = Touched(world.output)  # type: ignore[arg-type]
    outcome = world.processor(output=touched).process(NAME, QUICK)
    assert outcome.result == "unchanged"
    assert find(world) == replace(before, etag=f"{before.etag}-copied")
    assert touched.reads == 2
    world.processor(output=touched).process(NAME, QUICK)
    assert touched.reads == 2, "the recorded ETag is right now"


def test_a_record_of_version_0_1_accepts_an_output_of_the_same_size_and_records_its_hash(
    world: World,
) -> None:
    right = find(world)
    change_outputs(world, sha256="", etag="as-0.1-wrote-it")
    assert world.processor().process(NAME, QUICK).result == "unchanged"
    assert find(world) == right
    change_outputs(world, sha256="", etag="as-0.1-wrote-it")
    world.overwrite(THUMB, b"of another size")
    assert world.processor().process(NAME, QUICK).result == "done"
    world.check_promise()


def test_an_output_that_is_lost_again_after_it_was_restored_is_only_reported(world: World) -> None:
    for _ in range(2):
        world.lose_outputs([THUMB])
        outcome = world.processor().process(NAME, QUICK)
    assert (outcome.result, outcome.reason) == ("unchanged", AGAIN)
    (difference,) = world.differences(ask=QUICK)
    assert (difference.action, difference.warning) == ("keep", AGAIN)
    assert world.processor().process(NAME, RETRY).result == "done"
    world.check_promise()


def test_the_warning_about_several_outputs_that_were_lost_again_names_all_of_them(world: World) -> None:
    world.lose_outputs()
    world.processor().process(NAME, QUICK)
    world.lose_outputs()
    reason = world.processor().process(NAME, QUICK).reason
    lost = f"thumb {MISSING} again, large {MISSING} again"
    assert reason == f"{lost}. To make them again, run renditions retry photo.jpg"


def test_a_restored_output_of_a_changed_picture_can_be_restored_again(world: World) -> None:
    world.lose_outputs()
    world.processor().process(NAME, QUICK)
    world.upload(NAME, b"two")
    world.settle()
    world.lose_outputs()
    assert world.processor().process(NAME, QUICK).result == "done"
    world.check_promise()


def test_the_option_force_makes_every_output_of_a_picture_again_exactly_once(world: World) -> None:
    made: list[str] = []
    processor = world.processor()
    render = processor.render

    def count(content: bytes, accept: Any, recipes: Any, analyze: Any) -> Any:
        made.extend(recipes)
        return render(content, accept, recipes, analyze)

    assert replace(processor, render=count).process(NAME, Ask(is_forced=True)).result == "done"
    assert sorted(made) == ["large", "thumb"]
    world.check_promise()


def test_the_outputs_of_a_failed_picture_are_not_verified(world: World) -> None:
    world.upload(NAME, b"two")

    def refuse(*_: Any) -> Any:
        raise StoreRefused("no permission")

    world.processor(render=refuse).process(NAME)
    world.lose_outputs()
    assert world.processor().process(NAME, QUICK).result == "unchanged"


def test_an_output_that_changes_while_it_is_verified_is_compared_again(world: World) -> None:
    """Another worker replaces the output between two reads of the first worker.

    The first worker has read the record, and hasn't read the store yet.
    """
    other = world.processor("other")

    class Late:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.output, name)

        def head(self, key: str) -> StoredObject | None:
            if world.content(key) == expected_output(b"one", world.pipeline.renditions["large"]):
                world.upload(NAME, b"two")
                other.process(NAME)
            return world.output.head(key)

    world.processor("first", output=Late()).process(NAME, QUICK)
    assert not any(made.is_restored for made in world.record().outputs)
    world.check_promise()
