"""The connections to a catalog's SQLite file: one that writes, some that read.

A read sees every write that ended before it, and waits for no write, thanks to SQLite's write-ahead log
(WAL). A connection has one transaction at a time, so a read needs another connection than a write.
"""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from renditions.errors import CatalogFailed, CatalogRefused
from renditions.local import locks
from renditions.local.database import connect, describe_holder, prepare, refuse_newer, reported, transact

READERS = 4
"""How many reads can run at once. A read ends after one page, so further threads wait only briefly."""

IN_MEMORY = Path(":memory:")
"""The path of an empty catalog that ends with its connection."""

_Pool = queue.LifoQueue[sqlite3.Connection]
"""A pool lends the connection that came back last, because its memory has the newest pages."""


class Connections:
    """The connections to one file, for all threads of a process.

    Don't use them after a fork. The constructor opens all connections, so all of them have the same file
    open, even if the path leads to another file later. In that case, every read and write raises
    ``CatalogRefused``: other processes wouldn't see what this process wrote.

    Args:
        path: The file. A missing file is created, and an older one migrated.

    Raises:
        CatalogFailed: The file can't be used, or a lock wasn't free in time.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with reported(path), ExitStack() as opened:
            writer = connect(path)
            opened.callback(writer.close)
            prepare(writer, path)
            readers = []
            # Another connection would have another catalog in memory.
            for _ in range(0 if path == IN_MEMORY else READERS):
                readers.append(connect(path))
                opened.callback(readers[-1].close)
                readers[-1].execute("PRAGMA query_only = ON")
            self._file = _identify(path)
            opened.pop_all()
        self._writers = _pool([writer])
        self._readers = _pool(readers) if readers else self._writers

    def close(self) -> None:
        """Close the connections as soon as the calls in progress end.

        Wait at most ``WAIT_SECONDS`` for each connection. A connection that is in use for longer stays open.
        A later call on a closed connection raises ``CatalogFailed``.
        """
        for pool in (self._readers, self._writers):
            closed: list[sqlite3.Connection] = []
            with suppress(queue.Empty):
                while len(closed) < pool.maxsize:
                    closed.append(pool.get(timeout=locks.WAIT_SECONDS))
                    closed[-1].close()
            for db in closed:
                pool.put(db)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for one query. The caller must fetch all rows in the block.

        Raises:
            CatalogFailed: The query failed, the file was replaced or deleted, or no connection was free in
                time.

        """
        with reported(self._path), self._lent(self._readers) as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction. The end of the block commits it, and an error undoes it.

        Raises:
            CatalogFailed: The transaction failed, the file was replaced or deleted, or a lock wasn't free in
                time.
            CatalogTooNew: A newer version of Renditions migrated the file meanwhile.

        """
        with reported(self._path), self._lent(self._writers) as db, transact(db):
            refuse_newer(db, self._path)
            yield db

    @contextmanager
    def _lent(self, pool: _Pool) -> Iterator[sqlite3.Connection]:
        try:
            db = pool.get(timeout=locks.WAIT_SECONDS)
        except queue.Empty:
            raise locks.NotFree(describe_holder(self._path)) from None
        try:
            if _identify(self._path) != self._file:
                raise CatalogRefused(
                    f"the catalog {self._path} was deleted or replaced while this process used it. Start the "
                    "process again"
                )
            yield db
        finally:
            pool.put(db)


def _identify(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of the file at a path; None if there is none.

    Raises:
        CatalogFailed: The system can't follow the path.

    """
    if path == IN_MEMORY:
        return None
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CatalogFailed(f"can't use the catalog {path}: {error.strerror}. Check its folder") from error
    return status.st_dev, status.st_ino


def _pool(connections: Sequence[sqlite3.Connection]) -> _Pool:
    pool = _Pool(len(connections))
    for db in connections:
        pool.put(db)
    return pool
