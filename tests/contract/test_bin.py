"""The contract of every bin: see ``renditions.core.bin.Bin``."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from aws.proxy import Fault, Request, proxied
from contract.cloud import CLIENTS, REGION, name_of
from contract.stores import keys, put
from renditions.aws.bin import S3Bin
from renditions.aws.clients import Clients
from renditions.aws.s3 import S3Store
from renditions.core.bin import Bin, Binned, empty, find_binned, make_deletion
from renditions.core.ports import IfMatch, Store, StoredObject
from renditions.errors import Conflict
from renditions.local.bin import FolderBin
from renditions.local.folder import FolderStore
from renditions.local.root import Root
from renditions.model.places import S3Place

pytestmark = pytest.mark.usefixtures("aws")

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
KEY = "a ü/photo.jpg"


@dataclass
class Site:
    """A source and its bin."""

    store: Store
    bin: Bin
    now: datetime = NOW

    def delete(self, key: str = KEY) -> Binned:
        """Put an object into the bin, a minute after the last one; return its entry."""
        self.now += timedelta(minutes=1)
        there = self.store.head(key)
        assert there
        binned = self.bin.put(key, IfMatch(there.etag), make_deletion(self.now))
        assert binned
        return binned

    def content(self, key: str = KEY) -> bytes:
        """Return an object's content."""
        got = self.store.get(key)
        assert got
        return got[1]


def open_folder(folder: Path) -> Site:
    """Return a source in a new folder, with its bin."""
    root = folder / "in"
    root.mkdir()
    return Site(FolderStore(root), FolderBin(Root(root)))


def open_s3(folder: Path) -> Site:
    """Return a source below a prefix of a new versioned bucket, with its bin."""
    bucket = name_of(folder)
    CLIENTS.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    CLIENTS.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    place = S3Place(bucket, "a+ü/")
    return Site(S3Store(CLIENTS.s3, place), S3Bin(CLIENTS.s3, place))


SITES: Mapping[str, Callable[[Path], Site]] = {"folder": open_folder, "s3": open_s3}


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return SITES[request.param](tmp_path)


def test_a_deleted_object_can_be_restored_unchanged(site: Site) -> None:
    before = put(site.store, KEY, b"one")
    put(site.store, f"{KEY}.png", b"another, whose key begins with this one")
    binned = site.delete()
    assert site.bin.is_available()
    assert keys(site.store) == [f"{KEY}.png"]
    assert binned == Binned(binned.deletion, KEY, 3)
    assert binned.deleted_at == site.now
    assert list(site.bin.deletions()) == [binned.deletion]
    assert site.bin.read(binned.deletion) == binned
    assert site.bin.restore(binned.deletion, KEY) == before
    assert site.content() == b"one"
    assert keys(site.store) == [KEY, f"{KEY}.png"]
    assert not site.bin.deletions()
    assert site.bin.read(binned.deletion) is None


def test_a_replaced_or_missing_object_is_not_put_into_the_bin(site: Site) -> None:
    old = put(site.store, KEY, b"one")
    put(site.store, KEY, b"other")
    with pytest.raises(Conflict):
        site.bin.put(KEY, IfMatch(old.etag), make_deletion(NOW))
    assert site.content() == b"other"
    assert site.bin.put("missing/b.jpg", IfMatch("0" * 32), make_deletion(NOW)) is None
    assert not site.bin.deletions()


def test_the_bin_keeps_both_deletions_of_one_key_and_can_restore_each(site: Site) -> None:
    put(site.store, KEY, b"first")
    first = site.delete()
    put(site.store, KEY, b"second")
    second = site.delete()
    assert [each.deletion for each in find_binned(site.bin, KEY)] == [first.deletion, second.deletion]
    assert site.bin.restore(first.deletion, KEY)
    assert site.content() == b"first"
    third = site.delete()
    assert site.bin.restore(second.deletion, KEY)
    assert site.content() == b"second"
    assert list(site.bin.deletions()) == [third.deletion]


def test_a_restoration_does_not_replace_another_object(site: Site) -> None:
    put(site.store, KEY, b"old")
    binned = site.delete()
    put(site.store, KEY, b"newer")
    with pytest.raises(Conflict, match="another picture has this name now"):
        site.bin.restore(binned.deletion, KEY)
    assert site.content() == b"newer"
    assert list(site.bin.deletions()) == [binned.deletion]


