"""Transactions on the items of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from renditions.aws.conditions import PASSING_REASONS, refuse
from renditions.aws.reading import ATTEMPTS, TableReader, pause
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
