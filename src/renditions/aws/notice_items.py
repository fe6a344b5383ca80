"""The unsent notices in a table. Each is one item."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import Any

from renditions.aws.reading import READ_AT_ONCE, TableReader
from renditions.aws.table import BY_NAME, NOTICE, NOTICE_KIND, item_to_notice, notice_key, notice_to_item
from renditions.aws.transactions import transact
from renditions.model.batches import pack
from renditions.model.notices import UnsentNotice

WRITTEN_AT_ONCE = 100
"""How many items a transaction has at most."""

WRITTEN_BYTES = 4_000_000
"""How many bytes the operations of a transaction have in JSON at most.

DynamoDB allows 4 MB for their items, which are smaller. A notice of a removal has the keys of all outputs.
"""


class NoticeItems:
    """The unsent notices of a table, to write, delete and list."""

    def __init__(self, client: Any, table: str, reader: TableReader) -> None:
        self._client = client
        self._table = table
        self._reader = reader

    def keep(self, notices: Sequence[UnsentNotice]) -> None:
        """Keep notices; each replaces a stored notice with the same ``id``.

        One transaction writes at most ``WRITTEN_AT_ONCE`` notices, and at most ``WRITTEN_BYTES``.
        """
        if len(notices) == 1:
            with self._reader.reported():
                self._client.put_item(**self.put(notices[0]))
            return
        self._write([{"Put": self.put(notice)} for notice in notices])

    def drop(self, notices: Sequence[UnsentNotice]) -> None:
        """Delete the notices with these ids."""
        deletions = [
            {"TableName": self._table, "Key": self._reader.key(notice_key(*notice.id))} for notice in notices
        ]
        if len(deletions) == 1:
            with self._reader.reported():
                self._client.delete_item(**deletions[0])
            return
        self._write([{"Delete": deletion} for deletion in deletions])

    def list(self, name: str | None = None) -> Iterator[UnsentNotice]:
        """Yield the notices about the picture of this name, or all notices for None."""
        start = NOTICE if name is None else notice_key(name)
        key_name = self._reader.key_name
        rows = self._reader.query_index(BY_NAME, "kind", NOTICE_KIND, (">=", key_name, start))
        keys = takewhile(lambda key: key.startswith(start), (row[key_name]["S"] for row in rows))
        while some := list(islice(keys, READ_AT_ONCE)):
            yield from map(item_to_notice, self._reader.find_all(some))

    def put(self, notice: UnsentNotice) -> dict[str, Any]:
        """Return the arguments of a request that writes a notice; send nothing."""
        item = notice_to_item(notice) | self._reader.key(notice_key(*notice.id))
        return {"TableName": self._table, "Item": item}

    def _write(self, operations: Sequence[dict[str, Any]]) -> None:
        for some in pack(operations, WRITTEN_AT_ONCE, WRITTEN_BYTES, lambda each: len(json.dumps(each))):
            transact(self._client, self._reader, ["notices"], some)
