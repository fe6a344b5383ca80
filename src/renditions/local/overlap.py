"""The parts that an output folder and a source share, even if their paths differ.

A link, a bind mount, a FUSE file system or a network mount can show the same files under two paths. Three
checks find them: the device and inode of the folders above, the system's table of mounts, and the files that
a catalog leaves in both folders. This module names a *part* of a folder by the prefix of its keys. The prefix
ends with a slash. It is empty for the whole folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from renditions.local.registrations import marker_path, registration_path

_MOUNTS = Path("/proc/self/mountinfo")
"""The table of mounts on Linux: ``man 5 proc_pid_mountinfo``."""

SAME_TIME_SECONDS = 2.0
"""How much the times of two views of one file may differ, since some network mounts round them."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the table of mounts."""

    at: PurePath
    """The mount point."""
    device: str
    root: PurePath
    """The folder of the file system that the mount point shows."""
    source: str
    """The mounted device; or a folder that the mount shows under another path, for example with bindfs."""


Location = tuple[str, PurePath]
"""The real place of a folder: a device, and the path in its file system."""


def find_overlaps(source: Path, output: Path, catalog_id: str = "") -> Iterator[str]:
    """Yield the parts of the output folder that lie in the source folder.

    If the source lies in the output folder, yield the part that is the source. A part may come more than
    once.

    Args:
        source: The source folder.
        output: The output folder, which may be missing.
        catalog_id: The catalog's id, for the files that the catalog left in both folders;
            empty if the catalog has no id yet.

    """
    source, output = source.resolve(), output.resolve()
    mounts = read_mounts()
    yield from _find_by_identity(source, output)
    for there in _list_parts(source, mounts).values():
        for part, here in _list_parts(output, mounts).items():
            if _is_within(here, there):
                yield part
            elif _is_within(there, here):
                yield part + _spell(there[1].relative_to(here[1]))
    if catalog_id:
        yield from _find_by_marks(source, output, mounts, catalog_id)


def read_mounts() -> tuple[Mount, ...]:
    """Return the mounts that this process sees, in the order of mounting.

    The result is empty on a system without ``/proc/self/mountinfo``, such as macOS.
    """
    try:
        lines = os.fsdecode(_MOUNTS.read_bytes()).splitlines()
    except FileNotFoundError:
        return ()
    mounts = []
    for line in lines:
        fields, _, more = line.partition(" - ")
        _, _, device, root, at, *_ = map(_unescape, fields.split(" "))
        mounts.append(Mount(PurePath(at), device, PurePath(root), _unescape(more.split(" ")[1])))
    return tuple(mounts)


def _unescape(field: str) -> str:
    r"""Return the text of a field, which contains a space as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def locate(folder: PurePath, mounts: Sequence[Mount]) -> Location:
    """Return the device of a folder, and its path on that device.

    If no mount contains the folder, return an empty text and the folder.

    A mount can show another folder, for example with bindfs. Then this function locates that other folder. It
    ignores this mount and later ones, because the other folder was there before them.
    """
    above = [number for number, mount in enumerate(mounts) if folder.is_relative_to(mount.at)]
    if not above:
        return "", folder
    number = max(above, key=lambda number: (len(mounts[number].at.parts), number))
    mount = mounts[number]
    inside = mount.root / folder.relative_to(mount.at)
    if mount.source.startswith("/") and Path(mount.source).is_dir():
        return locate(PurePath(mount.source) / inside.relative_to("/"), mounts[:number])
    return mount.device, inside


def _list_parts(folder: Path, mounts: Sequence[Mount]) -> dict[str, Location]:
    """Return the real places of a folder and of each mount below it, by part."""
    parts = {"": locate(folder, mounts)}
    for mount in mounts:
        if mount.at != folder and mount.at.is_relative_to(folder):
            parts[_spell(mount.at.relative_to(folder))] = locate(mount.at, mounts)
    return parts


def _is_within(inner: Location, outer: Location) -> bool:
    return inner[0] == outer[0] and inner[1].is_relative_to(outer[1])


def _spell(path: PurePath) -> str:
    """Return the prefix of the keys below a relative path."""
    return f"{path.as_posix()}/" if path.parts else ""


def _find_by_identity(source: Path, output: Path) -> Iterator[str]:
    """Yield the shared parts if one folder contains the other, by device and inode.

    Comparing paths isn't enough: if case is ignored, several paths can name one folder.
    """
    if any(_are_same(above, source) for above in (output, *output.parents)):
        yield ""
    for above in source.parents:
        if _are_same(above, output):
            yield _spell(source.relative_to(above))


def _are_same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(one.stat(), other.stat())
    return False


def _find_by_marks(source: Path, output: Path, mounts: Sequence[Mount], catalog_id: str) -> Iterator[str]:
    """Yield the parts of the output folder in the source, by the catalog's files.

    The catalog left a file in each folder. If a part of one folder shows the file of the other folder, it is
    the other folder.

    A network mount shows a folder under other devices and inodes. If the server's ``/data`` is mounted at
    ``/mnt``, the folder ``/data/pictures`` appears as ``/mnt/pictures``. So if the other folder is
    ``/data/pictures``, this function tries the parts ``data/pictures/`` and ``pictures/`` of a folder, the
    whole folder, and each mount point in the folder.
    """
    registration = registration_path(output, catalog_id)
    for part in _list_views(source, output, mounts):
        if _show_one_file(registration_path(source / part, catalog_id), registration):
            yield ""
    marker = marker_path(source, catalog_id)
    for part in _list_views(output, source, mounts):
        if _show_one_file(marker_path(output / part, catalog_id), marker):
            yield part


def _list_views(folder: Path, other: Path, mounts: Sequence[Mount]) -> Iterator[str]:
    """Yield the parts of a folder that may show the other folder."""
    for depth in range(len(other.parts)):
        yield _spell(PurePath(*other.parts[1:][depth:]))
    for mount in mounts:
        if mount.at != folder and mount.at.is_relative_to(folder):
            yield _spell(mount.at.relative_to(folder))


def _show_one_file(one: Path, other: Path) -> bool:
    """Return whether two paths seem to show the same file.

    The sizes must be equal, and the times nearly equal.
    """
    with suppress(OSError):
        here, there = one.stat(), other.stat()
        is_same_time = abs(here.st_mtime - there.st_mtime) < SAME_TIME_SECONDS
        return here.st_size == there.st_size and is_same_time
    return False
