"""The source's marker in real folders and real mounts.

The marker protects the renditions while the source's disk is not mounted.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commands import draw, run, write_pipeline

RENDITION = '[renditions.thumb]\nwidth = 40\nkey = "{name}"\n'
FEW = 6
"""So few pictures that the limits alone would allow removing all of them."""


def fill(folder: Path, source: str = "") -> None:
    """Declare a pipeline and draw pictures.

    ``source`` has more fields of ``[source]``.
    """
    write_pipeline(folder, RENDITION)
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace("[source]", f"[source]\n{source}"))
    for number in range(FEW):
        draw(folder / "inbox" / f"{number}.jpg", 64, 48, seed=number)


def find_markers(folder: Path) -> list[Path]:
    return sorted((folder / "inbox").glob(".renditions/markers/*"))


def count_outputs(folder: Path) -> int:
    return len(list((folder / "processed").glob("*.jpg")))


@contextmanager
def mounted(disk: Path, folder: Path) -> Iterator[None]:
    """Mount a folder over another one during the block, or skip the test."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "--bind", disk, folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("an unmounted source is NOT tested: this user can't mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_sync_writes_a_marker_that_is_not_a_picture_and_plan_writes_no_marker(tmp_path: Path) -> None:
    fill(tmp_path)
    assert run(tmp_path, "plan").code == 0
    assert not (tmp_path / "inbox/.renditions").exists()
    assert run(tmp_path, "sync").code == 0
    (marker,) = find_markers(tmp_path)
    (registration,) = (tmp_path / "processed/.renditions/catalogs").iterdir()
    assert marker.stem == registration.stem, "both are named by the catalog's id"
    assert run(tmp_path, "sync").out.startswith("Nothing to do")
    assert len(run(tmp_path, "list", "--json").data) == FEW


def test_a_sync_of_only_some_pictures_writes_no_marker(tmp_path: Path) -> None:
    fill(tmp_path)
    assert run(tmp_path, "sync", "1.jpg").code == 0
    assert find_markers(tmp_path) == []


def test_sync_writes_nothing_into_a_read_only_source(tmp_path: Path) -> None:
    fill(tmp_path, "read_only = true")
    before = (tmp_path / "inbox").stat()
    for command in ("sync", "status", "sync"):
        assert run(tmp_path, command).code == 0
    after = (tmp_path / "inbox").stat()
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)
    assert not (tmp_path / "inbox/.renditions").exists()


def test_sync_keeps_the_renditions_of_even_a_few_pictures_if_the_source_is_unmounted(tmp_path: Path) -> None:
    fill(tmp_path)
    disk = tmp_path / "disk"
    (tmp_path / "inbox").rename(disk)
    with mounted(disk, tmp_path / "inbox"):
        assert run(tmp_path, "sync").code == 0
    planned = run(tmp_path, "plan", "--exit-code")
    assert planned.code == 3
    assert "the source lacks this catalog's marker" in planned.err
    for _ in range(2):
        held = run(tmp_path, "sync")
        assert held.code == 3
        assert f"the removal of {FEW} pictures, because the source lacks this catalog's marker" in held.err
    assert count_outputs(tmp_path) == FEW
    assert find_markers(tmp_path) == [], "the empty folder gets no marker"
    with mounted(disk, tmp_path / "inbox"):
        assert run(tmp_path, "sync").code == 0
        assert run(tmp_path, "status", "--json").data["held"] == []


@pytest.mark.parametrize("command", ["sync", "retry", "focus"])
def test_a_command_that_names_a_picture_removes_nothing_if_the_source_is_unmounted(
    tmp_path: Path, command: str
) -> None:
    """A person who names a missing picture intends its removal.

    But here all pictures are missing.
    """
    fill(tmp_path)
    assert run(tmp_path, "sync").code == 0
    (tmp_path / "inbox").rename(tmp_path / "disk")
    (tmp_path / "inbox").mkdir()
    held = run(tmp_path, command, "0.jpg", *(["10", "10"] if command == "focus" else []))
    assert held.code == 3
    assert "the source lacks this catalog's marker" in held.err
    assert "renditions sync --allow-removals 0.jpg" in held.err
    assert count_outputs(tmp_path) == FEW
    assert run(tmp_path, "sync", "--allow-removals", "0.jpg").code == 0
    assert count_outputs(tmp_path) == FEW - 1


