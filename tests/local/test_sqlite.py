"""The SQLite catalog beyond the contract: versions, damage, other processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.catalogs import NOW, make_record, names
from renditions.errors import CatalogFailed, CatalogRefused, CatalogTooNew, RecordUnreadable
from renditions.local import database, locks, queries
from renditions.local import sqlite as module
from renditions.local.migrations import APPLICATION_ID, MIGRATIONS
from renditions.local.sqlite import SqliteCatalog
from renditions.model.binding import Binding
from renditions.model.folding import Folding
from renditions.model.original import Original
from renditions.model.recipe import Focus
from renditions.model.record import Event, Status
from renditions.model.retired import Retired
from renditions.model.wishes import Wishes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
def catalog(path: Path) -> Iterator[SqliteCatalog]:
    with SqliteCatalog(path) as opened:
        yield opened


def execute(path: Path, *statements: str) -> list[Any]:
    """Run the statements as another program would; return the last one's result."""
    rows: list[Any] = []
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as db:
        for statement in statements:
            rows = db.execute(statement).fetchall()
    return rows


USES: dict[str, Callable[[SqliteCatalog], object]] = {
    "get": lambda catalog: catalog.get("a"),
    "write": lambda catalog: catalog.write(make_record("new")),
    "delete": lambda catalog: catalog.delete(make_record("new")),
    "list": lambda catalog: list(catalog.list()),
    "query": lambda catalog: list(catalog.query("done")),
    "query of a prefix": lambda catalog: list(catalog.query(prefix="1")),
    "count": lambda catalog: catalog.count(),
}
READS: dict[str, Callable[[SqliteCatalog], object]] = {
    "get": lambda catalog: catalog.get("b"),
    "list": lambda catalog: list(catalog.list()),
    "query": lambda catalog: list(catalog.query("done", prefix="b")),
    "count": lambda catalog: catalog.count(),
}
each_read = pytest.mark.parametrize("read", READS.values(), ids=READS)
each_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


