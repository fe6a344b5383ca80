"""Pictures with a new ETag, and with the same or other content."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hashing import never_render
from renditions.core.content import Reader
from renditions.core.difference import TOUCHED
from renditions.core.outcome import Outcome
from renditions.errors import StoreFailed
from renditions.model.notices import Notice
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from renditions.model.record import Record
from world import NAME, Steps, World, hash_render, make_pipeline


class Counting:
    """A source that counts how often an object is read."""

    def __init__(self, world: World) -> None:
        self._source = world.source
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def stream(self, key: str, *part: Any) -> Any:
        self.reads += 1
        return self._source.stream(key, *part)


def test_a_touched_picture_is_recognised_and_only_its_record_is_written(world: World) -> None:
    before = world.record()
    world.source.touch(NAME)
    assert world.plan() == [(NAME, "settle")]
    outcome = world.processor(render=never_render).process(NAME)
    assert (outcome.result, outcome.reason) == ("unchanged", TOUCHED)
    after = world.record()
    found = world.source.head(NAME)
    assert found
    assert after.etag == found.etag != before.etag
    assert {made.source_etag for made in after.outputs} == {found.etag}
    assert [made.etag for made in after.outputs] == [made.etag for made in before.outputs]
    assert after.history == before.history
    assert world.plan() == []
    assert len(world.notifier.sent) == 1


def test_new_content_of_the_same_length_is_rendered(world: World) -> None:
    world.upload(NAME, b"two")
    assert world.plan() == [(NAME, "update")]
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


def test_a_rejected_picture_that_is_touched_stays_rejected_without_a_second_notice(world: World) -> None:
    world.upload("bad.jpg", b"bad")
    world.settle()
    sent = len(world.notifier.sent)
    world.source.touch("bad.jpg")
    assert world.processor(render=never_render).process("bad.jpg").result == "unchanged"
    assert len(world.notifier.sent) == sent
    assert world.plan() == []


def test_plan_lists_only_the_changed_rendition_of_a_touched_picture(world: World) -> None:
    world.source.touch(NAME)
    world.pipeline = make_pipeline(thumb=Rendition(width=99), large=Rendition(width=1200))
    world.bind()
    assert [(each.make, each.why) for each in world.differences()] == [
        (("thumb",), "thumb was made with another recipe")
    ]
    world.settle()
    world.check_promise()


def test_a_record_of_version_0_1_has_no_hash_and_its_touched_picture_is_rendered(world: World) -> None:
    world.catalog.write(replace(world.record(), sha256=""))
    world.source.touch(NAME)
    assert world.plan() == [(NAME, "update")]
    world.settle()
    assert world.record().sha256


def test_a_touched_picture_that_cannot_be_read_fails_and_will_be_tried_again(world: World) -> None:
    class Unreadable(Counting):
        def stream(self, key: str, *_: Any) -> Any:
            raise StoreFailed("permission denied")

    world.source.touch(NAME)
    outcome = world.processor(source=Unreadable(world)).process(NAME)
    assert (outcome.result, outcome.reason) == ("failed", "permission denied")
    assert outcome.again_after


def test_processing_a_changed_picture_reads_the_picture_only_once(world: World) -> None:
    world.upload(NAME, b"two")
    source = Counting(world)
    world.processor(source=source).process(NAME)
    assert source.reads == 1


def test_a_picture_whose_size_changed_is_not_read_to_compare_its_content(world: World) -> None:
    world.upload(NAME, b"longer")
    source = Counting(world)
    found = world.source.head(NAME)
    assert found
    assert not Reader(source).is_same(world.record(), found)
    assert source.reads == 0


def test_a_touched_picture_is_checked_again_if_the_rules_changed(world: World) -> None:
    world.source.touch(NAME)
    world.pipeline = replace(world.pipeline, accept=Accept(max_bytes=2))
    world.bind()
    assert world.processor().process(NAME).result == "rejected"


def test_a_picture_touched_during_rendering_is_recorded_before_its_notice_is_sent(world: World) -> None:
    """In an earlier version, the notice had an ETag that no record had.

    The simulator found this.
    """

    def touch_and_render(*asked: Any) -> Any:
        world.source.touch(NAME)
        return hash_render(*asked)

    class Checking:
        def send(self, notice: Notice) -> None:
            assert isinstance(notice.subject, Record)
            recorded.append(world.record().etag == notice.subject.etag)

    recorded: list[bool] = []
    notifiers = {notify.target: Checking() for notify in world.pipeline.notify}
    world.upload(NAME, b"two")
    world.processor(render=touch_and_render, notifiers=notifiers).process(NAME)
    assert recorded == [True]


def test_a_file_that_grows_over_the_byte_limit_before_it_is_read_is_rejected() -> None:
    def process(steps: Steps) -> tuple[World, Outcome]:
        world = World()
        world.pipeline = replace(world.pipeline, accept=Accept(max_bytes=10))
        world.upload(NAME, b"nine byte")
        steps.before = lambda: world.upload(NAME, b"eleven bytes")
        return world, world.processor(steps=steps).process(NAME)

    steps = Steps()
    process(steps)
    world, outcome = process(Steps(at=steps.names.index("MemoryStore.stream")))
    assert (outcome.result, outcome.reason) == (
        "rejected",
        (
            "the file has 12 bytes, more than the 10 that [accept] max_bytes allows. "
            "Use a smaller file, or raise the limit"
        ),
    )
    assert not list(world.output.list())
