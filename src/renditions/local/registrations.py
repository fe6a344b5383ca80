"""The catalogs that use a folder, and the writers of its files.

An output store has ``.renditions/catalogs/CATALOG_ID.json``. A source has
``.renditions/markers/CATALOG_ID.txt``. A file can have its writer in an extended attribute.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from renditions.local.tree import OPEN_FOLDER, WORK_FOLDER, absence, closed, open_folder, read_status

_CATALOGS = b"catalogs"
_MARKERS = b"markers"
_SUFFIX = ".json"
_WRITER = "user.renditions.writer"

_MARKER = """\
The folder above .renditions is the source of a catalog of Renditions. If this file is missing, Renditions
assumes that the disk is unmounted, and holds removals back.
"""


def write_registration(work: int, catalog_id: str, text: str) -> None:
    """Write a catalog's registration into the open working folder of a store.

    The caller holds the store's lock.
    """
    _write(work, _CATALOGS, f"{catalog_id}{_SUFFIX}", text)


def registration_path(folder: Path, catalog_id: str) -> Path:
    """Return the path of a catalog's file in an output folder."""
    return folder / os.fsdecode(WORK_FOLDER) / os.fsdecode(_CATALOGS) / f"{catalog_id}{_SUFFIX}"


def marker_path(folder: Path, catalog_id: str) -> Path:
    """Return the path of a catalog's marker in a source folder."""
    return folder / os.fsdecode(WORK_FOLDER) / os.fsdecode(_MARKERS) / _name_marker(catalog_id)


def write_marker(work: int, catalog_id: str) -> None:
    """Write a catalog's marker into the open working folder of a source.

    The caller holds the store's lock.
    """
    _write(work, _MARKERS, _name_marker(catalog_id), _MARKER)


def has_marker(root: int, catalog_id: str) -> bool:
    """Return whether the open source folder has the catalog's marker."""
    with absence():
        read_status(root, (WORK_FOLDER, _MARKERS, _name_marker(catalog_id).encode()))
        return True
    return False


def _name_marker(catalog_id: str) -> str:
    return f"{catalog_id}.txt"


def _write(work: int, kind: bytes, name: str, text: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(kind, dir_fd=work)
    with closed(os.open(kind, OPEN_FOLDER, dir_fd=work)) as folder:
        with suppress(FileNotFoundError):
            if _read(folder, name) == text:
                return
        unfinished = f"{name}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(unfinished, flags, 0o666, dir_fd=folder), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)


def read_registrations(root: int) -> dict[str, str]:
    """Return the text of each catalog's file in an output folder, by catalog id."""
    found: dict[str, str] = {}
    with absence(), closed(open_folder(root, (WORK_FOLDER, _CATALOGS))) as folder:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(_SUFFIX))
        for name in names:
            with absence():
                found[name.removesuffix(_SUFFIX)] = _read(folder, name)
    return found


def _read(folder: int, name: str) -> str:
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(file, encoding="utf-8", errors="replace") as reader:
        return reader.read()


def write_writer(file: int, writer: str) -> None:
    """Store the writer with the open file, if the system and the file system can."""
    if sys.platform == "linux":  # Python supports them only on Linux
        with suppress(OSError):
            os.setxattr(file, _WRITER, writer.encode())


def read_writer(file: int) -> str | None:
    """Return the writer of the open file; None if it isn't known.

    Only Linux keeps writers, and not on each file system.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            return os.getxattr(file, _WRITER).decode()
    return None
