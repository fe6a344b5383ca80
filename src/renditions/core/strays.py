"""List strays, and delete those of this catalog.

Strays are objects in an output store that no record claims. They come from lost records, a changed output
store, or other programs. This module deletes only objects with the mark of this catalog or of its
predecessors. Other objects, such as the pages of a website, stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self
from uuid import uuid4

from renditions.core.catalog import Catalog
from renditions.core.leases import Leases
from renditions.core.neighbours import Neighbours
from renditions.core.ports import IfMatch, OnUnreadable, Store, StoredObject
from renditions.core.readable import get_readable
from renditions.core.selection import Selection
from renditions.core.verify import find
from renditions.errors import Conflict, KeyTaken
from renditions.model.folding import Folding
from renditions.model.record import Record

Whose = Literal["ours", "another's", "unknown"]


@dataclass(frozen=True, slots=True)
class Stray:
    """One object that no record of this catalog claims."""

    found: StoredObject
    whose: Whose
    """Which catalog wrote the object, by its mark.

    ``ours``: this catalog, or a lost catalog with the same URL and source. ``another's``: another registered
    catalog. ``unknown``: the object has no known mark.
    """

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the stray, for ``renditions strays --json``."""
        return {"key": self.found.key, "size_bytes": self.found.size_bytes, "whose": self.whose}


def list_strays(
    store: Store,
    neighbours: Neighbours,
    is_claimed: Callable[[str], bool],
    selection: Selection,
) -> Iterator[Stray]:
    """Yield the objects that no record of this catalog claims, in bounded memory.

    Args:
        store: An output store that the catalog uses, or used before.
        neighbours: The catalogs that use the store.
        is_claimed: Returns whether a record claims the key in this store.
        selection: The keys to check.

    """
    for found in _list(store, selection):
        if not is_claimed(found.key):
            yield see_stray(found, store, neighbours)


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of records on the keys of an output store."""

    catalog: Catalog
    folding: Folding
    """How the store compares keys."""
    place: str
    """The store, as the pipeline file spells it."""
    is_present: bool
    """Whether this is the current output store. There, every claim counts."""
    left: frozenset[str]
    """The folded keys of objects that records left in this former store and don't claim any more."""

    @classmethod
    def read(
        cls,
        catalog: Catalog,
        folding: Folding,
        place: str,
        *,
        is_present: bool,
        on_unreadable: OnUnreadable | None = None,
    ) -> Self:
        """Return the claims. For a former store, this method reads every record once.

        ``left`` lacks the objects that a record leaves there later, and those of the unreadable records that
        ``on_unreadable`` receives.

        Raises:
            RecordUnreadable: A record can't be read, and there is no ``on_unreadable``.

        """
        records = () if is_present else catalog.list(on_unreadable=on_unreadable)
        left = (
            folding(old.key)
            for record in records
            for old in record.retired
            if old.place == place and old.key not in record.claimed_keys()
        )
        return cls(catalog, folding, place, is_present, frozenset(left))

    def __call__(self, key: str) -> bool:
        """Return whether a record claims the key in this store.

        In a former store, a claim counts only if the record's outputs are still in that store, if the record
        left an object with this key there, or if the record can't be read. The keys in ``left`` count as
        claimed, too.
        """
        if self.folding(key) in self.left:
            return True
        name = self.catalog.owner_of(key)
        if self.is_present or name is None:
            return name is not None
        record = get_readable(self.catalog, name)
        if record is None:
            return True
        left = {self.folding(old.key) for old in record.retired if old.place == self.place}
        return record.place in ("", self.place) or self.folding(key) in left


def _list(store: Store, selection: Selection) -> Iterator[StoredObject]:
    if selection.is_all:
        yield from store.list()
    for prefix in selection.prefixes:
        yield from store.list(prefix=prefix)
    for key in selection.names:
        if found := find(store, key):
            yield found


def see_stray(found: StoredObject, store: Store, neighbours: Neighbours) -> Stray:
    """Return an unclaimed object as a stray; its mark says whose it is."""
    return Stray(found, _find_owner(store.writer_of(found.key), neighbours))


def _find_owner(writer: str | None, neighbours: Neighbours) -> Whose:
    if writer in neighbours.own:
        return "ours"
    return "another's" if writer in neighbours.others else "unknown"


def delete_stray(
    stray: Stray, leases: Leases, clock: Callable[[], datetime], *, place: str = "", claims: bool = True
) -> str | None:
    """Delete a stray of this catalog; return the reason if it stays.

    Args:
        stray: The object.
        leases: Leases on the store that it lies in.
        clock: Returns the time.
        place: The store's spelling in the pipeline file.
        claims: Whether that store is the current output store.

    First, a temporary record claims the key, as if the stray were an output of a picture that is gone.
    Otherwise, a sync that wants the same key could lose the object that it writes there:

        strays   no record claims k                                 delete k if e1 → deletes sync's output
        sync                          claim k, put e1 (same bytes)

    If this process pauses past the end of its lease, another process may take the claim, delete the stray,
    and write an equal output under the key, which has the same ETag in a bucket. So this function confirms
    its lease right before the deletion. In a store that was used before, no claim is needed, because nothing
    writes there, unless a person has made it the output store again meanwhile.

    If a crash or an error leaves the temporary record, a sync removes it and the object, as for any missing
    picture.
    """
    if stray.whose != "ours":
        return "nothing proves that this catalog wrote it"
    key = stray.found.key
    name, claimed = f".strays/{uuid4().hex}", (key,) if claims else ()
    record = Record(name, "processing", clock(), pending_keys=claimed, place=place)
    try:
        leased = leases.take(record)
    except KeyTaken as taken:
        return f"it is now an output of {taken.owner}"
    why_not = None
    try:
        if not claims and _is_in_use(leases.catalog, place):
            why_not = "its store is the output store of the pipeline file again; try again"
        else:
            leases.confirm(leased)
            leases.output.delete(key, IfMatch(stray.found.etag))
    except Conflict:
        why_not = "another process wrote or deleted it meanwhile; try again"
    with suppress(Conflict):  # another process removed the record after our lease had ended
        leases.catalog.delete(leased)
    return why_not


def _is_in_use(catalog: Catalog, place: str) -> bool:
    binding = catalog.read_binding()
    return binding is not None and binding.output == place
