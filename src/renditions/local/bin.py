"""The bin of a source in a folder.

The bin moves a deleted file to ``.renditions/bin/DELETION/KEY`` below the folder. It copies the file only if
the bin is on another file system. Listings and watchers of the folder skip ``.renditions``.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Sequence

from renditions.core.bin import DELETION_PATTERN, Binned, make_name_conflict
from renditions.core.ports import IfMatch, StoredObject
from renditions.errors import Conflict
from renditions.local.root import Root, etag_of
from renditions.local.tree import (
    OPEN_FILE,
    WORK_FOLDER,
    absence,
    closed,
    find_obstacle,
    open_folder,
    parse_key,
    read_status,
    remove_empty,
)
from renditions.local.work import locked
from renditions.model.places import FolderPlace
from renditions.model.registry import Shared

_BIN = b"bin"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""The error numbers if a file can't get a hard link, for example because its file system has none."""


class FolderBin:
    """A :class:`~renditions.core.bin.Bin` in the folder of its source.

    Many threads and processes may share it. All changes happen under the store's lock.
    """

    def __init__(self, root: Root) -> None:
        self._root = root

    def is_available(self) -> bool:
        """Return True: a folder can always keep deleted originals."""
        return True

    def put(self, key: str, condition: IfMatch, deletion: str) -> Binned | None:
        """See :meth:`~renditions.core.bin.Bin.put`.

        This method also removes the folders that become empty.
        """
        parts = parse_key(key)
        with (
            self._root.reported(key),
            closed(self._root.open()) as root,
            closed(self._root.open_work(root)) as work,
            locked(work),
        ):
            status = _find(root, parts)
            if status is None or not stat.S_ISREG(status.st_mode):
                return None
            if etag_of(status) != condition.etag:
                raise Conflict(
                    f"{key!r} changed since it was read, so it was not moved to the bin. Try again"
                )
            entry = (_BIN, deletion.encode(), *parts[:-1])
            with (
                closed(open_folder(root, parts[:-1])) as folder,
                closed(open_folder(work, entry, make=True)) as kept,
            ):
                _move(folder, kept, parts[-1], work, _unfinished(deletion))
            remove_empty(root, parts[:-1])
        return Binned(deletion, key, status.st_size)

    def deletions(self) -> Sequence[str]:
        """See :meth:`~renditions.core.bin.Bin.deletions`."""
        with (
            self._root.reported(),
            closed(self._root.open()) as root,
            absence(),
            closed(open_folder(root, (WORK_FOLDER, _BIN))) as folder,
            os.scandir(folder) as entries,
        ):
            return sorted(entry.name for entry in entries if re.fullmatch(DELETION_PATTERN, entry.name))
        return []

    def read(self, deletion: str) -> Binned | None:
        """See :meth:`~renditions.core.bin.Bin.read`."""
        with self._root.reported(), closed(self._root.open()) as root, absence():
            with closed(open_folder(root, (WORK_FOLDER, _BIN, deletion.encode()))) as folder:
                parts = _find_file(folder)
                size_bytes = read_status(folder, parts).st_size
            return Binned(deletion, b"/".join(parts).decode(), size_bytes)
        return None

    def restore(self, deletion: str, key: str) -> StoredObject | None:
        """See :meth:`~renditions.core.bin.Bin.restore`."""
        parts = parse_key(key)
        with (
            self._root.reported(key),
            closed(self._root.open()) as root,
            closed(self._root.open_work(root)) as work,
            locked(work),
        ):
            entry = (_BIN, deletion.encode(), *parts)
            status = _find(work, entry)
            if status is None:
                return None
            is_back = _check_free(root, parts, key, status)
            with (
                closed(open_folder(work, entry[:-1])) as kept,
                closed(open_folder(root, parts[:-1], make=True)) as folder,
            ):
                if is_back:
                    os.unlink(parts[-1], dir_fd=kept)
                else:
                    _move(kept, folder, parts[-1], folder, _unfinished(deletion))
                status = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            remove_empty(work, entry[:-1])
        return StoredObject(key, etag_of(status), status.st_size)

    def drop(self, deletion: str) -> None:
        """See :meth:`~renditions.core.bin.Bin.drop`."""
        entry = (_BIN, deletion.encode())
        with (
            self._root.reported(),
            closed(self._root.open()) as root,
            closed(self._root.open_work(root)) as work,
            locked(work),
            absence(),
        ):
            with closed(open_folder(work, entry)) as folder:
                parts = _find_file(folder)
                _remove(root, (*parts[:-1], _unfinished(deletion)))
                _remove(folder, parts)
            remove_empty(work, (*entry, *parts[:-1]))


