"""A store's folder, and the working folder ``.renditions`` in it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from renditions.errors import StoreFailed
from renditions.local.failures import reported
from renditions.local.tree import OPEN_FOLDER, WORK_FOLDER, make_root
from renditions.local.work import sweep


class Root:
    """The folder of a store.

    Args:
        root: The folder. The constructor follows the links in this path, once.
        create: Whether the folder may be missing until something is written.

    """

    def __init__(self, root: Path, *, create: bool = False) -> None:
        self.path = Path(os.path.realpath(root))
        self._create = create
        self._swept = False

    def open(self, *, make: bool = False) -> int:
        """Return a new descriptor of the folder.

        Each call follows the path again, because another folder may have this path by now. With ``make``, a
        missing folder is created if the constructor's ``create`` allows that.

        Raises:
            NotMade: The folder is missing; ``create`` allows that, and ``make`` is false.
            StoreFailed: The folder is missing and ``create`` forbids that, or the path isn't a folder.
            OSError: The folder can't be opened or created for another reason.

        """
        try:
            return os.open(self.path, OPEN_FOLDER)
        except FileNotFoundError:
            if not self._create:
                raise StoreFailed(explain_missing(self.path)) from None
            if not make:
                raise NotMade from None
        except NotADirectoryError:
            raise StoreFailed(
                f"{self.path} is not a folder. In the pipeline file, set this store to a folder"
            ) from None
        make_root(self.path)
        return os.open(self.path, OPEN_FOLDER)

    def open_work(self, root: int) -> int:
        """Return a descriptor of the working folder; create the folder if it is missing.

        The first call removes the unfinished files of processes that have ended.

        Raises:
            StoreFailed: Something that isn't a folder has the working folder's name.
            NotFree: Another thread or process held the store's lock for too long.
            OSError: The working folder can't be opened or created for another reason.

        """
        with suppress(FileExistsError):
            os.mkdir(WORK_FOLDER, dir_fd=root)
        try:
            work = os.open(WORK_FOLDER, OPEN_FOLDER, dir_fd=root)
        except NotADirectoryError:
            where = self.path / os.fsdecode(WORK_FOLDER)
            raise StoreFailed(
                f"{where} is not a folder. Renditions keeps temporary files under this name: move it away"
            ) from None
        if not self._swept:
            try:
                sweep(work)
            except BaseException:
                os.close(work)
                raise
            self._swept = True
        return work

    def reported(self, key: str = "") -> reported:
        """Return a context that raises a folder's errors as errors of this package."""
        return reported(self.path, key)


def explain_missing(folder: Path) -> str:
    """Return the error message for a store's folder that is missing."""
    return f"the folder {folder} is missing: create it, or mount its disk"


class NotMade(Exception):
    """The store's folder doesn't exist yet, so the store is empty."""


def etag_of(status: os.stat_result) -> str:
    """Return the ETag of the file with this status."""
    return f"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ino:x}"
