"""The protocol of the catalog.

A catalog holds records, claims of output keys, kept wishes, unsent notices and its binding. The contract
suite in ``tests/contract`` checks its implementations. See :mod:`renditions.core.ports` about conditional
writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from renditions.core.ports import OnUnreadable
from renditions.model.binding import Binding
from renditions.model.kept import KeptWishes
from renditions.model.notices import UnsentNotice
from renditions.model.record import Record, Status
from renditions.model.totals import Totals

MOST_TWINS = 50
"""How many records with the same content a catalog returns at most."""


@dataclass(frozen=True, slots=True)
class SameContent:
    """The records and the kept wishes of pictures with the same content."""

    names: tuple[str, ...] = ()
    """The names of records, at most ``MOST_TWINS``."""
    kept: tuple[KeptWishes, ...] = ()
    """The kept wishes, the newest first. They may have expired."""


Place = tuple[datetime, str]
"""A record's place in the order of ``query``: its timestamp and its name."""


class Catalog(Protocol):
    """Records by name, and the claims of output keys.

    Any method raises :class:`~renditions.errors.CatalogFailed` when the catalog itself fails.
    """

    def get(self, name: str) -> Record | None:
        """Return the record with this name, or None; a read sees earlier writes.

        Raises ``RecordUnreadable`` if there is a record, but it can't be read.
        """
        ...

    def get_all(self, names: Sequence[str], on_unreadable: OnUnreadable) -> Mapping[str, Record]:
        """Return these names' records, by name; call ``on_unreadable`` as ``list`` does.

        The result leaves out names without a readable record.
        """
        ...

    def repair(self, name: str) -> Record | None:
        """Replace an unreadable record with its salvaged parts; return the new record.

        Returns None if no record has this name, or if the record can be read. Raises ``Conflict`` if
        another process changed the record meanwhile.
        """
        ...

    def write(self, record: Record) -> Record:
        """Store the record, and return it with its next revision (:meth:`Record.raised`).

        Raises:
            Conflict: The stored record's revision isn't ``record.revision`` (0: none is stored).
            KeyTaken: Another record claims one of ``record.claimed_keys()``; nothing was written.

        """
        ...

    def delete(self, record: Record, notices: Sequence[UnsentNotice] = ()) -> None:
        """Remove the record and its claims, and keep notices of the removal, in one step.

        Raises ``Conflict`` as ``write`` does.
        """
        ...

    def list(
        self, after: str = "", prefix: str = "", on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Record]:
        """Yield every record whose name comes after ``after`` and begins with ``prefix``.

        Records come in the order of their names' UTF-8 bytes, in memory that doesn't grow with their number.
        Records that are written or deleted meanwhile may or may not be among them.

        The catalog calls ``on_unreadable`` for each record that it can't read, before it yields a record
        after that one. Without ``on_unreadable``, such a record raises ``CatalogFailed``.
        """
        ...

    def query(
        self,
        status: Status | None = None,
        before: Place | None = None,
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
    ) -> Iterator[Record]:
        """Yield the records with this status, newest first, in bounded memory.

        A ``status`` of None selects all records. Records with the same timestamp come in descending order of
        their names' UTF-8 bytes. ``before`` selects only records that come after that place, and ``prefix``
        selects only records whose names begin with it. The catalog calls ``on_unreadable`` as in ``list``.
        """
        ...

    def find_content(self, sha256: str) -> SameContent:
        """Return the names of records with this content, and the kept wishes for it.

        The answer may lag behind writes.
        """
        ...

    def rename(self, record: Record, name: str) -> Record | None:
        """Store the record and its claims under another name; delete the stored record.

        Return the new record with its first revision. Return None, and change nothing, if the catalog can't
        do that in one step.

        Raises:
            Conflict: The stored record's revision isn't ``record.revision``, or the name has a record.

        """
        ...

    def keep_wishes(self, kept: KeptWishes) -> None:
        """Keep a removed picture's wishes; they replace earlier wishes for its name."""
        ...

    def find_wishes(self, name: str) -> KeptWishes | None:
        """Return the kept wishes for a name; they may have expired."""
        ...

    def drop_wishes(self, name: str) -> None:
        """Forget the kept wishes for a name. It is no error if there are none."""
        ...

    def keep_notice(self, *notices: UnsentNotice) -> None:
        """Keep notices until ``drop_notice``. Each replaces one with the same ``id``."""
        ...

    def drop_notice(self, *notices: UnsentNotice) -> None:
        """Forget the kept notices with these ``id``s. It is no error if there are none."""
        ...

    def unsent_notices(self, name: str | None = None) -> Iterator[UnsentNotice]:
        """Yield the kept notices about the picture of this name; None: all notices.

        They come in no particular order, in bounded memory, and may lag behind writes.
        """
        ...

    def owner_of(self, key: str) -> str | None:
        """Return the name of the record that claims an output key; None if none does."""
        ...

    def read_binding(self) -> Binding | None:
        """Return the catalog's binding; None if none was written yet."""
        ...

    def write_binding(self, binding: Binding) -> Binding:
        """Store the binding and return it with its next revision.

        Raises ``Conflict`` if the stored binding's revision isn't ``binding.revision`` (0: none is stored).
        """
        ...

    def count(self) -> Mapping[Status, Totals]:
        """Return the totals of each status, without reading the records."""
        ...