def _unfinished(deletion: str) -> bytes:
    """Return the name of an unfinished copy of the original of this deletion.

    No picture's name begins with a dot. The store sweeps names with this ending from its working folder. In
    the source's other folders, the next call that restores or drops this deletion removes the file.
    """
    return f".renditions-{deletion}.part".encode()


def _remove(root: int, parts: Sequence[bytes]) -> None:
    """Remove the file at this path, if there is one."""
    with absence(), closed(open_folder(root, parts[:-1])) as folder:
        os.unlink(parts[-1], dir_fd=folder)


def _find(root: int, parts: Sequence[bytes]) -> os.stat_result | None:
    """Return the status of the file at this path; None if there is none."""
    with absence():
        return read_status(root, parts)
    return None


def _find_file(folder: int) -> tuple[bytes, ...]:
    """Return the path of the only file below a folder.

    If a process died during a change, the folder may have no file. The last part is then empty.
    """
    parts: tuple[bytes, ...] = ()
    while True:
        with closed(open_folder(folder, parts)) as inner, os.scandir(inner) as entries:
            entry = next(entries, None)
            if entry is None:
                return (*parts, b"")
            parts = (*parts, os.fsencode(entry.name))
            if not entry.is_dir(follow_symlinks=False):
                return parts


def _check_free(root: int, parts: Sequence[bytes], key: str, kept: os.stat_result) -> bool:
    """Return whether the file is at its key already.

    That is so if a process died between the two steps of a move. Raise Conflict if another file has the key,
    or if something else is in the way.
    """
    with absence():
        there = read_status(root, parts)
        if os.path.samestat(there, kept):
            return True
        if stat.S_ISREG(there.st_mode):
            raise make_name_conflict(key)
    if found := find_obstacle(root, parts):
        where = b"/".join(parts[: found[0]]).decode()
        raise Conflict(
            f"{key!r} was not restored, because the {found[1]} {where} is in the way. Move it away"
        )
    return False


def _move(source: int, target: int, name: bytes, scratch: int, unfinished: bytes) -> None:
    """Move a file to another folder; raise Conflict if that folder has the name.

    If the file must be copied, its unfinished copy has the name ``unfinished`` in the folder ``scratch``,
    which must be on the disk of the target folder.

    A rename would replace a file that another program creates there at this moment. A hard link fails
    instead, so this function adds the new name and then removes the old one. Two moves lack this protection:
    a move to another file system copies, and a move on a file system without hard links renames.
    """
    try:
        os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except FileExistsError:
        raise Conflict(
            f"{os.fsdecode(name)!r} was created meanwhile, so no file was moved there. Try again"
        ) from None
    except OSError as error:
        if error.errno == errno.EXDEV:
            _copy(source, target, name, scratch, unfinished)
        elif error.errno in _NO_LINKS:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            os.fsync(target)
            os.fsync(source)
            return
        else:
            raise
    os.fsync(target)
    os.unlink(name, dir_fd=source)
    os.fsync(source)


def _copy(source: int, target: int, name: bytes, scratch: int, unfinished: bytes) -> None:
    """Copy a file into a folder of another file system, whole or not at all.

    A file that has the name there is replaced. If the process dies, the unfinished copy stays in ``scratch``,
    and the next copy replaces it. For a move into the bin, ``scratch`` is the working folder, because the bin
    takes any file in one of its entries for the original.
    """
    _remove(scratch, (unfinished,))
    with closed(os.open(name, OPEN_FILE, dir_fd=source)) as original:
        status = os.fstat(original)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        copy = os.open(unfinished, flags, stat.S_IMODE(status.st_mode), dir_fd=scratch)
        try:
            with os.fdopen(copy, "wb") as writer, open(original, "rb", closefd=False) as reader:
                shutil.copyfileobj(reader, writer)
                writer.flush()
                os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
                os.fsync(copy)
            os.rename(unfinished, name, src_dir_fd=scratch, dst_dir_fd=target)
        except BaseException:
            _remove(scratch, (unfinished,))
            raise


def open_bin(place: FolderPlace, _: Shared) -> FolderBin:
    """Return the bin of the source in this folder."""
    return FolderBin(Root(place.path))
