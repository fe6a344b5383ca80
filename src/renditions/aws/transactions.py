"""Writes to the items of a table: transactions, and single items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from renditions.aws.clients import error_code
from renditions.aws.conditions import PASSING_REASONS, changed, refuse
from renditions.aws.reading import ATTEMPTS, TableReader, pause
from renditions.aws.table import read_attributes
from renditions.errors import CatalogFailed


def transact(
    client: Any,
    reader: TableReader,
    names: Sequence[str],
    operations: Sequence[dict[str, Any]],
    added: Sequence[str] = (),
) -> None:
    """Send one transaction; try again if it is throttled or conflicts with another.

    Args:
        client: A DynamoDB client.
        reader: The reader of the table.
        names: The names of the records, or another word for the items, for error messages.
        operations: The operations. The first ones are on the records, in the order of their names.
        added: The keys to claim, in the order of the operations that follow those on the records.

    Raises:
        Conflict, KeyTaken: A condition doesn't hold. Nothing was written.
        CatalogFailed: The request failed, or every attempt was throttled or conflicted with another
            transaction.

    """
    with reader.reported():
        for attempt in range(ATTEMPTS):
            try:
                client.transact_write_items(TransactItems=operations)
            except ClientError as error:
                reasons = error.response.get("CancellationReasons", ())
                codes = [reason.get("Code", "None") for reason in reasons]
                if "ConditionalCheckFailed" in codes:
                    refuse(names, codes, reasons, added)
                if not codes or not PASSING_REASONS.issuperset(codes):
                    raise
                pause(attempt)
            else:
                return
    raise CatalogFailed(
        f"{reader}: can't write {names[0]!r} in {ATTEMPTS} attempts ({', '.join(codes)}). Try again later."
    )


def put_alone(client: Any, reader: TableReader, name: str, put: Mapping[str, Any]) -> None:
    """Write an item whose claims stay the same; raise Conflict at another revision.

    If the answer to a write got lost, botocore writes again. DynamoDB refuses the second write, because the
    first one already raised the revision. The stored item then has the values of this write:

        A  put if r7 → r8 …the answer is lost…   put if r7 → refused, and the stored item is our own

    This function compares the values and not their texts, because DynamoDB returns the number 8.0 as 8.
    (Transactions don't need this: botocore gives each a token by which DynamoDB recognises the second.)

    Args:
        client: A DynamoDB client.
        reader: The reader of the table.
        name: The record's name, or another word for the item, for error messages.
        put: The arguments of the request, with the condition on the revision.

    Raises:
        Conflict: The stored item has another revision.
        CatalogFailed: The request failed, or every attempt conflicted with a transaction.

    """
    with reader.reported():
        for attempt in range(ATTEMPTS):
            try:
                client.put_item(**put)
            except ClientError as error:
                if error_code(error) == "TransactionConflictException":
                    pause(attempt)
                    continue
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                is_repeated = error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                stored = read_attributes(error.response.get("Item", {}))
                if not (is_repeated and stored == read_attributes(put["Item"])):
                    raise changed(name) from error
            return
    raise CatalogFailed(
        f"{reader}: can't write {name!r}: another transaction wrote it at each of {ATTEMPTS} attempts. Try "
        "again later."
    )
