"""A cache of previews in a folder: one folder for each picture, with one file.

The cache lies in a folder ``.renditions``. A store in the folder above skips it, so the store doesn't take a
preview for a picture.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from renditions.errors import Failed

MOST_BYTES = 200_000_000
"""The most bytes of all previews of a catalog together. Above this, the cache deletes the oldest ones."""

_KEPT_SHARE = 0.9
"""How much of the limit the cache keeps when it deletes the oldest previews.

It keeps less than the limit, so that it needn't search for the oldest ones again for each new preview.
"""


class PreviewCache:
    """Previews by the picture's name and version.

    Many threads and processes may share it. Only the user who runs the process can read the files,
    because the pictures may be private.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._room_bytes = 0

    def get(self, name: str, version: str) -> bytes | None:
        """Return the preview of this version; None if the cache doesn't have it."""
        try:
            return (self._place(name) / _hash(version)).read_bytes()
        except OSError:
            return None  # a cache that can't be read is like an empty one

    def put(self, name: str, version: str, content: bytes) -> None:
        """Keep the preview of this version; delete those of the picture's other versions.

        If all previews together exceed the limit, delete the oldest ones.

        Raises:
            Failed: The file can't be written, or old previews can't be deleted.

        """
        place = self._place(name)
        unfinished = place / f"{uuid.uuid4().hex}.part"
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another thread deleted the picture's previews meanwhile
                file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(file, "wb") as writer:
                    writer.write(content)
                unfinished.replace(place / _hash(version))
                for other in place.iterdir():
                    if other.name != _hash(version):
                        other.unlink(missing_ok=True)
        except OSError as error:
            raise Failed(
                f"can't keep the preview of {name} in {self._folder}: {error.strerror}. Check the "
                "folder's permissions and free space, or start the server with --no-previews"
            ) from error
        # Another process may delete a preview meanwhile. The next call then continues.
        try:
            with suppress(FileNotFoundError):
                self._evict(len(content))
        except OSError as error:
            raise Failed(
                f"can't delete old previews in {self._folder}: {error.strerror}. Check the permissions and "
                "the disk, or start the server with --no-previews"
            ) from error

    def drop(self, name: str) -> bool:
        """Delete the picture's previews; return whether there were any.

        Raises:
            Failed: A file can't be deleted.

        """
        place = self._place(name)
        is_there = place.exists()
        shutil.rmtree(place, ignore_errors=True)
        if place.exists():
            raise Failed(f"can't delete the preview of {name} in {place}. Check the permissions and the disk")
        return is_there

    def _evict(self, added_bytes: int) -> None:
        """Delete the oldest previews if all of them together exceed the limit."""
        self._room_bytes -= added_bytes
        if self._room_bytes > 0:
            return
        files = [(file, file.stat()) for file in self._folder.glob("*/*") if file.is_file()]
        files.sort(key=lambda pair: pair[1].st_mtime_ns)
        total = sum(status.st_size for _, status in files)
        if total > self._most_bytes:
            for file, status in files:
                if total <= self._most_bytes * _KEPT_SHARE:
                    break
                file.unlink(missing_ok=True)
                with suppress(OSError):  # another preview of the picture came meanwhile
                    file.parent.rmdir()
                total -= status.st_size
        self._room_bytes = self._most_bytes - total

    def _place(self, name: str) -> Path:
        return self._folder / _hash(name)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:40]
