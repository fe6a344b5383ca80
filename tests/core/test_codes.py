"""The error code of a picture, in its outcome, its record and its notice."""

from __future__ import annotations

from typing import NoReturn

import pytest

from doubles import MemoryStore
from renditions.core.ports import IfAbsent
from renditions.errors import Archived, RenderTimedOut
from renditions.model.reason import Reason, common_code
from renditions.model.recipe import Rendition
from renditions.model.record import Record
from world import World, make_pipeline

NAME = "a/photo.jpg"


@pytest.fixture
def world() -> World:
    return World()


class Archive(MemoryStore):
    """A store whose objects must be restored before they can be read."""

    def stream(self, *_: object) -> NoReturn:
        raise Archived("restore it first")


def time_out(*_: object) -> NoReturn:
    raise RenderTimedOut("it took too long")


def stored(world: World) -> Record:
    record = world.catalog.get(NAME)
    assert record
    return record


def test_the_record_of_a_rejected_picture_has_the_code_of_its_error(world: World) -> None:
    world.upload(NAME, b"bad")
    outcome = world.processor().process(NAME)
    assert (outcome.result, outcome.code) == ("rejected", "source-unreadable")
    assert stored(world).code == "source-unreadable"
    assert outcome.to_item()["code"] == "source-unreadable"
    assert [notice.to_item()["code"] for notice in world.notifier.sent] == ["source-unreadable"]


def test_the_outcome_of_a_picture_that_can_not_be_read_yet_has_the_code_of_the_store_error(
    world: World,
) -> None:
    world.upload(NAME, b"one")
    archive = Archive()
    archive.head = world.source.head  # type: ignore[method-assign]
    outcome = world.processor(source=archive).process(NAME)
    assert (outcome.code, stored(world).code) == ("source-archived", "source-archived")


def test_the_record_of_a_failed_picture_keeps_the_error_code_until_the_picture_is_done(world: World) -> None:
    world.upload(NAME, b"one")
    outcome = world.processor(render=time_out).process(NAME)
    assert (outcome.result, outcome.code) == ("failed", "render-timed-out")
    assert stored(world).code == "render-timed-out"
    assert world.processor().process(NAME).code == ""
    assert "code" not in stored(world).to_item()


def test_each_rendition_that_could_not_be_made_has_its_error_code(world: World) -> None:
    world.upload(NAME, b"half")
    world.output.put(f"{NAME}/thumb.jpg", b"not ours", IfAbsent(), "image/jpeg")
    outcome = world.processor().process(NAME)
    assert outcome.code == "rejected", "the renditions have different codes"
    item = stored(world).to_item()
    assert item["error_codes"] == {"large": "unrenderable", "thumb": "foreign-output"}
    assert item["errors"].keys() == item["error_codes"].keys()


def test_a_picture_whose_output_key_is_taken_has_the_code_key_taken(world: World) -> None:
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="thumb.jpg"))
    world.upload("a.jpg", b"a")
    world.upload("b.jpg", b"b")
    world.settle()
    record = world.catalog.get("b.jpg")
    assert record
    assert record.code == "key-taken"


@pytest.mark.parametrize(
    ("codes", "common"),
    [(("a",), "a"), (("a", "a"), "a"), (("a", "b"), "rejected")],
)
def test_reasons_with_different_codes_get_the_code_rejected_and_others_keep_theirs(
    codes: tuple[str, ...], common: str
) -> None:
    assert common_code(Reason("why", code) for code in codes) == common


def test_an_unexpected_error_has_the_code_error() -> None:
    assert Reason.of(ValueError("odd")) == Reason("odd", "error")


def test_a_record_of_version_0_1_has_reasons_without_codes() -> None:
    item = {
        "image_name": NAME,
        "status": "rejected",
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "reason": "large: too half",
        "errors": {"large": "too half"},
    }
    record = Record.from_item(item)
    assert (record.code, record.errors) == ("", (("large", Reason("too half")),))
    assert not record.to_item().keys() & {"code", "error_codes"}
