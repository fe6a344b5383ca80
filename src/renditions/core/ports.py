"""What the core needs of the outside: a store, a catalog, a renderer.

Everything in ``process`` and ``reconcile`` goes through these. Each has one contract suite in
``tests/contract`` that every implementation passes. Writes are conditional wherever two workers
could meet; who loses gets :class:`~renditions.errors.Conflict` and looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from renditions.model.binding import Binding
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition
from renditions.model.record import Record, Status
from renditions.model.rendering import Rendering
from renditions.model.totals import Totals


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a store knows of an object without reading it."""

    key: str
    etag: str
    """Differs whenever the content may differ; hexadecimal or base64url characters and dashes only."""
    size_bytes: int
    complete: bool = True
    """False while somebody may still be writing it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a store, or a record, that can't be read: nothing is known of what is in it."""

    prefix: str
    """What the keys below it begin with; ends with a slash. Of a record: its name."""
    reason: str


OnUnreadable = Callable[[Unreadable], None]


@dataclass(frozen=True, slots=True)
class IfMatch:
    """Only if the object still has this ETag."""

    etag: str


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """Only if there is no object of this key."""


Condition = IfMatch | IfAbsent


class Store(Protocol):
    """Objects by key. Keys are relative to the store's own prefix or folder, with ``/`` between parts.

    Any method raises :class:`~renditions.errors.StoreFailed` when the store itself fails, and
    :class:`~renditions.errors.KeyRefused` for a key that it can't hold.
    """

    def list(
        self, after: str = "", prefix: str = "", on_unreadable: OnUnreadable | None = None
    ) -> Iterator[StoredObject]:
        """Yield every object whose key is above ``after`` and begins with ``prefix``.

        They come in the order of the keys' UTF-8 bytes, in memory that doesn't grow with their number. What
        is added or removed meanwhile may or may not be seen. ``on_unreadable`` is called for each part that
        can't be read, before anything behind it is yielded; without it such a part raises ``StoreFailed``.
        """
        ...

    def head(self, key: str) -> StoredObject | None:
        """Return what is known of the object, or None if there is none."""
        ...

    def get(self, key: str) -> tuple[StoredObject, bytes] | None:
        """Return the object and its whole content, which belong together, or None if there is none.

        Raises:
            Rejected: it is there and can't be read as things are, whoever tries again.

        """
        ...

    def has_folder(self, prefix: str) -> bool:
        """Tell whether there is a folder of this name, even an empty one; where there are none, no."""
        ...

    def put(
        self, key: str, content: bytes, condition: Condition, content_type: str, writer: str = ""
    ) -> StoredObject:
        """Write the object, whole or not at all; raise ``Conflict`` if the condition doesn't hold.

        ``writer`` (a catalog's id) is kept with the object where the store can, see :meth:`writer_of`.
        """
        ...

    def writer_of(self, key: str) -> str | None:
        """Return the ``writer`` that the object was put with; None where that isn't known."""
        ...

    def rewrite_headers(self, key: str, condition: IfMatch) -> StoredObject | None:
        """Serve the object with the store's present headers; its content stays.

        Returns the object as it is then, or None where the store has no headers. Raises ``Conflict`` if the
        condition doesn't hold.
        """
        ...

    def delete(self, key: str, condition: IfMatch) -> None:
        """Remove the object; raise ``Conflict`` if another is there now. None there is no error."""
        ...


Place = tuple[datetime, str]
"""A record's place in time: its timestamp and its name."""


class Catalog(Protocol):
    """Records by name, and who claims which output key.

    Any method raises :class:`~renditions.errors.CatalogFailed` when the catalog itself fails.
    """

    def get(self, name: str) -> Record | None:
        """Return the newest record of this name; a read after a write sees it."""
        ...

    def write(self, record: Record) -> Record:
        """Store the record and return it with its next revision, see :meth:`Record.raised`.

        Raises:
            Conflict: the stored record's revision isn't ``record.revision`` (0: none is stored).
            KeyTaken: another record claims one of ``record.claimed_keys()``; nothing was written.

        """
        ...

    def delete(self, record: Record) -> None:
        """Remove the record and its claims; raise ``Conflict`` as ``write`` does."""
        ...

    def list(
        self, after: str = "", prefix: str = "", on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Record]:
        """Yield every record whose name is above ``after`` and begins with ``prefix``.

        They come in the order of the names' UTF-8 bytes, in memory that doesn't grow with their number. What
        is written meanwhile may or may not be seen, and writing meanwhile is allowed. ``on_unreadable`` is
        called for each record that can't be read, before any behind it is yielded; without it such a record
        raises ``CatalogFailed``.
        """
        ...

    def query(
        self, status: Status | None = None, before: Place | None = None, prefix: str = ""
    ) -> Iterator[Record]:
        """Yield the records (of that status), newest timestamp first, in bounded memory as ``list`` does.

        Those of one moment come by their names' UTF-8 bytes, downwards. With ``before``, only what comes
        after that place in this order is read. With ``prefix``, only records whose names begin with it are.
        """
        ...

    def owner_of(self, key: str) -> str | None:
        """Return the name of the record that claims an output key."""
        ...

    def read_binding(self) -> Binding | None:
        """Return what the catalog belongs to; None until that is first written."""
        ...

    def write_binding(self, binding: Binding) -> Binding:
        """Store the binding and return it with its next revision.

        Raises:
            Conflict: the stored binding's revision isn't ``binding.revision`` (0: none is stored).

        """
        ...

    def count(self) -> Mapping[Status, Totals]:
        """Return what the records of every status come to, without reading them."""
        ...


class Renderer(Protocol):
    """What turns one picture's bytes into all of its renditions."""

    def __call__(
        self, content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
    ) -> Rendering:
        """Check the picture against the rules, find out what is asked for and make each of the recipes.

        Raises:
            Failed: something around the picture broke (time limit, worker); trying again may help.

        """
        ...
