"""The bin of a source: deleted originals that people can restore for a while.

With ``[source] keep_deleted``, the page and the API move deleted originals into the bin. Each deletion has an
id, so the bin can hold several originals that had the same key. An id begins with the time of the deletion,
so sorting the ids sorts the deletions by time.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from renditions.core.ports import IfMatch, StoredObject
from renditions.errors import Conflict

DELETION_PATTERN = r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{8}"
_TIME = "%Y%m%dT%H%M%S.%fZ"

EMPTY_MARGIN = timedelta(hours=1)
"""How long, at least, the bin keeps a deleted original after people can no longer restore it.

So a process that empties the bin doesn't delete an original while another process restores it, even if their
clocks differ by some minutes.
"""


@dataclass(frozen=True, slots=True)
class Binned:
    """A deleted original."""

    deletion: str
    """The id of the deletion."""
    key: str
    """The key that the original had."""
    size_bytes: int

    @property
    def deleted_at(self) -> datetime:
        """When the original was deleted."""
        return parse_deletion(self.deletion)


class Bin(Protocol):
    """Deleted originals, by deletion.

    Any method raises :class:`~renditions.errors.StoreFailed` when the source's store fails, and
    :class:`~renditions.errors.KeyRefused` for a key that the store can't hold.
    """

    def is_available(self) -> bool:
        """Return whether the store can keep deleted originals.

        A bucket without versions can't.
        """
        ...

    def put(self, key: str, condition: IfMatch, deletion: str) -> Binned | None:
        """Move the original into the bin, whole or not at all.

        Return the deleted original; None if there is no object with this key. Raises ``Conflict`` if the
        object was replaced.
        """
        ...

    def deletions(self) -> Sequence[str]:
        """Return the ids of all deletions in the bin, the oldest first."""
        ...

    def read(self, deletion: str) -> Binned | None:
        """Return the original of this deletion; None if the bin doesn't have it."""
        ...

    def restore(self, deletion: str, key: str) -> StoredObject | None:
        """Move the original back to its key, unless another object has the key.

        Return the restored object, also if an interrupted call had already moved it back. Return None if the
        bin doesn't have the original.

        Raises ``Conflict`` if another object has the key now, if something blocks the key, or if another
        process deleted the restored object meanwhile.
        """
        ...

    def drop(self, deletion: str) -> None:
        """Delete the original from the bin for good.

        A restored original stays at its key. It is no error if the bin doesn't have the original.
        """
        ...


def make_deletion(now: datetime) -> str:
    """Return a new id for a deletion at this time."""
    return f"{now.astimezone(UTC):{_TIME}}-{secrets.token_hex(4)}"


def parse_deletion(deletion: str) -> datetime:
    """Return the time of the deletion with this id.

    Raises ValueError if the text isn't the id of a deletion.
    """
    if not re.fullmatch(DELETION_PATTERN, deletion):
        raise ValueError(f"expected the id of a deletion, found {deletion!r}")
    return datetime.strptime(deletion.partition("-")[0], _TIME).replace(tzinfo=UTC)


def make_name_conflict(key: str) -> Conflict:
    """Return the error for a restoration whose key another object has now."""
    return Conflict(
        f"{key!r} was not restored, because another picture has this name now. Rename or delete that "
        "picture first"
    )


def find_binned(bin_: Bin, key: str) -> Iterator[Binned]:
    """Yield all deleted originals that had this key."""
    for deletion in bin_.deletions():
        binned = bin_.read(deletion)
        if binned and binned.key == key:
            yield binned


def empty(bin_: Bin, before: datetime, most: int | None = None) -> int:
    """Drop old originals from the bin, and return how many.

    An original is old if it was deleted more than ``EMPTY_MARGIN`` before ``before``. With ``most``, drop
    only so many originals, the oldest first.
    """
    due = [each for each in bin_.deletions() if parse_deletion(each) < before - EMPTY_MARGIN][:most]
    for deletion in due:
        bin_.drop(deletion)
    return len(due)
