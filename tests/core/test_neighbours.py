"""The catalogs that use an output store, and the former ids of this catalog."""

from __future__ import annotations

from doubles import MemoryStore
from renditions.core.neighbours import Neighbours, Registration

OURS = Registration("sqlite://host/site/renditions.db", "renditions.toml", "//host/site/inbox/")


def test_a_catalog_with_the_same_place_and_source_counts_as_a_predecessor() -> None:
    store = MemoryStore()
    store.register("old", OURS.to_text())
    store.register("new", OURS.to_text())
    store.register("other", Registration("dynamodb:t", "renditions.toml", OURS.source).to_text())
    store.register("elsewhere", Registration(OURS.catalog, "renditions.toml", "//host/b/").to_text())
    store.register("odd", "[]")
    neighbours = Neighbours.read(store, "new", OURS)
    assert neighbours.own == {"new", "old"}
    assert neighbours.others.keys() == {"other", "elsewhere", "odd"}
    assert neighbours.others["odd"] is None


def test_a_catalog_in_a_new_place_has_no_predecessors() -> None:
    store = MemoryStore()
    store.register("old", OURS.to_text())
    moved = Registration("sqlite://other/site/renditions.db", OURS.pipeline_file, OURS.source)
    assert Neighbours.read(store, "new", moved).own == {"new"}
    assert Neighbours.read(store, "", moved).own == frozenset()
    assert Neighbours.read(store, "", OURS).own == {"old"}
