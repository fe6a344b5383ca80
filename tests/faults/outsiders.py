"""Other programs: they change outputs, hide the source and restore the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from doubles import MemoryCatalog, MemoryStore
from faults.observer import Observer
from faults.places import THEIRS, THEM, OutputStore
from renditions.core.ports import IfAbsent, IfMatch, StoredObject
from renditions.model.binding import Binding
from renditions.model.record import Record

RUBBISH = b"an outsider's"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup of a catalog."""

    records: Mapping[str, Record]
    owners: Mapping[str, str]
    binding: Binding | None


@dataclass
class Outsiders:
    """Other programs, which change stores and catalog without the workers' knowledge."""

    random: Random
    source: MemoryStore
    places: Mapping[str, OutputStore]
    catalog: MemoryCatalog
    observer: Observer
    hidden: frozenset[str] = frozenset()
    """Pictures that the source doesn't show."""
    is_listing_only: bool = False
    """Whether only listings leave out the hidden pictures."""
    old_listing: Mapping[str, StoredObject] | None = None
    """The pictures that listings still show, in place of those that are there."""
    was_restored: bool = False
    """Whether the catalog was restored: it may have forgotten outputs of its own."""
    _backup: Backup | None = None

    def hides(self, key: str) -> bool:
        """Return whether the source hides this picture even from requests by name."""
        return key in self.hidden and not self.is_listing_only

    def list_source(self, objects: Iterable[StoredObject]) -> Iterator[StoredObject]:
        """Yield the pictures that a listing of the source shows.

        ``objects`` are those that are really there.
        """
        if self.old_listing is not None:
            objects = sorted(self.old_listing.values(), key=lambda found: found.key.encode())
        return (found for found in objects if found.key not in self.hidden)

    def add_neighbour(self) -> None:
        """Have another catalog use the output stores."""
        for place in self.places.values():
            place.store.register(THEIRS, THEM.to_text())

    def change_output(self, place: OutputStore) -> None:
        """Delete or replace some object in an output store."""
        keys = [*place.keys()]
        if not keys:
            return
        key = self.random.choice(keys)
        there = place.store.head(key)
        assert there
        is_claimed = place.claimant(key) is not None
        if is_claimed:
            place.changed.add(key)
        if key in place.foreign or self.random.random() < 0.5:
            place.store.delete(key, IfMatch(there.etag))
            place.foreign.pop(key, None)
        else:
            place.store.put(key, RUBBISH, IfMatch(there.etag), "")
            if not is_claimed:
                place.foreign[key] = RUBBISH

    def add_foreign(self, place: OutputStore, keys: Iterable[str], fresh: Mapping[str, bytes]) -> None:
        """Put an object under a key that a rendition may need.

        The key isn't claimed and holds no object. If there is no such key, do nothing.

        Args:
            place: The output store.
            keys: The keys that a rendition may need.
            fresh: The content that a worker would write under each key. A copy of it may be put there.
        """
        free = [key for key in keys if place.store.head(key) is None and place.claimant(key) is None]
        if not free:
            return
        key = self.random.choice(free)
        content = self.random.choice((key.encode(), fresh.get(key, key.encode())))
        has_mark = THEIRS in place.store.registered() and self.random.random() < 0.5
        spelled = self.random.choice((key, key, key.upper()))
        if place.fold(spelled) != place.fold(key):
            spelled = key
        place.store.put(spelled, content, IfAbsent(), "", THEIRS if has_mark else "")
        place.foreign[place.fold(key)] = content

    def change_source(self, names: list[str]) -> None:
        """Hide all pictures, some of them or none, or delay listings.

        This stands for a disk that is unmounted and mounted again.
        """
        how_many = self.random.choice((0, 0, len(names), self.random.randint(0, len(names))))
        self.hidden = frozenset(self.random.sample(names, how_many))
        self.is_listing_only = self.random.random() < 0.3
        listed = {found.key: found for found in self.source.list()}
        self.old_listing = listed if self.random.random() < 0.4 else None
        if self.is_listing_only:
            self.observer.see_hidden(frozenset(), self.hidden)
        else:
            self.observer.see_hidden(self.hidden)

    def show_source(self) -> None:
        """Show every picture again."""
        self.hidden, self.old_listing = frozenset(), None
        self.observer.see_hidden(frozenset())

    def restore_catalog(self) -> bool:
        """Back up the catalog, or restore the last backup.

        Return whether it was restored.
        """
        if self._backup is None or self.random.random() < 0.5:
            self._backup = Backup(
                dict(self.catalog.records), dict(self.catalog.owners), self.catalog.read_binding()
            )
            return False
        self.catalog.replace_all(self._backup.records, self._backup.owners, self._backup.binding)
        self.was_restored = True
        own = self._backup.binding.catalog_id if self._backup.binding else ""
        for place in self.places.values():
            for key, content in place.contents().items():
                if place.claimant(key):
                    place.foreign.pop(key, None)  # the catalog can't know that it was replaced
                elif place.store.writer_of(key) != own:
                    place.foreign[key] = content
        return True

    def lose_catalog(self) -> None:
        """Lose the catalog.

        After this, no object in the output stores is known to be ours.
        """
        self.catalog.replace_all({}, {}, None)
        self._backup = None
        for place in self.places.values():
            place.foreign |= place.contents()
        self.was_restored = False
