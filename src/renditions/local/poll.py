"""Find changes in a store that sends no events, by listing it again and again."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import takewhile

from renditions.core.ports import Store, Unreadable
from renditions.local.failures import temporary_reported

BATCH = 1000
"""The most keys that ``poll_keys`` yields at once."""


def poll_keys(store: Store, stop: threading.Event, poll_seconds: float) -> Iterator[frozenset[str]]:
    """Yield the keys that are new, changed or gone since the previous listing.

    The function waits ``poll_seconds`` between two listings, and returns when ``stop`` is set. After the
    first listing it yields an empty set, because there is no earlier listing to compare. After each later
    one it yields sets of at most ``BATCH`` keys, or nothing if no key changed. SQLite keeps the listings on
    disk, so the memory doesn't grow with the number of objects. An object in an unreadable part doesn't
    count as gone.

    Raises:
        StoreFailed: The store can't be listed, or the temporary database of the keys failed.

    """
    # With an empty name, SQLite makes a private temporary database, and moves it to disk if it is large.
    with (
        temporary_reported("can't poll the source"),
        closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as db,
    ):
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, etag TEXT, round INTEGER, is_new INTEGER)")
        _list(db, store, stop, 0)
        yield frozenset()
        number = 1
        while not stop.wait(poll_seconds):
            _list(db, store, stop, number)
            if stop.is_set():
                return
            with closing(db.execute("SELECT key FROM seen WHERE is_new OR round < ?", (number,))) as rows:
                while some := rows.fetchmany(BATCH):
                    yield frozenset(key for (key,) in some)
            db.execute("DELETE FROM seen WHERE round < ?", (number,))
            number += 1


def _list(db: sqlite3.Connection, store: Store, stop: threading.Event, number: int) -> None:
    """List the store into the table; mark objects that are new or have another ETag."""
    unreadable: list[Unreadable] = []
    listed = takewhile(lambda _: not stop.is_set(), store.list(on_unreadable=unreadable.append))
    db.execute("BEGIN")
    try:
        db.executemany(
            "INSERT INTO seen VALUES (?, ?, ?, 1) ON CONFLICT (key) DO UPDATE SET "
            "is_new = etag != excluded.etag, etag = excluded.etag, round = excluded.round",
            ((found.key, found.etag, number) for found in listed),
        )
        for part in unreadable:
            db.execute(
                "UPDATE seen SET round = ?, is_new = 0 WHERE substr(key, 1, ?) = ?",
                (number, len(part.prefix), part.prefix),
            )
    finally:
        if db.in_transaction:  # SQLite ends the transaction itself if the disk is full
            db.execute("COMMIT")