def test_the_catalog_file_has_the_application_id_of_renditions(catalog: SqliteCatalog, path: Path) -> None:
    assert execute(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert execute(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert execute(path, "PRAGMA journal_mode") == [("wal",)]


def test_the_connection_that_writes_uses_the_setting_synchronous_full(catalog: SqliteCatalog) -> None:
    with catalog._connections.writing() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_catalog_of_a_newer_version_is_left_unchanged(path: Path) -> None:
    SqliteCatalog(path).close()
    execute(path, "PRAGMA user_version = 99")
    with pytest.raises(CatalogTooNew, match=r"catalog\.db: a newer version .* format 99"):
        SqliteCatalog(path)
    assert execute(path, "PRAGMA user_version") == [(99,)]


def test_a_catalog_that_a_newer_version_has_migrated_can_be_read_but_not_written(path: Path) -> None:
    with SqliteCatalog(path) as catalog:
        first = catalog.write(make_record())
        execute(path, "PRAGMA user_version = 99")
        for write in (
            lambda: catalog.write(first),
            lambda: catalog.delete(first),
            lambda: catalog.write_binding(Binding("c", "", "in", "out", "g")),
        ):
            with pytest.raises(CatalogTooNew):
                write()
        assert catalog.get("a.jpg") == first


def test_a_catalog_of_the_first_version_gets_totals_when_it_is_migrated(path: Path) -> None:
    """The totals match the existing records, to the microsecond."""
    ended = NOW + timedelta(seconds=59, microseconds=999_999)
    history = (Event(NOW, "processing"), Event(ended, "done"), Event(NOW + timedelta(hours=30), "done"))
    with SqliteCatalog(path) as catalog:
        for number in range(4):
            status: Status = "failed" if number == 3 else "done"
            record = make_record(
                f"{number}", outputs=tuple(f"{number} {key}" for key in range(number)), status=status
            )
            catalog.write(
                replace(record, original=Original(10**12 + number) if number else None, history=history)
            )
        counted = catalog.count()
        assert counted["done"].processing_microseconds == 3 * 59_999_999
    execute(
        path,
        "DROP TABLE totals",
        "DROP TABLE binding",
        "DROP TABLE folding",
        "DROP INDEX records_by_content",
        "ALTER TABLE records DROP COLUMN sha256",
        "DROP TABLE kept_wishes",
        "DROP TABLE unsent_notices",
        "PRAGMA user_version = 1",
    )
    with SqliteCatalog(path) as catalog:
        assert catalog.count() == counted


def test_a_query_of_a_prefix_gives_the_same_answer_whether_the_prefix_counts_as_rare_or_not(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        status: Status = "failed" if number % 4 else "done"
        catalog.write(
            make_record(f"{number % 3}/{number}", status=status, timestamp=NOW + timedelta(number % 7))
        )
    wanted: tuple[Status | None, ...] = (None, "failed")
    for each in wanted:
        few = list(catalog.query(each, (NOW + timedelta(5), "x"), "1/"))
        with monkeypatch.context() as patch:
            patch.setattr(module, "MOST_SORTED", 5)
            patch.setattr(module, "PAGE_ROWS", 3)
            assert list(catalog.query(each, (NOW + timedelta(5), "x"), "1/")) == few
        assert len(few) > 5


@pytest.mark.parametrize("statement", ["CREATE TABLE theirs (x)", "PRAGMA user_version = 3"])
def test_the_database_of_another_program_is_left_unchanged(path: Path, statement: str) -> None:
    execute(path, statement)
    before = path.read_bytes()
    with pytest.raises(CatalogFailed, match="another program"):
        SqliteCatalog(path)
    assert path.read_bytes() == before


def test_a_file_that_is_not_a_database_is_left_unchanged(path: Path) -> None:
    path.write_text("photo.jpg done\n" * 1000)
    with pytest.raises(
        CatalogFailed, match=r"catalog\.db \(file is not a database\)\. .*Otherwise restore .* move it"
    ):
        SqliteCatalog(path)
    assert path.read_text().startswith("photo.jpg done\n")


@each_use
def test_the_error_about_a_damaged_catalog_file_has_instructions(
    path: Path, use: Callable[[SqliteCatalog], object]
) -> None:
    with SqliteCatalog(path) as catalog:
        for number in range(50):
            catalog.write(make_record(f"{number}", outputs=(f"{number}",)))
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size_bytes - 4096))
    with (
        pytest.raises(
            CatalogFailed, match=r"catalog\.db \(database disk image is malformed\)\. .*Otherwise restore"
        ),
        SqliteCatalog(path) as catalog,
    ):
        use(catalog)


def test_reading_a_damaged_record_raises_an_error(catalog: SqliteCatalog, path: Path) -> None:
    catalog.write(make_record("a"))
    for item in ("{", "{}", '{"image_name": "a", "status": "done", "timestamp": "today"}', "[]"):
        execute(path, f"UPDATE records SET item = '{item}'")  # noqa: S608 - the test's own text
        with pytest.raises(RecordUnreadable, match=r"the record of 'a' in .*catalog\.db can't be read"):
            catalog.get("a")


def test_repairing_a_record_keeps_the_wishes_that_can_be_read(catalog: SqliteCatalog, path: Path) -> None:
    retired = (Retired("k", "e", NOW, "former"), Retired("r", "e", NOW))
    wishes = Wishes(Focus(x=1, y=2.5), ("large",))
    catalog.write(replace(make_record("a", outputs=("o",)), wishes=wishes, retired=retired, etag="etag"))
    execute(path, """UPDATE records SET item = replace(item, '"done"', '"of a newer version"')""")
    repaired = catalog.repair("a")
    assert repaired
    assert (repaired.wishes, repaired.etag, repaired.retired) == (wishes, "etag", retired[:1])
    assert repaired.claimed_keys() == {"o", "r"}


def test_the_error_about_a_catalog_that_can_not_be_opened_names_the_path_and_the_reason(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    for path, why in (
        ("nowhere/catalog.db", r"nowhere is missing\. Create this folder"),
        ("file/catalog.db", r"file isn't a folder\. Move this file away"),
        ("", r"it is a folder\. Move the folder away"),
    ):
        with pytest.raises(CatalogRefused, match=f"can't open the catalog {tmp_path / path}: .*{why}"):
            SqliteCatalog(tmp_path / path)


@each_use
def test_using_a_closed_catalog_raises_an_error(path: Path, use: Callable[[SqliteCatalog], object]) -> None:
    with SqliteCatalog(path) as catalog:
        pass
    catalog.close()
    with pytest.raises(CatalogFailed, match=r"catalog\.db.*closed"):
        use(catalog)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("is_replaced", [False, True])
def test_using_a_catalog_whose_file_was_deleted_or_replaced_raises_an_error(
    path: Path, catalog: SqliteCatalog, use: Callable[[SqliteCatalog], object], *, is_replaced: bool
) -> None:
    """In an earlier version, a server went on after a backup had replaced the file.

    The server used the old file, which no other process can open any more.
    """
    with SqliteCatalog(path.with_name("backup.db")) as backup:
        backup.write(make_record("a"))
    if is_replaced:
        path.with_name("backup.db").replace(path)
    else:
        path.unlink()
    with pytest.raises(CatalogRefused, match=r"was deleted or replaced .* Start the process again"):
        use(catalog)


def test_using_a_catalog_whose_folder_can_not_be_followed_raises_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "catalogs"
    folder.mkdir()
    with SqliteCatalog(folder / "catalog.db") as catalog:
        folder.rename(tmp_path / "former")
        folder.symlink_to(folder)
        with pytest.raises(CatalogFailed, match=r"can't use the catalog .*levels of symbolic links"):
            catalog.get("a")


def test_reading_or_writing_a_record_whose_name_is_not_unicode_text_raises_an_error(
    catalog: SqliteCatalog,
) -> None:
    with pytest.raises(CatalogFailed, match="Unicode"):
        catalog.get("\udcff.jpg")
    with pytest.raises(CatalogFailed, match="Unicode"):
        catalog.write(make_record("\udcff.jpg"))
    with pytest.raises(CatalogFailed, match="Unicode"):
        catalog.write(make_record("a.jpg", outputs=("ok", "\udcff.jpg")))
    assert names(catalog) == []


def test_a_record_can_have_a_reason_that_is_not_unicode_text(catalog: SqliteCatalog) -> None:
    written = catalog.write(replace(make_record(), reason="no such file: '\udcff.jpg'"))
    assert catalog.get("a.jpg") == written


def test_opening_an_older_catalog_migrates_it_to_the_newest_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteCatalog(path) as catalog:
        written = catalog.write(make_record())
    later = ("ALTER TABLE records ADD COLUMN note TEXT", "UPDATE records SET note = 'kept'")
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, later))
    with SqliteCatalog(path) as catalog:
        assert list(catalog.list()) == [written]
        catalog.write(written)
    with SqliteCatalog(path) as catalog:
        assert len(names(catalog)) == 1
    assert execute(path, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]


