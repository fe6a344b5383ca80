"""The lookup of objects in pages of a listing.

The lookup gives the same answers as a request for each object. It usually needs fewer requests.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import MemoryStore
from renditions.core import pages
from renditions.core.pages import Pages
from renditions.core.ports import IfAbsent, OnObstacle, OnUnreadable, StoredObject

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)


class Counted(MemoryStore):
    """A store that counts its listings."""

    listings = 0

    def list(
        self,
        after: str = "",
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
        on_obstacle: OnObstacle | None = None,
    ) -> Iterator[StoredObject]:
        self.listings += 1
        return super().list(after, prefix, on_unreadable, on_obstacle)


def fill(*keys: str) -> Counted:
    store = Counted()
    for key in keys:
        store.put(key, key.encode(), IfAbsent(), "image/jpeg")
    return store


@given(there=st.sets(KEYS, max_size=30), asked=st.lists(KEYS, max_size=30), size=st.integers(1, 9))
def test_pages_of_a_listing_find_the_same_objects_as_the_store(
    there: set[str], asked: list[str], size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "PAGE_OBJECTS", size)
        store = fill(*there)
        look = Pages(store).find
        for key in [*asked, *there]:
            assert look(key) == store.head(key), key


@pytest.mark.parametrize("template", ["{}/{}.webp", "{1}/{0}.webp", "{1}_{0}.webp"])
def test_one_page_of_a_listing_finds_about_ten_outputs(
    template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outputs' keys begin with the picture's name or with the rendition's name."""
    monkeypatch.setattr(pages, "PAGE_OBJECTS", 10)
    outputs = [
        template.format(f"{number:03}", rendition)
        for number in range(100)
        for rendition in ("large", "medium", "small", "thumb")
    ]
    store = fill(*outputs)
    look = Pages(store).find
    assert all(look(key) for key in outputs)
    assert store.listings <= 44


def test_one_listing_is_enough_to_find_out_that_500_objects_are_missing() -> None:
    store = fill("a.webp", "z.webp")
    look = Pages(store).find
    assert [look(f"m{number:04}.webp") for number in range(500)] == [None] * 500
    assert store.listings == 1
    assert look("z.webp")


def test_a_key_that_follows_more_than_a_page_of_similar_keys_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PAGE_OBJECTS", 10)
    neighbours = [f"img_1{number:03}" for number in range(100)]
    look = Pages(fill(*neighbours, "img_2")).find
    assert look("img_2")
