"""Read a source object, and identify its content by a hash.

The ETag is only a quick check. It may change although the content doesn't, if a picture is copied, restored,
touched, or uploaded again in parts. The SHA-256 of the content decides whether the picture changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from renditions.core.ports import IfMatch, Store, StoredObject
from renditions.errors import Conflict, Failed, Rejected
from renditions.model.record import Record


@dataclass(frozen=True)
class Content:
    """The bytes of one source object."""

    found: StoredObject
    """The object that has these bytes."""
    bytes: bytes

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.bytes).hexdigest()


class Reader:
    """A reader of source objects, which keeps the last content for the next step.

    A reader isn't safe for several threads: each caller must have its own reader.
    """

    def __init__(self, source: Store) -> None:
        self._source = source
        self._last: Content | None = None

    def read(self, found: StoredObject) -> Content | None:
        """Return the content of ``found``.

        Return None if the object was deleted or replaced meanwhile.

        Raises:
            Rejected: The object exists but can't be read, and a retry won't help.
            StoreFailed: The store failed.

        """
        if self._last is None or self._last.found != found:
            self._last = None  # the next content may be large
            pieces = self._source.stream(found.key, IfMatch(found.etag), 0, found.size_bytes)
            try:
                self._last = Content(found, b"".join(pieces))
            except Conflict:
                return None
        return self._last

    def identify(self, found: StoredObject) -> str:
        """Return the SHA-256 of ``found`` in hexadecimal.

        The result is empty if the object can't be read now. The caller then treats the content as new.
        """
        try:
            content = self.read(found)
        except (Failed, Rejected):
            return ""
        return content.sha256 if content else ""

    def is_same(self, record: Record, found: StoredObject) -> bool:
        """Return whether an object with another ETag still has the record's content.

        Return False if the record has no hash, or if the object can't be read now.
        """
        if not record.sha256 or record.original is None or record.original.size_bytes != found.size_bytes:
            return False
        return self.identify(found) == record.sha256
