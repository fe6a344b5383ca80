"""Folders on mounts that don't report every change."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import RENDITIONS, draw, run, write_pipeline
from renditions.core.ports import StoredObject, Unreadable
from renditions.local.folder import FolderStore
from renditions.local.mounts import (
    Mount,
    choose_silent_mount,
    find_silent_mount,
    parse_mount,
    parse_mountinfo,
)
from renditions.local.poll import poll_keys

MOUNTINFO = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:50 / /mnt/nas rw,relatime shared:9 master:3 - nfs4 nas:/volume1 rw,vers=4.1
31 22 0:51 / /mnt/my\040share rw - cifs //nas/share rw
32 22 0:52 / /home/ann/remote rw - fuse.sshfs ann@host:/ rw
33 22 8:2 / /mnt/usb rw - fuseblk /dev/sdb1 rw
34 30 8:3 / /mnt/nas/local rw - xfs /dev/sdc1 rw
35 22 0:53 / /mnt/covered rw - 9p share rw
36 35 8:4 / /mnt/covered rw - ext4 /dev/sdd1 rw
""".strip()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/mnt/nas", Mount(Path("/mnt/nas"), "nfs4")),
        ("/mnt/nas/photos/2024", Mount(Path("/mnt/nas"), "nfs4")),
        ("/mnt/my share/photos", Mount(Path("/mnt/my share"), "cifs")),
        ("/home/ann/remote/x", Mount(Path("/home/ann/remote"), "fuse.sshfs")),
        ("/home/ann", Mount(Path("/home/ann/remote"), "fuse.sshfs")),
        ("/home/bob", None),
        ("/mnt/usb/photos", None),
        ("/mnt/nas/local/photos", None),
        ("/mnt/covered/photos", None),
        ("/mnt/nasty", None),
    ],
)
def test_a_silent_mount_above_or_below_a_folder_is_found_by_its_type(
    folder: str, expected: Mount | None
) -> None:
    """A mount below the folder counts too.

    Of two mounts at one place, the later one counts.
    """
    assert choose_silent_mount(Path(folder), parse_mountinfo(MOUNTINFO)) == expected


def test_the_list_of_mounts_that_macos_prints_is_parsed() -> None:
    text = "/dev/disk3s1 on / (apfs, sealed, local)\n//me@nas/photos on /Volumes/my photos (smbfs, nodev)\n"
    found = choose_silent_mount(Path("/Volumes/my photos/2024"), parse_mount(text))
    assert found == Mount(Path("/Volumes/my photos"), "smbfs")


def test_a_folder_on_a_local_disk_is_not_polled(tmp_path: Path) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 40\n")
    assert run(tmp_path, "status", "--json").data["polling"] is None
    assert "polling" not in run(tmp_path, "status").out


class Polled:
    """A folder with the keys that polling reports."""

    def __init__(self, root: Path) -> None:
        self.stop = threading.Event()
        self.found = poll_keys(FolderStore(root), self.stop, 0.01)

    def collect(self) -> set[str]:
        """Return the next reported keys."""
        return set(next(self.found))


def test_polling_reports_new_changed_and_removed_files_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.jpg", "b/c.jpg", "d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    polled = Polled(tmp_path)
    assert polled.collect() == set(), "the first listing is what later ones are compared with"
    (tmp_path / "new.jpg").touch()
    assert polled.collect() == {"new.jpg"}
    os.utime(tmp_path / "a.jpg", (1, 1))  # an older version is copied back
    (tmp_path / "b" / "c.jpg").unlink()
    assert polled.collect() == {"a.jpg", "b/c.jpg"}
    (tmp_path / "d.jpg").touch()
    assert polled.collect() == {"d.jpg"}
    polled.stop.set()
    assert list(polled.found) == []


def test_polling_reports_no_removals_below_an_unreadable_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.jpg").touch()

    class Unreachable(FolderStore):
        is_away = False

        def list(
            self, after: str = "", prefix: str = "", on_unreadable: Any = None, on_obstacle: Any = None
        ) -> Iterator[StoredObject]:
            if self.is_away:
                on_unreadable(Unreadable("b/", "b/ can't be read"))
                return
            yield from super().list(after, prefix, on_unreadable, on_obstacle)

    store, stop = Unreachable(tmp_path), threading.Event()
    found = poll_keys(store, stop, 0.01)
    assert next(found) == frozenset()
    store.is_away = True
    (tmp_path / "new.jpg").touch()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    assert list(found) == []


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Mount a folder as FUSE; yield the folder behind it.

    The mount doesn't report changes of the folder behind it.
    """
    if sys.platform != "linux":
        pytest.skip("FUSE is NOT tested: this user can't mount here")
    behind = tmp_path / "behind"
    behind.mkdir()
    write_pipeline(tmp_path, '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n')
    try:
        done = subprocess.run(["bindfs", behind, tmp_path / "inbox"], check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("FUSE is NOT tested: bindfs isn't installed, so this user can't mount here")
    if done.returncode:
        pytest.skip("FUSE is NOT tested: this user can't mount here")
    yield behind
    subprocess.run(["umount", "--lazy", tmp_path / "inbox"], check=True)


def test_a_watch_of_a_fuse_mount_finds_changes_by_other_programs_and_says_that_it_polls(
    mounted: Path, tmp_path: Path
) -> None:
    found = find_silent_mount(tmp_path / "inbox")
    assert found
    assert found.path == tmp_path / "inbox"
    assert found.type in ("fuse", "fuse.bindfs")
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("[output]", 'poll = "0.5 s"\n[output]'))
    said = f"({found.type}) doesn't report every change, so watch and serve check the source every 0.5 s"
    assert said in run(tmp_path, "status").out
    assert said in run(tmp_path, "status", "--json").data["polling"]
    with (tmp_path / "log").open("wb") as log:
        watch = subprocess.Popen([RENDITIONS, "watch"], cwd=tmp_path, stdout=log, stderr=log)
        try:
            draw(mounted / "first.jpg")
            wait_for(tmp_path / "processed" / "first.jpg")
            draw(mounted / "new" / "second.jpg")
            wait_for(tmp_path / "processed" / "new" / "second.jpg")
        finally:
            watch.terminate()
            assert watch.wait(30) == 0
    assert said in (tmp_path / "log").read_text()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)
