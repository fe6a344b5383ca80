"""Worker processes that last as long as the program.

They are for callers that render one picture now and then. Starting a worker takes longer than rendering most
pictures.
"""

from __future__ import annotations

import atexit
import os
import threading

from renditions.local.workers.pool import RenderPool
from renditions.model.pipeline import Limits

_lock = threading.Lock()
_pools: dict[Limits, RenderPool] = {}


def find_pool(limits: Limits) -> RenderPool:
    """Return this process's pool for these limits.

    Its workers start when they are first needed.
    """
    with _lock:
        if limits not in _pools:
            _pools[limits] = RenderPool(os.cpu_count() or 1, limits.seconds, limits=limits)
        return _pools[limits]


def _end_all() -> None:
    for pool in _pools.values():
        pool.terminate()


def _forget_all() -> None:
    """Leave the workers to the parent after a fork, and take a new lock.

    Another thread may have held the old lock during the fork.
    """
    global _lock  # noqa: PLW0603 - a fork copies the lock in whatever state it has
    _lock = threading.Lock()
    for pool in _pools.values():
        pool.abandon()
    _pools.clear()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_forget_all)
