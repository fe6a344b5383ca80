"""The lookup of outputs in a listing, and a plan that verifies a bucket with it."""

from __future__ import annotations

from collections.abc import Iterator

from doubles import MemoryStore
from renditions.core.ask import Ask
from renditions.core.ports import IfAbsent, IfMatch, OnObstacle, OnUnreadable, StoredObject
from renditions.core.selection import Selection
from renditions.local.listing import listed
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
