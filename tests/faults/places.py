"""The output stores of a history, and the owner of each object in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from doubles import MemoryCatalog, MemoryStore
from renditions.core.neighbours import Neighbours, Registration
from renditions.core.strays import Whose
from renditions.model.record import Record

US = Registration("sqlite:renditions.db", "renditions.toml", "in")
THEM = Registration("sqlite:another.db", "renditions.toml", "in")
THEIRS = "another catalog"
"""The mark of another catalog's outputs."""


@dataclass
class OutputStore:
    """One output store.

    Two keys of the same file count as one key.
    """

    name: str
    store: MemoryStore
    catalog: MemoryCatalog
    foreign: dict[str, bytes] = field(default_factory=dict)
    """Objects that aren't the catalog's own and must stay unchanged, by folded key. After the catalog was
    lost, the outputs that it made are among them until they are adopted."""
    changed: set[str] = field(default_factory=set)
    """The folded keys of outputs that an outsider deleted or replaced."""

    def fold(self, key: str) -> str:
        """Return the text that all keys of one file have in common."""
        return self.store.folding()(key)

    def contents(self) -> dict[str, bytes]:
        """Return every object's content, by folded key."""
        return {key: got[1] for key in self.keys() if (got := self.store.get(key))}

    def keys(self) -> Iterator[str]:
        """Yield the folded keys of all objects."""
        for found in self.store.list():
            yield self.fold(found.key)

    def claimant(self, key: str) -> Record | None:
        """Return the record that claims a key in this store."""
        owner = self.catalog.owner_of(key)
        record = self.catalog.get(owner) if owner else None
        return record if record and record.place in ("", self.name) else None

    @property
    def catalog_id(self) -> str:
        """The mark of the objects that the present catalog writes."""
        binding = self.catalog.read_binding()
        return binding.catalog_id if binding else ""

    def neighbours(self) -> Neighbours:
        """Return the catalogs that use the store, as the present catalog sees them."""
        return Neighbours.read(self.store, self.catalog_id, US)

    def tell_whose(self, key: str) -> Whose:
        """Return who wrote an object, as its mark says."""
        writer, neighbours = self.store.writer_of(key), self.neighbours()
        if writer in neighbours.own:
            return "ours"
        return "another's" if writer in neighbours.others else "unknown"

    def proves(self, key: str, fresh: Collection[bytes]) -> bool:
        """Return whether an object proves to be ours.

        Our mark on the object proves this. If no other catalog uses the store, the content of an object
        without a mark proves it too.

        Args:
            key: The object's key.
            fresh: The renderings whose content the object may have.
        """
        got = self.store.get(key)
        is_unmarked = self.store.writer_of(key) is None and not self.neighbours().others
        return self.tell_whose(key) == "ours" or bool(is_unmarked and got and got[1] in fresh)

    def strays(self, *, is_present: bool) -> dict[str, Whose]:
        """Return the objects that no record names, by folded key, and who wrote each.

        A record claims its keys in the present store, even while its outputs are in another one.
        """
        return {
            key: self.tell_whose(key)
            for key in self.keys()
            if not (self.catalog.owner_of(key) if is_present else self._is_named(key))
        }

    def _is_named(self, key: str) -> bool:
        left = (old for record in self.catalog.list() for old in record.retired)
        is_left = any((old.place, self.fold(old.key)) == (self.name, key) for old in left)
        return is_left or self.claimant(key) is not None
