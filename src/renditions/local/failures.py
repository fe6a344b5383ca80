"""Errors of the system, of SQLite and of locks, as errors of this package."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from renditions.errors import KeyRefused, StoreFailed, StoreFull
from renditions.local.locks import NotFree

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class reported:  # noqa: N801 - it is used like contextlib.suppress
    """A context that turns a folder's errors into ``KeyRefused`` or ``StoreFailed``.

    Args:
        root: The store's folder.
        key: The object's key; empty for the store itself.

    """

    __slots__ = ("_key", "_root")

    def __init__(self, root: Path, key: str = "") -> None:
        self._root = root
        self._key = key

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, OSError | sqlite3.Error | NotFree):
            return
        path = self._root / self._key
        if isinstance(error, NotFree):
            raise StoreFailed(f"can't write to the folder {self._root}: {error}") from error
        if isinstance(error, sqlite3.Error):
            raise _temporary_failed(f"{path} can't be listed", "names", error) from error
        if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
            raise KeyRefused(
                f"{self._key or path}: the file system refuses this name: {error.strerror}. "
                "Use a different name"
            ) from error
        if error.errno in NO_SPACE:
            raise StoreFull(f"can't write {path}: {error.strerror}. Free some space") from error
        raise StoreFailed(
            f"can't access {path}: {error.strerror}. Check the permissions and the disk"
        ) from error


@contextmanager
def temporary_reported(what: str) -> Iterator[None]:
    """Raise the errors of a temporary database of keys as ``StoreFailed``.

    The message begins with ``what``, which says what failed.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _temporary_failed(what, "keys", error) from error


def _temporary_failed(what: str, content: str, error: sqlite3.Error) -> StoreFailed:
    return StoreFailed(
        f"{what}: the temporary database of its {content} failed ({error}). Free space in the folder for "
        "temporary files"
    )
