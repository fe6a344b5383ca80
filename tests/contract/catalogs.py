"""The implementations of ``Catalog`` that the contract suite tests.

Add a new implementation to ``CATALOGS``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.cloud import CLIENTS, make_table, name_of
from contract.races import take_rounds
from doubles import MemoryCatalog
from renditions.aws import dynamodb, reading
from renditions.aws.dynamodb import DynamoCatalog
from renditions.core.catalog import Catalog
from renditions.local.sqlite import SqliteCatalog
from renditions.model.record import Output, Record, Status

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@contextmanager
def open_memory(_: Path) -> Iterator[Catalog]:
    """Yield a catalog in memory."""
    yield MemoryCatalog()


def open_sqlite(folder: Path) -> AbstractContextManager[Catalog]:
    """Return the catalog in the folder's file ``catalog.db``."""
    return SqliteCatalog(folder / "catalog.db")


@contextmanager
def open_dynamodb(folder: Path) -> Iterator[Catalog]:
    """Yield a catalog in a table whose name follows from the folder."""
    table = make_table(name_of(folder), "image_id")
    with pytest.MonkeyPatch.context() as patch:  # so that few records make many pages
        patch.setattr(reading, "ROWS_OF_INDEX", 10)
        patch.setattr(dynamodb, "READ_AT_ONCE", 7)
        yield DynamoCatalog(CLIENTS.dynamodb, table, "image_id")


CATALOGS: Mapping[str, Callable[[Path], AbstractContextManager[Catalog]]] = {
    "memory": open_memory,
    "sqlite": open_sqlite,
    "dynamodb": open_dynamodb,
}
"""The functions that open an empty catalog, given an empty folder."""

SHARED_CATALOGS: Mapping[str, Callable[[Path], AbstractContextManager[Catalog]]] = {"sqlite": open_sqlite}
"""The functions whose catalog another process can open too, by the same call.

DynamoDB is missing here: it sees only requests, so races of threads test the same as races of processes.
"""


def damage_sqlite(folder: Path, name: str) -> None:
    """Shorten a record's text, so that it can't be read."""
    with closing(sqlite3.connect(folder / "catalog.db")) as db, db:
        db.execute("UPDATE records SET item = substr(item, 1, 20) WHERE name = ?", (name,))


def damage_dynamodb(folder: Path, name: str) -> None:
    """Remove an attribute that every record has."""
    CLIENTS.dynamodb.update_item(
        TableName=name_of(folder),
        Key={"image_id": {"S": name}},
        UpdateExpression="REMOVE #order",
        ExpressionAttributeNames={"#order": "order"},
    )


DAMAGING: Mapping[str, Callable[[Path, str], None]] = {
    "sqlite": damage_sqlite,
    "dynamodb": damage_dynamodb,
}
"""The functions that damage a record, given the catalog's folder and the record's name.

Records in memory can't be damaged.
"""


def make_record(
    name: str = "a.jpg",
    *,
    outputs: tuple[str, ...] = (),
    pending_keys: tuple[str, ...] = (),
    status: Status = "done",
    timestamp: datetime = NOW,
    revision: int = 0,
) -> Record:
    """Return a record with outputs of these keys."""
    return Record(
        name,
        status,
        timestamp,
        outputs=tuple(
            Output(f"rendition {number}", key, "e", "s", "f", "jpeg", 1) for number, key in enumerate(outputs)
        ),
        pending_keys=pending_keys,
        revision=revision,
    )


def names(catalog: Catalog) -> list[str]:
    """Return all names in the order of the catalog's list."""
    return [record.name for record in catalog.list()]


def write_one(catalog: Catalog, records: Sequence[Record], number: int) -> Record:
    """Write the record with this number; return the written record."""
    return catalog.write(records[number])


def write_each(folder: Path, which: str, number: int) -> list[int]:
    """Create sixty records; return the numbers of those that were new.

    Several callers do this at the same time.
    """
    with SHARED_CATALOGS[which](folder) as catalog:
        return take_rounds(
            range(60),
            lambda round_: catalog.write(make_record(f"{round_}", outputs=(f"{round_} of {number}",))),
        )


def claim_each(folder: Path, which: str, number: int) -> list[int]:
    """Claim sixty keys, each for its own record.

    Return the numbers of the keys that were free. Several callers do this at the same time.
    """
    with SHARED_CATALOGS[which](folder) as catalog:
        return take_rounds(
            range(60),
            lambda round_: catalog.write(make_record(f"{round_} of {number}", outputs=(f"{round_}",))),
        )
