"""A folder's file events, as keys that something may have happened to."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from watchfiles import Change, watch

from renditions.errors import StoreFailed
from renditions.local.tree import WORK_FOLDER

log = logging.getLogger(__name__)


def watch_keys(root: Path, stop: threading.Event, tick_seconds: float) -> Iterator[frozenset[str] | None]:
    """Yield the keys of files that were made, changed or removed below ``root``, until ``stop`` is set.

    Yields an empty set at every tick in which nothing happened, and None where it can't be told which
    keys are concerned (a folder came or went): everything is then to be looked at.

    Raises:
        StoreFailed: The folder is not there.

    """
    real = Path(os.path.realpath(root))
    tick_ms = round(tick_seconds * 1000)
    while not stop.is_set():
        if not real.is_dir():
            raise StoreFailed(f"{root}: expected a folder to watch, found none")
        try:
            for changes in watch(
                real,
                watch_filter=None,
                debounce=tick_ms,
                step=min(tick_ms, 50),
                stop_event=stop,
                rust_timeout=tick_ms,
                yield_on_timeout=True,
                raise_interrupt=False,
            ):
                yield _keys(real, changes)
                if not real.is_dir():
                    break
        except OSError as error:
            log.warning("%s: file events broke off (%s); everything is looked at instead", root, error)
            yield None
            stop.wait(tick_seconds)


def _keys(root: Path, changes: set[tuple[Change, str]]) -> frozenset[str] | None:
    keys = set()
    for change, text in changes:
        path = Path(text)
        key = path.relative_to(root).as_posix()
        if os.fsencode(key.split("/")[0]) == WORK_FOLDER:
            continue
        # What is gone can't be asked whether it was a folder; a picture's name has a suffix.
        if path.is_dir() or (change is Change.deleted and not path.suffix):
            return None
        keys.add(key)
    return frozenset(keys)
