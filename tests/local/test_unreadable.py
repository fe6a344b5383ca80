"""Folders in a source that can't be read, with real permissions."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from commands import RENDITIONS, Ended, draw, run, write_pipeline
from renditions.core.ports import Unreadable
from renditions.errors import StoreFailed
from renditions.local.folder import FolderStore

WITHOUT_OVERRIDE = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""The program that makes permissions apply to root too (util-linux)."""


def run_bound_by_permissions(directory: Path, *arguments: str) -> Ended:
    """Run ``renditions`` as a user who must obey permissions; return the result.

    root can read any folder.
    """
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("unreadable folders are NOT tested: root can read everything, and has no setpriv")
        prefix = WITHOUT_OVERRIDE
    ended = subprocess.run(
        [*prefix, RENDITIONS, *arguments], cwd=directory, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def mode(folder: Path, bits: int) -> Iterator[None]:
    """Give a folder other permissions during the block."""
    before = folder.stat().st_mode
    folder.chmod(bits)
    try:
        yield
    finally:
        folder.chmod(before)


@pytest.mark.parametrize("bits", [0o000, 0o400], ids=["closed", "names only"])
def test_sync_keeps_the_pictures_of_an_unreadable_folder_and_processes_all_other_pictures(
    tmp_path: Path, bits: int
) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 40")
    for name in ("a.jpg", "closed/b.jpg", "closed/deeper/c.jpg", "open/d.jpg"):
        draw(tmp_path / "inbox" / name)
    time.sleep(1)  # until the files have settled
    assert run_bound_by_permissions(tmp_path, "sync").code == 0
    (tmp_path / "inbox/a.jpg").unlink()
    draw(tmp_path / "inbox/z.jpg", seed=2)  # else it would be a.jpg under another name
    time.sleep(1)  # until the files have settled
    with mode(tmp_path / "inbox/closed", bits):
        planned = run_bound_by_permissions(tmp_path, "plan", "--json")
        ended = run_bound_by_permissions(tmp_path, "sync")
    actions = {each["name"]: each["action"] for each in planned.data}
    assert actions == {"closed/": "unreadable", "a.jpg": "remove", "z.jpg": "create"}
    assert ended.code == 1
    assert f"{tmp_path}/inbox/closed/ can't be read: Permission denied" in "".join(ended.err.split("\n"))
    made = [path for path in (tmp_path / "processed").rglob("thumb.*") if path.is_file()]
    assert len(made) == 4, "of b, c, d and z"
    assert run_bound_by_permissions(tmp_path, "sync").out.startswith("Nothing to do")


@pytest.fixture
def fail_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return a function that makes opening or describing one name fail.

    The operating system's call then reports a disk error.
    """

    def start(call: str, failing: str) -> None:
        real = getattr(os, call)

        def refuse(name: Any, *arguments: Any, **options: Any) -> Any:
            if name == failing.encode():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(name, *arguments, **options)

        monkeypatch.setattr(os, call, refuse)

    return start


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    for name in ("a.jpg", "b/1.jpg", "b/2.jpg", "b/c/3.jpg", "d.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return FolderStore(tmp_path)


@pytest.mark.parametrize(
    ("call", "failing", "prefix", "found"),
    [
        ("open", "b", "b/", ["a.jpg", "d.jpg"]),
        ("open", "c", "b/c/", ["a.jpg", "b/1.jpg", "b/2.jpg", "d.jpg"]),
        ("stat", "2.jpg", "b/", ["a.jpg", "b/1.jpg", "d.jpg"]),
    ],
)
def test_the_report_of_a_disk_error_names_the_folder(
    store: FolderStore,
    fail_at: Callable[[str, str], None],
    call: str,
    failing: str,
    prefix: str,
    found: list[str],
) -> None:
    fail_at(call, failing)
    reported: list[Unreadable] = []
    assert [each.key for each in store.list(on_unreadable=reported.append)] == found
    assert [each.prefix for each in reported] == [prefix]
    assert f"/{prefix} can't be read: Input/output error" in reported[0].reason
    with pytest.raises(StoreFailed, match=f"/{prefix} can't be read: Input/output error"):
        list(store.list())


@pytest.mark.parametrize(("after", "prefix"), [("b0", ""), ("", "a"), ("", "b0/"), ("d", "")])
def test_an_unreadable_folder_outside_the_listing_is_not_reported(
    store: FolderStore, fail_at: Callable[[str, str], None], after: str, prefix: str
) -> None:
    fail_at("open", "b")
    list(store.list(after, prefix))


@pytest.mark.parametrize(("after", "prefix"), [("b", ""), ("b/2.jpg", ""), ("b/c/9", ""), ("", "b/c/3")])
def test_an_unreadable_folder_partly_inside_the_listing_is_reported(
    store: FolderStore, fail_at: Callable[[str, str], None], after: str, prefix: str
) -> None:
    fail_at("open", "b")
    with pytest.raises(StoreFailed, match="/b/ can't be read"):
        list(store.list(after, prefix))


def test_a_catalog_that_this_user_may_not_read_or_write_is_reported_by_its_path(tmp_path: Path) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 40")
    draw(tmp_path / "inbox" / "a.jpg")
    assert run(tmp_path, "sync").code == 0
    draw(tmp_path / "inbox" / "a.jpg", seed=2)
    path = tmp_path / "renditions.db"
    for bits, why in (
        (0o000, ": this user may not read it"),
        (0o444, " (attempt to write a readonly database)"),
    ):
        with mode(path, bits):
            ended = run_bound_by_permissions(tmp_path, "sync")
        assert ended.code == 1
        assert f"the catalog {path}{why}" in ended.err
        assert "must be able to write the file and its folder, and its -wal and -shm files" in ended.err
    assert run(tmp_path, "sync").code == 0


def test_sync_skips_pictures_in_unreadable_folders_and_processes_all_other_pictures(
    tmp_path: Path,
) -> None:
    write_pipeline(tmp_path, '[renditions.thumb]\nwidth = 40\nkey = "{key}"')
    for name in ("closed/b.jpg", "open/d.jpg"):
        draw(tmp_path / "inbox" / name)
    assert run(tmp_path, "sync").code == 0
    draw(tmp_path / "inbox" / "new.jpg")
    with mode(tmp_path / "processed/closed", 0):
        ended = run_bound_by_permissions(tmp_path, "sync", "--json")
    assert (ended.code, ended.data["processed"], ended.data["unreadable"]) == (1, {"done": 1}, 1)
    assert "unreadable closed/b.jpg: can't access" in ended.err
    draw(tmp_path / "inbox" / "open/d.jpg", seed=2)
    with mode(tmp_path / "inbox/closed", 0):
        ended = run_bound_by_permissions(tmp_path, "sync", "closed/b.jpg", "open/d.jpg", "--json")
    assert (ended.code, ended.data["processed"], ended.data["unreadable"]) == (1, {"done": 1}, 1)
    assert run(tmp_path, "sync", "--strict").code == 0
