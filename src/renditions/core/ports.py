"""What the core needs of the outside: a store, a catalog, a renderer.

Everything in ``process`` and ``reconcile`` goes through these. Each has one contract suite in
``tests/contract`` that every implementation passes. Writes are conditional wherever two workers
could meet; the loser gets :class:`~renditions.errors.Conflict` and reads again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from renditions.model.binding import Binding
from renditions.model.folding import Folding
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition
from renditions.model.record import Record, Status
from renditions.model.rendering import Rendering
from renditions.model.totals import Totals


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The metadata of an object, known without reading it."""

    key: str
    etag: str
    """Differs whenever the content may differ; hexadecimal or base64url characters and dashes only."""
    size_bytes: int
    complete: bool = True
    """False while another program may still write it."""


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

    @property
    def is_cheaper_to_list(self) -> bool:
        """Whether one request lists many objects, so that looking each of them up costs far more."""
        ...

    def list(
        self, after: str = "", prefix: str = "", on_unreadable: OnUnreadable | None = None
    ) -> Iterator[StoredObject]:
        """Yield every object whose key is above ``after`` and begins with ``prefix``.

        They come in the order of the keys' UTF-8 bytes, in memory that doesn't grow with their number. It
        may or may not see objects that are added or removed meanwhile. ``on_unreadable`` is called for each
        part that can't be read, before anything behind it is yielded; without it such a part raises
        ``StoreFailed``.
        """
        ...

    def head(self, key: str) -> StoredObject | None:
        """Return the object's metadata, or None if there is none."""
        ...

    def get(self, key: str) -> tuple[StoredObject, bytes] | None:
        """Return the object and its whole content, which belong together, or None if there is none.

        Raises:
            Rejected: it exists but can't be read, and a retry won't help.

        """
        ...

    def has_folder(self, prefix: str) -> bool:
        """Return whether a folder of this name exists, even an empty one; false in stores without folders."""
        ...

    def folding(self) -> Folding:
        """Return how keys are compared: two with one folded form are one object."""
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
        """Remove the object; raise ``Conflict`` if it was replaced. A missing object is no error."""
        ...

    def purge(self, key: str) -> int:
        """Delete the older versions of an object and keep the current one; return how many were deleted."""
        ...

    def register(self, catalog_id: str, text: str) -> None:
        """Keep that a catalog uses this store, with a text about it; ``list`` doesn't yield it."""
        ...

    def registered(self) -> Mapping[str, str]:
        """Return the texts of :meth:`register`, by catalog id."""
        ...


Place = tuple[datetime, str]
"""A record's place in time: its timestamp and its name."""


class Catalog(Protocol):
    """Records by name, and the claims of output keys.

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

        They come in the order of the names' UTF-8 bytes, in memory that doesn't grow with their number.
        Writing meanwhile is allowed; it may or may not see such records. ``on_unreadable`` is called for
        each record that can't be read, before any behind it is yielded; without it such a record raises
        ``CatalogFailed``.
        """
        ...

    def query(
        self,
        status: Status | None = None,
        before: Place | None = None,
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
    ) -> Iterator[Record]:
        """Yield the records (of that status), newest timestamp first, in bounded memory as ``list`` does.

        Records of one moment are in descending order of their names' UTF-8 bytes. With ``before``, only
        those after that place in this order; with ``prefix``, only those whose names begin with it.
        ``on_unreadable`` is called as in ``list``.
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
        """Return the totals of each status, without reading the records."""
        ...


class Renderer(Protocol):
    """Turns one picture's bytes into all of its renditions."""

    def __call__(
        self, content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
    ) -> Rendering:
        """Check the picture against the rules, analyze it, and render each recipe.

        Raises:
            Failed: something around the picture broke (time limit, worker); trying again may help.

        """
        ...
