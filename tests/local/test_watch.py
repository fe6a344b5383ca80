"""The watcher, which reports each change in a folder as a key.

If the watcher doesn't know which keys changed, it asks to check everything.
"""

from __future__ import annotations

import logging
import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from renditions.errors import StoreFailed
from renditions.local.watch import watch_keys

TICK_SECONDS = 0.05
EVERYTHING = "*"


class Watched:
    """A watched folder with the hints of its watcher."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stop = threading.Event()
        self.hints = watch_keys(root, self.stop, TICK_SECONDS)

    def collect(self, *wanted: str) -> set[str]:
        """Return the reported keys once all wanted ones were reported.

        ``*`` stands for None.
        """
        found: set[str] = set()
        deadline = time.monotonic() + 60
        while not found >= set(wanted):
            assert time.monotonic() < deadline, f"expected {wanted}, found {found}"
            hint = next(self.hints)
            found |= {EVERYTHING} if hint is None else hint
        return found

    def collect_until_quiet(self) -> set[str]:
        """Create a file, and return the keys that are reported before it."""
        (self.root / "last").touch()
        return self.collect("last") - {"last"}


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    root = tmp_path / "root"
    for folder in ("old", "old/deep", "2024.summer"):
        (root / folder).mkdir(parents=True)
        (root / folder / "a.jpg").touch()
    watched = Watched(root)
    assert next(watched.hints) is None, "it has begun: from now on all changes are reported"
    yield watched
    watched.stop.set()
    assert set(watched.hints) <= {frozenset()}, "it ends on request"


def test_created_changed_and_removed_files_are_reported(watched: Watched) -> None:
    picture = watched.root / "old" / "new.jpg"
    picture.touch()
    assert watched.collect("old/new.jpg") == {"old/new.jpg"}
    picture.write_bytes(b"x")
    assert watched.collect("old/new.jpg") == {"old/new.jpg"}
    picture.unlink()
    assert watched.collect("old/new.jpg") == {"old/new.jpg"}


def test_a_renamed_file_is_reported_under_both_names(watched: Watched) -> None:
    (watched.root / "old" / "a.jpg").rename(watched.root / "b.jpg")
    assert watched.collect("old/a.jpg", "b.jpg") == {"old/a.jpg", "b.jpg"}


@pytest.mark.parametrize(
    "key", ["no suffix", ".hidden", "a.swp", "a.py~", "old/node_modules", "old/.git", "ü ' \" # ?.jpg"]
)
def test_the_watcher_reports_files_with_unusual_names(watched: Watched, key: str) -> None:
    (watched.root / key).touch()
    assert watched.collect(key) == {key}
    (watched.root / key).unlink()
    assert watched.collect(key) == {key}


def test_changes_in_the_working_folder_are_not_reported(watched: Watched) -> None:
    (watched.root / ".renditions").mkdir()
    assert watched.collect_until_quiet() == set()
    (watched.root / ".renditions" / "x.part").touch()
    (watched.root / ".renditions" / "x.part").unlink()
    assert watched.collect_until_quiet() == set()


def test_files_of_a_folder_that_is_moved_in_are_reported(watched: Watched, tmp_path: Path) -> None:
    """Files that are created in this folder later are reported too."""
    (tmp_path / "outside" / "deep").mkdir(parents=True)
    (tmp_path / "outside" / "deep" / "a.jpg").touch()
    (tmp_path / "outside").rename(watched.root / "inside")
    assert watched.collect("inside/deep/a.jpg") == {"inside/deep/a.jpg"}
    (watched.root / "inside" / "deep" / "b.jpg").touch()
    assert watched.collect("inside/deep/b.jpg") == {"inside/deep/b.jpg"}


def test_files_in_quickly_created_folders_are_reported(watched: Watched) -> None:
    """The watch of a new folder starts a moment late.

    Files created before the watch starts are reported too.
    """
    wanted = []
    for number in range(50):
        folder = watched.root / f"{number}" / "deep"
        folder.mkdir(parents=True)
        (folder / "a.jpg").touch()
        wanted.append(f"{number}/deep/a.jpg")
    assert watched.collect(*wanted) == set(wanted)


@pytest.mark.parametrize("name", ["old", "2024.summer"])
def test_the_watcher_asks_to_check_everything_after_a_folder_is_moved_away(
    watched: Watched, tmp_path: Path, name: str
) -> None:
    (watched.root / name).rename(tmp_path / "outside")
    assert EVERYTHING in watched.collect(EVERYTHING)


def test_the_watcher_asks_to_check_everything_after_a_folder_is_renamed(watched: Watched) -> None:
    (watched.root / "old").rename(watched.root / "new")
    watched.collect(EVERYTHING)
    (watched.root / "new" / "deep" / "b.jpg").touch()
    watched.collect("new/deep/b.jpg")
    (watched.root / "new" / "deep").rename(watched.root / "elsewhere")
    watched.collect(EVERYTHING)


def test_the_watcher_asks_to_check_everything_after_a_folder_is_replaced(
    watched: Watched, tmp_path: Path
) -> None:
    (watched.root / "old").rename(tmp_path / "outside")
    (watched.root / "old").mkdir()
    watched.collect(EVERYTHING)


def test_the_watcher_asks_to_check_everything_after_a_folder_is_removed(watched: Watched) -> None:
    shutil.rmtree(watched.root / "old")
    watched.collect(EVERYTHING)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems refuse such names")
def test_the_watcher_asks_to_check_everything_after_a_name_that_is_not_utf_8(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a name ends the events of ``watchfiles``, and the watch begins again."""
    with caplog.at_level(logging.WARNING):
        Path(os.fsdecode(os.fsencode(watched.root) + b"/\xff.jpg")).touch()
        watched.collect(EVERYTHING)
    assert "file events stopped" in caplog.text
    assert watched.collect_until_quiet() == set()


