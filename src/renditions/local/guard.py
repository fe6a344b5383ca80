"""A guard that ends a worker process which takes too long, or too much memory, over one picture.

The guard measures memory from outside instead of limiting it from inside (``RLIMIT_AS``, ``RLIMIT_DATA``):
the imaging libraries reserve far more than they use, and if a reservation fails, several of them abort
without a message, which looks the same as a bug.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Literal, Self

LOOK_SECONDS = 0.02
"""How often memory is measured: a process can fill some 50 MB in that time."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Guard:
    """Kills a process that exceeds a limit while the context is open.

    Afterwards it leaves the process alone, which may render its next picture by then.

    Args:
        process: The process.
        seconds: How long the context may stay open.
        memory_bytes: How much memory the process may hold; None for no limit. Only Linux reports it.

    """

    def __init__(
        self, process: subprocess.Popen[bytes], seconds: float, memory_bytes: int | None = None
    ) -> None:
        self.exceeded: Literal["time", "memory"] | None = None
        """The limit that the process exceeded."""
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
    """Return how much memory a process holds, with shared libraries; 0 if the system doesn't report it.

    The second number of ``/proc/PID/statm`` (Linux, proc(5)), in pages.
    """
    try:
        pages = Path(f"/proc/{pid}/statm").read_bytes().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages[1]) * _PAGE_BYTES
