"""The rows of a SQLite catalog for kept wishes and unsent notices."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

from renditions.model.items import format_time
from renditions.model.kept import KeptWishes
from renditions.model.notices import UnsentNotice

FIND_KEPT = "SELECT item FROM kept_wishes WHERE sha256 = ? ORDER BY until DESC LIMIT ?"

LIST_NOTICES = """SELECT item, name, event, target, timestamp FROM unsent_notices
    WHERE (name, event, target, timestamp) > (?, ?, ?, ?) AND name = coalesce(?, name)
    ORDER BY name, event, target, timestamp LIMIT ?"""


def parse_kept(item: str) -> KeptWishes:
    """Return the wishes that :func:`write_kept` stored."""
    return KeptWishes.from_item(json.loads(item))


def write_kept(db: sqlite3.Connection, kept: KeptWishes) -> None:
    """Write the kept wishes of a name, and remove all expired ones."""
    now = format_time(datetime.now(UTC))
    db.execute("DELETE FROM kept_wishes WHERE until < ?", (now,))
    item = json.dumps(kept.to_item(), separators=(",", ":"))
    db.execute(
        "REPLACE INTO kept_wishes (name, sha256, until, item) VALUES (?, ?, ?, ?)",
        (kept.name, kept.sha256, format_time(kept.until), item),
    )


def write_notice(db: sqlite3.Connection, notice: UnsentNotice) -> None:
    """Write an unsent notice; replace the stored notice with the same id."""
    item = json.dumps(notice.to_item(), separators=(",", ":"))
    db.execute(
        "REPLACE INTO unsent_notices (name, event, target, timestamp, item) VALUES (?, ?, ?, ?, ?)",
        (*notice.id, item),
    )


def delete_notice(db: sqlite3.Connection, notice: UnsentNotice) -> None:
    """Delete the stored notice with the same id as this one."""
    where = "name = ? AND event = ? AND target = ? AND timestamp = ?"
    db.execute(f"DELETE FROM unsent_notices WHERE {where}", notice.id)  # noqa: S608 - a text of our own
