"""What the core needs of the outside: a store, a catalog, a notifier, a renderer.

Everything in ``process`` and ``reconcile`` goes through these. Each has one contract suite in
``tests/contract`` that every implementation passes. Writes are conditional wherever two workers
could meet; who loses gets :class:`~renditions.errors.Conflict` and looks again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition
from renditions.model.record import Notice, Record, Status
from renditions.model.rendering import Rendering
from renditions.model.totals import Totals


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a store knows of an object without reading it."""

    key: str
    etag: str
    """Differs whenever the content may differ; hexadecimal or base64url characters and dashes only."""
    size_bytes: int
    at_rest: bool = True
    """False while somebody may still be writing it."""


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

    def list(self, after: str = "") -> Iterator[StoredObject]:
        """Yield every object whose key is above ``after``, in the order of the keys' UTF-8 bytes.

        It takes memory that doesn't grow with their number. What is added or removed meanwhile may or may
        not be seen.
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

    def put(self, key: str, content: bytes, condition: Condition, content_type: str) -> StoredObject:
        """Write the object, whole or not at all; raise ``Conflict`` if the condition doesn't hold."""
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

    def list(self, after: str = "") -> Iterator[Record]:
        """Yield every record whose name is above ``after``, in the order of the names' UTF-8 bytes.

        It takes memory that doesn't grow with their number. What is written meanwhile may or may not be
        seen, and writing meanwhile is allowed.
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

    def count(self) -> Mapping[Status, Totals]:
        """Return what the records of every status come to, without reading them."""
        ...


class Notifier(Protocol):
    """Somewhere that a notice can be sent to."""

    def send(self, notice: Notice) -> None:
        """Deliver the notice; raise ``NotifyFailed`` if that can't be said to have happened."""
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
