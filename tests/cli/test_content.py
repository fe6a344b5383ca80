"""Commands in copied, restored and touched projects."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from commands import draw, run, write_pipeline

TWO = "[renditions.thumb]\nwidth = 200\n[renditions.large]\nwidth = 300\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with three pictures and all of their renditions."""
    folder = tmp_path / "project"
    folder.mkdir()
    write_pipeline(folder, TWO)
    for number, name in enumerate(("a.jpg", "sub/b.jpg", "c d.jpg")):
        draw(folder / "inbox" / name, seed=number)
    assert run(folder, "sync").code == 0
    return folder


def times(folder: Path) -> dict[str, int]:
    root = folder / "processed"
    return {path.relative_to(root).as_posix(): path.stat().st_mtime_ns for path in root.rglob("*.jpg")}


def assert_nothing_is_rendered(folder: Path) -> None:
    before = times(folder)
    ended = run(folder, "sync", "--json")
    assert (ended.code, ended.data["processed"]) == (0, {"unchanged": 3})
    assert times(folder) == before
    assert run(folder, "plan", "--json").data == []


def test_a_copied_project_renders_nothing(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", project, copy], check=True)
    assert_nothing_is_rendered(copy)


def test_a_project_copied_without_its_times_renders_nothing(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path / "copy", copy_function=shutil.copyfile)
    assert_nothing_is_rendered(tmp_path / "copy")


def test_touched_pictures_are_not_rendered(project: Path) -> None:
    for path in (project / "inbox").rglob("*.jpg"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert_nothing_is_rendered(project)


def test_plan_shows_that_sync_updates_only_the_record_of_a_touched_picture(project: Path) -> None:
    (project / "inbox/a.jpg").touch()
    (item,) = run(project, "plan", "--json").data
    assert (item["name"], item["action"], item["make"], item["why"]) == (
        "a.jpg", "settle", {}, "its content is unchanged",
    )  # fmt: skip


def test_show_has_the_content_hash(project: Path) -> None:
    digest = subprocess.run(
        ["sha256sum", project / "inbox/a.jpg"], check=True, capture_output=True, text=True
    ).stdout.split()[0]
    assert run(project, "show", "a.jpg", "--json").data["sha256"] == digest
