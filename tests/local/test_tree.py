"""Keys and links that would lead a folder store out of its folder."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import socket
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from contract.folders import USES, limited, names_in, open_descriptors
from contract.stores import keys, put
from renditions.core.ports import IfAbsent, IfMatch, Obstacle
from renditions.errors import Conflict, ForeignOutput, KeyRefused, StoreFailed
from renditions.local.folder import FolderStore

each_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


REFUSED = {
    "up": "../a",
    "up in the middle": "a/../../b",
    "up at the end": "a/..",
    "only up": "..",
    "here": "./a",
    "only here": ".",
    "absolute": "/etc/passwd",
    "empty part": "a//b",
    "trailing slash": "a/",
    "nul": "a\0b",
    "name too long": "é" * 128,
    "folder name too long": "x" * 256 + "/a",
    "own folder": ".renditions/lock",
    "own folder itself": ".renditions",
    "own folder, by a file system without case": ".Renditions/x",
}


@each_use
@pytest.mark.parametrize("key", REFUSED.values(), ids=REFUSED)
def test_a_key_that_no_object_in_a_folder_can_have_is_refused(
    root: Path, key: str, use: Callable[..., object]
) -> None:
    with pytest.raises(KeyRefused, match="expected"):
        use(FolderStore(root), key)
    assert names_in(root) == []


def test_a_name_of_255_bytes_and_the_name_of_a_hidden_file_are_valid_keys(root: Path) -> None:
    store = FolderStore(root)
    for key in ("x" * 255, "y" * 255 + "/" + "z" * 255, ".a/.b", "a/.renditions/c"):
        put(store, key)
        assert root.joinpath(key).read_bytes() == b"content"
    assert len(keys(store)) == 4


def test_a_write_fails_while_a_file_blocks_its_folder(root: Path) -> None:
    store = FolderStore(root)
    put(store, "a")
    assert store.obstacle("a/b/c") == Obstacle("file", "a")
    with pytest.raises(ForeignOutput, match="a/b/c can't be written: the file a in"):
        put(store, "a/b/c")
    assert keys(store) == ["a"]


def test_a_write_fails_while_a_folder_blocks_its_file(root: Path) -> None:
    store = FolderStore(root)
    put(store, "a/b")
    assert store.obstacle("a") == Obstacle("folder", "a")
    with pytest.raises(ForeignOutput, match="a can't be written: the folder a in"):
        put(store, "a")
    assert keys(store) == ["a/b"]


def test_listings_skip_names_that_are_not_utf_8_with_one_warning_for_each(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (b"a.jpg", b"\xff.jpg", b"z.jpg"):
        Path(os.fsdecode(bytes(root) + b"/" + name)).write_bytes(b"")
    Path(os.fsdecode(bytes(root) + b"/\xfe")).mkdir()
    Path(os.fsdecode(bytes(root) + b"/\xfe/b.jpg")).write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert keys(FolderStore(root)) == ["a.jpg", "z.jpg"]
    assert sorted(record.getMessage() for record in caplog.records) == [
        rf"{root}: '{name}' is left out: its name isn't valid UTF-8. Rename it"
        for name in (r"\xfe", r"\xff.jpg")
    ]


# Links and other things that are no plain files


def test_links_in_the_folder_are_not_objects(root: Path, outside: Path) -> None:
    (root / "file.jpg").symlink_to(outside / "secret.jpg")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root / "loop")
    (root / "dangling").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe")
    store = FolderStore(root)
    obstacles: list[Obstacle] = []
    assert list(store.list(on_obstacle=obstacles.append)) == []
    names = ["dangling", "file.jpg", "folder", "loop"]
    assert obstacles == [*(Obstacle("link", name) for name in names), Obstacle("special file", "pipe")]
    obstacles.clear()
    assert list(store.list("dangling", "f", on_obstacle=obstacles.append)) == []
    assert [each.key for each in obstacles] == ["file.jpg", "folder"]
    for key in ("file.jpg", "folder", "folder/secret.jpg", "loop", "loop/a", "dangling"):
        assert (store.head(key), store.get(key)) == (None, None)
        store.delete(key, IfMatch("0"))
    assert (outside / "secret.jpg").read_bytes() == b"secret"
    assert len(names_in(root)) == 6


@pytest.mark.parametrize("key", ["file.jpg", "folder", "folder/a", "folder/b/c", "dangling", "loop/a"])
def test_a_write_neither_follows_nor_replaces_a_link(root: Path, outside: Path, key: str) -> None:
    (root / "file.jpg").symlink_to(outside / "secret.jpg")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root / "loop")
    (root / "dangling").symlink_to(outside / "new")
    link = key.partition("/")[0]
    assert FolderStore(root).obstacle(key) == Obstacle("link", link)
    with pytest.raises(ForeignOutput, match=f"the link {link} in"):
        FolderStore(root).put(key, b"", IfAbsent(), "image/jpeg")
    assert names_in(outside) == ["secret.jpg"]
    assert (root / key.partition("/")[0]).is_symlink()


def test_a_write_stays_in_the_folder_while_a_link_replaces_a_folder(root: Path, outside: Path) -> None:
    store = FolderStore(root)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            shutil.rmtree(root / "a", ignore_errors=True)
            with suppress(FileExistsError):
                (root / "a").symlink_to(outside)
            with suppress(OSError):  # the store may have made a folder of this name
                (root / "a").unlink()

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(500):
            with suppress(StoreFailed, ForeignOutput, Conflict):  # depends on the state at that moment
                store.put(f"a/{number}", b"", IfAbsent(), "image/jpeg")
            assert store.get("a/secret.jpg") is None
            assert "a/secret.jpg" not in keys(store)
    finally:
        stop.set()
        thread.join()
    assert names_in(outside) == ["secret.jpg"]


def test_a_read_stays_in_the_folder_while_a_link_replaces_the_file(root: Path, outside: Path) -> None:
    store = FolderStore(root)
    put(store, "a", b"own")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (root / "link").symlink_to(outside / "secret.jpg")
            (root / "link").replace(root / "a")
            (root / "file").write_bytes(b"own")
            (root / "file").replace(root / "a")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(2000):
            got = store.get("a")
            assert got is None or got[1] == b"own"
    finally:
        stop.set()
        thread.join()


def test_a_write_raises_an_error_if_the_working_folder_is_a_link(root: Path, outside: Path) -> None:
    (root / ".renditions").symlink_to(outside)
    with pytest.raises(StoreFailed, match="renditions"):
        put(FolderStore(root), "a")
    assert names_in(outside) == ["secret.jpg"]


def test_pipes_and_sockets_are_not_objects(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # a socket's path must be short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    store = FolderStore(root)
    assert keys(store) == []
    for key in ("pipe", "socket"):
        assert (store.head(key), store.get(key)) == (None, None)
        with pytest.raises(ForeignOutput, match=f"the special file {key}"):
            put(store, key)


def test_the_memory_of_a_listing_does_not_grow_with_the_number_of_files(root: Path) -> None:
    """SQLite sorts the names, in memory that Python doesn't count.

    SQLite's page cache has a fixed size.
    """

    def peak_bytes() -> int:
        tracemalloc.start()
        for _ in FolderStore(root).list():
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    for number in range(200):
        (root / f"{number:05}.jpg").touch()
    peak_bytes()
    few = peak_bytes()
    for number in range(200, 4000):
        (root / f"{number:05}.jpg").touch()
    assert peak_bytes() < few + 50_000


def test_folders_may_be_nested_deeper_than_the_number_of_allowed_open_files(root: Path) -> None:
    store = FolderStore(root)
    deep = "/".join(["d"] * 150 + ["a"])
    with limited(resource.RLIMIT_NOFILE, open_descriptors() + 20):
        stored = put(store, deep)
        assert keys(store) == [deep]
        store.delete(deep, IfMatch(stored.etag))
    assert names_in(root) == [".renditions"]
