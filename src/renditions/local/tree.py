"""Access files below a folder without ever leaving it.

This module opens a path folder by folder: each folder from the folder above it, and never through a link. So
links that another process creates meanwhile have no effect. Only plain files are objects: not links, devices
or sockets.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from renditions.errors import KeyRefused

log = logging.getLogger(__name__)

WORK_FOLDER = b".renditions"
"""The store's own folder below its root. No key leads there."""
MAX_NAME_BYTES = 255
"""The longest name in the file systems of Linux and macOS (NAME_MAX)."""
MAX_KEY_BYTES = 4095
"""The longest key. Linux can't open a longer path by name (PATH_MAX)."""
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""The error numbers for a path that doesn't exist, or that leads through a file or a link."""
_FOLDER_STAYS = (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.EACCES, errno.EPERM)


class absence:  # noqa: N801 - it is used like contextlib.suppress
    """A context that ends without an error if a path in its block doesn't exist.

    A path that leads through a file or a link doesn't exist either.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        return isinstance(error, OSError) and error.errno in ABSENT


class closed:  # noqa: N801 - it is used like contextlib.closing
    """A context that closes a descriptor.

    Verification enters many of these contexts, and a plain class is faster than a generator.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def parse_key(key: str) -> tuple[bytes, ...]:
    """Return the parts of the key between slashes, encoded for the file system.

    Raises:
        KeyRefused: No object in the folder can have this key.

    """
    try:
        raw = key.encode()
    except UnicodeEncodeError as error:
        raise KeyRefused(f"expected a key of Unicode text, found {key!r}") from error
    parts = tuple(raw.split(b"/"))
    if len(raw) > MAX_KEY_BYTES or max(map(len, parts)) > MAX_NAME_BYTES:
        raise KeyRefused(
            f"expected a key of at most {MAX_NAME_BYTES} bytes between slashes and {MAX_KEY_BYTES:,} in all, "
            f"found {key!r}. Shorten the picture's name or the rendition's key"
        )
    if b"\0" in raw:
        raise KeyRefused(f"expected a key without a NUL character, found {key!r}")
    if any(part in (b"", b".", b"..") for part in parts):
        raise KeyRefused(f"expected a key without a part that is empty, '.' or '..', found {key!r}")
    if _is_work(parts[0]):
        raise KeyRefused(
            f"expected a key outside {os.fsdecode(WORK_FOLDER)}, the store's own folder, found {key!r}"
        )
    return parts


def _is_work(name: bytes) -> bool:
    return name.lower() == WORK_FOLDER  # macOS ignores the case of names


def open_folder(root: int, parts: Sequence[bytes], *, make: bool = False) -> int:
    """Return a new descriptor of a folder; with ``make``, create missing folders.

    Raises:
        OSError: The folder can't be opened. The error number is in ``ABSENT`` if the path doesn't exist, or
            leads through a file or a link.

    """
    folder = os.dup(root)
    for part in parts:
        with closed(folder):
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
                    os.fsync(folder)
            folder = os.open(part, OPEN_FOLDER, dir_fd=folder)
    return folder


def read_status(root: int, parts: Sequence[bytes]) -> os.stat_result:
    """Return the status of the file at this path; for a link, the status of the link.

    Raises:
        OSError: See :func:`open_folder`.

    """
    with closed(open_folder(root, parts[:-1])) as folder:
        return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)


def is_there(root: int, parts: Sequence[bytes]) -> bool:
    """Return whether something has this path."""
    with absence():
        read_status(root, parts)
        return True
    return False


class _Listing(NamedTuple):
    folder: Sequence[bytes]
    modified_ns: int
    read_at: float
    names: frozenset[str]


class Listings:
    """How folders spell names, on a disk that ignores case or Unicode forms.

    A sync asks about each picture. If each answer listed the folder, the time would grow with the square of
    the number of pictures. So a name in the last listing at each depth counts as listed for ``USED_SECONDS``,
    as long as the folder's modification time stays the same. A few disks (exFAT through FUSE) don't change
    this time at a rename; there the former name can count as listed for ``USED_SECONDS``. Threads may share
    one object.
    """

    USED_SECONDS = 2.0

    def __init__(self) -> None:
        self._last: dict[int, _Listing] = {}

    def have(self, root: int, parts: Sequence[bytes]) -> bool:
        """Return whether each folder of the path lists the next part in this spelling.

        Raises:
            OSError: See :func:`open_folder`.

        """
        return all(self._lists(root, parts[:depth], os.fsdecode(part)) for depth, part in enumerate(parts))

    def _lists(self, root: int, folder: Sequence[bytes], name: str) -> bool:
        with closed(open_folder(root, folder)) as opened:
            modified_ns = os.fstat(opened).st_mtime_ns
            last = self._last.get(len(folder))
            if (
                last
                and name in last.names  # one that is missing may be new
                and (last.folder, last.modified_ns) == (folder, modified_ns)
                and time.monotonic() - last.read_at < self.USED_SECONDS
            ):
                return True
            names = frozenset(os.listdir(opened))  # noqa: PTH208 - a descriptor has no path
        self._last[len(folder)] = _Listing(folder, modified_ns, time.monotonic(), names)
        return name in names


def find_obstacle(root: int, parts: Sequence[bytes]) -> tuple[int, str] | None:
    """Return what keeps a file from being written at this path; None if nothing does.

    The first value is how many parts of the path lead to the obstacle; the second one is ``Obstacle.kind``.
    """
    with absence():
        for depth in range(1, len(parts) + 1):
            mode = read_status(root, parts[:depth]).st_mode
            fits = stat.S_ISREG(mode) if depth == len(parts) else stat.S_ISDIR(mode)
            if not fits:
                return depth, kind_of(mode)
    return None


