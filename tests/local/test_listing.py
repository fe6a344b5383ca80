"""Listings in temporary databases, and a plan that verifies a bucket with one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from doubles import MemoryStore
from renditions.core.ask import Ask
from renditions.core.ports import IfAbsent, IfMatch, OnObstacle, OnUnreadable, StoredObject
from renditions.core.selection import Selection
from renditions.errors import StoreFailed
from renditions.local.folder import FolderStore
from renditions.local.listing import listed
from renditions.local.poll import poll_keys
from world import World


class Bucket(MemoryStore):
    """A store that counts the requests for single objects."""

    is_cheaper_to_list = True

    def __init__(self) -> None:
        super().__init__()
        self.lookups = 0

    def head(self, key: str) -> StoredObject | None:
        self.lookups += 1
        return super().head(key)

    def list(
        self,
        after: str = "",
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
        on_obstacle: OnObstacle | None = None,
    ) -> Iterator[StoredObject]:
        lookups = self.lookups
        found = [*super().list(after, prefix, on_unreadable, on_obstacle)]
        self.lookups = lookups  # a store in memory looks up what it lists
        return iter(found)


def test_a_lookup_in_a_listing_returns_the_same_objects_as_the_store() -> None:
    store = MemoryStore()
    for key in ("a", "é/\U0001f5bc.jpg", "a//b", "A"):
        store.put(key, key.encode(), IfAbsent(), "image/jpeg")
    with listed(store) as look_up:
        assert [look_up(found.key) for found in store.list()] == list(store.list())
        assert look_up("none") is None
        store.put("late", b"", IfAbsent(), "image/jpeg")
        assert look_up("late") is None, "the listing shows the store as it was at its start"


def damage(bucket: Bucket) -> None:
    """Remove the first output and replace the last."""
    first, *_, last = bucket.list()
    bucket.delete(first.key, IfMatch(first.etag))
    bucket.put(last.key, b"rubbish", IfMatch(last.etag), "image/jpeg")
    bucket.lookups = 0


def test_a_plan_verifies_a_bucket_without_looking_up_each_output() -> None:
    bucket = Bucket()
    world = World(output=bucket)
    for number in range(30):
        world.upload(f"{number:02}.jpg", b"%d" % number)
    world.settle()
    damage(bucket)
    plan = list(world.parts().plan(ask=Ask(verify="quick")))
    assert [difference.name for difference in plan if difference.drift] == ["00.jpg", "29.jpg"]
    assert bucket.lookups == 0


def test_a_plan_of_named_pictures_looks_up_each_of_their_outputs() -> None:
    bucket = Bucket()
    world = World(output=bucket)
    world.upload("a.jpg", b"a")
    world.settle()
    bucket.lookups = 0
    plan = list(world.parts().plan(ask=Ask(verify="quick"), selection=Selection.of(["a.jpg"])))
    assert [difference.action for difference in plan] == ["keep"]
    assert bucket.lookups == len(world.pipeline.renditions)


FULL = r"failed \(database or disk is full\)\. Free space in the folder for temporary files"


@pytest.fixture
def many() -> MemoryStore:
    store = MemoryStore()
    for number in range(1000):
        store.put(f"{number}".rjust(200, "x"), b"", IfAbsent(), "image/jpeg")
    return store


@pytest.mark.usefixtures("full_temporary_disk")
def test_a_listing_that_does_not_fit_on_the_temporary_disk_raises_an_error(many: MemoryStore) -> None:
    with pytest.raises(StoreFailed, match=f"can't list the output store: .* {FULL}"), listed(many):
        pass


@pytest.mark.usefixtures("full_temporary_disk")
def test_polling_fails_with_an_error_if_its_listing_does_not_fit_on_the_temporary_disk(
    many: MemoryStore,
) -> None:
    with pytest.raises(StoreFailed, match=f"can't poll the source: .* {FULL}"):
        next(poll_keys(many, threading.Event(), 0.01))


@pytest.mark.usefixtures("full_temporary_disk")
def test_listing_a_folder_fails_with_an_error_if_its_names_do_not_fit_on_the_temporary_disk(
    tmp_path: Path,
) -> None:
    for number in range(1000):
        (tmp_path / f"{number}".rjust(200, "x")).touch()
    with pytest.raises(StoreFailed, match=f"{tmp_path} can't be listed: .* {FULL}"):
        list(FolderStore(tmp_path).list())
