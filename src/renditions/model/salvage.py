"""Save the readable parts of a damaged record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from renditions.model.recipe import Focus
from renditions.model.record import Record
from renditions.model.retired import Retired
from renditions.model.wishes import Wishes

UNREADABLE_ETAG = "unreadable"
"""The ETag of a record whose ETag can't be read. It differs from every object's ETag."""

REASON = "its record could not be read"


def salvage(name: str, item: Mapping[str, Any], keys: Iterable[str], now: datetime) -> Record:
    """Return a record in place of a damaged one.

    The new record claims the same output keys. It also has the wishes, and the retired objects in former
    stores, that can be read. It has no outputs, so the picture is processed again, and the objects under keys
    that it no longer needs are deleted.

    Args:
        name: The picture.
        item: The damaged record's JSON form, as far as it can be read.
        keys: The output keys that the damaged record claims.
        now: The time.
    """
    etag, place, generation = item.get("etag"), item.get("place"), item.get("generation")
    record = Record(
        name,
        "processing",
        now,
        etag=etag if isinstance(etag, str) and etag else UNREADABLE_ETAG,
        wishes=_read_wishes(item),
        pending_keys=tuple(sorted(set(keys))),
        retired=tuple(old for old in _read_retired(item) if old.place),
        place=place if isinstance(place, str) else "",
        generation=generation if isinstance(generation, int) else 0,
    )
    return record.with_event(now, "processing", REASON)


def read_claims(item: Mapping[str, Any]) -> frozenset[str]:
    """Return the claimed output keys that a damaged record's JSON form still shows."""
    renditions = item.get("renditions")
    outputs = renditions.values() if isinstance(renditions, dict) else ()
    made = [output["key"] for output in outputs if isinstance(output, dict) and "key" in output]
    left = [old.key for old in _read_retired(item) if not old.place]
    return frozenset(key for key in (*made, *left, *_read_list(item, "pending_keys")) if isinstance(key, str))


def _read_wishes(item: Mapping[str, Any]) -> Wishes:
    focus = None
    match item.get("focus"):
        case {"x": int() | float() as x, "y": int() | float() as y}:
            focus = Focus(x=x, y=y)
    demanded = (name for name in _read_list(item, "demanded") if isinstance(name, str))
    return Wishes(focus, tuple(demanded))


def _read_retired(item: Mapping[str, Any]) -> Iterator[Retired]:
    for each in _read_list(item, "retired"):
        try:
            yield Retired.from_item(each)
        except (ValueError, LookupError, TypeError, AttributeError):
            continue


def _read_list(item: Mapping[str, Any], name: str) -> list[Any]:
    value = item.get(name)
    return value if isinstance(value, list) else []
