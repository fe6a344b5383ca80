"""Compare a record's outputs with the output store.

A missing or replaced output is a difference like any other. The ETag is a quick check. If the ETag differs,
the content's hash decides: a copied, restored or touched file is still the output that was written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from renditions.core.ask import Verify
from renditions.core.ports import Store, StoredObject
from renditions.errors import Archived, KeyRefused, Rejected
from renditions.model.record import Output, Record

MISSING = "is missing from the output store"
REPLACED = "was changed or replaced"
ARCHIVED = "is in an archive"
UNREADABLE = "is unreadable"

Look = Callable[[str], StoredObject | None]
"""A function that finds the object under an output key, in the store or in an earlier listing of it."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of comparing one record's outputs."""

    drift: Mapping[str, str] = field(default_factory=dict)
    """Why an output differs from its description in the record, by rendition."""
    refreshed: Mapping[str, Output] = field(default_factory=dict)
    """The outputs, by rendition, that have the recorded content but another ETag.

    Each has its new ETag here.
    """


UNVERIFIED = Verification()


def find(store: Store, key: str) -> StoredObject | None:
    """Return the object under the key.

    Return None if there is none, or if the store can't hold such a key.
    """
    try:
        return store.head(key)
    except KeyRefused:
        return None


def find_picture(source: Store, name: str) -> StoredObject | None:
    """Return the picture of this name, in exactly this spelling.

    After only the case of a name changed, a folder that ignores case finds the file under both names. But it
    is one picture, with the name that a listing shows.
    """
    found = find(source, name)
    return found if found and source.is_spelled(name) else None


def verify(record: Record, output: Store, how: Verify, look: Look | None = None) -> Verification:
    """Compare each output of a record with the store.

    Args:
        record: The record of a picture that isn't in progress.
        output: The output store.
        how: ``quick`` trusts an equal ETag, ``content`` reads the output even then, ``no`` compares none.
        look: Looks up outputs; by default one by one in the store.

    Raises:
        StoreFailed: The store can't be read.

    """
    if how == "no":
        return UNVERIFIED
    drift: dict[str, str] = {}
    refreshed: dict[str, Output] = {}
    for made in record.outputs:
        there = look(made.key) if look else find(output, made.key)
        if there is None:
            drift[made.rendition] = MISSING
        elif there.etag != made.etag or how == "content":
            right = _identify(made, there, output, how)
            if isinstance(right, str):
                drift[made.rendition] = right
            elif right != made:
                refreshed[made.rendition] = right
    return Verification(drift, refreshed)


def _identify(made: Output, there: StoredObject, output: Store, how: Verify) -> Output | str:
    """Return the output with its current ETag and hash.

    If the object isn't the recorded output, or can't be read, return how it differs.

    Version 0.1 recorded no hash. Without a recorded hash, this function accepts an output of the same size,
    and returns it with its hash.
    """
    if made.size_bytes != there.size_bytes:
        return REPLACED
    if not made.sha256 and how == "quick" and there.etag == made.etag:
        return made
    try:
        got = output.get(made.key)
    except Rejected as error:
        return ARCHIVED if isinstance(error, Archived) else UNREADABLE
    if got is None:
        return MISSING
    sha256 = hashlib.sha256(got[1]).hexdigest()
    if made.sha256 not in ("", sha256):
        return REPLACED
    return replace(made, etag=got[0].etag, sha256=sha256)
