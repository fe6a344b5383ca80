"""Processes that are stopped while they hold a lock.

Other processes wait for the lock for a limited time, and report that they waited.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.catalogs import make_record
from renditions.core.ports import IfAbsent, IfMatch
from renditions.errors import CatalogFailed, Failed, StoreFailed
from renditions.local import locks
from renditions.local.folder import FolderStore
from renditions.local.owners import Owner
from renditions.local.secret import SECRET_BYTES, keep_secret
from renditions.local.sqlite import SqliteCatalog
from renditions.model.record import Record

FLOCK = """
import fcntl, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(file, fcntl.{kind})
print("held", flush=True)
time.sleep(600)
"""
WRITE = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(600)
"""
OWN = """
import sys, time
from pathlib import Path
from renditions.local.owners import Owner
with Owner(Path(sys.argv[1])) as owner:
    print(owner.id, flush=True)
    time.sleep(600)
"""


@contextmanager
def stopped(script: str, path: Path) -> Iterator[tuple[int, str]]:
    """Run the script until it prints a line, and stop its process.

    Yield the process's id and the line.
    """
    process = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout
            line = process.stdout.readline().strip()
            assert line
            os.kill(process.pid, signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            yield process.pid, line
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.05)


def names(process: int) -> str:
    """Return a pattern for the part of a message that names this process.

    Only Linux knows which process holds a lock.
    """
    if sys.platform != "linux":
        return "another process holds it"
    return f"process {process} holds it and is stopped. Continue that process .kill -CONT {process}. or end"


def put(store: FolderStore, key: str = "a.jpg") -> str:
    return store.put(key, b"a", IfAbsent(), "image/jpeg").etag


STORE_WRITES: dict[str, Callable[[FolderStore, str], object]] = {
    "put": lambda store, _: put(store, "b.jpg"),
    "delete": lambda store, etag: store.delete("a.jpg", IfMatch(etag)),
    "register": lambda store, _: store.register("c", "text"),
    "mark": lambda store, _: store.mark("c"),
    "folding": lambda store, _: store.folding(),
}


@pytest.mark.parametrize("write", STORE_WRITES.values(), ids=STORE_WRITES)
def test_the_error_of_a_write_to_a_folder_names_the_stopped_process_that_holds_the_lock(
    tmp_path: Path, write: Callable[[FolderStore, str], object]
) -> None:
    etag = put(FolderStore(tmp_path, create=True))
    store = FolderStore(tmp_path, create=True)
    with stopped(FLOCK.format(kind="LOCK_EX"), tmp_path / ".renditions" / "lock") as (process, _):
        with pytest.raises(StoreFailed, match=names(process)) as failed:
            write(store, etag)
        assert str(tmp_path) in str(failed.value)
        found = store.get("a.jpg")
        assert found
        assert [stored.key for stored in store.list()] == ["a.jpg"]
    write(store, etag)


CATALOG_WRITES: dict[str, Callable[[SqliteCatalog, Record], object]] = {
    "write": lambda catalog, _: catalog.write(make_record("new")),
    "delete": lambda catalog, written: catalog.delete(written),
    "drop wishes": lambda catalog, written: catalog.drop_wishes(written.name),
}


@pytest.mark.parametrize("write", CATALOG_WRITES.values(), ids=CATALOG_WRITES)
def test_the_error_of_a_write_to_the_catalog_names_the_stopped_process_that_writes(
    tmp_path: Path, write: Callable[[SqliteCatalog, Record], object]
) -> None:
    path = tmp_path / "catalog.db"
    with SqliteCatalog(path) as catalog:
        written = catalog.write(make_record("a.jpg"))
        with stopped(WRITE, path) as (process, _):
            with pytest.raises(CatalogFailed, match=names(process)) as failed:
                write(catalog, written)
            assert str(path) in str(failed.value)
            assert catalog.get("a.jpg") == written
            assert list(catalog.list()) == [written]
        write(catalog, written)


def test_the_error_in_each_of_many_threads_names_the_stopped_process_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with (
        SqliteCatalog(path) as catalog,
        stopped(WRITE, path) as (process, _),
        ThreadPoolExecutor(8) as threads,
    ):
        writing = [threads.submit(catalog.write, make_record(f"{number}")) for number in range(8)]
        for each in writing:
            with pytest.raises(CatalogFailed, match=names(process)):
                each.result()


def test_the_error_of_opening_a_catalog_names_the_stopped_process_that_creates_it(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with stopped(WRITE, path) as (process, _), pytest.raises(CatalogFailed, match=names(process)):
        SqliteCatalog(path)
    SqliteCatalog(path).close()


def test_the_error_of_reading_the_secret_names_the_stopped_process_that_holds_its_lock(
    tmp_path: Path,
) -> None:
    path = tmp_path / "secret"
    with stopped(FLOCK.format(kind="LOCK_EX"), path) as (process, _):
        with pytest.raises(Failed, match=names(process)) as failed:
            keep_secret(path)
        assert str(path) in str(failed.value)
    assert len(keep_secret(path)) == SECRET_BYTES


def test_an_owner_does_not_wait_for_a_stopped_process_that_removes_its_file(tmp_path: Path) -> None:
    """The stopped process mistakes the owner's file for that of a dead owner.

    The stopped process removes the file when it continues.
    """
    with Owner(tmp_path) as other:
        owner = Owner(tmp_path)
        first = owner.id
        path = tmp_path / f"{first.partition(':')[2]}.lock"
        with stopped(FLOCK.format(kind="LOCK_SH"), path), owner:
            path.unlink(missing_ok=True)
            assert owner.id != first
            assert (other.is_gone(owner.id), owner.is_gone(other.id)) == (False, False)


def test_a_stopped_owner_does_not_count_as_gone(tmp_path: Path) -> None:
    """When the stopped owner continues, it may write once more.

    Only then does it notice that its lease has expired.
    """
    with stopped(OWN, tmp_path) as (_, owner_id):
        assert not Owner(tmp_path).is_gone(owner_id)
    assert Owner(tmp_path).is_gone(owner_id)
