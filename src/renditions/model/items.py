"""Pieces of the JSON forms of records: times, unknown fields, and fields that hold nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

Unknown = tuple[tuple[str, str], ...]
"""(field, JSON text) of what a newer version wrote: it is kept and written back unchanged."""


def format_time(moment: datetime) -> str:
    """Return ISO 8601 in UTC with microseconds, which sorts as text in the order of time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Return the time that :func:`format_time` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def split_known(item: Mapping[str, Any], cls: Any) -> tuple[dict[str, Any], Unknown]:
    """Return the class' own fields, and the others encoded as JSON texts."""
    names = frozenset(field.name for field in dataclasses.fields(cls)) - {"unknown"}
    return {name: item[name] for name in item if name in names}, encode_unknown(item, names)


def encode_unknown(item: Mapping[str, Any], known: Collection[str]) -> Unknown:
    """Return the fields that this version doesn't know, encoded as JSON texts."""
    return tuple((name, json.dumps(value)) for name, value in item.items() if name not in known)


def decode_unknown(unknown: Unknown) -> dict[str, Any]:
    """Return the decoded fields that :func:`encode_unknown` kept."""
    return {name: json.loads(text) for name, text in unknown}


def without_empty(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the fields that aren't empty, without those in ``names``."""
    return {
        name: value
        for name, value in fields.items()
        if name not in names and value is not None and value not in ("", [], {})
    }
