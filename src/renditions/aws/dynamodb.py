"""A catalog in a DynamoDB table.

The module ``table`` describes the items of the table. A write is one request with a condition on the record's
revision. If the claimed keys change, the write is a transaction over the record and those claims, or several
if one can't free all keys. The catalog first reads the record, to know its present claims. These claims can't
be outdated, because claims change only together with the record, and the condition on the revision fails if
the record changed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from renditions.aws.clients import Clients
from renditions.aws.conditions import (
    changed,
    check_name,
    is_name,
    may_claim,
    only_at,
    only_with,
)
from renditions.aws.notice_items import NoticeItems
from renditions.aws.reading import READ_AT_ONCE, TableReader
from renditions.aws.table import (
    BINDING,
    BY_NAME,
    BY_STATUS,
    KIND,
    MAX_CLAIMS,
    WISHES,
    binding_to_item,
    claim_key,
    item_to_binding,
    item_to_kept,
    kept_to_item,
    read_attributes,
    record_to_item,
    row_to_totals,
    wishes_key,
)
from renditions.aws.transactions import put_alone, transact
from renditions.core.catalog import Place, SameContent
from renditions.core.ports import OnUnreadable
from renditions.errors import CatalogRefused, Conflict, KeyTaken, UsageError
from renditions.model.binding import Binding
from renditions.model.catalog_place import CatalogPlace
from renditions.model.folding import Folding
from renditions.model.items import format_time
from renditions.model.kept import KeptWishes
from renditions.model.notices import UnsentNotice
from renditions.model.record import STATUSES, Record, Status
from renditions.model.registry import Shared
from renditions.model.retired import Retired
from renditions.model.salvage import read_claims, salvage
from renditions.model.totals import Totals


class DynamoCatalog:
    """A :class:`~renditions.core.catalog.Catalog` in a table.

    Any number of threads, processes and machines can use the table at the same time. ``get`` reads
    consistently. ``list`` and ``query`` find the names in an index, which may lag behind by a moment, and
    then read the records consistently. ``write`` and ``rename`` raise ``CatalogRefused`` for a name that the
    table can't hold. ``get``, ``get_all`` and ``repair`` find no record of such a name, and raise
    ``CatalogRefused`` only if it isn't Unicode text.

    Args:
        client: A DynamoDB client.
        table: The table's name. It must exist.
        key_name: The name of the table's partition key.

    """

    def __init__(self, client: Any, table: str, key_name: str = "image_name") -> None:
        self._client = client
        self._table = table
        self._key_name = key_name
        self._reader = TableReader(client, table, key_name)
        self._notices = NoticeItems(client, table, self._reader)
        self._transact = partial(transact, client, self._reader)
        self._put_alone = partial(put_alone, client, self._reader)

    def get(self, name: str) -> Record | None:
        """See :meth:`Catalog.get <renditions.core.catalog.Catalog.get>`."""
        item = self._reader.find(name) if is_name(name) else None
        return self._reader.parse(item) if item else None

    def get_all(self, names: Sequence[str], on_unreadable: OnUnreadable) -> Mapping[str, Record]:
        """See :meth:`Catalog.get_all <renditions.core.catalog.Catalog.get_all>`."""
        names = [name for name in names if is_name(name)]
        parts = (names[start : start + READ_AT_ONCE] for start in range(0, len(names), READ_AT_ONCE))
        found = (self._reader.read_all(some, on_unreadable) for some in parts)
        return {name: record for part in found for name, record in part.items()}

    def repair(self, name: str) -> Record | None:
        """See :meth:`Catalog.repair <renditions.core.catalog.Catalog.repair>`.

        The damaged item shows which keys the picture claims. If the item lost a key, the claim on that key
        stays, and only a picture of this name can use the key.
        """
        item = self._reader.find(name) if is_name(name) else None
        if item is None or self._reader.is_readable(item):
            return None
        read = read_attributes(item)
        revision = read.get("revision")
        known = revision if isinstance(revision, int) else 0
        saved = replace(salvage(name, read, read_claims(read), datetime.now(UTC)), revision=known).raised()
        put = {"TableName": self._table, "Item": record_to_item(saved, self._key_name)}
        self._put_alone(name, put | only_with(item.get("revision")))
        return saved

    def write(self, record: Record) -> Record:
        """See :meth:`Catalog.write <renditions.core.catalog.Catalog.write>`.

        If one transaction can't free all keys, others free some of them first, but only if a read finds the
        new keys free. If another picture claims a new key after that read, this method raises Conflict and
        not KeyTaken. The record has changed, so the caller must compare the picture again:

            A  read: k is free     free 99 keys → r8                put if r8, claim k → Conflict
            B                                          claim k

        Raises:
            CatalogRefused: The table can't hold the record's name or a key, the record claims more than 99
                new keys at once, or it is larger than DynamoDB allows for an item (400 kB).

        """
        check_name(record.name)
        stored = self._read(record)
        held = stored.claimed_keys() if stored else frozenset()
        added = sorted(record.claimed_keys() - held)
        freed: Sequence[str] = sorted(held - record.claimed_keys())
        if len(added) > MAX_CLAIMS:
            raise CatalogRefused(
                f"{self._reader}: {record.name!r} needs {len(added)} new output keys, but DynamoDB takes at "
                f"most {MAX_CLAIMS} new output keys at once. Declare the renditions in several steps"
            )
        revision = record.revision
        if stored and len(added) + len(freed) > MAX_CLAIMS:
            self._insist_free(added, record.name)
            revision, freed = self._shed(stored, freed, MAX_CLAIMS - len(added), record.retired)
        written = replace(record, revision=revision).raised()
        put = self._put(written, revision)
        if not (added or freed):
            self._put_alone(record.name, put)
            return written
        claims = [self._claim(key, record.name) for key in added]
        try:
            self._transact([record.name], [{"Put": put}, *claims, *map(self._unclaim, freed)], added)
        except KeyTaken as taken:
            if revision == record.revision:
                raise
            raise changed(record.name) from taken
        return written

    def delete(self, record: Record, notices: Sequence[UnsentNotice] = ()) -> None:
        """See :meth:`Catalog.delete <renditions.core.catalog.Catalog.delete>`."""
        stored = self._read(record)
        if stored is None:
            raise changed(record.name)
        revision, freed = self._shed(stored, sorted(stored.claimed_keys()), MAX_CLAIMS - len(notices))
        delete = {"TableName": self._table, "Key": self._reader.key(record.name)} | only_at(revision)
        kept = [{"Put": self._notices.put(notice)} for notice in notices]
        self._transact([record.name], [{"Delete": delete}, *kept, *map(self._unclaim, freed)])

    def rename(self, record: Record, name: str) -> Record | None:
        """See :meth:`Catalog.rename <renditions.core.catalog.Catalog.rename>`.

        One transaction moves the record and its claims. It has room for 98 claims, so this method returns
        None for a record with more.
        """
        check_name(name)
        stored = self._read(record)
        claims = sorted(stored.claimed_keys()) if stored else []
        if len(claims) >= MAX_CLAIMS:
            return None
        written = replace(record, name=name, revision=0).raised()
        delete = {"TableName": self._table, "Key": self._reader.key(record.name)} | only_at(record.revision)
        moved = [{"Put": self._put(written, 0)}, *(self._claim(key, name, record.name) for key in claims)]
        self._transact([record.name, name], [{"Delete": delete}, *moved])
        return written

    def find_content(self, sha256: str) -> SameContent:
        """See :meth:`find_content <renditions.core.catalog.Catalog.find_content>`."""
        keys = self._reader.find_content(sha256)
        items = map(self._reader.find, (key for key in keys if key.startswith(WISHES)))
        kept = sorted(map(item_to_kept, filter(None, items)), key=lambda each: each.until, reverse=True)
        return SameContent(tuple(key for key in keys if not key.startswith(WISHES)), tuple(kept))

    def keep_wishes(self, kept: KeptWishes) -> None:
        """See :meth:`Catalog.keep_wishes <renditions.core.catalog.Catalog.keep_wishes>`."""
        with self._reader.reported():
            item = kept_to_item(kept) | self._reader.key(wishes_key(kept.name))
            self._client.put_item(TableName=self._table, Item=item)

    def find_wishes(self, name: str) -> KeptWishes | None:
        """See :meth:`Catalog.find_wishes <renditions.core.catalog.Catalog.find_wishes>`."""
        item = self._reader.find(wishes_key(name))
        return item_to_kept(item) if item else None

    def drop_wishes(self, name: str) -> None:
        """See :meth:`Catalog.drop_wishes <renditions.core.catalog.Catalog.drop_wishes>`."""
        with self._reader.reported():
            self._client.delete_item(TableName=self._table, Key=self._reader.key(wishes_key(name)))

    def keep_notice(self, *notices: UnsentNotice) -> None:
        """See :meth:`Catalog.keep_notice <renditions.core.catalog.Catalog.keep_notice>`."""
        self._notices.keep(notices)

    def drop_notice(self, *notices: UnsentNotice) -> None:
        """See :meth:`Catalog.drop_notice <renditions.core.catalog.Catalog.drop_notice>`."""
        self._notices.drop(notices)

    def unsent_notices(self, name: str | None = None) -> Iterator[UnsentNotice]:
        """See :meth:`~renditions.core.catalog.Catalog.unsent_notices`."""
        return self._notices.list(name)

    def list(
        self, after: str = "", prefix: str = "", on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Record]:
        """See :meth:`Catalog.list <renditions.core.catalog.Catalog.list>`."""
        bound = (">", self._key_name, after) if after else None
        if prefix > after:
            bound = (">=", self._key_name, prefix)
        rows = self._reader.query_index(BY_NAME, "kind", KIND, bound)
        found_names = (row[self._key_name]["S"] for row in rows)
        names = takewhile(lambda name: name.startswith(prefix), found_names)
        while some := list(islice(names, READ_AT_ONCE)):
            found = self._reader.read_all(some, on_unreadable)
            yield from (found[name] for name in some if name in found)

    def owner_of(self, key: str) -> str | None:
        """See :meth:`Catalog.owner_of <renditions.core.catalog.Catalog.owner_of>`."""
        item = self._reader.find(claim_key(key))
        return item["owner"]["S"] if item else None

    def read_binding(self) -> Binding | None:
        """See :meth:`read_binding <renditions.core.catalog.Catalog.read_binding>`."""
        item = self._reader.find(BINDING)
        return item_to_binding(item) if item else None

    def write_binding(self, binding: Binding) -> Binding:
        """See :meth:`~renditions.core.catalog.Catalog.write_binding`."""
        written = replace(binding, revision=binding.revision + 1)
        item = binding_to_item(written) | self._reader.key(BINDING)
        put = {"TableName": self._table, "Item": item} | only_at(binding.revision)
        try:
            self._put_alone("the binding", put)
        except Conflict as error:
            raise Conflict(
                "another process changed the catalog's binding, so nothing was changed. Try again"
            ) from error
        return written

    def query(
        self,
        status: Status | None = None,
        before: Place | None = None,
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
    ) -> Iterator[Record]:
        """See :meth:`Catalog.query <renditions.core.catalog.Catalog.query>`.

        No index is in the order of both times and names. So with a prefix, this method reads the rows by
        time, about 4,000 in each request, and then only the records whose names begin with the prefix.
        """
        last = (format_time(before[0]), before[1]) if before else None
        parts = [
            self._reader.query_status(each, last, whole_pages=bool(prefix))
            for each in ((status,) if status else STATUSES)
        ]
        merged = heapq.merge(*parts, key=lambda row: row[:2], reverse=True)
        rows = (row for row in merged if row[1].startswith(prefix))
        while some := list(islice(rows, READ_AT_ONCE)):
            found = self._reader.read_all([name for _, name, _ in some], on_unreadable)
            for timestamp, name, wanted in some:
                record = found.get(name)
                # A record that changed after the index was read is newer now: it belongs to the part of the
                # list that was already returned.
                if record and (format_time(record.timestamp), record.status) == (timestamp, wanted):
                    yield record

    def count(self) -> Mapping[Status, Totals]:
        """See :meth:`Catalog.count <renditions.core.catalog.Catalog.count>`.

        This method adds up the rows of an index, about 4,000 in each request. A record whose status changes
        during the count may be counted twice, or not at all.
        """
        return {
            status: sum(
                map(row_to_totals, self._reader.query_index(BY_STATUS, "status", status, whole_pages=True)),
                Totals(),
            )
            for status in STATUSES
        }

    def _read(self, record: Record) -> Record | None:
        """Return the table's record; None if there is none.

        Raise Conflict if it has another revision than the given record.
        """
        stored = self.get(record.name)
        if (stored.revision if stored else 0) != record.revision:
            raise changed(record.name)
        return stored

    def _insist_free(self, keys: Sequence[str], name: str) -> None:
        """Raise KeyTaken if a record of another name claims one of the keys.

        There may be up to 99 keys.
        """
        by_item = {claim_key(key): key for key in keys}
        for item in self._reader.find_all([*by_item]) if by_item else ():
            if (owner := item["owner"]["S"]) != name:
                raise KeyTaken(by_item[item[self._key_name]["S"]], owner)

    def _shed(
        self, stored: Record, freed: Sequence[str], room: int, retired: Sequence[Retired] = ()
    ) -> tuple[int, Sequence[str]]:
        """Free keys in separate transactions until the rest fits into one transaction.

        Return the stored record's new revision and the remaining keys. The revision must rise: otherwise a
        worker that read the record earlier would believe that the record still claims the freed keys. This
        method empties the record's goal, so that the picture is checked again if the process ends before the
        last write.

        ``retired`` has the former outputs of the record to write. Some may be objects under freed keys that
        stay in a former output store. The stored record names them from now on: otherwise nothing would
        delete these objects if the last write failed.
        """
        while len(freed) > room:
            now, freed = set(freed[:MAX_CLAIMS]), freed[MAX_CLAIMS:]
            kept = (old for old in stored.retired if old.place or old.key not in now)
            left = (old for old in retired if old.place and old.key in now)
            stored = replace(
                stored,
                goal="",
                outputs=tuple(output for output in stored.outputs if output.key not in now),
                pending_keys=tuple(key for key in stored.pending_keys if key not in now),
                retired=tuple(dict.fromkeys((*kept, *left))),
            )
            put = self._put(stored.raised(), stored.revision)
            self._transact([stored.name], [{"Put": put}, *map(self._unclaim, sorted(now))])
            stored = stored.raised()
        return stored.revision, freed

    def _put(self, record: Record, revision: int) -> dict[str, Any]:
        """Return arguments that write the record if the stored one has this revision."""
        item = record_to_item(record, self._key_name)
        return {"TableName": self._table, "Item": item} | only_at(revision)

    def _claim(self, key: str, name: str, former: str | None = None) -> dict[str, Any]:
        """Return the operation that claims a key; see :func:`may_claim`."""
        item = self._reader.key(claim_key(key)) | {"owner": {"S": name}, "output_key": {"S": key}}
        return {"Put": {"TableName": self._table, "Item": item} | may_claim(name, former)}

    def _unclaim(self, key: str) -> dict[str, Any]:
        return {"Delete": {"TableName": self._table, "Key": self._reader.key(claim_key(key))}}


def open_catalog(
    declared: CatalogPlace, _: Path, shared: Shared, *, read_only: bool, folding: Callable[[], Folding]
) -> AbstractContextManager[DynamoCatalog]:
    """Return the catalog in the table of ``dynamodb:TABLE``. The table must exist.

    Raises:
        UsageError: The catalog isn't read-only, and the output store ignores differences between keys, but
            a table's claims compare keys exactly. Or no AWS region is configured, the configured profile
            doesn't exist, or the AWS settings are invalid.

    """
    # A read-only catalog claims no key, and the probes of a folder write to it.
    if not read_only and (ignored := folding().describe()):
        raise UsageError(
            f"can't use {declared.store} as the catalog: the output folder ignores {ignored} in names, and a "
            "table in DynamoDB doesn't, so two pictures could get one file. Use a catalog in SQLite, or "
            "another output store"
        )
    table = declared.store.removeprefix("dynamodb:")
    return nullcontext(DynamoCatalog(shared.get(Clients).dynamodb, table, declared.key))
