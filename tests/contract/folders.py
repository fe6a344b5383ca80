"""Helpers for tests of folders."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from renditions.core.ports import IfAbsent, IfMatch, Store

USES: Mapping[str, Callable[[Store, str], object]] = {
    "head": lambda store, key: store.head(key),
    "get": lambda store, key: store.get(key),
    "put": lambda store, key: store.put(key, b"", IfAbsent(), "image/jpeg"),
    "delete": lambda store, key: store.delete(key, IfMatch("0")),
}


@contextmanager
def limited(which: int, most: int) -> Iterator[None]:
    """Lower one of this process's limits during the block."""
    soft, hard = resource.getrlimit(which)
    resource.setrlimit(which, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(which, (soft, hard))


def names_in(folder: Path) -> list[str]:
    """Return the sorted names in the folder."""
    return sorted(path.name for path in folder.iterdir())


def open_descriptors() -> int:
    """Return the number of open descriptors of this process."""
    return len(names_in(Path("/dev/fd")))
