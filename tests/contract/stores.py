"""The implementations of ``Store`` that the contract suite tests.

Add a new implementation to ``STORES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from contract.cloud import CLIENTS, REGION, name_of
from contract.races import take_rounds
from doubles import MemoryStore
from renditions.aws.s3 import S3Store
from renditions.core.ports import Condition, IfAbsent, IfMatch, Store, StoredObject
from renditions.local.folder import FolderStore
from renditions.model.places import S3Place


def open_folder(folder: Path) -> Store:
    """Return the store in the folder's subfolder ``store``."""
    return FolderStore(folder / "store", create=True)


def open_s3(folder: Path) -> Store:
    """Return a store below a prefix of a bucket whose name follows from the folder."""
    bucket = name_of(folder)
    with suppress(CLIENTS.s3.exceptions.BucketAlreadyOwnedByYou):
        CLIENTS.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return S3Store(CLIENTS.s3, S3Place(bucket, "a+ü/"))


STORES: Mapping[str, Callable[[Path], Store]] = {
    "memory": lambda _: MemoryStore(),
    "folder": open_folder,
    "s3": open_s3,
}
"""The functions that open an empty store, given an empty folder."""

SHARED_STORES: Mapping[str, Callable[[Path], Store]] = {"folder": open_folder}
"""The functions whose store another process can open too, by the same call.

S3 is missing here: it sees only requests, so races of threads test the same as races of processes.
"""


def put(
    store: Store, key: str, content: bytes = b"content", condition: Condition | None = None
) -> StoredObject:
    """Write an object and return it. Without a condition, replace any existing one."""
    if condition is None:
        there = store.head(key)
        condition = IfMatch(there.etag) if there else IfAbsent()
    return store.put(key, content, condition, "application/octet-stream")


def keys(store: Store) -> list[str]:
    """Return all keys in the order of the store's list."""
    return [found.key for found in store.list()]


def put_number(store: Store, key: str, condition: Condition, number: int) -> StoredObject:
    """Write the number and the condition into an object; return the object.

    Both are in the content, so each round writes different content.
    """
    return store.put(key, f"{number} {condition}".encode(), condition, "text/plain")


def put_each(folder: Path, which: str, number: int) -> list[int]:
    """Create sixty objects; return the numbers of those that were new.

    Several callers do this at the same time.
    """
    store = SHARED_STORES[which](folder)
    return take_rounds(
        range(60),
        lambda round_: store.put(f"{round_}/a", bytes([number]), IfAbsent(), "image/jpeg"),
    )


def count_up(folder: Path, which: str, number: int) -> list[int]:
    """Try forty times to increment the number in the object.

    Each write has the condition that the object hasn't changed since it was read. Return the numbers of the
    attempts that succeeded.
    """
    store = SHARED_STORES[which](folder)

    def step(_: int) -> None:
        got = store.get("counter")
        assert got
        store.put("counter", b"%d" % (int(got[1]) + 1), IfMatch(got[0].etag), "text/plain")

    return take_rounds(range(40), step)