_KINDS = {stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFREG: "file"}


def kind_of(mode: int) -> str:
    """Return the kind of a file by its mode, see ``Obstacle.kind``."""
    return _KINDS.get(stat.S_IFMT(mode), "special file")


def walk(
    root: int,
    shown: Path,
    *,
    enters: Callable[[str], bool] = lambda _: True,
    on_unreadable: Callable[[str, OSError], None],
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the key and status of every file, link and special file, in key order.

    Keys are ordered by their bytes. The walk sorts a folder by its name with a slash, so that the folder's
    files come in the right order. Besides the root, only one folder stays open at a time, at any depth. The
    walk leaves out the store's own folder, and names that can't be keys. It warns of each such name once.

    Args:
        root: The folder's descriptor.
        shown: The path of the root, for warnings about names that can't be keys.
        enters: Returns whether anything below a folder is wanted. It gets the folder's path with a slash at
            its end.
        on_unreadable: Called if a folder below the root can't be read, with the folder's path (with a slash
            at its end) and the error. The walk continues after that folder.

    Raises:
        OSError: The root can't be read.
        sqlite3.Error: The temporary database of the names failed.

    """
    trail: list[tuple[tuple[bytes, ...], bytes]] = [((), b"")]  # folders, each with the last name seen
    with closing(_Names()) as names:
        while trail:
            parts, last = trail.pop()
            try:
                with absence(), closed(open_folder(root, parts)) as folder:
                    if not last:
                        names.add(len(parts), _scan(folder, parts, shown))
                    with closing(names.after(len(parts), last)) as rest:
                        for name in rest:
                            path = b"/".join((*parts, name))
                            if name.endswith(b"/"):
                                if enters(path.decode()):
                                    trail += [(parts, name), ((*parts, name[:-1]), b"")]
                                    break
                            elif status := _read_status(folder, name):
                                yield path.decode(), status
                        else:
                            names.remove(len(parts))
                    continue
            except OSError as error:
                if not parts:
                    raise
                on_unreadable(b"/".join((*parts, b"")).decode(), error)
            names.remove(len(parts))


def _read_status(folder: int, name: bytes) -> os.stat_result | None:
    """Return the status of a file or link; None if it is gone, or a folder by now."""
    with absence():
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return None if stat.S_ISDIR(status.st_mode) else status
    return None


def _scan(folder: int, parts: Sequence[bytes], shown: Path) -> Iterator[bytes]:
    """Yield a folder's names that can be keys; a folder's name ends with a slash."""
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            name = os.fsencode(entry.name)
            if not parts and _is_work(name):
                continue
            path = b"/".join((*parts, name))
            try:
                parse_key(path.decode(errors="surrogateescape"))
            except KeyRefused as refusal:
                is_text = not isinstance(refusal.__cause__, UnicodeError)
                _warn(shown, path, str(refusal) if is_text else "its name isn't valid UTF-8. Rename it")
            else:
                yield name + b"/" if is_folder else name


@lru_cache(maxsize=1_000)
def _warn(shown: Path, path: bytes, why: str) -> None:
    """Warn once about a file or folder that is left out.

    A run lists a folder several times.
    """
    log.warning("%s: %s is left out: %s", shown, repr(path).removeprefix("b"), why)


class _Names:
    """The names in the folders of a walk, sorted on disk to save memory."""

    def __init__(self) -> None:
        # With an empty name, SQLite makes a private temporary database, and moves it to disk if it is large.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute(
            "CREATE TABLE names (depth INTEGER, name BLOB, PRIMARY KEY (depth, name)) WITHOUT ROWID"
        )

    def add(self, depth: int, names: Iterator[bytes]) -> None:
        self._db.execute("BEGIN")
        try:
            self._db.executemany("INSERT INTO names VALUES (?, ?)", ((depth, name) for name in names))
        finally:  # if reading the folder fails halfway, the walk removes its names again
            if self._db.in_transaction:  # SQLite ends the transaction itself if the disk is full
                self._db.execute("COMMIT")

    def after(self, depth: int, last: bytes) -> Generator[bytes, None, None]:
        rows = self._db.execute(
            "SELECT name FROM names WHERE depth = ? AND name > ? ORDER BY name", (depth, last)
        )
        with closing(rows):
            for (name,) in rows:
                yield name

    def remove(self, depth: int) -> None:
        self._db.execute("DELETE FROM names WHERE depth = ?", (depth,))

    def close(self) -> None:
        self._db.close()


def make_root(root: Path) -> None:
    """Create a store's folder and its parents, so that they survive a crash."""
    if not root.parent.exists():
        make_root(root.parent)
    with suppress(FileExistsError):
        root.mkdir()
    with closed(os.open(root.parent, os.O_RDONLY)) as parent:
        os.fsync(parent)


def remove_empty(root: int, parts: Sequence[bytes]) -> None:
    """Remove the empty folders on this path, the last one first.

    Stop at the first folder that isn't empty, is in use, or that this user may not remove. Skip folders that
    don't exist.

    Raises:
        OSError: A folder can't be removed for another reason, such as a read-only disk.

    """
    for depth in range(len(parts), 0, -1):
        try:
            with closed(open_folder(root, parts[: depth - 1])) as parent:
                os.rmdir(parts[depth - 1], dir_fd=parent)
        except OSError as error:
            if error.errno in _FOLDER_STAYS:
                return
            if error.errno not in ABSENT:
                raise