def test_sync_processes_the_pictures_of_another_folder_at_the_path_of_the_source_and_removes_nothing(
    tmp_path: Path,
) -> None:
    fill(tmp_path)
    assert run(tmp_path, "sync").code == 0
    (tmp_path / "inbox").rename(tmp_path / "away")
    draw(tmp_path / "inbox/other.jpg")
    draw(tmp_path / "inbox/0.jpg", 64, 48)
    for number in range(FEW):
        draw(tmp_path / f"inbox/other-{number}.jpg", 64, 48, seed=50 + number)
    for _ in range(2):
        assert run(tmp_path, "sync").code == 3
        assert count_outputs(tmp_path) == 2 * FEW + 1
    assert find_markers(tmp_path) == []


def test_sync_writes_the_marker_again_if_all_pictures_are_there(tmp_path: Path) -> None:
    fill(tmp_path)
    assert run(tmp_path, "sync").code == 0
    shutil.rmtree(tmp_path / "inbox/.renditions")
    assert run(tmp_path, "sync").code == 0
    assert len(find_markers(tmp_path)) == 1


def test_sync_writes_the_marker_again_after_a_person_has_allowed_the_removals(tmp_path: Path) -> None:
    fill(tmp_path)
    assert run(tmp_path, "sync").code == 0
    shutil.rmtree(tmp_path / "inbox/.renditions")
    (tmp_path / "inbox/0.jpg").unlink()
    assert run(tmp_path, "sync").code == 3
    assert run(tmp_path, "sync", "--allow-removals").code == 0
    assert count_outputs(tmp_path) == FEW - 1
    assert len(find_markers(tmp_path)) == 1


def test_a_person_can_allow_removals_although_the_marker_is_missing(tmp_path: Path) -> None:
    fill(tmp_path)
    assert run(tmp_path, "sync").code == 0
    (tmp_path / "inbox").rename(tmp_path / "away")
    (tmp_path / "inbox").mkdir()
    assert run(tmp_path, "sync").code == 3
    assert run(tmp_path, "sync", "--allow-removals").code == 0
    assert count_outputs(tmp_path) == 0


def test_sync_with_a_catalog_of_version_0_1_expects_no_marker_and_writes_a_marker(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parent.parent / "catalogs/0.1", tmp_path / "old")
    source = tmp_path / "old/source"
    known = len(run(tmp_path / "old", "list", "--json").data)
    (source / "photo.jpg").unlink()
    assert run(tmp_path / "old", "sync", "--no-verify").code in (0, 1)
    assert len(run(tmp_path / "old", "list", "--json").data) == known - 1
    assert len(list(source.glob(".renditions/markers/*"))) == 1
    source.rename(tmp_path / "old/away")
    source.mkdir()
    assert run(tmp_path / "old", "sync", "--no-verify").code == 3


def test_sync_of_another_source_does_not_expect_the_marker_of_the_former_source(tmp_path: Path) -> None:
    fill(tmp_path)
    assert run(tmp_path, "sync").code == 0
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("./inbox", "./other"))
    draw(tmp_path / "other/0.jpg", 64, 48)
    assert run(tmp_path, "sync", "--rebind").code == 0
    assert [path.name for path in (tmp_path / "processed").glob("*.jpg")] == ["0.jpg"]


def test_sync_reports_a_source_that_it_can_not_write_to_and_continues(tmp_path: Path) -> None:
    fill(tmp_path)
    with mounted(tmp_path / "inbox", tmp_path / "inbox"):
        subprocess.run(["mount", "-o", "remount,bind,ro", tmp_path / "inbox"], check=True)
        ended = run(tmp_path, "sync")
        assert ended.code == 0
        assert "the source gets no marker" in ended.err
        assert "[source] read_only = true" in ended.err
        assert count_outputs(tmp_path) == FEW