def test_a_new_link_to_a_folder_is_reported_as_a_file(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.jpg").touch()
    (watched.root / "link").symlink_to(tmp_path / "outside")
    assert watched.collect("link") == {"link"}


def test_changes_are_reported_if_the_watched_folder_is_a_link(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(watched.root)
    linked = Watched(tmp_path / "link")
    assert next(linked.hints) is None
    (watched.root / "b.jpg").touch()
    assert linked.collect("b.jpg") == {"b.jpg"}


def test_a_folder_that_replaces_the_watched_folder_is_watched_from_then_on(
    watched: Watched, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    os.rename(watched.root, tmp_path / "before")  # noqa: PTH104 - one after the other, at once
    os.rename(tmp_path / "other", watched.root)  # noqa: PTH104
    watched.collect(EVERYTHING)
    (watched.root / "b.jpg").touch()
    watched.collect("b.jpg")


def test_the_watch_fails_when_the_watched_folder_is_moved_away(watched: Watched, tmp_path: Path) -> None:
    """The watch doesn't mistake this for an empty folder."""
    watched.root.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreFailed, match=r"is missing: create it, or mount its disk"):
        watched.collect("never")


def test_the_watch_fails_if_the_folder_is_missing_or_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match=r"is missing: create it, or mount its disk"):
        next(watch_keys(tmp_path / "missing", threading.Event(), TICK_SECONDS))
    (tmp_path / "file").touch()
    with pytest.raises(StoreFailed, match=r"it isn't a folder\. Set \[source\] store"):
        next(watch_keys(tmp_path / "file", threading.Event(), TICK_SECONDS))


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is that of inotify")
def test_the_error_about_too_many_watches_names_the_setting_to_raise(tmp_path: Path) -> None:
    """In this test, the process's limit of open files forbids another watcher."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        with pytest.raises(StoreFailed, match=r"can't watch .*max_user_watches"):
            next(watch_keys(tmp_path, threading.Event(), TICK_SECONDS))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
