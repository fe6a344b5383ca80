"""Reads of a DynamoDB table: single items, items by name, and rows of indexes."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby, islice
from typing import Any

from renditions.aws.clients import caused_by, reported
from renditions.aws.table import BY_CONTENT, BY_NAME, BY_STATUS, Item, item_to_record
from renditions.core.catalog import MOST_TWINS
from renditions.core.ports import OnUnreadable, Unreadable
from renditions.errors import CatalogFailed, CatalogRefused, RecordUnreadable
from renditions.model.record import Record, Status

log = logging.getLogger(__name__)

READ_AT_ONCE = 100
"""How many items one BatchGetItem can ask for."""
ROWS_OF_INDEX = 500
"""How many rows of an index one request reads if the caller may stop early."""
ATTEMPTS = 8
"""The most attempts of a transaction, of a write that conflicts with one, and of an incomplete read."""
_NO_INDEX = ("ValidationException", "AccessDeniedException")
"""The errors of DynamoDB if an earlier version's table or policy lacks the index by content."""
PAUSE_SECONDS = 0.025
"""The longest pause before the second attempt. It doubles with each further attempt."""


class TableReader:
    """A reader of one table. Any number of threads can use it.

    The methods that read the table raise ``CatalogFailed`` if a call fails.

    Args:
        client: A DynamoDB client.
        table: The table's name.
        key_name: The name of the table's partition key.

    """

    def __init__(self, client: Any, table: str, key_name: str) -> None:
        self._client = client
        self._table = table
        self.key_name = key_name

    def find(self, key: str) -> Item | None:
        """Return the item of this key, with a consistent read; None if there is none."""
        with self.reported():
            answer = self._client.get_item(TableName=self._table, Key=self.key(key), ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

    def query_status(
        self, status: Status, before: tuple[str, str] | None, *, whole_pages: bool
    ) -> Iterator[tuple[str, str, Status]]:
        """Yield (timestamp, name, status) of the records of a status.

        The newest come first. Records of the same moment come in descending order of their names. With
        ``before``, a timestamp and a name, yield only records that come after that place.
        """
        condition = ("<=", "timestamp", before[0]) if before else None
        rows = self.query_index(BY_STATUS, "status", status, condition, whole_pages=whole_pages)
        for timestamp, some in groupby(rows, lambda row: row["timestamp"]["S"]):
            # The index doesn't order the rows of the same moment.
            names = sorted((row[self.key_name]["S"] for row in some), reverse=True)
            yield from (
                (timestamp, name, status) for name in names if before is None or (timestamp, name) < before
            )

    def query_index(
        self,
        index: str,
        attribute: str,
        value: str,
        bound: tuple[str, str, str] | None = None,
        *,
        whole_pages: bool = False,
    ) -> Iterator[Item]:
        """Yield the rows of an index's partition, by ascending name or descending time.

        The rows of :data:`BY_CONTENT` come in any order.

        Args:
            index: :data:`BY_NAME`, :data:`BY_STATUS` or :data:`BY_CONTENT`.
            attribute: The index's partition key.
            value: The partition.
            bound: A condition on the sort key: (operator, attribute, value). None yields all rows.
            whole_pages: Whether each request reads as many rows as DynamoDB allows, which is 1 MB.

        """
        condition, names, values = "#attribute = :value", {"#attribute": attribute}, {":value": {"S": value}}
        if bound:
            operator, names["#sorted"], end = bound
            condition += f" AND #sorted {operator} :end"
            values[":end"] = {"S": end}
        with self.reported():
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ScanIndexForward=index == BY_NAME,
                PaginationConfig={} if whole_pages else {"PageSize": ROWS_OF_INDEX},
            )
            for page in pages:
                yield from page["Items"]

    def find_content(self, sha256: str) -> tuple[str, ...]:
        """Return the keys of at most ``MOST_TWINS`` items with this content.

        If the table lacks the index :data:`BY_CONTENT`, or the policy doesn't allow its use, log a warning
        and return no keys.
        """
        rows = self.query_index(BY_CONTENT, "sha256", sha256)
        try:
            return tuple(row[self.key_name]["S"] for row in islice(rows, MOST_TWINS))
        except CatalogRefused as error:
            if not caused_by(error, *_NO_INDEX):
                raise
            log.warning(
                "%s: the index %s can't be queried, so renamed pictures are not recognised. Apply the "
                "Terraform module again, or add the index and its permission as docs/console.md says. (%s)",
                self, BY_CONTENT, error,
            )  # fmt: skip
            return ()

    def read_all(self, names: Sequence[str], on_unreadable: OnUnreadable | None = None) -> dict[str, Record]:
        """Return the records of these names, without missing and unreadable records.

        There may be up to ``READ_AT_ONCE`` names. Without ``on_unreadable``, an unreadable record raises
        ``RecordUnreadable``.
        """
        found: dict[str, Record] = {}
        for item in self.find_all(names):
            try:
                record = self.parse(item)
            except RecordUnreadable as error:
                if on_unreadable is None:
                    raise
                on_unreadable(Unreadable(item[self.key_name]["S"], str(error)))
            else:
                found[record.name] = record
        return found

    def find_all(self, keys_of_items: Sequence[str]) -> Iterator[Item]:
        """Yield the items of these keys, without missing ones, in any order.

        There may be up to ``READ_AT_ONCE`` keys. A key may be repeated: a record whose status has just
        changed can be in two partitions of an index.

        Raises:
            CatalogFailed: The table can't be read, or every attempt left some keys unprocessed.

        """
        keys = [self.key(each) for each in dict.fromkeys(keys_of_items)]  # DynamoDB refuses repeated keys
        for attempt in range(ATTEMPTS):
            with self.reported():
                answer = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
                )
            yield from answer["Responses"].get(self._table, ())
            # DynamoDB leaves keys out if the answer exceeds 16 MB or the table's capacity.
            keys = answer["UnprocessedKeys"].get(self._table, {}).get("Keys", [])
            if not keys:
                return
            pause(attempt)
        raise CatalogFailed(
            f"{self}: can't read all items in {ATTEMPTS} attempts: DynamoDB left {len(keys):,} unprocessed"
            ". Try again later."
        )

    def key(self, value: str) -> Item:
        """Return the key attribute with this value."""
        return {self.key_name: {"S": value}}

    def parse(self, item: Item) -> Record:
        """Return the record of an item; raise RecordUnreadable if it is damaged."""
        try:
            return item_to_record(item, self.key_name)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise RecordUnreadable(str(self), item[self.key_name]["S"]) from error

    def is_readable(self, item: Item) -> bool:
        """Return whether an item is a record that this version can read."""
        try:
            self.parse(item)
        except RecordUnreadable:
            return False
        return True

    def reported(self) -> AbstractContextManager[None]:
        """Return a context that raises AWS errors as errors of this package."""
        return reported(str(self), passing=CatalogFailed, lasting=CatalogRefused)

    def __str__(self) -> str:
        return f"dynamodb:{self._table}"


def pause(attempt: int) -> None:
    """Wait for a random time, so that colliding callers don't collide again.

    The longest time doubles with each attempt, from ``PAUSE_SECONDS`` on.
    """
    time.sleep(random.uniform(0, PAUSE_SECONDS * 2**attempt))  # noqa: S311 - no secret
