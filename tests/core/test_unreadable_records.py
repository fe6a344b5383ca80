"""Pictures beside a picture whose record can't be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from doubles import MemoryCatalog
from renditions.core.ask import ALLOWED
from renditions.core.outbox import Outbox
from renditions.core.ports import OnUnreadable, Unreadable
from renditions.core.selection import Selection
from renditions.errors import RecordUnreadable
from renditions.model.notices import UnsentNotice
from renditions.model.recipe import Rendition
from renditions.model.record import Record
from world import World, make_pipeline


class Damaged(MemoryCatalog):
    """A catalog in which some records can't be read."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: set[str] = set()

    def get(self, name: str) -> Record | None:
        if name in self.damaged:
            raise RecordUnreadable("memory", name)
        return super().get(name)

    def get_all(self, names: Sequence[str], on_unreadable: OnUnreadable) -> Mapping[str, Record]:
        for name in self.damaged.intersection(names):
            on_unreadable(Unreadable(name, "it is damaged"))
        return super().get_all([name for name in names if name not in self.damaged], on_unreadable)


@pytest.fixture
def catalog() -> Damaged:
    return Damaged()


@pytest.fixture
def world(catalog: Damaged) -> World:
    world = World(catalog=catalog)
    world.bind()
    return world


def test_a_picture_that_waits_for_the_key_of_an_unreadable_record_stays_rejected(
    world: World, catalog: Damaged
) -> None:
    world.pipeline = make_pipeline(thumb=Rendition(width=9, key="{stem}.{ext}"))
    for name in ("a.jpg", "b/a.jpg"):
        world.upload(name, b"x")
    world.settle()
    catalog.damaged.add("a.jpg")
    outcome = world.processor().process("b/a.jpg")
    assert (outcome.result, outcome.reason) == ("unchanged", "it is rejected")


def test_a_new_picture_with_the_content_of_an_unreadable_record_is_processed(
    world: World, catalog: Damaged
) -> None:
    world.upload("a.jpg", b"x")
    world.settle()
    catalog.damaged.add("a.jpg")
    world.upload("b.jpg", b"x")
    assert world.processor().process("b.jpg").result == "done"


def test_the_wishes_of_a_removed_picture_are_kept_if_the_record_of_an_equal_picture_is_unreadable(
    world: World, catalog: Damaged
) -> None:
    for name in ("a.jpg", "b.jpg"):
        world.upload(name, b"x")
        world.processor().process(name)
    record = catalog.get("b.jpg")
    assert record
    catalog.write(replace(record, wishes=replace(record.wishes, demanded=("large",))))
    catalog.damaged.add("a.jpg")
    world.remove("b.jpg")
    assert world.processor().process("b.jpg", ALLOWED).result == "removed"
    assert catalog.find_wishes("b.jpg")


def test_a_plan_of_named_pictures_reports_an_unreadable_record_and_continues(
    world: World, catalog: Damaged
) -> None:
    for name in ("a.jpg", "b.jpg"):
        world.upload(name, b"x")
    world.settle()
    catalog.damaged.add("a.jpg")
    plan = world.parts().plan(selection=Selection(("a.jpg", "b.jpg")))
    assert [(difference.name, difference.action) for difference in plan] == [
        ("a.jpg", "unreadable"),
        ("b.jpg", "keep"),
    ]


def test_a_notice_about_an_unreadable_record_is_kept(world: World, catalog: Damaged) -> None:
    catalog.damaged.add("a.jpg")
    earlier = world.clock() - timedelta(hours=1)
    catalog.keep_notice(UnsentNotice("done", "log:", "a.jpg", earlier, earlier))
    Outbox(catalog, {"log:": world.notifier}, world.clock).send_due()
    assert len(list(catalog.unsent_notices())) == 1