def test_many_simultaneous_restorations_of_an_object_restore_it_without_an_error(site: Site) -> None:
    before = put(site.store, KEY, b"one")
    binned = site.delete()
    results: list[StoredObject | Exception | None] = []

    def restore() -> None:
        try:
            results.append(site.bin.restore(binned.deletion, KEY))
        except Exception as error:  # noqa: BLE001 - asserted below
            results.append(error)

    threads = [threading.Thread(target=restore) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert before in results
    assert all(result in (before, None) for result in results), results
    assert site.content() == b"one"
    assert site.bin.restore(binned.deletion, KEY) is None
    assert not site.bin.deletions()


def test_the_bin_restores_an_object_only_under_its_own_key(site: Site) -> None:
    put(site.store, KEY, b"one")
    binned = site.delete()
    assert site.bin.restore(binned.deletion, "other.jpg") is None
    assert site.bin.restore(make_deletion(NOW), KEY) is None
    assert list(site.bin.deletions()) == [binned.deletion]


def test_emptying_the_bin_deletes_old_entries_and_keeps_recent_entries(site: Site) -> None:
    for content in (b"one", b"two", b"three"):
        put(site.store, KEY, content)
        site.now += timedelta(days=1)
        last = site.delete()
    put(site.store, "stays.jpg", b"stays")
    assert empty(site.bin, site.now, most=1) == 1
    assert len(site.bin.deletions()) == 2
    assert empty(site.bin, site.now) == 1
    assert list(site.bin.deletions()) == [last.deletion]
    assert site.bin.restore(last.deletion, KEY)
    assert site.content() == b"three"
    assert empty(site.bin, site.now + timedelta(days=100)) == 0
    site.bin.drop(last.deletion)
    assert keys(site.store) == [KEY, "stays.jpg"]


def test_a_bucket_without_versions_has_no_bin(tmp_path: Path) -> None:
    bucket = name_of(tmp_path)
    CLIENTS.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    place = S3Place(bucket, "")
    assert not S3Bin(CLIENTS.s3, place).is_available()
    suspended = {"Status": "Suspended"}
    CLIENTS.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=suspended)
    assert not S3Bin(CLIENTS.s3, place).is_available()


def test_dropping_an_object_from_the_bin_of_a_bucket_leaves_no_version_and_no_marker(tmp_path: Path) -> None:
    site = open_s3(tmp_path)
    put(site.store, KEY, b"one")
    site.bin.drop(site.delete().deletion)
    left = CLIENTS.s3.list_object_versions(Bucket=name_of(tmp_path), Prefix="a+ü/a")
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")


def test_a_deleted_original_stays_in_the_bin_although_the_answer_about_its_deletion_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client repeats the request, which S3 then refuses as the object is gone."""
    lost: list[str] = []

    def lose(request: Request) -> Fault | None:
        if request.method != "DELETE" or lost:
            return None
        lost.append(request.path)
        return "lost"

    site = open_s3(tmp_path)
    put(site.store, KEY, b"one")
    with proxied(os.environ["AWS_ENDPOINT_URL"], lose) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        bucket = S3Bin(Clients().s3, S3Place(name_of(tmp_path), "a+ü/"))
        there = site.store.head(KEY)
        assert there
        binned = bucket.put(KEY, IfMatch(there.etag), make_deletion(NOW))
    assert lost
    assert binned
    assert list(site.bin.deletions()) == [binned.deletion]
    assert site.bin.restore(binned.deletion, KEY) == there
    assert site.content() == b"one"


def test_a_restored_original_stays_when_its_leftover_entry_in_the_bin_is_deleted(tmp_path: Path) -> None:
    """A process died after it removed the marker and before it removed the entry."""
    site = open_s3(tmp_path)
    put(site.store, KEY, b"one")
    binned = site.delete()
    bucket, prefix = name_of(tmp_path), f"a+ü/{KEY}"
    (marker,) = CLIENTS.s3.list_object_versions(Bucket=bucket, Prefix=prefix)["DeleteMarkers"]
    CLIENTS.s3.delete_object(Bucket=bucket, Key=prefix, VersionId=marker["VersionId"])
    assert empty(site.bin, site.now + timedelta(days=1)) == 1
    assert site.content() == b"one"
    assert site.bin.restore(binned.deletion, KEY) is None


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM])
def test_a_file_can_be_moved_to_the_bin_and_back_where_hard_links_are_impossible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The bin is on another disk than the source, or the disk has no hard links."""
    site = open_folder(tmp_path)
    put(site.store, KEY, b"one")
    os.utime(tmp_path / "in" / KEY, ns=(10**18, 10**18))

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "link", refuse)
    binned = site.delete()
    assert keys(site.store) == []
    assert site.bin.restore(binned.deletion, KEY)
    assert site.content() == b"one"
    assert (tmp_path / "in" / KEY).stat().st_mtime_ns == 10**18
    assert [path.name for path in (tmp_path / "in" / "a ü").iterdir()] == ["photo.jpg"]


