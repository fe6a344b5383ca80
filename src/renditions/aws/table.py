"""The DynamoDB table: its keys, indexes, and items for records and claims.

A *record* is one item. It has the attributes of :meth:`Record.to_item
<renditions.model.record.Record.to_item>`, with numbers as numbers, and three kinds of further attributes:
``kind``, by which the index lists the records; ``order``, because a DynamoDB map has no order; and the
numbers that :data:`BY_STATUS` needs for the totals.

A *claim* is an item too, because only one writer can create an item. DynamoDB refuses all other writers. See
:func:`claim_key`. Its attribute ``owner`` is the name of the record that claims ``output_key``. A claim
lacks the partition keys of all indexes, so no query finds it.

The table has three indexes. All are sparse, and follow the table with a delay, usually under a second:

- :data:`BY_NAME` holds every record's name in order, in one partition. DynamoDB writes there only when a
  record is created or deleted, up to 1,000 times a second.
- :data:`BY_STATUS` holds the records of each status by time, with the attributes that lists show. It has
  four partitions. DynamoDB writes the partition ``processing`` twice for each picture. So above 500 pictures
  a second DynamoDB throttles, and the workers slow down to that rate. Without these rows, lists and totals
  would lack each picture that is being made again, and no query would find a picture whose worker died.
- :data:`BY_CONTENT` finds records, and kept wishes, by the SHA-256 of their picture. A table of version 0.1
  has no such index. Without it, a renamed picture counts as a removed one and a new one.

*Kept wishes* are items too, see :func:`wishes_key`: a person's wishes for a picture that was removed. So are
*unsent notices*, see :func:`notice_key`. The index :data:`BY_NAME` lists them in a partition of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple
from datetime import datetime
from typing import Any

from renditions.errors import CatalogRefused
from renditions.model.binding import Binding
from renditions.model.items import format_time, parse_time
from renditions.model.kept import KeptWishes
from renditions.model.notices import UnsentNotice
from renditions.model.record import STATUSES, Record, Status
from renditions.model.totals import Counted, Totals

BY_NAME = "by-name"
BY_STATUS = "by-status"
BY_CONTENT = "by-content"

KIND = "picture"
"""The value of the attribute ``kind`` of every record."""

NUL = "\0"
"""The start of the key of every item that isn't a record. No picture's name can start with it."""

CLAIM = f"{NUL}claim "
"""The start of every claim's key."""

BINDING = f"{NUL}binding"
"""The key of the binding's item."""

TOTALS = f"{NUL}totals"
"""The key of the item with the totals that a schedule's tick counted last."""

WISHES = f"{NUL}wishes "
"""The start of the key of a removed picture's kept wishes."""

NOTICE = f"{NUL}notice "
"""The start of the key of an unsent notice."""

NOTICE_KIND = "notice"
"""The value of the attribute ``kind`` of every unsent notice, by which the index lists them."""

MAX_CLAIMS = 99
"""How many output keys one transaction can claim: of its at most 100 items, one is the record."""

SHOWN = (
    "reason",
    "original_format",
    "original_width",
    "original_height",
    "original_size_bytes",
    "processed_width",
    "processed_height",
    "processed_size_bytes",
    "rendition_count",
    "rendition_bytes",
    "processing_microseconds",
)
"""The attributes that :data:`BY_STATUS` has besides its keys, for people's queries and for the totals."""

Item = dict[str, dict[str, Any]]
"""Attribute values in DynamoDB's own form: ``{"image_name": {"S": "a.jpg"}, …}``."""


