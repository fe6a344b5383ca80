"""Other programs, which delete, replace and add outputs, hide the source, and restore the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from doubles import MemoryCatalog, MemoryStore
from faults.observer import Observer
from renditions.core.ports import IfAbsent, IfMatch
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
    """Changes the stores and the catalog without the workers' knowledge."""

    random: Random
    source: MemoryStore
    output: MemoryStore
    catalog: MemoryCatalog
    observer: Observer
    foreign: dict[str, bytes] = field(default_factory=dict)
    """The objects in the output store that aren't Renditions' own, and must stay as they are."""
    hidden: frozenset[str] = frozenset()
    """Pictures that the source doesn't show."""
    is_listing_only: bool = False
    """Whether only listings leave out the hidden pictures."""
    has_strays: bool = False
    """Whether the catalog was restored: it may have forgotten outputs of its own."""
    _backup: Backup | None = None

    def hides(self, key: str, *, in_listing: bool = False) -> bool:
        """Return whether the source leaves out a picture."""
        return key in self.hidden and (in_listing or not self.is_listing_only)

    def change_output(self) -> None:
        """Delete or replace an object in the output store, except one that a worker is about to claim."""
        keys = [found.key for found in self.output.list()]
        if not keys:
            return
        key = self.random.choice(keys)
        there = self.output.head(key)
        assert there
        if key in self.foreign or self.random.random() < 0.5:
            self.output.delete(key, IfMatch(there.etag))
            self.foreign.pop(key, None)
        else:
            self.output.put(key, RUBBISH, IfMatch(there.etag), "")
            if self.catalog.owner_of(key) is None:
                self.foreign[key] = RUBBISH

    def add_foreign(self, keys: Iterable[str]) -> None:
        """Write an object under an unclaimed key that a rendition may need."""
        free = [key for key in keys if self.output.head(key) is None and self.catalog.owner_of(key) is None]
        if free:
            key = self.random.choice(free)
            self.foreign[key] = key.encode()
            self.output.put(key, self.foreign[key], IfAbsent(), "")

    def change_source(self, names: list[str]) -> None:
        """Hide all, some or no pictures, like unmounting and mounting a disk."""
        how_many = self.random.choice((0, 0, len(names), self.random.randint(0, len(names))))
        self.hidden = frozenset(self.random.sample(names, how_many))
        self.is_listing_only = self.random.random() < 0.3
        self.observer.see_hidden(self.hidden)

    def show_source(self) -> None:
        """Show every picture again."""
        self.hidden = frozenset()
        self.observer.see_hidden(self.hidden)

    def restore_catalog(self) -> bool:
        """Make a backup of the catalog, or restore the last one; return whether it was restored."""
        if self._backup is None or self.random.random() < 0.5:
            self._backup = Backup(
                dict(self.catalog.records), dict(self.catalog.owners), self.catalog.read_binding()
            )
            return False
        self.catalog.replace_all(self._backup.records, self._backup.owners, self._backup.binding)
        self.has_strays = True
        own = self._backup.binding.catalog_id if self._backup.binding else ""
        for key, content in self._contents().items():
            if self.catalog.owner_of(key):
                self.foreign.pop(key, None)  # the catalog can't know that another program replaced it
            elif self.output.writer_of(key) != own:
                self.foreign[key] = content
        return True

    def lose_catalog(self) -> None:
        """Lose the catalog, so that no record says which objects in the output store are ours."""
        self.catalog.replace_all({}, {}, None)
        self._backup = None
        self.foreign |= self._contents()
        self.has_strays = False

    def _contents(self) -> dict[str, bytes]:
        return {found.key: got[1] for found in self.output.list() if (got := self.output.get(found.key))}
