"""The claims in a SQLite catalog: for each output key, its picture.

The table compares keys in the same way as the output store. This comparison can change: the output store can
move to another disk, and version 0.1 always compared keys exactly. After such a change, the catalog rebuilds
the table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from renditions.errors import KeyTaken
from renditions.local.rows import parse_record
from renditions.model.folding import Folding
from renditions.model.record import Record

PAGE_ROWS = 200


def move_claims(db: sqlite3.Connection, name: str, keys: frozenset[str], folding: Folding) -> None:
    """Let the record claim exactly these keys.

    The caller must open a transaction, and undo it after an error.

    Raises:
        KeyTaken: Another record claims one of the keys.

    """
    held = {key for (key,) in db.execute("SELECT key FROM claims WHERE name = ?", (name,))}
    wanted = {folding(key): key for key in sorted(keys)}
    for folded, key in wanted.items():
        if folded in held:
            continue
        if row := db.execute("SELECT name FROM claims WHERE key = ?", (folded,)).fetchone():
            raise KeyTaken(key, row[0])
        db.execute("INSERT INTO claims (key, name) VALUES (?, ?)", (folded, name))
    db.executemany("DELETE FROM claims WHERE key = ?", [(key,) for key in held - wanted.keys()])


def rebuild_claims(db: sqlite3.Connection, folding: Folding) -> Iterator[Record]:
    """Write all claims again with this folding; yield each record that loses a key.

    If two records claim the same folded key, the first record by name keeps it. A damaged record isn't
    yielded. A yielded record no longer has the key, and the caller must write this record. The next sync then
    processes its picture. The caller must open a transaction, and take all records from the iterator before
    the transaction ends.
    """
    db.execute("CREATE TEMP TABLE folded (key TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID")
    last = ""
    page = "SELECT name, item FROM records WHERE name > ? ORDER BY name LIMIT ?"
    while rows := db.execute(page, (last, PAGE_ROWS)).fetchall():
        for last, item in rows:
            record = parse_record(item)
            if record is None:  # a damaged row keeps the claims that no earlier row has
                own = db.execute("SELECT key FROM claims WHERE name = ?", (last,)).fetchall()
                _claim(db, last, frozenset(key for (key,) in own), folding)
            elif lost := _claim(db, last, record.claimed_keys(), folding):
                yield _without(record, lost)
    db.execute("DELETE FROM claims")
    db.execute("INSERT INTO claims (key, name) SELECT key, name FROM folded")
    db.execute("DROP TABLE folded")
    db.execute("REPLACE INTO folding (id, name) VALUES (1, ?)", (folding.name,))


def _claim(db: sqlite3.Connection, name: str, keys: frozenset[str], folding: Folding) -> frozenset[str]:
    """Claim the keys that no earlier record claims; return the other keys."""
    lost = set()
    for key in keys:
        db.execute("INSERT OR IGNORE INTO folded VALUES (?, ?)", (folding(key), name))
        (owner,) = db.execute("SELECT name FROM folded WHERE key = ?", (folding(key),)).fetchone()
        if owner != name:
            lost.add(key)
    return frozenset(lost)


def _without(record: Record, lost: frozenset[str]) -> Record:
    return replace(
        record,
        goal="",
        attempts=0,
        lease=None,
        outputs=tuple(output for output in record.outputs if output.key not in lost),
        pending_keys=tuple(key for key in record.pending_keys if key not in lost),
        retired=tuple(old for old in record.retired if old.place or old.key not in lost),
    )
