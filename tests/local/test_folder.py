"""A folder store beyond the contract: paths, links, the disk, crashes."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from contract.folders import USES, limited, names_in, open_descriptors
from contract.stores import keys, put
from renditions.core.ports import IfAbsent, IfMatch
from renditions.errors import Conflict, ForeignOutput, StoreFailed
from renditions.local.folder import FolderStore
from renditions.local.work import written

each_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


# The folder itself


@each_use
def test_using_a_missing_folder_raises_an_error(tmp_path: Path, use: Callable[..., object]) -> None:
    store = FolderStore(tmp_path / "inbox")
    with pytest.raises(StoreFailed, match=r"the folder .*inbox is missing"):
        use(store, "a")
    with pytest.raises(StoreFailed, match="inbox"):
        keys(store)
    assert names_in(tmp_path) == []


def test_using_a_folder_that_was_moved_away_raises_an_error(root: Path) -> None:
    store = FolderStore(root)
    put(store, "a")
    root.rename(root.parent / "elsewhere")
    with pytest.raises(StoreFailed):
        keys(store)
    with pytest.raises(StoreFailed):
        store.head("a")


@pytest.mark.parametrize("create", [False, True])
def test_using_a_file_in_place_of_the_folder_raises_an_error(tmp_path: Path, create: bool) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FolderStore(tmp_path / "file", create=create)
    with pytest.raises(StoreFailed, match="is not a folder"):
        keys(store)
    with pytest.raises(StoreFailed, match="is not a folder"):
        store.head("a")
    with pytest.raises(StoreFailed, match="is not a folder"):
        store.put("a", b"", IfAbsent(), "image/jpeg")


def test_a_missing_output_folder_is_created_with_the_first_object(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "a" / "b", create=True)
    assert keys(store) == []
    assert (store.head("x/y"), store.get("x")) == (None, None)
    store.delete("x", IfMatch("0"))
    assert names_in(tmp_path) == []
    put(store, "x/y")
    assert (tmp_path / "a" / "b" / "x" / "y").read_bytes() == b"content"


def test_a_link_to_the_folder_is_followed_only_when_the_store_is_opened(
    root: Path, outside: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    store = FolderStore(link)
    put(store, "a")
    link.unlink()
    link.symlink_to(outside)
    assert keys(store) == ["a"]


def test_reading_a_store_creates_no_file_in_its_folder(root: Path) -> None:
    (root / "a").write_bytes(b"")
    store = FolderStore(root)
    keys(store)
    store.head("a")
    store.get("a")
    assert names_in(root) == ["a"]


# ETags, complete files, reading


def test_an_etag_changes_with_the_size_the_time_or_the_inode_of_the_file(root: Path) -> None:
    file = root / "a"
    file.write_bytes(b"one")
    os.utime(file, ns=(0, 1_000))
    store = FolderStore(root)

    def etag() -> str:
        found = store.head("a")
        assert found
        return found.etag

    seen = [etag()]
    file.write_bytes(b"three")
    os.utime(file, ns=(0, 1_000))
    seen.append(etag())
    os.utime(file, ns=(0, 1_001))
    seen.append(etag())
    (root / "b").write_bytes(b"four!")
    os.utime(root / "b", ns=(0, 1_001))
    (root / "b").rename(file)
    seen.append(etag())
    assert len(set(seen)) == 4


def test_an_etag_stays_the_same_when_the_file_is_moved_or_its_mode_changes(root: Path) -> None:
    store = FolderStore(root)
    stored = put(store, "a")
    (root / "a").chmod(0o600)
    (root / "a").rename(root / "b")
    found = store.head("b")
    assert found
    assert found.etag == stored.etag


def test_unusual_file_times_do_not_break_a_listing(root: Path) -> None:
    for name, second in (("a", -5), ("b", 2**33)):
        (root / name).write_bytes(b"")
        os.utime(root / name, (second, second))
    assert keys(FolderStore(root)) == ["a", "b"]


def test_a_file_counts_as_complete_after_it_has_stopped_changing(root: Path) -> None:
    file = root / "a"
    file.write_bytes(b"")
    os.utime(file, (0, 0))  # the time of content can be set back, as cp -p does; this must not help
    found = FolderStore(root, rest_seconds=3600).head("a")
    assert found
    assert not found.complete
    for _ in range(500):
        found = FolderStore(root, rest_seconds=0.05).head("a")
        assert found
        if found.complete:
            break
        time.sleep(0.01)
    assert found.complete
    assert [found.complete for found in FolderStore(root, rest_seconds=3600).list()] == [False]


def test_a_written_file_is_complete_if_no_settle_time_is_set(root: Path) -> None:
    assert put(FolderStore(root), "a").complete


def test_get_returns_matching_content_and_etag_while_the_file_is_replaced(root: Path) -> None:
    store = FolderStore(root)
    etags = {put(store, "a", b"0" * 1000).etag: b"0" * 1000}
    stop = threading.Event()

    def replace() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            content = (b"%d " % number) * 1000
            etags[put(FolderStore(root), "a", content).etag] = content

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        got = [store.get("a") for _ in range(300)]
    finally:
        stop.set()
        thread.join()
    for pair in got:
        assert pair
        assert etags[pair[0].etag] == pair[1]


def test_get_of_a_growing_file_fails_or_returns_content_of_the_reported_size(root: Path) -> None:
    store = FolderStore(root)
    stop = threading.Event()

    def grow() -> None:
        with (root / "a").open("ab", buffering=0) as file:
            while not stop.is_set() and file.tell() < 20_000_000:
                file.write(b"x" * 10_000)

    (root / "a").write_bytes(b"")
    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(50):
            try:
                got = store.get("a")
            except StoreFailed as error:
                assert "it changed during each of" in str(error)  # noqa: PT017 - either outcome is allowed
            else:
                assert got
                assert got[0].size_bytes == len(got[1])
    finally:
        stop.set()
        thread.join()


# Listing


def test_a_listing_skips_the_working_folder_without_a_warning(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FolderStore(root)
    put(store, "a")
    (root / ".renditions" / "x.jpg").write_bytes(b"")
    assert keys(store) == ["a"]
    assert caplog.records == []


def test_using_a_store_leaves_no_file_descriptor_open(root: Path, outside: Path) -> None:
    store = FolderStore(root)
    (root / "link").symlink_to(outside)
    before = open_descriptors()
    for key in ("a/b", "a/c", "d"):
        put(store, key)
    next(store.list())  # abandoned
    keys(store)
    for key in ("a/b", "a", "link/x", "nothing/x"):
        store.head(key)
        store.get(key)
        for use in (lambda key=key: put(store, key), lambda key=key: store.delete(key, IfMatch("0"))):
            with suppress(ForeignOutput, Conflict):
                use()
    assert open_descriptors() == before


# Writing, deleting, dying


def test_written_files_have_the_permissions_that_the_umask_allows(root: Path) -> None:
    put(FolderStore(root), "a/b")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((root / "a/b").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o777 & ~umask


def test_delete_removes_the_folders_that_it_empties_but_no_other_folders(root: Path) -> None:
    store = FolderStore(root)
    (root / "a").mkdir()
    (root / "a" / "link").symlink_to(root)
    store.delete("a/b/c/d", IfMatch(put(store, "a/b/c/d").etag))
    assert names_in(root / "a") == ["link"]
    (root / "a" / "link").unlink()
    store.delete("a/b", IfMatch(put(store, "a/b").etag))
    assert names_in(root) == [".renditions"]


def test_deleting_a_missing_object_removes_the_empty_folders_above_it(root: Path) -> None:
    """A process may die after it removes the file and before it removes the folders.

    Then the next deletion removes the folders.
    """
    (root / "a" / "b").mkdir(parents=True)
    FolderStore(root).delete("a/b/c", IfMatch("0"))
    assert names_in(root) == [".renditions"]


def test_a_failed_write_leaves_the_existing_object_unchanged(root: Path) -> None:
    store = FolderStore(root)
    first = put(store, "a", b"first")
    with (
        limited(resource.RLIMIT_FSIZE, 10_000),
        pytest.raises(StoreFailed, match=r"root/a: File too large"),
    ):
        put(store, "a", b"x" * 20_000)
    assert store.get("a") == (first, b"first")
    assert names_in(root / ".renditions") == ["lock"]


def test_a_refused_write_leaves_no_empty_folders(root: Path) -> None:
    store = FolderStore(root)
    with pytest.raises(Conflict):
        store.put("a/b", b"", IfMatch("0"), "image/jpeg")
    assert names_in(root) == [".renditions"]


def test_only_unfinished_files_of_dead_writers_are_removed(root: Path) -> None:
    put(FolderStore(root), "a")
    work = root / ".renditions"
    (work / "dead.part").write_bytes(b"half a pict")
    (work / "living.part").write_bytes(b"half a pict")
    with (work / "living.part").open() as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        put(FolderStore(root), "a")
        assert names_in(work) == ["living.part", "lock"]


def test_a_write_that_fails_at_the_lock_leaves_no_descriptor_open(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("renditions.local.locks.WAIT_SECONDS", 0.0)
    put(FolderStore(root), "a")
    store = FolderStore(root)
    with (root / ".renditions" / "lock").open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        before = open_descriptors()
        with pytest.raises(StoreFailed):
            put(store, "a")
        assert open_descriptors() == before


def test_a_writer_keeps_its_unfinished_file_locked(root: Path) -> None:
    put(FolderStore(root), "a")
    work = os.open(root / ".renditions", os.O_RDONLY)
    try:
        with written(work, b"content") as (part, _):
            put(FolderStore(root), "b")
            assert (root / ".renditions" / os.fsdecode(part)).read_bytes() == b"content"
        assert names_in(root / ".renditions") == ["lock"]
    finally:
        os.close(work)


WRITER = """
import sys
from pathlib import Path
from contract.stores import put
from renditions.local.folder import FolderStore
store = FolderStore(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    put(store, f"{number % 5}/a", (b"%08d" % number) * 25_000)
"""


def test_every_object_is_complete_after_a_writer_was_killed(root: Path) -> None:
    store = FolderStore(root)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for number in range(6):
        before = {found.etag for found in store.list()}
        writer = subprocess.Popen([sys.executable, "-c", WRITER, root], env=environment)
        try:
            while len({found.etag for found in store.list()} - before) < 5 and writer.poll() is None:
                time.sleep(0.005 + number * 0.003)
        finally:
            writer.kill()
        assert writer.wait() == -signal.SIGKILL
        for found in store.list():
            got = store.get(found.key)
            assert got
            assert got[1] == got[1][:8] * 25_000
    put(FolderStore(root), "after")
    assert names_in(root / ".renditions") == ["lock"]