def table_schema(key_name: str) -> dict[str, Any]:
    """Return the ``CreateTable`` arguments that define the table's keys and indexes.

    Args:
        key_name: The partition key's name, ``catalog.key`` of the pipeline file.

    """
    return {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"}
            for name in (key_name, "kind", "sha256", "status", "timestamp")
        ],
        "KeySchema": [{"AttributeName": key_name, "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": BY_NAME,
                "KeySchema": [
                    {"AttributeName": "kind", "KeyType": "HASH"},
                    {"AttributeName": key_name, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
            {
                "IndexName": BY_STATUS,
                "KeySchema": [
                    {"AttributeName": "status", "KeyType": "HASH"},
                    {"AttributeName": "timestamp", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(SHOWN)},
            },
            {
                "IndexName": BY_CONTENT,
                "KeySchema": [{"AttributeName": "sha256", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
    }


def claim_key(output_key: str) -> str:
    """Return the partition key of an output key's claim.

    It contains the SHA-256 of the output key instead of the key. The table's partition key is also the sort
    key of the index :data:`BY_NAME`, and a sort key has at most 1,024 bytes. See :func:`encode_text` for the
    error.
    """
    return CLAIM + _hash(output_key)


def wishes_key(name: str) -> str:
    """Return the partition key of a removed picture's kept wishes.

    It contains the SHA-256 of the name, for the same reason as :func:`claim_key`.
    """
    return WISHES + _hash(name)


def notice_key(name: str, *rest: str) -> str:
    """Return the partition key of an unsent notice.

    It contains hashes, for the same reason as :func:`claim_key`: one of the name, and one of ``rest``.
    Without ``rest``, return only the start, which all notices about the picture share.
    """
    parts = ([name], rest) if rest else ([name],)
    return NOTICE + " ".join(_hash("\0".join(part)) for part in parts)


def encode_text(text: str) -> bytes:
    """Return the text in UTF-8, the only form in which a table can hold it.

    Raises:
        CatalogRefused: The text isn't Unicode. A name from the command line can be such a text, and so can a
            name in JSON that has half a surrogate pair.

    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise CatalogRefused(
            f"a catalog in DynamoDB can't hold {text!r}: it isn't Unicode text. Rename the picture"
        ) from error


def _hash(text: str) -> str:
    return hashlib.sha256(encode_text(text)).hexdigest()


def notice_to_item(notice: UnsentNotice) -> Item:
    """Return the attributes of an unsent notice, without the key."""
    return {"kind": {"S": NOTICE_KIND}, "notice": _encode(notice.to_item())}


def item_to_notice(item: Item) -> UnsentNotice:
    """Return the notice that :func:`notice_to_item` turned into this item."""
    return UnsentNotice.from_item(_decode(item["notice"]))


def kept_to_item(kept: KeptWishes) -> Item:
    """Return the attributes of kept wishes, without the key."""
    item = kept.to_item()
    return {"kept": _encode(item)} | ({"sha256": {"S": kept.sha256}} if kept.sha256 else {})


def item_to_kept(item: Item) -> KeptWishes:
    """Return the wishes that :func:`kept_to_item` turned into this item."""
    return KeptWishes.from_item(_decode(item["kept"]))


def record_to_item(record: Record, key_name: str) -> Item:
    """Return the item that stores the record in the table."""
    fields = record.to_item(key_name)
    totals = Totals.of(record)
    fields |= {
        "kind": KIND,
        "order": [*fields.get("renditions", ()), *fields.get("errors", ())],
        "rendition_count": totals.renditions,
        "rendition_bytes": totals.rendition_bytes,
        "processing_microseconds": totals.processing_microseconds,
    }
    return {name: _encode(value) for name, value in fields.items()}


def item_to_record(item: Item, key_name: str) -> Record:
    """Return the record that :func:`record_to_item` turned into this item.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: The item doesn't hold a valid record.

    """
    fields = {name: _decode(value) for name, value in item.items()}
    renditions, errors = fields.get("renditions", {}), fields.get("errors", {})
    order = fields.pop("order")
    for name in ("kind", "rendition_count", "rendition_bytes", "processing_microseconds"):
        fields.pop(name, None)
    fields["renditions"] = {name: renditions[name] for name in order[: len(renditions)]}
    fields["errors"] = {name: errors[name] for name in order[len(renditions) :]}
    return Record.from_item(fields, key_name)


def read_attributes(item: Item) -> dict[str, Any]:
    """Return the values of a damaged record's item, without those that can't be read."""
    read: dict[str, Any] = {}
    for name, attribute in item.items():
        with suppress(ValueError, TypeError):
            read[name] = _decode(attribute)
    return read


def binding_to_item(binding: Binding) -> Item:
    """Return the attributes of the binding, without the key."""
    return {name: _encode(value) for name, value in binding.to_item().items()}


def item_to_binding(item: Item) -> Binding:
    """Return the binding that :func:`binding_to_item` turned into this item."""
    return Binding.from_item({name: _decode(value) for name, value in item.items()})


def row_to_totals(row: Item) -> Totals:
    """Return the totals of one record from its row in :data:`BY_STATUS`."""
    size_bytes, count, rendition_bytes, microseconds = (
        int(row[name]["N"]) if name in row else 0
        for name in (
            "original_size_bytes", "rendition_count", "rendition_bytes", "processing_microseconds"
        )
    )  # fmt: skip
    return Totals(1, size_bytes, count, rendition_bytes, size_bytes * count, microseconds)


def counted_to_item(counted: Mapping[Status, Totals], at: datetime) -> Item:
    """Return the attributes of counted totals, without the key."""
    return {
        "counted_at": {"S": format_time(at)},
        "totals": _encode({status: list(astuple(totals)) for status, totals in counted.items()}),
    }


def item_to_counted(item: Item) -> Counted:
    """Return the totals that :func:`counted_to_item` turned into this item."""
    totals = {status: Totals(*numbers) for status, numbers in _decode(item["totals"]).items()}
    return Counted(
        {status: totals.get(status, Totals()) for status in STATUSES}, parse_time(item["counted_at"]["S"])
    )


def _encode(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case list():
            return {"L": [_encode(element) for element in value]}
        case dict():
            return {"M": {name: _encode(element) for name, element in value.items()}}
    raise TypeError(f"expected a value that a record's item can hold, found {value!r}")


def _decode(attribute: dict[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return value
        case "N":
            return int(value) if value.lstrip("-").isdigit() else float(value)
        case "BOOL":
            return value
        case "L":
            return [_decode(element) for element in value]
        case "M":
            return {name: _decode(element) for name, element in value.items()}
    raise TypeError(f"expected an attribute of a type that records use, found the type {kind}")
