"""File systems that don't report other machines' changes: silent file systems.

Examples are network mounts and FUSE. The kernel reports only the changes that this machine makes through the
mount. It doesn't learn of changes by a server, by another machine, or through another path.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SILENT = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "afs"),
        *("ceph", "lustre", "gpfs", "ocfs2", "gfs2"),
        *("9p", "virtiofs", "vboxsf", "prl_fs", "fakeowner", "drvfs"),
        *("fuse", "macfuse", "osxfuse"),
    )
)
"""The types of silent file systems on Linux and macOS. Types that begin with ``fuse.`` count too."""

_MOUNTINFO = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    path: Path
    type: str

    @property
    def is_silent(self) -> bool:
        """Whether the file system hides the changes that other machines make."""
        return self.type in _SILENT or self.type.startswith("fuse.")


def find_silent_mount(folder: Path) -> Mount | None:
    """Return the silent mount that contains a folder, or one below the folder.

    Return None if neither exists.
    """
    return choose_silent_mount(folder, _read_mounts())


def choose_silent_mount(folder: Path, mounts: Iterator[Mount]) -> Mount | None:
    """Choose from ``mounts`` as :func:`find_silent_mount` does from the system's.

    Return None if no silent mount contains the folder or lies below it. If two mounts have the same path, the
    later one counts, because it covers the earlier one.
    """
    real = Path(os.path.realpath(folder))
    by_path = {mount.path: mount for mount in mounts}
    above = next((by_path[path] for path in (real, *real.parents) if path in by_path), None)
    if above and above.is_silent:
        return above
    below = (mount for path, mount in sorted(by_path.items()) if real in path.parents)
    return next((mount for mount in below if mount.is_silent), None)


def parse_mountinfo(text: str) -> Iterator[Mount]:
    """Yield the mounts of ``/proc/self/mountinfo`` (see proc(5)).

    The type follows a lone dash.
    """
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        path = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields.split(" ")[4])
        yield Mount(Path(path), rest.split(" ")[0])


def parse_mount(text: str) -> Iterator[Mount]:
    """Yield the mounts that ``mount`` prints on macOS.

    A line looks like ``//me@nas/a on /Volumes/a (smbfs, nodev)``.
    """
    for found in re.finditer(r"^.* on (/.*) \((\w+)", text, re.MULTILINE):
        yield Mount(Path(found[1]), found[2])


def _read_mounts() -> Iterator[Mount]:
    if sys.platform == "darwin":
        return parse_mount(subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=True).stdout)
    return parse_mountinfo(os.fsdecode(_MOUNTINFO.read_bytes())) if _MOUNTINFO.exists() else iter(())
