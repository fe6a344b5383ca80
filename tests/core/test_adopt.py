"""Adoption: how a new catalog takes over the outputs of a lost catalog."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

import pytest

from doubles import MemoryStore
from renditions.core.adopt import FEW, SAMPLE, SAMPLE_OF_TICK, check_not_lost, yield_unless_lost
from renditions.core.ask import Ask
from renditions.core.binding import Claimant, Standing, Start, bind
from renditions.core.neighbours import Neighbours
from renditions.core.ports import IfAbsent, IfMatch, StoredObject
from renditions.core.process import Processor
from renditions.errors import Archived, CatalogLost, ForeignOutput
from renditions.model.recipe import Rendition
from world import Crash, Steps, World, expected_output, make_pipeline

NAME = "photo.jpg"
KEY = f"{NAME}/thumb.jpg"
THUMB = Rendition(width=200)
ADOPT = Ask(adopts=True)


@pytest.fixture
def world() -> World:
    world = World(pipeline=make_pipeline((), thumb=THUMB))
    world.upload(NAME, b"one")
    return world


def processor(
    world: World,
    steps: Steps | None = None,
    others: dict[str, None] | None = None,
    owner: str = "first",
    **changes: Any,
) -> Processor:
    """Return a worker of a catalog that had one predecessor, ``before``."""
    claimant = Claimant("", "in", "out", "generation", Start(sets_generation=True))
    standing = Standing(world.catalog, bind(world.catalog, claimant), claimant)
    neighbours = Neighbours(frozenset({standing.catalog_id, "before"}), others or {})
    return world.processor(owner, steps, standing=standing, read_neighbours=lambda: neighbours, **changes)


def place(world: World, content: bytes, writer: str) -> None:
    """Put an object under the output key."""
    world.output.put(KEY, content, IfAbsent(), "image/jpeg", writer)


def is_adopted(world: World) -> bool:
    """Return whether the picture claims the output key.

    If it does, check the output's content and its mark of this catalog.
    """
    binding = world.catalog.read_binding()
    assert binding
    record = world.catalog.get(NAME)
    claimed = world.catalog.owner_of(KEY) == NAME
    assert claimed == bool(record and record.outputs)
    if claimed:
        assert world.content(KEY) == expected_output(b"one", THUMB)
        assert world.output.writer_of(KEY) == binding.catalog_id
    return claimed


def test_adoption_takes_over_an_output_with_the_mark_of_a_predecessor(world: World) -> None:
    place(world, b"made by an older engine", "before")
    assert processor(world).process(NAME, ADOPT).result == "done"
    assert is_adopted(world)


def test_without_adoption_a_marked_output_is_refused(world: World) -> None:
    place(world, b"made by an older engine", "before")
    assert processor(world).process(NAME).result == "rejected"
    assert not is_adopted(world)


def test_adoption_takes_over_an_output_that_an_earlier_run_refused(world: World) -> None:
    place(world, b"made by an older engine", "before")
    processor(world).process(NAME)
    assert processor(world).process(NAME, ADOPT).result == "done"
    assert is_adopted(world)


def test_adoption_takes_over_an_unmarked_output_that_equals_a_fresh_rendering(world: World) -> None:
    place(world, expected_output(b"one", THUMB), "")
    assert processor(world).process(NAME, ADOPT).result == "done"
    assert is_adopted(world)


@pytest.mark.parametrize(
    ("content", "writer", "others"),
    [
        pytest.param(b"a website's file", "", {}, id="other bytes without a mark"),
        pytest.param(expected_output(b"one", THUMB), "", {"them": None}, id="equal, beside another catalog"),
        pytest.param(expected_output(b"one", THUMB), "them", {"them": None}, id="another catalog's"),
        pytest.param(expected_output(b"one", THUMB), "unknown", {}, id="an unknown catalog's"),
    ],
)
def test_adoption_neither_claims_nor_changes_a_file_without_proof_that_it_is_an_output(
    world: World, content: bytes, writer: str, others: dict[str, None]
) -> None:
    place(world, content, writer)
    outcome = processor(world, others=others).process(NAME, ADOPT)
    assert outcome.result == "rejected"
    assert KEY in (outcome.reason or "")
    assert not is_adopted(world)
    world.remove(NAME)
    processor(world).process(NAME, Ask(removal="asked"))
    assert world.content(KEY) == content


class ArchivedStore(MemoryStore):
    """A bucket whose objects are in an archive."""

    def head(self, key: str) -> StoredObject | None:
        got = super().get(key)
        return got[0] if got else None

    def get(self, key: str) -> NoReturn:
        raise Archived(f"{key} is in an archive")


def test_adoption_refuses_an_unmarked_output_in_an_archive_that_it_cannot_compare(world: World) -> None:
    world.output = ArchivedStore()
    place(world, expected_output(b"one", THUMB), "")
    outcome = processor(world).process(NAME, ADOPT)
    assert (outcome.result, outcome.code) == ("rejected", ForeignOutput.code)
    assert not is_adopted(world)


def test_a_file_that_replaces_a_proven_output_during_adoption_stays(world: World) -> None:
    place(world, b"ours", "before")
    found = world.output.head(KEY)
    assert found

    def render(*arguments: Any) -> Any:
        world.output.delete(KEY, IfMatch(found.etag))
        place(world, b"theirs", "")
        return world.processor().render(*arguments)

    assert processor(world, render=render).process(NAME, ADOPT).result == "rejected"
    assert world.content(KEY) == b"theirs"
    assert not is_adopted(world)


@pytest.mark.parametrize(("writer", "is_ours"), [("before", True), ("", True), ("", False)])
def test_a_run_after_a_crash_at_any_step_of_adoption_takes_over_only_outputs(
    *, writer: str, is_ours: bool
) -> None:
    def crash() -> None:
        raise Crash

    at, ended = 0, False
    content = expected_output(b"one", THUMB) if is_ours else b"a website's file"
    while not ended:
        world = World(pipeline=make_pipeline((), thumb=THUMB))
        world.upload(NAME, b"one")
        place(world, content, writer)
        steps = Steps(at=at, before=crash)
        try:
            processor(world, steps).process(NAME, ADOPT)
            ended = True
        except Crash:
            world.gone.add("first")
        for _ in range(3):
            processor(world, owner="second").process(NAME, ADOPT)
        assert is_adopted(world) == is_ours, at
        world.remove(NAME)
        processor(world, owner="second").process(NAME, Ask(removal="asked"))
        assert (world.output.head(KEY) is None) == is_ours, at
        at += 1
    assert at > 5


def test_an_empty_catalog_beside_unknown_outputs_counts_as_lost(world: World) -> None:
    def check() -> None:
        check_not_lost(world.catalog, world.output, "us", world.differences)

    check()  # nothing is there
    place(world, b"one", "before")
    with pytest.raises(CatalogLost, match="1 of 1 output keys"):
        check()
    for name in ("a.jpg", "b.jpg"):
        world.upload(name, b"two")
    check()  # most keys are free
    processor(world).process("a.jpg")
    world.output.put("b.jpg/thumb.jpg", b"", IfAbsent(), "image/jpeg")
    check()  # the catalog has a record


def test_the_search_for_a_lost_catalog_checks_a_limited_number_of_outputs(world: World) -> None:
    place(world, b"one", "before")
    seen = 0

    def differences() -> Any:
        nonlocal seen
        for difference in world.differences():
            for _ in range(3 * SAMPLE):
                seen += 1
                yield replace(difference)

    with pytest.raises(CatalogLost):
        check_not_lost(world.catalog, world.output, "us", differences)
    assert seen == SAMPLE


def test_a_tick_refuses_a_catalog_with_few_records_if_most_output_keys_hold_files(world: World) -> None:
    """An upload's event may have added a record since the catalog was lost."""

    def tick() -> list[str]:
        plan = yield_unless_lost(world.catalog, world.output, "us", world.differences())
        return [difference.name for difference in plan]

    processor(world).process(NAME)
    assert tick() == [NAME]
    for number in range(SAMPLE_OF_TICK):
        world.upload(f"a{number}.jpg", b"two")
        world.output.put(f"a{number}.jpg/thumb.jpg", b"", IfAbsent(), "image/jpeg")
    with pytest.raises(CatalogLost, match="has only 1 record, but 100 of 100 output keys"):
        tick()
    for number in range(FEW):
        world.upload(f"b{number}.jpg", b"%d" % number)
        processor(world).process(f"b{number}.jpg")
    assert len(tick()) == SAMPLE_OF_TICK + FEW + 1, "a catalog with many records isn't lost"
