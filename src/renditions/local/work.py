"""A store's working folder: its lock and its unfinished files.

The store writes files there before it renames them.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from renditions.local.locks import take_lock
from renditions.local.tree import OPEN_FILE, closed


@contextmanager
def locked(work: int) -> Iterator[None]:
    """Hold the store's lock, which excludes other threads and other processes.

    Raises:
        NotFree: Another thread or process held the lock for too long.

    """
    with closed(os.open(b"lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666, dir_fd=work)) as lock:
        take_lock(lock)
        try:
            yield
        finally:
            # Closing isn't enough if another thread forked meanwhile: the child has the lock open too.
            fcntl.flock(lock, fcntl.LOCK_UN)


@contextmanager
def written(work: int, content: bytes) -> Iterator[tuple[bytes, int]]:
    """Write the content to a new file in the working folder.

    Yield the file's name and descriptor. Delete the file after the block if the caller hasn't renamed it.
    Raise NotFree like :func:`locked`.

    The writer keeps the file locked. If another process can lock it, the writer has ended:

        A  [create, lock] write     …killed: the kernel unlocks…
        B                                                        [can be locked: remove]

    The steps in brackets happen under the store's lock, so no process sees a file before it is locked.
    """
    name = f"{uuid.uuid4().hex}.part".encode()
    with locked(work):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=work)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nothing else knows the file yet
    with os.fdopen(file, "wb") as writer:
        try:
            writer.write(content)
            writer.flush()
            os.fsync(file)
            yield name, file
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=work)


def sweep(work: int) -> None:
    """Remove the unfinished files of processes that have ended.

    Raises:
        NotFree: Another thread or process held the store's lock for too long.

    """
    with locked(work):
        with os.scandir(work) as entries:
            names = [os.fsencode(entry.name) for entry in entries if entry.name.endswith(".part")]
        for name in names:
            with suppress(FileNotFoundError), closed(os.open(name, OPEN_FILE, dir_fd=work)) as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                os.unlink(name, dir_fd=work)
