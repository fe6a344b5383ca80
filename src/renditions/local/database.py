"""The file of a SQLite catalog: opening, migrations, transactions and errors."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from renditions.errors import CatalogFailed, CatalogFull, CatalogRefused, CatalogTooNew
from renditions.local import locks
from renditions.local.migrations import APPLICATION_ID, MIGRATIONS

_ANOTHER_FILE = "name another file as [catalog] store"
_WHEN_DAMAGED = (
    f"If this file is no catalog, {_ANOTHER_FILE}. Otherwise restore it from a backup. Without a backup, "
    "move it away together with its -wal and -shm files, and run renditions sync --adopt"
)
_WHEN_READ_ONLY = (
    "Renditions must be able to write the file and its folder, and its -wal and -shm files if there are any. "
    "Check their permissions, and whether the disk is mounted read-only"
)
_ADVICE = {
    sqlite3.SQLITE_CORRUPT: _WHEN_DAMAGED,
    sqlite3.SQLITE_NOTADB: _WHEN_DAMAGED,
    sqlite3.SQLITE_READONLY: _WHEN_READ_ONLY,
    sqlite3.SQLITE_PERM: _WHEN_READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _WHEN_READ_ONLY,
    sqlite3.SQLITE_FULL: "Free space on the disk, then try again",
    sqlite3.SQLITE_IOERR: "Check the disk and its connection",
}
"""What a person can do, by SQLite's primary result code (https://sqlite.org/rescode.html)."""

_NOT_FREE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)
"""The result codes if a lock wasn't free in time.

A reader can get ``SQLITE_PROTOCOL`` while another process repairs the log.
"""

_KINDS = {
    sqlite3.SQLITE_FULL: CatalogFull,
    **dict.fromkeys(
        (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM),
        CatalogRefused,  # these errors stay until a person changes something
    ),
}
"""The exceptions for some of SQLite's result codes. The others raise CatalogFailed: the failure may pass."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a catalog's file, or create it.

    Raises:
        CatalogRefused: No file can be opened at this path, for example because its folder is missing.
        sqlite3.Error: SQLite can't open or create the file.

    """
    if why := _why_no_file(path):
        raise CatalogRefused(f"can't open the catalog {path}: {why}")
    return sqlite3.connect(path, timeout=locks.WAIT_SECONDS, isolation_level=None, check_same_thread=False)


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Raise the block's errors of SQLite and of locks as ``CatalogFailed``.

    A name that UTF-8 can't hold raises it too. :data:`_KINDS` says which errors raise a subclass.
    """
    try:
        yield
    except locks.NotFree as error:
        raise CatalogFailed(f"can't use the catalog {path}: {error}") from error
    except UnicodeEncodeError as error:
        raise CatalogFailed(
            f"the catalog {path} can't hold {error.object!r}: it isn't Unicode text. Rename the picture"
        ) from error
    except sqlite3.ProgrammingError as error:  # in practice, a closed connection
        raise CatalogFailed(
            f"can't use the catalog {path} ({error}). Close a pipeline only when nothing reads from it"
        ) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _NOT_FREE:
            raise CatalogFailed(f"can't use the catalog {path}: {describe_holder(path)}") from error
        refused = _KINDS.get(code, CatalogFailed)
        advice = _ADVICE.get(code, "Try again. If that doesn't help, check the disk and the free memory")
        raise refused(f"can't use the catalog {path} ({error}). {advice}") from error


@contextmanager
def transact(db: sqlite3.Connection, kind: Literal["DEFERRED", "IMMEDIATE"] = "IMMEDIATE") -> Iterator[None]:
    """Run the block as one transaction; undo it if the block raises an error.

    With IMMEDIATE, no other process writes during the block.
    """
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    """Raise CatalogTooNew if a newer version of Renditions migrated the file."""
    version = _read_number(db, "PRAGMA user_version")
    if version > len(MIGRATIONS):
        raise CatalogTooNew(
            f"{path}: a newer version of Renditions wrote this catalog in format {version}, but this version "
            f"reads formats up to {len(MIGRATIONS)}. Upgrade Renditions here"
        )


def _why_no_file(path: Path) -> str | None:
    """Return why no file can be opened or created at this path, or None.

    SQLite itself only says that it is unable to open the file.
    """
    try:
        if path.is_dir():
            return f"it is a folder. Move the folder away, or {_ANOTHER_FILE}"
        if path.exists():
            return None if os.access(path, os.R_OK) else f"this user may not read it. {_WHEN_READ_ONLY}"
        if not path.parent.is_dir():
            what = (
                "isn't a folder. Move this file away"
                if path.parent.exists()
                else "is missing. Create this folder"
            )
            return f"{path.parent} {what}, or {_ANOTHER_FILE}"
    except OSError as error:
        return f"{error.strerror}. {_WHEN_READ_ONLY}"
    return None


def describe_holder(path: Path) -> str:
    """Return a text about the process that holds the catalog's lock, and what to do.

    The lock is on the catalog's ``-shm`` file (shared memory), or on the catalog's file itself. See
    https://www.sqlite.org/walformat.html.
    """
    files = []
    for file in (path.with_name(f"{path.name}-shm"), path):
        with suppress(OSError):
            files.append(file.stat())
    return locks.describe_holder(*files)


def prepare(db: sqlite3.Connection, path: Path) -> None:
    """Switch the file to WAL, and migrate it to the newest version.

    Other processes can do the same at the same time.

    Raises:
        CatalogRefused: The file is the database of another program.
        CatalogTooNew: A newer version of Renditions migrated the file.
        sqlite3.Error: SQLite can't read or write the file, or a lock wasn't free in time.

    """
    deadline = time.monotonic() + locks.WAIT_SECONDS
    while True:
        try:
            _check_version(db, path)
            db.execute("PRAGMA journal_mode = WAL").fetchall()
            db.execute("PRAGMA synchronous = FULL")
            _migrate(db)
        except sqlite3.OperationalError as error:
            # SQLite itself doesn't wait if two processes switch one file to WAL.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _check_version(db: sqlite3.Connection, path: Path) -> None:
    """Raise an error if the file isn't empty and isn't a catalog of a known version."""
    with transact(db, "DEFERRED"):
        application_id = _read_number(db, "PRAGMA application_id")
        version = _read_number(db, "PRAGMA user_version")
        tables = _read_number(db, "SELECT count(*) FROM sqlite_schema")
    if application_id != APPLICATION_ID and (application_id or version or tables):
        raise CatalogRefused(f"{path} is the database of another program: {_ANOTHER_FILE}")
    refuse_newer(db, path)


def _migrate(db: sqlite3.Connection) -> None:
    for version in range(_read_number(db, "PRAGMA user_version"), len(MIGRATIONS)):
        with transact(db):
            if _read_number(db, "PRAGMA user_version") == version:  # no other process did it meanwhile
                for statement in MIGRATIONS[version]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {version + 1}")


def _read_number(db: sqlite3.Connection, select: str) -> int:
    (number,) = db.execute(select).fetchone()
    return int(number)