def test_a_migration_that_fails_leaves_the_catalog_at_its_older_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteCatalog(path) as catalog:
        written = catalog.write(make_record())
    later = ("ALTER TABLE records ADD COLUMN note TEXT", "UPDATE nowhere SET note = 'lost'")
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", (*MIGRATIONS, later))
        with pytest.raises(CatalogFailed, match="no such table: nowhere"):
            SqliteCatalog(path)
    with SqliteCatalog(path) as catalog:
        assert list(catalog.list()) == [written]
        catalog.write(written)


def test_reading_does_not_wait_for_an_unfinished_write_of_another_connection(
    catalog: SqliteCatalog, path: Path
) -> None:
    written = catalog.write(make_record())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM records")
        assert catalog.get("a.jpg") == written
        assert list(catalog.list()) == [written]
        with SqliteCatalog(path) as second:
            assert list(second.query()) == [written]
        other.execute("ROLLBACK")


def test_a_write_raises_an_error_if_another_writer_holds_the_lock_for_too_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.05)
    with SqliteCatalog(path) as catalog, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogFailed, match=r"catalog\.db: its lock wasn't free within 0\.05 s"):
            catalog.write(make_record())
        other.execute("ROLLBACK")
        catalog.write(make_record())


@each_read
def test_reading_does_not_wait_for_an_unfinished_write_of_the_same_process(
    path: Path, read: Callable[[SqliteCatalog], object]
) -> None:
    is_writing, continues = threading.Event(), threading.Event()

    class Paused(Folding):
        def __call__(self, key: str) -> str:  # within the transaction of a write
            if key == "slow":
                is_writing.set()
                continues.wait(20)
            return key

    with SqliteCatalog(path, Paused) as catalog, ThreadPoolExecutor(1) as writer:
        catalog.write(make_record("a"))
        before = read(catalog)
        writing = writer.submit(catalog.write, make_record("b", outputs=("slow",)))
        assert is_writing.wait(20)
        assert read(catalog) == before
        assert not writing.done()
        continues.set()
        writing.result()
        assert read(catalog) != before


