"""Lease owners, which are gone once their processes have ended."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from renditions.errors import Failed
from renditions.local.owners import Owner

HOLDER = """
import subprocess, sys, time
from pathlib import Path
from renditions.local.owners import Owner
with Owner(Path(sys.argv[1])) as owner:
    child = subprocess.Popen(["sleep", "600"], close_fds=False, stdout=subprocess.DEVNULL)
    print(owner.id, child.pid, flush=True)
    sys.stdin.read()
child.kill()
"""


@contextmanager
def holder(directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start an owner in another process, which has a child process.

    Yield the process and the owner's id.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        owner_id, child = process.stdout.readline().split()
        try:
            yield process, owner_id
        finally:
            process.kill()
            process.wait()
            os.kill(int(child), signal.SIGKILL)


def test_an_owner_is_not_gone_while_its_context_is_open(tmp_path: Path) -> None:
    with Owner(tmp_path) as owner:
        assert not owner.is_gone(owner.id)
        assert not Owner(tmp_path).is_gone(owner.id)
    assert Owner(tmp_path).is_gone(owner.id)
    assert list(tmp_path.iterdir()) == []


def test_two_owners_of_one_process_have_different_ids(tmp_path: Path) -> None:
    with Owner(tmp_path) as first:
        with Owner(tmp_path) as second:
            assert first.id != second.id
        assert (first.is_gone(second.id), second.is_gone(first.id)) == (True, False)


def test_asking_whether_an_owner_is_gone_creates_no_folder(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "owners")
    assert owner.is_gone(owner.id)
    assert list(tmp_path.iterdir()) == []


def test_an_owner_is_gone_after_its_process_is_killed(tmp_path: Path) -> None:
    """The owner is gone even while a program that its process started still runs."""
    with holder(tmp_path) as (process, owner_id):
        assert not Owner(tmp_path).is_gone(owner_id)
        process.kill()
        process.wait()
        assert Owner(tmp_path).is_gone(owner_id)
        assert len(list(tmp_path.iterdir())) == 1


def test_only_lock_files_of_dead_owners_are_removed(tmp_path: Path) -> None:
    with holder(tmp_path) as (dead, _), holder(tmp_path) as (_, living_id):
        dead.kill()
        dead.wait()
        with Owner(tmp_path) as owner:
            assert len(list(tmp_path.iterdir())) == 2
            assert not owner.is_gone(living_id)


def test_an_owner_of_another_folder_and_an_invalid_owner_id_do_not_count_as_gone(tmp_path: Path) -> None:
    here = Owner(tmp_path / "here")
    place, own = here.id.split(":")
    elsewhere = Owner(tmp_path / "elsewhere")
    for owner_id in (elsewhere.id, own, f"{place}:", f"{place}:../{own}", f"{place}:{own}x", "lambda-1", ""):
        assert not here.is_gone(owner_id)
    assert here.is_gone(f"{place}:{'0' * 32}")


def test_owner_ids_do_not_depend_on_the_path_to_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    with Owner(tmp_path / "owners") as owner:
        for way in (Path("owners"), tmp_path / "link" / "owners", tmp_path / "x" / ".." / "owners"):
            assert not Owner(way).is_gone(owner.id)
    assert Owner(Path("owners")).is_gone(owner.id)


def test_a_dead_owner_counts_as_gone_even_while_another_process_checks_it(tmp_path: Path) -> None:
    dead = Owner(tmp_path)
    file = tmp_path / f"{dead.id.partition(':')[2]}.lock"
    with file.open("wb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)  # as another process that checks at the same moment
        assert Owner(tmp_path).is_gone(dead.id)


def test_many_threads_can_enter_check_and_remove_owners_at_the_same_time(tmp_path: Path) -> None:
    def live(_: int) -> bool:
        with Owner(tmp_path) as owner, Owner(tmp_path) as other:
            return owner.is_gone(other.id) or other.is_gone(owner.id)

    with ThreadPoolExecutor(8) as executor:
        assert not any(executor.map(live, range(400)))
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_stays_locked_until_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new owner could lock an unlocked file just before another process removes it.

    The new owner would then hold the lock of a deleted file.
    """
    (tmp_path / "made-but-not-locked-yet.lock").touch()
    seen = []

    def unlink(path: Path, missing_ok: bool = False) -> None:
        with path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen.append(path.name)
        os.remove(path)  # noqa: PTH107 - the method itself is replaced

    monkeypatch.setattr(Path, "unlink", unlink)
    with Owner(tmp_path):
        assert seen == ["made-but-not-locked-yet.lock"]
        monkeypatch.undo()


def test_entering_an_owner_raises_an_error_if_its_folder_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Failed, match="file"), Owner(tmp_path / "file"):
        pass
    with pytest.raises(Failed, match="Not a directory"):
        Owner(tmp_path / "file").is_gone(Owner(tmp_path / "file").id)
