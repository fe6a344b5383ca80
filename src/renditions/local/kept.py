"""The wishes that a SQLite catalog keeps for removed pictures."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

from renditions.model.items import format_time
from renditions.model.kept import KeptWishes

FIND_KEPT = """SELECT item FROM kept_wishes WHERE name = ? OR (sha256 = ? AND sha256 <> '')
    ORDER BY name = ? DESC, until DESC LIMIT 1"""


def write_kept(db: sqlite3.Connection, kept: KeptWishes) -> None:
    """Write the kept wishes for a name, and remove those that have expired."""
    now = format_time(datetime.now(UTC))
    db.execute("DELETE FROM kept_wishes WHERE until < ?", (now,))
    item = json.dumps(kept.to_item(), separators=(",", ":"))
    db.execute(
        "REPLACE INTO kept_wishes (name, sha256, until, item) VALUES (?, ?, ?, ?)",
        (kept.name, kept.sha256, format_time(kept.until), item),
    )
