"""Watch a folder for file events, and turn them into keys that may have changed."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from watchfiles import Change, watch

from renditions.errors import StoreFailed
from renditions.local.root import explain_missing
from renditions.local.tree import WORK_FOLDER

log = logging.getLogger(__name__)


def watch_keys(root: Path, stop: threading.Event, tick_seconds: float) -> Iterator[frozenset[str] | None]:
    """Yield the keys of files that changed below ``root``, until ``stop`` is set.

    Files that were created or removed count too.

    At every tick without changes, this function yields an empty set. It yields None if the caller must check
    everything: at the start, when a folder is gone or ``root`` was replaced, and when events were lost.

    Raises:
        StoreFailed: The folder is missing (from the start, or by now) or isn't a folder, or the system can't
            watch it.

    """
    real = Path(os.path.realpath(root))
    tick_ms = max(1, round(tick_seconds * 1000))
    while not stop.is_set():
        folders = _Folders(real)
        has_begun = False
        try:
            with closing(
                watch(
                    real,
                    watch_filter=None,  # the default filter ignores names that a picture may have
                    debounce=tick_ms,
                    step=min(tick_ms, 50),
                    stop_event=stop,
                    rust_timeout=tick_ms,
                    yield_on_timeout=True,
                    ignore_permission_denied=True,  # the next listing reports such a folder
                )
            ) as batches:
                for changes in batches:
                    if has_begun:
                        yield folders.find_keys(changes)
                    else:
                        has_begun = True
                        folders.find_all()
                        yield None
                    if folders.is_root_replaced():
                        break
        except (OSError, RuntimeError) as error:  # watchfiles raises RuntimeError
            if not has_begun:
                raise StoreFailed(
                    f"can't watch {root} ({error}). If there are too many folders or watchers, "
                    "raise the limits (on Linux fs.inotify.max_user_watches and max_user_instances)"
                ) from error
            log.warning("%s: file events stopped, so Renditions checks every file instead: %s", root, error)


class _Folders:
    """The known folders below a root.

    They are needed because an event doesn't say whether a deleted path was a folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._identity = self._identify()
        self._known: set[str] = set()

    def _identify(self) -> tuple[int, int]:
        try:
            status = self._root.stat()
        except FileNotFoundError:
            raise StoreFailed(explain_missing(self._root)) from None
        except OSError as error:
            raise StoreFailed(
                f"can't watch {self._root}: {error.strerror}. Check the path and its permissions"
            ) from error
        if not stat.S_ISDIR(status.st_mode):
            raise StoreFailed(f"can't watch {self._root}: it isn't a folder. Set [source] store to a folder")
        return status.st_dev, status.st_ino

    def is_root_replaced(self) -> bool:
        """Return whether the root is now another folder.

        Events still come from the old folder. Raise StoreFailed if the root is missing.
        """
        return self._identify() != self._identity

    def find_all(self) -> None:
        """Remember all folders that exist below the watched folder."""
        for _ in self._walk(str(self._root)):
            pass

    def find_keys(self, changes: set[tuple[Change, str]]) -> frozenset[str] | None:
        """Return the keys that the changes may concern; None if a folder is gone."""
        keys: set[str] = set()
        is_lost = False
        for change, path in changes:
            is_folder = os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114 - often, fast
            if path in self._known and (change is Change.deleted or not is_folder):
                self._known = {known for known in self._known if not f"{known}/".startswith(f"{path}/")}
                is_lost = True
            if is_folder:
                # Files that were created before the folder was watched have no events of their own.
                keys.update(self._walk(path))
            else:
                keys.add(path)
        return None if is_lost else frozenset(filter(None, map(self._key, keys)))

    def _walk(self, folder: str) -> Iterator[str]:
        """Remember the folder and all folders below it as known; yield the files' paths."""
        for parent, _, names in os.walk(folder):
            self._known.add(parent)
            for name in names:
                yield os.path.join(parent, name)  # noqa: PTH118 - often, fast

    def _key(self, path: str) -> str | None:
        """Return the path's key.

        Return None for the root, the store's own files, and names that aren't Unicode text.
        """
        key = Path(path).relative_to(self._root).as_posix()
        try:
            raw = key.encode()
        except UnicodeEncodeError:
            return None
        return None if raw.split(b"/")[0].lower() == WORK_FOLDER or key == "." else key
