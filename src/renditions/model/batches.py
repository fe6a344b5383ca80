"""Split lists into parts that one request can have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

MAX_BATCH = 10
"""How many messages one request to SQS can send, receive, hide or delete."""

Item = TypeVar("Item")


def in_batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Yield the items in parts of at most ``MAX_BATCH``."""
    for start in range(0, len(items), MAX_BATCH):
        yield items[start : start + MAX_BATCH]


def pack(
    items: Iterable[Item], most: int, most_bytes: int, count_bytes: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """Yield the items in parts of at most this many items and bytes.

    An item that is larger than ``most_bytes`` is a part by itself.
    """
    some: list[Item] = []
    size_bytes = 0
    for item in items:
        more_bytes = count_bytes(item)
        if some and (len(some) == most or size_bytes + more_bytes > most_bytes):
            yield some
            some, size_bytes = [], 0
        some.append(item)
        size_bytes += more_bytes
    if some:
        yield some
