"""The owners of leases on one machine, and whether an owner's process still runs.

A lease expires by time. On the same machine, the lease of a killed process is free at once: each process
keeps a file locked while it runs, and the kernel unlocks the file however the process ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from renditions.errors import Failed


class Owner:
    """One owner of leases.

    Inside the context, other processes see that the owner's process runs. ``id`` is the text for
    ``Lease.owner``: a hash of the machine and the folder, then a random text.

    The lock belongs to an open descriptor. New programs don't inherit it. A child process that a bare
    ``fork`` creates does inherit it, and keeps the owner valid until that child ends. So don't start workers
    by a bare ``fork``.

    Args:
        directory: The folder of the lock files, the same for all processes of this machine that share a
            catalog. Entering the context creates the folder, and removes lock files of ended processes.

    Raises:
        Failed: Entering or leaving the context can't use the lock files.

    """

    def __init__(self, directory: Path) -> None:
        self._directory = Path(os.path.realpath(directory))  # all paths to the folder give this name
        place = f"{socket.gethostname()}:{self._directory}"
        self._place = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:12]
        self._own = uuid.uuid4().hex
        self._lock: int | None = None

    @property
    def id(self) -> str:
        """The name of this owner in a lease. Entering the context may change it."""
        return f"{self._place}:{self._own}"

    def __enter__(self) -> Self:
        with _reported(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
            while (lock := _hold(self._path(self._own))) is None:
                self._own = uuid.uuid4().hex
            self._lock = lock
            self._sweep()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            with _reported(self._directory):
                self._path(self._own).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def is_gone(self, owner_id: str) -> bool:
        """Return whether this owner's process has certainly ended.

        Other machines and folders can't be checked: return False for owners there.

        Raises:
            Failed: The owner's lock file can't be read.

        """
        match = re.fullmatch(rf"{self._place}:([0-9a-f]{{32}})", owner_id)
        if match is None:
            return False
        with _reported(self._directory):
            return not _is_held(self._path(match[1]))

    def _path(self, own: str) -> Path:
        return self._directory / f"{own}.lock"

    def _sweep(self) -> None:
        for path in self._directory.glob("*.lock"):
            _remove_unheld(path)


def _hold(path: Path) -> int | None:
    """Create and lock the file; return its descriptor.

    Return None if another process removes the file.

    Another process that removes old files may see the file before it is locked, and remove it:

        A  create                      lock: has no name left
        B          not held: remove

    B locks the file until it has removed it. A doesn't wait for that, because B may be stopped in between. A
    can't create the file again either, because B would remove the new one. So A takes another name.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_nlink:
            return lock
    os.close(lock)
    return None


def _is_held(path: Path) -> bool:
    """Return whether a process has locked the file; False if the file is missing."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: several processes may check at once
        except BlockingIOError:
            return True
    return False


def _remove_unheld(path: Path) -> None:
    with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_nlink:  # else it is removed, and its name may be in use
            path.unlink()


@contextmanager
def _reported(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failed(
            f"can't use the lock files of leases in {error.filename or directory}: {error.strerror}. "
            "Check the folder, its permissions and the disk"
        ) from error
