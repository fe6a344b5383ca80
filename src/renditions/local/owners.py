"""Who holds the leases on one machine, and whether they still live.

A lease runs out by time; but the lease of a process that was killed can be free at once. Each process
keeps a file locked as long as it lives, and the kernel unlocks it however the process ends.
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
    """One owner of leases: while the context is entered, no other process finds it gone.

    ``id`` is the text for ``Lease.owner``: the machine and the folder, hashed, then the owner's own.
    The lock belongs to an open descriptor, which new programs don't inherit, but which a child made
    by a bare ``fork`` does: such a child keeps the owner alive until it ends. Start workers by
    ``spawn`` or ``forkserver``.

    Args:
        directory: Where the lock files are, the same for all processes of this machine that share a
            catalog. It is made when the context is entered.

    """

    def __init__(self, directory: Path) -> None:
        self._directory = Path(os.path.realpath(directory))  # one name, whatever way leads to it
        place = f"{socket.gethostname()}:{self._directory}"
        self._place = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:12]
        self._own = uuid.uuid4().hex
        self._lock: int | None = None

    @property
    def id(self) -> str:
        """What this owner is called in a lease."""
        return f"{self._place}:{self._own}"

    def __enter__(self) -> Self:
        with _reported(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = _hold(self._path(self._own))
            self._sweep()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            with _reported(self._directory):
                self._path(self._own).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def is_gone(self, owner_id: str) -> bool:
        """Tell whether no living process can be this owner.

        Owners of other machines and folders can't be told about: they are not said to be gone.
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


def _hold(path: Path) -> int:
    """Make the file and lock it; return its descriptor.

    Whoever sweeps may see it before it is locked, and remove it. Then it is made again:

        A  create                      lock: has no name left → create, lock
        B          not held: remove

    B keeps it locked until it is removed: A waits so long, and sees it.
    """
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)


def _is_held(path: Path) -> bool:
    """Tell whether a process holds the file; a missing one is held by none."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: many may ask at once
        except BlockingIOError:
            return True
    return False


def _remove_unheld(path: Path) -> None:
    with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_nlink:  # else another removed it, and the name may be anew in use
            path.unlink()


@contextmanager
def _reported(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failed(f"{error.filename or directory}: {error.strerror}") from error
