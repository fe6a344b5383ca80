"""The totals of a large table, which a schedule's tick counts and the API reads.

Counting takes a request for each 4,000 records or so. For a large table that takes longer than the 30 seconds
of a call of the API.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from renditions.aws.reading import TableReader
from renditions.aws.table import BY_STATUS, TOTALS, counted_to_item, item_to_counted, row_to_totals
from renditions.model.record import STATUSES, Status
from renditions.model.totals import Counted, Totals

COUNTED_AT_ONCE = 1_000
"""How many rows are added up before the time is checked again."""


class KeptTotals:
    """The totals of one table, which are stored in the table itself.

    Args:
        client: A DynamoDB client.
        table: The table's name.
        key_name: The name of the table's partition key.

    """

    def __init__(self, client: Any, table: str, key_name: str) -> None:
        self._client = client
        self._table = table
        self._reader = TableReader(client, table, key_name)

    def renew(self, has_time: Callable[[], bool], now: datetime) -> bool:
        """Count the records and store the totals; return whether the time sufficed.

        If it didn't, the stored totals are unchanged.
        """
        counted: dict[Status, Totals] = dict.fromkeys(STATUSES, Totals())
        number = 0
        for status in STATUSES:
            for row in self._reader.query_index(BY_STATUS, "status", status, whole_pages=True):
                counted[status] += row_to_totals(row)
                number += 1
                if number % COUNTED_AT_ONCE == 0 and not has_time():
                    return False
        item = counted_to_item(counted, now) | self._reader.key(TOTALS)
        with self._reader.reported():
            self._client.put_item(TableName=self._table, Item=item)
        return True

    def read(self) -> Counted | None:
        """Return the kept totals; None if no tick has counted the whole table yet."""
        item = self._reader.find(TOTALS)
        return item_to_counted(item) if item else None
