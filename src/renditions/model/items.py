"""Helpers for the JSON forms of records: times, unknown fields and empty fields."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

Unknown = tuple[tuple[str, str], ...]
"""Fields that a newer version wrote, as (name, JSON text).

This version keeps them, and writes them back unchanged.
"""


def format_time(moment: datetime) -> str:
    """Return the time in UTC as ISO 8601 with microseconds.

    Sorting such texts sorts the times.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Return the time that :func:`format_time` wrote.

    Raises ValueError if it didn't write the text.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def split_known(item: Mapping[str, Any], cls: Any) -> tuple[dict[str, Any], Unknown]:
    """Return the item's fields that the dataclass has, and the others as JSON texts."""
    names = frozenset(field.name for field in dataclasses.fields(cls)) - {"unknown"}
    return {name: item[name] for name in item if name in names}, encode_unknown(item, names)


def encode_unknown(item: Mapping[str, Any], known: Collection[str]) -> Unknown:
    """Return the item's fields that aren't in ``known``, encoded as JSON texts."""
    return tuple((name, json.dumps(value)) for name, value in item.items() if name not in known)


def decode_unknown(unknown: Unknown) -> dict[str, Any]:
    """Return the fields that :func:`encode_unknown` encoded."""
    return {name: json.loads(text) for name, text in unknown}


def without_empty(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the fields that aren't empty, except the fields in ``names``.

    None, ``""``, ``[]`` and ``{}`` are empty; 0 and False aren't.
    """
    return {
        name: value
        for name, value in fields.items()
        if name not in names and value is not None and value not in ("", [], {})
    }
