"""The protocols of the parts that the core uses: a store and a renderer.

``process`` and ``reconcile`` do their I/O through these protocols and :mod:`renditions.core.catalog`. They
also send notices by ``notify``, and ask a function whether the owner of a lease has ended. A contract suite
in ``tests/contract`` checks the implementations of a store. A write is conditional wherever two workers could
write at the same time. The second worker then gets :class:`~renditions.errors.Conflict` and reads again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from renditions.model.folding import Folding
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The metadata of an object, known without reading it."""

    key: str
    etag: str
    """A text that changes with the content. It has only hexadecimal or base64url digits and dashes.

    In a folder, it doesn't change if a program overwrites a file in place and keeps its size and its time.
    """
    size_bytes: int
    complete: bool = True
    """False while another program may still be writing the object."""
    unchanged_seconds: float = field(default=math.inf, compare=False)
    """How long ago the object last changed; infinite if the store shows only complete objects."""
    is_archived: bool | None = field(default=None, compare=False)
    """Whether the object must be restored from an archive before it can be read; None if unknown."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a store, or a record, that can't be read.

    Nothing is known about its content.
    """

    prefix: str
    """The prefix of the keys in this part, which ends with a slash; or the record's name."""
    reason: str


OnUnreadable = Callable[[Unreadable], None]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A folder, link or other file that keeps a key from being written.

    It has the key itself, or blocks the path to the key.
    """

    kind: str
    """``folder``, ``link``, ``file`` or ``special file``."""
    key: str
    """Its path: the key, or the beginning of the key."""

    def __str__(self) -> str:
        """Return words for a sentence: ``the folder a.jpg``."""
        return f"the {self.kind} {self.key}"


OnObstacle = Callable[[Obstacle], None]


@dataclass(frozen=True, slots=True)
class IfMatch:
    """A condition: the object still has this ETag."""

    etag: str


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """A condition: there is no object with this key."""


Condition = IfMatch | IfAbsent


PIECE_BYTES = 256 * 1024
"""The most bytes that ``Store.stream`` yields at once."""


class Store(Protocol):
    """Objects by key.

    Keys are relative to the store's own prefix or folder, with ``/`` between parts. Any method raises
    :class:`~renditions.errors.StoreFailed` when the store itself fails, and
    :class:`~renditions.errors.KeyRefused` for a key that it can't hold.
    """

    @property
    def is_cheaper_to_list(self) -> bool:
        """Whether a listing of many objects costs far less than looking up each of them."""
        ...

    def list(
        self,
        after: str = "",
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
        on_obstacle: OnObstacle | None = None,
    ) -> Iterator[StoredObject]:
        """Yield every object whose key comes after ``after`` and begins with ``prefix``.

        Objects come in the order of their keys' UTF-8 bytes, in memory that doesn't grow with their number.
        Objects that are added or removed meanwhile may or may not be among them.

        The store calls ``on_unreadable`` for each part that it can't read, before it yields an object after
        that part. Without ``on_unreadable``, such a part raises ``StoreFailed``. The store calls
        ``on_obstacle`` for each link and special file, in the order of their keys. These aren't objects.
        """
        ...

    def head(self, key: str) -> StoredObject | None:
        """Return the object's metadata; None if there is no object with this key."""
        ...

    def get(self, key: str) -> tuple[StoredObject, bytes] | None:
        """Return the metadata and content of one version of the object; None if absent.

        Raises ``Rejected`` if the object exists but can't be read, and a retry won't help.
        """
        ...

    def stream(
        self, key: str, condition: IfMatch, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """Yield the object's bytes from ``start`` to ``stop``, in pieces.

        A piece has at most ``PIECE_BYTES``. A ``stop`` behind the end, or None, means the end. If ``stop``
        isn't behind ``start``, there are no pieces. The store checks the condition in any case, and before it
        yields the first piece. So the stream is never longer than the object that the caller knows.

        Raises:
            Conflict: The object is missing, doesn't fulfil the condition, or was replaced during the read.
                The bytes that were already yielded are then invalid.
            Rejected: The object exists but can't be read, and a retry won't help.

        """
        ...

    def has_folder(self, prefix: str) -> bool:
        """Return whether a folder of this name exists, even an empty one.

        Return False in stores without folders.
        """
        ...

    def obstacle(self, key: str) -> Obstacle | None:
        """Return what keeps an object from being put under the key; None if nothing does.

        In a folder, the path can lead through a file or a link, or end at a folder. Other stores have no
        obstacles. An object with this key isn't an obstacle.
        """
        ...

    def is_spelled(self, key: str) -> bool:
        """Return whether a listing shows the object under exactly this key.

        A folder that ignores case or Unicode forms finds a file under other spellings of its name, too. The
        result says nothing if there is no object.
        """
        ...

    def folding(self) -> Folding:
        """Return how keys are compared: equal folded forms name the same object."""
        ...

    def put(
        self, key: str, content: bytes, condition: Condition, content_type: str, writer: str = ""
    ) -> StoredObject:
        """Write the object, whole or not at all.

        If the store can, it keeps ``writer`` (a catalog's id) with the object, see :meth:`writer_of`.

        Raises:
            Conflict: The condition doesn't hold.
            ForeignOutput: Something blocks the key, see :meth:`obstacle`.

        """
        ...

    def writer_of(self, key: str) -> str | None:
        """Return the ``writer`` that the object was put with; None if that isn't known."""
        ...

    def rewrite_headers(self, key: str, condition: IfMatch) -> StoredObject | None:
        """Replace the object's headers with the store's current ones; keep its content.

        Returns the object's new metadata, or None if the store has no headers. Raises ``Conflict`` if the
        condition doesn't hold.
        """
        ...

    def delete(self, key: str, condition: IfMatch) -> None:
        """Remove the object; raise ``Conflict`` if it was replaced.

        A missing object is no error. A folder also removes subfolders that become empty.
        """
        ...

    def purge(self, key: str) -> int:
        """Delete the older versions of an object and keep the current one.

        Return how many were deleted.
        """
        ...

    def register(self, catalog_id: str, text: str) -> None:
        """Store a text about a catalog that uses this store; ``list`` doesn't yield it."""
        ...

    def registered(self) -> Mapping[str, str]:
        """Return the texts of :meth:`register`, by catalog id."""
        ...

    def mark(self, catalog_id: str) -> bool:
        """Write a marker that names the source's catalog, and return True.

        ``list`` doesn't yield it. If the disk of a folder is unmounted, an empty folder takes its place, and
        the marker is missing. This can't happen to a bucket, so a bucket gets no marker, and this method
        returns False.
        """
        ...

    def is_marked(self, catalog_id: str) -> bool:
        """Return whether the store has the catalog's marker, or needs none."""
        ...


class Stopped(Exception):
    """The renderer was stopped before it began the picture."""


class Renderer(Protocol):
    """A function that turns one picture's bytes into renditions."""

    def __call__(
        self, content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
    ) -> Rendering:
        """Check the picture against the rules, analyze it, and render each recipe.

        A rejected picture raises no error: ``Rendering.rejected`` has the reason.

        Raises:
            Failed: Something other than the picture failed (time limit, worker). Trying again may help.
            Stopped: The renderer was stopped before it began the picture.

        """
        ...
