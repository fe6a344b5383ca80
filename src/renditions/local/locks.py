"""Locks of files: how long to wait for one, and which process holds it.

A process that is stopped (Ctrl-Z, SIGSTOP, a frozen container) keeps its locks, possibly for days. So no
other process waits for a lock without a limit.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

WAIT_SECONDS = 30.0
"""How long to wait for a lock. A process usually holds one only for a few milliseconds."""

_PAUSE_SECONDS = 0.002
_LOCKS = Path("/proc/locks")
"""The table of locks on Linux: ``man 5 proc_locks``. Other systems have none."""


class NotFree(Exception):
    """A lock wasn't free in time.

    The text says what to do, and if possible which process holds the lock.
    """


def take_lock(file: int) -> None:
    """Lock an open file as soon as no other descriptor has the lock.

    The system can't limit the time of a wait for such a lock, so this function tries again and again.

    Raises:
        NotFree: Another descriptor had the lock for ``WAIT_SECONDS``.

    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise NotFree(describe_holder(os.fstat(file))) from None
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def describe_holder(*files: os.stat_result) -> str:
    """Return a text about a lock that wasn't free in time, and what to do.

    If possible, the text says which process holds the lock. ``files`` has the status of each file that the
    lock may be on.
    """
    waited = f"its lock wasn't free within {WAIT_SECONDS:g} s"
    for holder in _find_holders(files):
        if holder == os.getpid():
            return f"{waited}: another task of this process holds it. Try again"
        if _is_stopped(holder):
            return (
                f"{waited}: process {holder} holds it and is stopped. Continue that process "
                f"(kill -CONT {holder}) or end it (kill -KILL {holder}), then try again"
            )
        return f"{waited}: process {holder} holds it. Try again; end that process if it hangs"
    return (
        f"{waited}: another process holds it. If that process is suspended, resume or end it. Then try again"
    )


def _find_holders(files: tuple[os.stat_result, ...]) -> Iterator[int]:
    """Yield the processes that hold an exclusive lock on one of the files.

    The system names only processes of this container, and no process on another machine.
    """
    places = {
        f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}".encode() for file in files
    }
    with suppress(OSError):
        for line in _LOCKS.read_bytes().splitlines():
            match line.split():  # a waiting process has "->" in the second field
                case [_, b"FLOCK" | b"POSIX", _, b"WRITE", process, place, *_] if place in places:
                    if int(process) > 0:  # else it is a process of another container
                        yield int(process)


def _is_stopped(process: int) -> bool:
    """Return whether a signal or a debugger stopped the process.

    Source: man 5 proc_pid_stat, states T and t.
    """
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b") ")[2][:1] in (b"T", b"t")
    return False
