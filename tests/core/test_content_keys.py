"""Output keys with ``{hash}`` and ``{version}``, known once a picture was read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from hashing import never_render
from renditions.core.reconcile import sync
from renditions.errors import StoreFailed
from renditions.model import revisions
from renditions.model.keys import is_known
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from renditions.model.revisions import Revision
from world import NAME, World, make_pipeline

HASH = Rendition(width=200, key="{stem}-{hash}.jpg")
VERSION = Rendition(width=200, key="{stem}-{version}.jpg")


def make_world(rendition: Rendition = VERSION) -> World:
    world = World(make_pipeline(thumb=rendition))
    world.bind()
    world.upload(NAME, b"one")
    return world


def declare(world: World, rendition: Rendition) -> None:
    world.pipeline = replace(world.pipeline, renditions={"thumb": rendition})
    world.bind()


def key(world: World) -> str:
    return world.record().outputs[0].key


def test_an_output_key_has_the_first_digits_of_the_hash_of_the_content() -> None:
    world = make_world(HASH)
    world.processor().process(NAME)
    assert key(world) == f"photo-{sha256(b'one').hexdigest()[:16]}.jpg"
    world.check_promise()


def test_plan_says_that_the_key_of_a_new_picture_is_known_only_after_the_picture_is_read() -> None:
    world = make_world()
    (difference,) = world.differences()
    assert not is_known((difference.keys or {})["thumb"])
    assert difference.to_item()["make"] == {"thumb": {"key": "photo-(known after reading).jpg"}}
    sync(world.run())
    (difference,) = world.differences()
    assert difference.action == "keep"
    assert difference.keys == {"thumb": key(world)}


def test_a_changed_content_or_recipe_changes_the_version_and_deletes_the_old_output() -> None:
    world = make_world()
    world.settle()
    first = key(world)
    world.upload(NAME, b"another")
    world.settle()
    second = key(world)
    declare(world, replace(VERSION, width=300))
    world.settle()
    assert len({first, second, key(world)}) == 3
    world.check_promise()


def test_a_changed_recipe_does_not_change_the_hash_in_the_key() -> None:
    world = make_world(HASH)
    world.settle()
    first = key(world)
    declare(world, replace(HASH, width=300))
    world.settle()
    assert key(world) == first
    world.check_promise()


def test_a_touched_picture_keeps_its_versioned_key() -> None:
    world = make_world()
    world.settle()
    world.source.touch(NAME)
    assert world.plan() == [(NAME, "settle")]
    assert world.processor().process(NAME).result == "unchanged"
    assert world.plan() == []


def test_an_output_with_the_old_version_in_its_key_is_kept_for_the_declared_time() -> None:
    world = make_world()
    world.use_output(keep_replaced=3600.0)
    world.settle()
    first = key(world)
    world.upload(NAME, b"another")
    world.processor().process(NAME)
    assert {found.key for found in world.output.list()} == {first, key(world)}
    world.now += timedelta(hours=2)
    world.settle()
    assert {found.key for found in world.output.list()} == {key(world)}


def test_a_raised_revision_of_the_engine_changes_the_version_in_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = make_world().pipeline.output_keys(NAME, "e", sha256="1" * 64)
    raised = Revision(2, "source", "tiff", "a test")
    monkeypatch.setattr(revisions, "REVISIONS", (raised,))
    after = make_world().pipeline.output_keys(NAME, "e", sha256="1" * 64)
    assert before != after


def test_a_picture_without_a_recorded_hash_is_read_if_its_key_needs_the_hash() -> None:
    world = make_world(Rendition(width=200))
    world.settle()
    world.catalog.write(replace(world.record(), sha256=""))
    declare(world, VERSION)
    assert world.plan() == [(NAME, "update")]
    world.settle()
    world.check_promise()


def test_a_picture_that_can_not_be_read_claims_no_key_and_is_tried_again() -> None:
    class Unreadable:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.source, name)

        def stream(self, key: str, *_: Any) -> Any:
            raise StoreFailed("permission denied")

    world = make_world()
    outcome = world.processor(source=Unreadable()).process(NAME)
    assert (outcome.result, outcome.reason) == ("failed", "permission denied")
    assert world.record().claimed_keys() == frozenset()
    world.settle()
    world.check_promise()


def test_pictures_that_are_too_large_to_read_do_not_block_each_other() -> None:
    world = make_world()
    world.upload("b/photo.jpg", b"two")
    world.pipeline = replace(world.pipeline, accept=Accept(max_bytes=1))
    world.bind()
    world.settle()
    assert {record.blocked_by for record in world.catalog.list()} == {None}
    assert {record.status for record in world.catalog.list()} == {"rejected"}
    assert world.plan() == []


def test_the_later_of_two_pictures_with_the_same_content_and_key_is_rejected() -> None:
    world = make_world(Rendition(width=200, key="{hash}.jpg"))
    world.upload("zebra.jpg", b"one")
    world.settle()
    assert (world.record().status, world.record("zebra.jpg").status) == ("done", "rejected")
    assert world.record("zebra.jpg").blocked_by == NAME


def test_the_output_of_a_renamed_picture_with_a_versioned_key_is_not_rendered() -> None:
    world = make_world(Rendition(width=200, key="{dir}{stem}-{version}.jpg"))
    world.settle()
    world.remove(NAME)
    world.upload("new/name.jpg", b"one")
    assert world.processor(render=never_render).process("new/name.jpg").result == "done"
    world.check_promise()


def test_plan_does_not_read_a_new_picture_to_know_its_key() -> None:
    class Unread:
        def __getattr__(self, name: str) -> Any:
            assert name not in ("get", "stream")
            return getattr(world.source, name)

    world = make_world()
    parts = replace(world.parts(), source=Unread())
    differences: Iterator[Any] = parts.preview()
    assert [difference.action for difference in differences] == ["create"]
