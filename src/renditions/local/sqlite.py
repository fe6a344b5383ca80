"""A catalog in one SQLite file, shared by threads and processes of one machine.

Each write is durable when it returns (WAL, ``synchronous = FULL``). A record and its claims change in one
transaction. A read waits for no write and sees every write that ended before it. It ends after one page, so
that SQLite can clear its log.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from renditions.core.catalog import MOST_TWINS, Place, SameContent
from renditions.core.ports import OnUnreadable, Unreadable
from renditions.errors import CatalogFailed, Conflict, RecordUnreadable, UsageError
from renditions.local.claims import move_claims, rebuild_claims
from renditions.local.connections import IN_MEMORY, Connections
from renditions.local.kept import FIND_KEPT, LIST_NOTICES, delete_notice, parse_kept, write_kept, write_notice
from renditions.local.queries import COUNT, LIST, OF_ANY_STATUS, OF_FEW_NAMES, OF_STATUS, SUMS
from renditions.local.rows import add_totals, parse_record, repair_record, store_record
from renditions.model.binding import Binding
from renditions.model.catalog_place import CatalogPlace
from renditions.model.folding import EXACT, Folding
from renditions.model.items import format_time
from renditions.model.kept import KeptWishes
from renditions.model.notices import UnsentNotice
from renditions.model.places import parse_catalog
from renditions.model.record import STATUSES, Record, Status
from renditions.model.registry import Shared
from renditions.model.totals import Totals

PAGE_ROWS = 200

MOST_SORTED = 10_000
"""A prefix with fewer names than this counts as rare: ``query`` sorts these names by time."""


class SqliteCatalog:
    """A catalog in a file, which stays open.

    Don't use it after a fork. See :class:`~renditions.core.catalog.Catalog`. The catalog compares names by
    their UTF-8 bytes. A name without a UTF-8 form (from a file name that isn't UTF-8) raises
    ``CatalogFailed``.

    Args:
        path: The file. The constructor creates a missing file, and migrates an older one.
        folding: Returns how the output store compares keys. The first use of claims calls it.
        read_only: Whether claims are read as the file has them, even if ``folding`` compares keys in another
            way. Otherwise the first use of claims rebuilds them.

    Raises:
        CatalogFailed: The file can't be used, or a newer version of Renditions migrated it.

    """

    def __init__(
        self, path: Path, folding: Callable[[], Folding] = lambda: EXACT, *, read_only: bool = False
    ) -> None:
        self._path = path
        self._read_only = read_only
        self._find_folding = folding
        self._folding: Folding | None = None
        self._connections = Connections(path)

    def close(self) -> None:
        """Close the file; see :meth:`Connections.close`.

        A call that takes too long keeps its connection open. A later call on a closed connection raises
        ``CatalogFailed``.
        """
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, name: str) -> Record | None:
        """See :meth:`Catalog.get <renditions.core.catalog.Catalog.get>`."""
        rows = self._read("SELECT item FROM records WHERE name = ?", [name])
        return self._parse(name, rows[0][0]) if rows else None

    def get_all(self, names: Sequence[str], on_unreadable: OnUnreadable) -> Mapping[str, Record]:
        """See :meth:`Catalog.get_all <renditions.core.catalog.Catalog.get_all>`."""
        found: dict[str, Record] = {}
        for name in names:
            try:
                record = self.get(name)
            except RecordUnreadable as error:
                on_unreadable(Unreadable(name, str(error)))
            else:
                found |= {name: record} if record else {}
        return found

    def repair(self, name: str) -> Record | None:
        """See :meth:`Catalog.repair <renditions.core.catalog.Catalog.repair>`."""
        self._fold()
        with self._connections.writing() as db:
            return repair_record(db, name)

    def write(self, record: Record) -> Record:
        """See :meth:`Catalog.write <renditions.core.catalog.Catalog.write>`."""
        folding = self._fold()
        with self._connections.writing() as db:
            self._take_out(db, record)
            move_claims(db, record.name, record.claimed_keys(), folding)
            return store_record(db, record)

    def delete(self, record: Record, notices: Sequence[UnsentNotice] = ()) -> None:
        """See :meth:`Catalog.delete <renditions.core.catalog.Catalog.delete>`."""
        folding = self._fold()
        with self._connections.writing() as db:
            for notice in notices:
                write_notice(db, notice)
            self._take_out(db, record)
            move_claims(db, record.name, frozenset(), folding)
            db.execute("DELETE FROM records WHERE name = ?", (record.name,))

    def rename(self, record: Record, name: str) -> Record | None:
        """See :meth:`Catalog.rename <renditions.core.catalog.Catalog.rename>`."""
        folding = self._fold()
        renamed = replace(record, name=name, revision=0)
        with self._connections.writing() as db:
            self._take_out(db, record)
            self._take_out(db, renamed)
            move_claims(db, record.name, frozenset(), folding)
            move_claims(db, name, record.claimed_keys(), folding)
            db.execute("DELETE FROM records WHERE name = ?", (record.name,))
            return store_record(db, renamed)

    def find_content(self, sha256: str) -> SameContent:
        """See :meth:`find_content <renditions.core.catalog.Catalog.find_content>`."""
        select = "SELECT name FROM records WHERE sha256 = ? ORDER BY name LIMIT ?"
        names = tuple(name for (name,) in self._read(select, [sha256, MOST_TWINS]))
        kept = (parse_kept(item) for (item,) in self._read(FIND_KEPT, [sha256, MOST_TWINS]))
        return SameContent(names, tuple(kept))

    def keep_wishes(self, kept: KeptWishes) -> None:
        """See :meth:`Catalog.keep_wishes <renditions.core.catalog.Catalog.keep_wishes>`."""
        with self._connections.writing() as db:
            write_kept(db, kept)

    def find_wishes(self, name: str) -> KeptWishes | None:
        """See :meth:`Catalog.find_wishes <renditions.core.catalog.Catalog.find_wishes>`."""
        rows = self._read("SELECT item FROM kept_wishes WHERE name = ?", [name])
        return parse_kept(rows[0][0]) if rows else None

    def drop_wishes(self, name: str) -> None:
        """See :meth:`Catalog.drop_wishes <renditions.core.catalog.Catalog.drop_wishes>`."""
        with self._connections.writing() as db:
            db.execute("DELETE FROM kept_wishes WHERE name = ?", (name,))

    def keep_notice(self, *notices: UnsentNotice) -> None:
        """See :meth:`Catalog.keep_notice <renditions.core.catalog.Catalog.keep_notice>`."""
        with self._connections.writing() as db:
            for notice in notices:
                write_notice(db, notice)

    def drop_notice(self, *notices: UnsentNotice) -> None:
        """See :meth:`Catalog.drop_notice <renditions.core.catalog.Catalog.drop_notice>`."""
        with self._connections.writing() as db:
            for notice in notices:
                delete_notice(db, notice)

    def unsent_notices(self, name: str | None = None) -> Iterator[UnsentNotice]:
        """See :meth:`~renditions.core.catalog.Catalog.unsent_notices`."""
        last = (name or "", "", "", "")
        while rows := self._read(LIST_NOTICES, [*last, name, PAGE_ROWS]):
            for item, *_ in rows:
                yield UnsentNotice.from_item(json.loads(item))
            last = tuple(rows[-1][1:])

    def list(
        self, after: str = "", prefix: str = "", on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Record]:
        """See :meth:`Catalog.list <renditions.core.catalog.Catalog.list>`."""
        last = after
        while rows := self._read(LIST, [last, prefix, _end_of(prefix), PAGE_ROWS]):
            for item, last in rows:
                yield from self._parse_listed(last, item, on_unreadable)

    def owner_of(self, key: str) -> str | None:
        """See :meth:`Catalog.owner_of <renditions.core.catalog.Catalog.owner_of>`."""
        rows = self._read("SELECT name FROM claims WHERE key = ?", [self._fold()(key)])
        return rows[0][0] if rows else None

    def read_binding(self) -> Binding | None:
        """See :meth:`read_binding <renditions.core.catalog.Catalog.read_binding>`."""
        rows = self._read("SELECT item FROM binding")
        return Binding.from_item(json.loads(rows[0][0])) if rows else None

    def write_binding(self, binding: Binding) -> Binding:
        """See :meth:`~renditions.core.catalog.Catalog.write_binding`."""
        written = replace(binding, revision=binding.revision + 1)
        with self._connections.writing() as db:
            row = db.execute("SELECT revision FROM binding").fetchone()
            if (row[0] if row else 0) != binding.revision:
                raise Conflict(
                    "another process changed the catalog's binding, so nothing was changed. Try again"
                )
            db.execute(
                "REPLACE INTO binding (id, revision, item) VALUES (1, ?, ?)",
                (written.revision, json.dumps(written.to_item(), separators=(",", ":"))),
            )
        return written

    def query(
        self,
        status: Status | None = None,
        before: Place | None = None,
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
    ) -> Iterator[Record]:
        """See :meth:`Catalog.query <renditions.core.catalog.Catalog.query>`.

        No index has both times and names in order. For a rare prefix, this method finds all names and sorts
        them by time. For a frequent prefix, it reads the records by time, newest first, until it has a page
        of them.
        """
        time, name = (format_time(before[0]), before[1]) if before else ("~", "")  # later than any time
        values = {"status": status, "begin": prefix, "end": _end_of(prefix), "most": PAGE_ROWS}
        by_time = OF_STATUS if status else OF_ANY_STATUS
        select = by_time if not prefix or self._has_many(values) else OF_FEW_NAMES
        while rows := self._read(select, values | {"time": time, "name": name}):
            for item, time, name in rows:  # noqa: B007 - where the next page begins
                yield from self._parse_listed(name, item, on_unreadable)

    def _has_many(self, values: Mapping[str, Any]) -> bool:
        ((count,),) = self._read(COUNT, {**values, "most": MOST_SORTED})
        return bool(count == MOST_SORTED)

    def count(self) -> Mapping[Status, Totals]:
        """See :meth:`Catalog.count <renditions.core.catalog.Catalog.count>`.

        Every write of a record updates the sums.
        """
        rows = self._read(f"SELECT status, {SUMS} FROM totals")  # noqa: S608 - names of our own
        return dict.fromkeys(STATUSES, Totals()) | {status: Totals(*sums) for status, *sums in rows}

    def _fold(self) -> Folding:
        """Return how claims are compared; first rebuild claims that used another folding."""
        if self._folding is None:
            rows = self._read("SELECT name FROM folding")
            stored = Folding.named(rows[0][0]) if rows else EXACT
            folding = stored if self._read_only else self._find_folding()
            if folding != stored:
                with self._connections.writing() as db:
                    for loser in rebuild_claims(db, folding):
                        self._take_out(db, loser)
                        store_record(db, loser)
            self._folding = folding
        return self._folding

    def _take_out(self, db: sqlite3.Connection, record: Record) -> None:
        """Subtract the stored record from the totals; raise Conflict at another revision."""
        row = db.execute("SELECT revision, item FROM records WHERE name = ?", (record.name,)).fetchone()
        revision = row[0] if row else 0
        if revision != record.revision:
            raise Conflict(
                f"the record of {record.name!r} changed since it was read, so nothing was changed. Try again"
            )
        if row:
            stored = self._parse(record.name, row[1])
            add_totals(db, stored.status, -Totals.of(stored))

    def _read(self, select: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Sequence[Any]:
        with self._connections.reading() as db:
            return db.execute(select, values).fetchall()

    def _parse_listed(self, name: str, item: str, on_unreadable: OnUnreadable | None) -> Iterator[Record]:
        """Yield the record of a listed row, or report that it can't be read.

        Raise RecordUnreadable if there is no ``on_unreadable`` to report it to.
        """
        try:
            record = self._parse(name, item)
        except RecordUnreadable as error:
            if on_unreadable is None:
                raise
            on_unreadable(Unreadable(name, str(error)))
        else:
            yield record

    def _parse(self, name: str, item: str) -> Record:
        if record := parse_record(item):
            return record
        raise RecordUnreadable(f"{self._path}", name)


def _end_of(prefix: str) -> str | bytes:
    """Return an upper bound of all texts that begin with the prefix, by UTF-8 bytes."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return b""  # in SQLite's order every BLOB is above every text
    last = ord(stem[-1])
    return stem[:-1] + ("\ue000" if last == 0xD7FF else chr(last + 1))


def open_catalog(
    declared: CatalogPlace, directory: Path, _: Shared, *, read_only: bool, folding: Callable[[], Folding]
) -> SqliteCatalog:
    """Return the catalog of ``sqlite:FILE``.

    With ``read_only``, a missing file is an empty catalog in memory, and claims aren't rebuilt. An older file
    is migrated in any case.

    Raises:
        UsageError: ``declared`` names no file.
        CatalogFailed: The file can't be used.

    """
    path = parse_catalog(declared.store, directory)
    if path is None:
        raise UsageError(f"catalog.store: expected sqlite:FILE, found {declared.store!r}")
    try:
        is_missing = read_only and not path.exists()
    except OSError as error:  # an unreadable catalog must not look like an empty one
        raise CatalogFailed(
            f"can't open {path}: {error.strerror}. Check the path and its permissions"
        ) from error
    return SqliteCatalog(IN_MEMORY if is_missing else path, folding, read_only=read_only)
