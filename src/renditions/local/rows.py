"""The rows of records in a SQLite catalog: reading, storing, repairing, totals."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from dataclasses import astuple, replace
from datetime import UTC, datetime
from typing import Any

from renditions.local.queries import ADDED, SUMS
from renditions.model.items import format_time
from renditions.model.record import Record, Status
from renditions.model.salvage import salvage
from renditions.model.totals import Totals


def parse_record(item: str) -> Record | None:
    """Return a row's record; None if it is damaged, or a newer version wrote it."""
    try:
        return Record.from_item(json.loads(item))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def store_record(db: sqlite3.Connection, record: Record) -> Record:
    """Write the record with its next revision, add it to the totals, and return it.

    If this replaces a stored record, the caller must subtract that one from the totals.
    """
    written = record.raised()
    row = (
        written.name,
        written.revision,
        written.status,
        format_time(written.timestamp),
        json.dumps(written.to_item(), separators=(",", ":")),
        written.sha256 or None,
    )
    columns = "name, revision, status, timestamp, item, sha256"
    db.execute(f"REPLACE INTO records ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)  # noqa: S608 - our own
    add_totals(db, written.status, Totals.of(written))
    return written


def add_totals(db: sqlite3.Connection, status: Status, totals: Totals) -> None:
    """Add these totals to those of a status."""
    sums = astuple(totals)
    marks = ", ".join("?" * (1 + len(sums)))
    insert = f"INSERT INTO totals (status, {SUMS}) VALUES ({marks})"  # noqa: S608 - names of our own
    db.execute(f"{insert} ON CONFLICT (status) DO UPDATE SET {ADDED}", (status, *sums))


def repair_record(db: sqlite3.Connection, name: str) -> Record | None:
    """Replace a damaged record by what can be saved, and return the new record.

    Return None if there is no record of this name, or if it isn't damaged.

    The record's claims stay unchanged. The totals are counted again, because the damaged row no longer says
    what the record added to them. Counting reads every record.
    """
    row = db.execute("SELECT item, revision FROM records WHERE name = ?", (name,)).fetchone()
    if row is None or parse_record(row[0]):
        return None
    keys = [key for (key,) in db.execute("SELECT key FROM claims WHERE name = ?", (name,))]
    saved = salvage(name, _read_item(row[0]), keys, datetime.now(UTC))
    repaired = store_record(db, replace(saved, revision=row[1]))
    _count_again(db)
    return repaired


def _read_item(item: str) -> dict[str, Any]:
    try:
        read = json.loads(item)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _count_again(db: sqlite3.Connection) -> None:
    totals: defaultdict[Status, Totals] = defaultdict(Totals)
    for (item,) in db.execute("SELECT item FROM records"):
        if record := parse_record(item):
            totals[record.status] += Totals.of(record)
    db.execute("DELETE FROM totals")
    for status, each in totals.items():
        add_totals(db, status, each)
