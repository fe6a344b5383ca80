"""The cache of previews in a folder."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from renditions.errors import Failed
from renditions.local.previews import PreviewCache


def files_in(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def test_the_cache_returns_a_preview_only_for_its_version_of_the_picture(tmp_path: Path) -> None:
    cache = PreviewCache(tmp_path / "previews")
    assert cache.get("a/photo.heic", "1") is None
    cache.put("a/photo.heic", "1", b"one")
    cache.put("b.heic", "1", b"other")
    assert cache.get("a/photo.heic", "1") == b"one"
    cache.put("a/photo.heic", "2", b"two")
    assert cache.get("a/photo.heic", "1") is None
    assert cache.get("a/photo.heic", "2") == b"two"
    assert len(files_in(tmp_path)) == 2
    assert cache.drop("a/photo.heic")
    assert not cache.drop("a/photo.heic")
    assert cache.get("a/photo.heic", "2") is None
    assert cache.get("b.heic", "1") == b"other"


def test_only_their_owner_can_read_the_files_of_previews(tmp_path: Path) -> None:
    PreviewCache(tmp_path / "previews").put("a.heic", "1", b"one")
    (file,) = files_in(tmp_path)
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_the_oldest_previews_are_deleted_when_all_previews_together_have_too_many_bytes(
    tmp_path: Path,
) -> None:
    cache = PreviewCache(tmp_path / "previews", most_bytes=1_000)
    for number in range(30):
        cache.put(f"{number}.heic", "1", bytes(100))
        for file in files_in(tmp_path):  # file systems may give two files the same time
            os.utime(file, ns=(file.stat().st_mtime_ns - 10**9,) * 2)
    kept = [number for number in range(30) if cache.get(f"{number}.heic", "1")]
    assert sum(file.stat().st_size for file in files_in(tmp_path)) <= 1_000
    assert kept == list(range(30 - len(kept), 30))
    assert len(kept) >= 9
    PreviewCache(tmp_path / "previews", most_bytes=300).put("new.heic", "1", bytes(100))
    assert len(files_in(tmp_path)) <= 3


def test_many_threads_can_delete_old_previews_at_the_same_time(tmp_path: Path) -> None:
    """Each thread has a cache of its own on the folder, as processes do."""

    def fill(number: int) -> None:
        cache = PreviewCache(tmp_path / "previews", most_bytes=1_000)
        for version in range(50):
            cache.put(f"{number}-{version}.heic", "1", bytes(100))

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(fill, range(8)))

    PreviewCache(tmp_path / "previews", most_bytes=1_000).put("last.heic", "1", bytes(100))
    assert sum(file.stat().st_size for file in files_in(tmp_path)) <= 1_000


def test_the_error_about_old_previews_that_can_not_be_deleted_names_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = PreviewCache(tmp_path / "previews", most_bytes=150)
    cache.put("a.heic", "1", bytes(100))

    def refuse(_: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(Failed, match=r"can't delete old previews in .*/previews: Permission denied\. Check"):
        cache.put("b.heic", "1", bytes(100))
    assert cache.get("b.heic", "1") == bytes(100)
