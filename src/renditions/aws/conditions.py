"""Conditions of writes to a DynamoDB table, and the errors for failed conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from renditions.aws.table import NUL, encode_text
from renditions.errors import CatalogRefused, Conflict, KeyTaken

MAX_NAME_BYTES = 1024
"""DynamoDB's limit for a sort key. S3 has the same limit for its keys."""

PASSING_REASONS = frozenset(
    {
        "None",
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
    }
)
"""The cancellation reasons after which the same transaction can succeed a moment later."""


def only_at(revision: int) -> dict[str, Any]:
    """Return the condition that the stored record has this revision.

    Revision 0 means a missing record.
    """
    return only_with({"N": str(revision)} if revision else None)


def only_with(revision: dict[str, Any] | None) -> dict[str, Any]:
    """Return the condition that the stored record has this ``revision``.

    The value is in DynamoDB's form: ``{"N": "7"}``. None means that the record has no such attribute.
    """
    condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#revision)"}
    if revision is not None:
        condition = {
            "ConditionExpression": "#revision = :revision",
            "ExpressionAttributeValues": {":revision": revision},
        }
    names = {"ExpressionAttributeNames": {"#revision": "revision"}}
    return condition | names | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def may_claim(name: str, former: str | None = None) -> dict[str, Any]:
    """Return the condition under which the record ``name`` may claim a key.

    The key must be free, or already claimed by this record: a damaged record may lack a key that it still
    claims. With ``former``, the record of this former name must have the claim.
    """
    free = "attribute_not_exists(#owner) OR #owner = :own"
    return {
        "ConditionExpression": "#owner = :own" if former else free,
        "ExpressionAttributeNames": {"#owner": "owner"},
        "ExpressionAttributeValues": {":own": {"S": former or name}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def refuse(
    names: Sequence[str], codes: Sequence[str], reasons: Sequence[dict[str, Any]], added: Sequence[str]
) -> NoReturn:
    """Raise the error of a transaction's failed condition: Conflict or KeyTaken.

    If several conditions failed, the first one decides: the records come before the claimed keys.
    """
    for name, code in zip(names, codes, strict=False):
        if code == "ConditionalCheckFailed":
            raise changed(name)
    first = len(names)
    for key, code, reason in zip(added, codes[first:], reasons[first:], strict=False):
        if code == "ConditionalCheckFailed":
            raise KeyTaken(key, reason["Item"]["owner"]["S"])
    raise changed(names[0])


def changed(name: str) -> Conflict:
    """Return the error for a record that another process wrote meanwhile."""
    return Conflict(f"the record of {name!r} changed since it was read, so nothing was changed. Try again")


def is_name(name: str) -> bool:
    """Return whether a name can be a record's key.

    Raise CatalogRefused if it isn't Unicode text.
    """
    size_bytes = len(encode_text(name))
    return 1 <= size_bytes <= MAX_NAME_BYTES and not name.startswith(NUL)  # keys of other items begin with it


def check_name(name: str) -> None:
    """Raise CatalogRefused for a name that can't be a record's key."""
    if not is_name(name):
        raise CatalogRefused(
            f"expected a name of 1 to {MAX_NAME_BYTES:,} bytes that doesn't begin with a NUL character, "
            f"found {name!r}"
        )
