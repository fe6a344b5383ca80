"""A store's listing in a temporary SQLite file, for look-ups in bounded memory.

The listing can hold millions of keys. One request to a bucket lists a thousand objects, but looks up only
one. So a plan that verifies the outputs of all pictures lists the bucket first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from renditions.core.ports import Store, StoredObject
from renditions.core.verify import Look
from renditions.local.failures import temporary_reported

_KEPT_IN_MEMORY_KB = 20_000
"""How much of the file SQLite keeps in memory at most."""
_FAILED = "can't list the output store"


@contextmanager
def listed(store: Store) -> Iterator[Look]:
    """List the whole store, and yield a function that looks up keys in the listing.

    Only one thread at a time may call the function. The function doesn't see later writes.

    Raises:
        StoreFailed: A part of the store can't be listed, or the temporary file can't be written. The yielded
            function raises this error if the file can't be read.

    """
    # An empty name is a temporary file, which SQLite deletes with its connection.
    with closing(sqlite3.connect("", check_same_thread=False)) as db:
        with temporary_reported(_FAILED):
            db.execute(f"PRAGMA cache_size = -{_KEPT_IN_MEMORY_KB}")
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("CREATE TABLE objects (key TEXT PRIMARY KEY, etag TEXT, size_bytes INT) WITHOUT ROWID")
            rows = ((found.key, found.etag, found.size_bytes) for found in store.list())
            db.executemany("INSERT INTO objects VALUES (?, ?, ?)", rows)

        def look_up(key: str) -> StoredObject | None:
            with temporary_reported(_FAILED):
                row = db.execute("SELECT etag, size_bytes FROM objects WHERE key = ?", (key,)).fetchone()
            return StoredObject(key, *row) if row else None

        yield look_up
