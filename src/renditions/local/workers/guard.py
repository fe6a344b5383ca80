"""A guard that kills a worker if one picture needs too much time or memory.

The guard measures memory from outside. A limit inside the process (``RLIMIT_AS``, ``RLIMIT_DATA``) doesn't
work well: the imaging libraries reserve far more memory than they use, and if a reservation fails, several of
them abort without a message, which looks like a bug.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Literal, Self

LOOK_SECONDS = 0.02
"""The time between two measurements of memory."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Guard:
    """A guard that kills a process if it exceeds a limit within the context.

    After the context, the guard never kills the process, because the process may already render its next
    picture.

    Args:
        process: The process.
        seconds: How long the context may stay open.
        memory_bytes: How much memory the process may hold; None for no limit. Only Linux reports it.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], seconds: float, memory_bytes: int | None = None
    ) -> None:
        self.exceeded: Literal["time", "memory"] | None = None
        """The limit that the process exceeded; None if it exceeded none."""
        self.seconds = seconds
        self._process = process
        self._ends_at = time.monotonic() + seconds
        self._memory_bytes = memory_bytes
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            left = max(0.0, self._ends_at - time.monotonic())
            if self._closed.wait(left if self._memory_bytes is None else min(left, LOOK_SECONDS)):
                return
            if time.monotonic() >= self._ends_at:
                self.exceeded = "time"
            elif self._memory_bytes is not None and resident_bytes(self._process.pid) > self._memory_bytes:
                self.exceeded = "memory"
            if self.exceeded:
                self._process.kill()
                return


def resident_bytes(pid: int) -> int:
    """Return how many bytes of memory a process holds, with shared libraries.

    Return 0 if the system doesn't say. The source is the second number of ``/proc/PID/statm`` (Linux,
    proc(5)), which counts pages.
    """
    try:
        pages = Path(f"/proc/{pid}/statm").read_bytes().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages[1]) * _PAGE_BYTES
