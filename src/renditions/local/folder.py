"""A store in a folder: each object is a file, and its path there is its key.

The store never reaches outside the folder, and only plain files are objects: see ``tree``.

The subfolder ``.renditions`` belongs to the store. Among other things, it holds unfinished files until the
store renames them, and a file for each catalog that uses the store. It also holds a lock: the store checks a
condition and writes under this lock, so that conditions hold between processes too. The store creates the
subfolder when it first needs it.

File names that aren't UTF-8 can't be keys. ``list`` skips them with a warning.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from renditions.core.ports import (
    PIECE_BYTES,
    Condition,
    IfMatch,
    Obstacle,
    OnObstacle,
    OnUnreadable,
    StoredObject,
    Unreadable,
)
from renditions.errors import Conflict, ForeignOutput, StoreFailed
from renditions.local.probe import Spellings, probe_folding
from renditions.local.registrations import (
    has_marker,
    read_registrations,
    read_writer,
    write_marker,
    write_registration,
    write_writer,
)
from renditions.local.root import NotMade, Root, etag_of
from renditions.local.tree import (
    OPEN_FILE,
    absence,
    closed,
    find_obstacle,
    kind_of,
    open_folder,
    parse_key,
    read_status,
    remove_empty,
    walk,
)
from renditions.local.work import locked, written
from renditions.model.folding import EXACT, Folding
from renditions.model.output_place import OutputPlace
from renditions.model.places import FolderPlace
from renditions.model.registry import Shared
from renditions.model.source import Source

READ_ATTEMPTS = 5
"""How many times the store tries to read a file that changes during the read."""


class FolderStore:
    """A store in a folder, which many threads and processes may share.

    See :class:`~renditions.core.ports.Store`.

    Args:
        root: The folder. The constructor follows the links in this path, once.
        rest_seconds: How long a file must stay unchanged before it counts as complete.
        create: Whether the folder may be missing. A missing folder is then an empty store. Otherwise a
            missing folder raises ``StoreFailed``, so that its pictures don't look deleted.

    An ETag consists of a file's size, modification time and inode. If a program overwrites a file in place,
    and keeps its size and its time, the ETag stays the same.
    """

    is_cheaper_to_list = False

    def __init__(self, root: Path, rest_seconds: float = 0.0, *, create: bool = False) -> None:
        self._root = Root(root, create=create)
        self._rest_seconds = rest_seconds
        self._folding: Folding | None = None
        self._spellings = Spellings()

    def list(
        self,
        after: str = "",
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
        on_obstacle: OnObstacle | None = None,
    ) -> Iterator[StoredObject]:
        """See :meth:`Store.list <renditions.core.ports.Store.list>`."""

        def enters(folder: str) -> bool:
            is_behind = folder > after or after.startswith(folder)
            return is_behind and (folder.startswith(prefix) or prefix.startswith(folder))

        def report(folder: str, error: OSError) -> None:
            reason = f"{self._root.path / folder}/ can't be read: {error.strerror}"
            if on_unreadable is None:
                raise StoreFailed(f"{reason}. Check the permissions and the disk") from error
            on_unreadable(Unreadable(folder, f"{reason}. Its pictures are unchanged"))

        with self._root.reported(), suppress(NotMade), closed(self._root.open()) as root:
            for key, status in walk(root, self._root.path, enters=enters, on_unreadable=report):
                is_listed = key > after and key.startswith(prefix)
                if is_listed and stat.S_ISREG(status.st_mode):
                    yield self._describe(key, status)
                elif is_listed and on_obstacle:
                    on_obstacle(Obstacle(kind_of(status.st_mode), key))

    def head(self, key: str) -> StoredObject | None:
        """See :meth:`Store.head <renditions.core.ports.Store.head>`."""
        parts = parse_key(key)
        with self._root.reported(key), suppress(NotMade), absence(), closed(self._root.open()) as root:
            status = read_status(root, parts)
            return self._describe(key, status) if stat.S_ISREG(status.st_mode) else None
        return None

    def get(self, key: str) -> tuple[StoredObject, bytes] | None:
        """See :meth:`Store.get <renditions.core.ports.Store.get>`."""
        with self._reading(key) as reader:
            if reader is None:
                return None
            for _ in range(READ_ATTEMPTS):
                before = os.fstat(reader.fileno())
                reader.seek(0)
                content = reader.read()
                after = os.fstat(reader.fileno())
                if (before.st_ctime_ns, etag_of(before)) == (after.st_ctime_ns, etag_of(after)):
                    return self._describe(key, after), content
        raise StoreFailed(
            f"{self._root.path / key} can't be read: it changed during each of {READ_ATTEMPTS} attempts. "
            "Try again when no other program writes to it"
        )

    def stream(
        self, key: str, condition: IfMatch, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """See :meth:`Store.stream <renditions.core.ports.Store.stream>`."""
        with self._reading(key) as reader:
            status = os.fstat(reader.fileno()) if reader else None
            if reader and status and etag_of(status) == condition.etag:
                reader.seek(start)
                left = min(status.st_size, status.st_size if stop is None else stop) - start
                while left > 0 and (piece := reader.read(min(left, PIECE_BYTES))):
                    left -= len(piece)
                    yield piece
                if etag_of(os.fstat(reader.fileno())) == condition.etag:
                    return
        raise Conflict(f"can't read {self._root.path / key} to its end: it was changed or deleted. Try again")

    @contextmanager
    def _reading(self, key: str) -> Iterator[BinaryIO | None]:
        """Yield the open file of an object; None if there is none."""
        parts = parse_key(key)
        with self._root.reported(key), ExitStack() as stack:
            reader = None
            with suppress(NotMade), absence(), closed(self._root.open()) as root:
                if stat.S_ISREG(read_status(root, parts).st_mode):
                    with closed(open_folder(root, parts[:-1])) as folder:
                        file = os.open(parts[-1], OPEN_FILE, dir_fd=folder)
                    reader = stack.enter_context(open(file, "rb"))  # noqa: PTH123 - a descriptor has no path
            yield reader

    def put(
        self,
        key: str,
        content: bytes,
        condition: Condition,
        content_type: str,  # noqa: ARG002 - a folder has no place for it
        writer: str = "",
    ) -> StoredObject:
        """See :meth:`Store.put <renditions.core.ports.Store.put>`.

        When this method returns, the object is safe from a power failure.
        """
        parts = parse_key(key)
        with (
            self._root.reported(key),
            closed(self._root.open(make=True)) as root,
            closed(self._root.open_work(root)) as work,
            written(work, content) as (part, file),
        ):
            if writer:
                write_writer(file, writer)
            with locked(work):
                if obstacle := _find_obstacle(root, parts):
                    raise ForeignOutput(key, str(obstacle))
                _check(root, parts, key, condition)
                with closed(open_folder(root, parts[:-1], make=True)) as folder:
                    os.rename(part, parts[-1], src_dir_fd=work, dst_dir_fd=folder)
                    os.fsync(folder)
            return self._describe(key, os.fstat(file))

    def has_folder(self, prefix: str) -> bool:
        """See :meth:`Store.has_folder <renditions.core.ports.Store.has_folder>`."""
        parts = parse_key(prefix.rstrip("/"))
        with self._root.reported(prefix), suppress(NotMade), absence(), closed(self._root.open()) as root:
            os.close(open_folder(root, parts))
            return True
        return False

    def obstacle(self, key: str) -> Obstacle | None:
        """See :meth:`Store.obstacle <renditions.core.ports.Store.obstacle>`."""
        parts = parse_key(key)
        with self._root.reported(key), suppress(NotMade), closed(self._root.open()) as root:
            return _find_obstacle(root, parts)
        return None

    def is_spelled(self, key: str) -> bool:
        """See :meth:`Store.is_spelled <renditions.core.ports.Store.is_spelled>`.

        See :class:`~renditions.local.probe.Spellings`.
        """
        parts = parse_key(key)
        if not self._spellings.may_differ(parts):
            return True
        with self._root.reported(key), suppress(NotMade), absence(), closed(self._root.open()) as root:
            return self._spellings.have(root, parts)
        return True

    def folding(self) -> Folding:
        """See :meth:`Store.folding <renditions.core.ports.Store.folding>`.

        The first call creates test folders in the store's working folder. If it can't, it returns ``EXACT``,
        and the next call tries again.
        """
        if self._folding is None:
            with self._root.reported():
                try:
                    with (
                        closed(self._root.open(make=True)) as root,
                        closed(self._root.open_work(root)) as work,
                    ):
                        self._folding = probe_folding(work)
                except OSError:
                    return EXACT  # nothing can write a file there now, so no two keys can collide
        return self._folding

    def writer_of(self, key: str) -> str | None:
        """See :meth:`Store.writer_of <renditions.core.ports.Store.writer_of>`."""
        parts = parse_key(key)
        with self._root.reported(key), suppress(NotMade), absence(), closed(self._root.open()) as root:
            with closed(open_folder(root, parts[:-1])) as folder:
                file = os.open(parts[-1], OPEN_FILE, dir_fd=folder)
            with closed(file):
                return read_writer(file)
        return None

    def rewrite_headers(self, key: str, condition: IfMatch) -> StoredObject | None:  # noqa: ARG002
        """Return None: files have no headers."""
        return None

    def delete(self, key: str, condition: IfMatch) -> None:
        """See :meth:`Store.delete <renditions.core.ports.Store.delete>`.

        This method also removes the folders that become empty.
        """
        parts = parse_key(key)
        with (
            self._root.reported(key),
            suppress(NotMade),
            closed(self._root.open()) as root,
            closed(self._root.open_work(root)) as work,
            locked(work),
        ):
            with absence():
                status = read_status(root, parts)
                if not stat.S_ISREG(status.st_mode):
                    return
                if etag_of(status) != condition.etag:
                    raise Conflict(f"{key!r} changed since it was read, so it was not deleted. Try again")
                with closed(open_folder(root, parts[:-1])) as folder:
                    os.unlink(parts[-1], dir_fd=folder)
                    os.fsync(folder)
            remove_empty(root, parts[:-1])

    def purge(self, key: str) -> int:  # noqa: ARG002
        """Return 0: a folder keeps no versions."""
        return 0

    def register(self, catalog_id: str, text: str) -> None:
        """See :meth:`Store.register <renditions.core.ports.Store.register>`."""
        with (
            self._root.reported(),
            closed(self._root.open(make=True)) as root,
            closed(self._root.open_work(root)) as work,
            locked(work),
        ):
            write_registration(work, catalog_id, text)

    def registered(self) -> Mapping[str, str]:
        """See :meth:`Store.registered <renditions.core.ports.Store.registered>`."""
        with self._root.reported(), suppress(NotMade), closed(self._root.open()) as root:
            return read_registrations(root)
        return {}

    def mark(self, catalog_id: str) -> bool:
        """See :meth:`Store.mark <renditions.core.ports.Store.mark>`."""
        with (
            self._root.reported(),
            closed(self._root.open()) as root,
            closed(self._root.open_work(root)) as work,
            locked(work),
        ):
            write_marker(work, catalog_id)
        return True

    def is_marked(self, catalog_id: str) -> bool:
        """See :meth:`Store.is_marked <renditions.core.ports.Store.is_marked>`."""
        with self._root.reported(), suppress(NotMade), closed(self._root.open()) as root:
            return has_marker(root, catalog_id)
        return False

    def _describe(self, key: str, status: os.stat_result) -> StoredObject:
        # No program can set back ctime, but a clock can be set back: so this takes the absolute difference.
        unchanged_seconds = abs(time.time() - status.st_ctime)
        complete = unchanged_seconds >= self._rest_seconds
        return StoredObject(key, etag_of(status), status.st_size, complete, unchanged_seconds)


def _check(root: int, parts: Sequence[bytes], key: str, condition: Condition) -> None:
    """Raise Conflict if the condition doesn't hold."""
    etag = None
    with absence():
        etag = etag_of(read_status(root, parts))
    if etag != (condition.etag if isinstance(condition, IfMatch) else None):
        raise Conflict(f"{key!r} changed since it was read, so it was not written. Try again")


def _find_obstacle(root: int, parts: Sequence[bytes]) -> Obstacle | None:
    found = find_obstacle(root, parts)
    return Obstacle(found[1], b"/".join(parts[: found[0]]).decode()) if found else None


def open_store(place: FolderPlace, declared: Source | OutputPlace, _: Shared) -> FolderStore:
    """Return the store in a folder.

    An output folder may be missing. A source folder must exist when the store is used.
    """
    if isinstance(declared, OutputPlace):
        return FolderStore(place.path, create=True)
    return FolderStore(place.path, declared.settle)
