"""Look up objects in the pages of a store's listing, and read pages when needed.

One request either lists a thousand objects or looks up one object. A plan looks up outputs in the order of
the pictures' names, and a template such as ``thumb/{key}`` makes keys in this order. So one page answers for
many pictures. A page can begin at any key, so each call of a schedule's tick reads only the pages of its own
pictures, in bounded memory and without a disk. But a template that begins with ``{etag}``, for example,
scatters the keys, and each key needs a page.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from renditions.core.ports import Store, StoredObject

PAGE_OBJECTS = 1000
"""How many objects a page has: the number that S3 lists in one request."""
MOST_PAGES = 100
"""How many pages to keep: one for each rendition that a picture can have with DynamoDB, and one more."""


@dataclass(frozen=True, slots=True)
class _Page:
    """The objects whose keys are in a range."""

    after: str
    """The range begins after this key."""
    last: str | None
    """The range ends with this key; None if it has no end."""
    objects: Mapping[str, StoredObject]

    def covers(self, key: str) -> bool:
        return self.after < key and (self.last is None or key <= self.last)


class Pages:
    """A lookup of objects in the pages of one store's listing, for one thread.

    A page doesn't show the writes that came after it was read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: deque[_Page] = deque(maxlen=MOST_PAGES)

    def find(self, key: str) -> StoredObject | None:
        """Return the object under the key, or None."""
        page = next((page for page in self._kept if page.covers(key)), None)
        if page is None:
            page = self._read(key)
            self._kept.appendleft(page)
        return page.objects.get(key)

    def _read(self, key: str) -> _Page:
        """Read the page that contains this key, or would contain it."""
        after = _just_before(key)
        listed = self._store.list(after)
        objects: dict[str, StoredObject] = {}
        while some := list(islice(listed, PAGE_OBJECTS)):
            objects = {found.key: found for found in some}
            if some[-1].key >= key:
                return _Page(after, some[-1].key if len(some) == PAGE_OBJECTS else None, objects)
            after = some[-1].key
        return _Page(after, None, objects)


def _just_before(key: str) -> str:
    """Return a text that sorts before the key, with few other keys between them."""
    code = ord(key[-1])
    if code == 0:
        return key[:-1]
    # The code points from D800 to DFFF aren't characters.
    return key[:-1] + chr(0xD7FF if code == 0xE000 else code - 1)