DIES_IN_A_COPY = """
import errno, os, sys
from pathlib import Path
from renditions.core.ports import IfMatch
from renditions.local.bin import FolderBin
from renditions.local.root import Root
def refuse(*_, **__):
    raise OSError(errno.EXDEV, "refused")
os.link = refuse
os.rename = lambda *_, **__: os._exit(3)
_, folder, key, etag, deletion = sys.argv
bin_ = FolderBin(Root(Path(folder)))
bin_.put(key, IfMatch(etag), deletion) if etag else bin_.restore(deletion, key)
"""


def die_in_a_copy(tmp_path: Path, etag: str, deletion: str) -> Path:
    """Move the original in a process that dies; return the unfinished copy.

    Without an ETag, the process restores the original from the bin.
    """
    died = subprocess.run(
        [sys.executable, "-c", DIES_IN_A_COPY, tmp_path / "in", KEY, etag, deletion], check=False
    )
    assert died.returncode == 3
    (unfinished,) = tmp_path.rglob("*.part")
    return unfinished


def test_a_copy_that_a_crash_interrupted_is_not_taken_for_the_original(tmp_path: Path) -> None:
    site = open_folder(tmp_path)
    before, deletion = put(site.store, KEY, b"one"), make_deletion(NOW)
    die_in_a_copy(tmp_path, before.etag, deletion)
    assert site.bin.read(deletion) is None
    assert site.bin.restore(deletion, KEY) is None
    assert site.store.get(KEY) == (before, b"one")
    FolderBin(Root(tmp_path / "in")).drop(deletion)
    assert not site.bin.deletions()
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("then", ["restored", "dropped"])
def test_an_unfinished_copy_in_the_source_is_removed_with_its_entry_of_the_bin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """A process died while it restored an original to another disk."""
    site = open_folder(tmp_path)
    put(site.store, KEY, b"one")
    binned = site.delete()
    unfinished = die_in_a_copy(tmp_path, "", binned.deletion)
    assert unfinished.parent == (tmp_path / "in" / KEY).parent
    if then == "restored":
        monkeypatch.setattr(os, "link", Mock(side_effect=OSError(errno.EXDEV, "refused")))
        assert site.bin.restore(binned.deletion, KEY)
        assert site.content() == b"one"
    else:
        site.bin.drop(binned.deletion)
        assert keys(site.store) == []
    assert not list(tmp_path.rglob("*.part"))
    assert not site.bin.deletions()


def test_an_interrupted_restoration_is_completed_by_the_next_restoration(
    tmp_path: Path,
) -> None:
    site = open_folder(tmp_path)
    put(site.store, KEY, b"one")
    binned = site.delete()
    (tmp_path / "in" / "a ü").mkdir()
    kept = tmp_path / "in" / ".renditions" / "bin" / binned.deletion / KEY
    os.link(kept, tmp_path / "in" / KEY)
    assert site.bin.restore(binned.deletion, KEY)
    assert site.content() == b"one"
    assert not site.bin.deletions()


def test_a_refused_restoration_names_the_file_that_is_in_the_way(tmp_path: Path) -> None:
    site = open_folder(tmp_path)
    put(site.store, KEY, b"one")
    binned = site.delete()
    (tmp_path / "in" / "a ü").write_bytes(b"a file")
    with pytest.raises(Conflict, match="the file a ü is in the way"):
        site.bin.restore(binned.deletion, KEY)
    assert list(site.bin.deletions()) == [binned.deletion]
