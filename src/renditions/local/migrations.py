"""The tables of a catalog in SQLite, and how each version changed them."""

from __future__ import annotations

APPLICATION_ID = 0x52656E64
"""``Rend``: distinguishes a catalog from other programs' databases (``PRAGMA application_id``)."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        """CREATE TABLE records (
            name TEXT PRIMARY KEY,
            revision INTEGER NOT NULL,
            status TEXT NOT NULL,
            timestamp TEXT NOT NULL,
            item TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX records_by_time ON records (timestamp, name)",
        "CREATE INDEX records_by_status ON records (status, timestamp, name)",
        """CREATE TABLE claims (
            key TEXT PRIMARY KEY,
            name TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX claims_by_name ON claims (name, key)",
    ),
    (
        """CREATE TABLE totals (
            status TEXT PRIMARY KEY,
            pictures INTEGER NOT NULL,
            original_bytes INTEGER NOT NULL,
            renditions INTEGER NOT NULL,
            rendition_bytes INTEGER NOT NULL,
            replaced_bytes INTEGER NOT NULL,
            processing_microseconds INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """INSERT INTO totals
            SELECT status, count(*), sum(size), sum(renditions), sum(sizes), sum(size * renditions), sum(time)
            FROM (SELECT
                status,
                coalesce(json_extract(item, '$.original_size_bytes'), 0) AS size,
                (SELECT count(*) FROM json_each(item, '$.renditions')) AS renditions,
                (SELECT coalesce(sum(json_extract(value, '$.size_bytes')), 0)
                    FROM json_each(item, '$.renditions')) AS sizes,
                (SELECT coalesce(sum(
                        (strftime('%s', substr(ended.time, 1, 19))
                            - strftime('%s', substr(begun.time, 1, 19))) * 1000000
                        + substr(ended.time, 21, 6) - substr(begun.time, 21, 6)), 0)
                    FROM (SELECT key, json_extract(value, '$.status') AS status,
                            json_extract(value, '$.timestamp') AS time
                        FROM json_each(item, '$.history')) AS begun
                    JOIN (SELECT key, json_extract(value, '$.status') AS status,
                            json_extract(value, '$.timestamp') AS time
                        FROM json_each(item, '$.history')) AS ended
                    ON ended.key = begun.key + 1
                    WHERE begun.status = 'processing' AND ended.status <> 'processing') AS time
                FROM records)
            GROUP BY status""",
    ),
    ("CREATE TABLE binding (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, item TEXT NOT NULL)",),
    ("CREATE TABLE folding (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",),
    (
        "ALTER TABLE records ADD COLUMN sha256 TEXT",
        "CREATE INDEX records_by_content ON records (sha256) WHERE sha256 IS NOT NULL",
        """CREATE TABLE kept_wishes (
            name TEXT PRIMARY KEY,
            sha256 TEXT NOT NULL,
            until TEXT NOT NULL,
            item TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX kept_wishes_by_content ON kept_wishes (sha256)",
    ),
    (
        """CREATE TABLE unsent_notices (
            name TEXT NOT NULL,
            event TEXT NOT NULL,
            target TEXT NOT NULL,
            timestamp TEXT NOT NULL,
            item TEXT NOT NULL,
            PRIMARY KEY (name, event, target, timestamp)
        ) WITHOUT ROWID""",
    ),
)
"""The migrations from each version to the next, each in one transaction.

A catalog's version (``PRAGMA user_version``) is the number of its migrations.
"""