def test_threads_see_their_own_writes_while_other_threads_write_and_read(catalog: SqliteCatalog) -> None:
    def use(thread: int) -> bool:
        seen = []
        for number in range(10):
            written = catalog.write(make_record(f"{thread} {number}"))
            seen.append(catalog.get(written.name) == written)
            seen.append(len(list(catalog.list(prefix=f"{thread} "))) == number + 1)
        return all(seen)

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(use, range(6)))


def test_a_paused_listing_holds_no_lock(catalog: SqliteCatalog, path: Path) -> None:
    for number in range(10):
        catalog.write(make_record(f"{number}"))
    listing, query = catalog.list(), catalog.query()
    next(listing)
    next(query)
    assert execute(path, "PRAGMA wal_checkpoint(TRUNCATE)") == [(0, 0, 0)]
    assert len(list(listing)) == len(list(query)) == 9


@pytest.mark.parametrize(
    "select", [queries.OF_ANY_STATUS, queries.OF_STATUS, queries.OF_FEW_NAMES, queries.COUNT]
)
def test_a_query_by_time_or_prefix_does_not_scan_the_records(catalog: SqliteCatalog, select: str) -> None:
    values = {"status": "done", "begin": "a", "end": "b", "time": "~", "name": "", "most": 1}
    plan = [row[3] for row in catalog._read(f"EXPLAIN QUERY PLAN {select}", values)]
    assert any(step.startswith("SEARCH records") for step in plan), plan
    assert not any(step.startswith("SCAN records") for step in plan), plan


def test_the_memory_of_a_listing_does_not_grow_with_the_number_of_records(catalog: SqliteCatalog) -> None:
    def peak_bytes(records: Iterator[object]) -> int:
        tracemalloc.start()
        for _ in records:
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    for number in range(400):
        catalog.write(make_record(f"{number:05}", outputs=(f"{number}",)))
    list(catalog.list())
    few = peak_bytes(catalog.list()), peak_bytes(catalog.query())
    for number in range(400, 1600):
        catalog.write(make_record(f"{number:05}", outputs=(f"{number}",)))
    assert peak_bytes(catalog.list()) < few[0] + 100_000
    assert peak_bytes(catalog.query()) < few[1] + 100_000


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from contract.catalogs import make_record
from renditions.local.sqlite import SqliteCatalog
with SqliteCatalog(Path(sys.argv[1])) as catalog:
    while True:
        for name in "abc":
            record = catalog.get(name) or make_record(name)
            key = f"{name} {record.attempts + 1}"
            changes = {"revision": record.revision, "attempts": record.attempts + 1}
            catalog.write(replace(make_record(name, outputs=(key,)), **changes))
"""


def test_records_and_claims_agree_after_a_writer_was_killed(path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(4):
        with SqliteCatalog(path) as catalog:
            before = sum(record.attempts for record in catalog.list())
            writer = subprocess.Popen([sys.executable, "-c", WRITER, path], env=environment)
            while sum(record.attempts for record in catalog.list()) < before + 20 and writer.poll() is None:
                time.sleep(0.007)
            writer.kill()
            assert writer.wait() == -signal.SIGKILL
        with SqliteCatalog(path) as catalog:
            for record in catalog.list():
                assert [output.key for output in record.outputs] == [f"{record.name} {record.attempts}"]
        assert execute(path, "SELECT key, name FROM claims ORDER BY key") == execute(
            path, "SELECT name || ' ' || (item ->> 'attempts'), name FROM records ORDER BY 1"
        )
        assert execute(path, "PRAGMA integrity_check") == [("ok",)]
