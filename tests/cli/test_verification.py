"""Commands that compare the outputs in a real folder with the records."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from commands import draw, run, write_pipeline

TWO = "[renditions.thumb]\nwidth = 200\n[renditions.large]\nwidth = 300\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two pictures, and all of their renditions."""
    write_pipeline(tmp_path, TWO)
    for number, name in enumerate(("a.jpg", "b.jpg")):
        draw(tmp_path / "inbox" / name, seed=number)
    assert run(tmp_path, "sync").code == 0
    return tmp_path


def outputs(folder: Path, store: str = "processed") -> dict[str, bytes]:
    root = folder / store
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".renditions" not in path.parts
    }


def planned(folder: Path, *options: str) -> list[tuple[str, str, str]]:
    items: list[dict[str, Any]] = run(folder, "plan", "--json", *options).data
    return [(item["name"], item["action"], item["why"]) for item in items]


def test_sync_makes_all_outputs_again_after_they_were_deleted(folder: Path) -> None:
    before = outputs(folder)
    shutil.rmtree(folder / "processed")
    why = "thumb is missing from the output store, large is missing from the output store"
    assert planned(folder) == [("a.jpg", "update", why), ("b.jpg", "update", why)]
    assert run(folder, "sync", "--json").data["processed"] == {"done": 2}
    assert outputs(folder) == before
    assert planned(folder) == []


def test_sync_makes_only_the_deleted_output_again(folder: Path) -> None:
    before = outputs(folder)
    large = (folder / "processed/a.jpg/large.jpg").stat().st_mtime_ns
    (folder / "processed/a.jpg/thumb.jpg").unlink()
    assert planned(folder) == [("a.jpg", "update", "thumb is missing from the output store")]
    assert "thumb is missing from the output store" in run(folder, "plan").out
    assert run(folder, "sync").code == 0
    assert outputs(folder) == before
    assert (folder / "processed/a.jpg/large.jpg").stat().st_mtime_ns == large
    reasons = [event["reason"] for event in run(folder, "show", "a.jpg", "--json").data["history"]]
    assert reasons[-2] == "thumb is missing from the output store"


def test_sync_makes_an_output_again_after_it_was_overwritten(folder: Path) -> None:
    before = outputs(folder)
    (folder / "processed/a.jpg/thumb.jpg").write_bytes(b"rubbish")
    assert planned(folder) == [("a.jpg", "update", "thumb was changed or replaced")]
    assert planned(folder, "--no-verify") == []
    assert run(folder, "sync").code == 0
    assert outputs(folder) == before


def test_the_option_verify_content_finds_a_changed_output_of_the_same_size_and_time(folder: Path) -> None:
    before = outputs(folder)
    thumb = folder / "processed/a.jpg/thumb.jpg"
    status = thumb.stat()
    with thumb.open("r+b") as file:
        file.write(b"x" * status.st_size)
    os.utime(thumb, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert planned(folder) == []
    assert planned(folder, "--verify-content") == [("a.jpg", "update", "thumb was changed or replaced")]
    assert run(folder, "sync", "--verify-content").code == 0
    assert outputs(folder) == before
    wrong = run(folder, "plan", "--verify-content", "--no-verify")
    assert (wrong.code, wrong.out) == (2, "")


def test_after_the_output_store_changed_sync_makes_every_output_in_the_new_store(folder: Path) -> None:
    before = outputs(folder)
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace("./processed", "./elsewhere"))
    assert {action for _, action, _ in planned(folder)} == {"update"}
    assert run(folder, "sync").code == 0
    assert outputs(folder, "elsewhere") == before
    assert planned(folder) == []


def test_sync_records_changed_headers_without_rendering(folder: Path) -> None:
    file = folder / "renditions.toml"
    times = {path: path.stat().st_mtime_ns for path in (folder / "processed").rglob("*.jpg")}
    file.write_text(file.read_text().replace("[output]", '[output]\ncache_control = "max-age=60"'))
    assert {action for _, action, _ in planned(folder)} == {"settle"}
    assert run(folder, "sync").code == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert run(folder, "show", "a.jpg", "--json").data["headers"] == "max-age=60"
    assert planned(folder) == []


def test_sync_with_a_restored_catalog_replaces_outputs_that_are_newer_than_their_records(
    folder: Path,
) -> None:
    """The restored catalog has records of outputs that a later run replaced."""
    yesterday = outputs(folder)
    file, catalog = folder / "renditions.toml", folder / "renditions.db"
    text = file.read_text()
    shutil.copy(catalog, folder / "backup.db")
    file.write_text(text.replace("width = 200", "width = 200\nquality = 30"))
    assert run(folder, "sync").code == 0
    today = outputs(folder)
    assert today["a.jpg/thumb.jpg"] != yesterday["a.jpg/thumb.jpg"]
    for path in folder.glob("renditions.db*"):
        if path.is_file():
            path.unlink()
    shutil.copy(folder / "backup.db", catalog)
    file.write_text(text)
    assert planned(folder) == [
        ("a.jpg", "update", "thumb was changed or replaced"),
        ("b.jpg", "update", "thumb was changed or replaced"),
    ]
    assert run(folder, "sync").code == 0
    assert outputs(folder) == yesterday


def test_after_outputs_were_copied_sync_updates_records_and_writes_no_output(folder: Path) -> None:
    shutil.copytree(folder / "processed", folder / "copy")
    shutil.rmtree(folder / "processed")
    (folder / "copy").rename(folder / "processed")
    times = {path: path.stat().st_mtime_ns for path in (folder / "processed").rglob("*.jpg")}
    assert {action for _, action, _ in planned(folder)} == {"settle"}
    assert run(folder, "sync").code == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert planned(folder) == []


def test_sync_only_reports_an_output_that_went_missing_twice_and_retry_makes_it_again(folder: Path) -> None:
    thumb = folder / "processed/a.jpg/thumb.jpg"
    thumb.unlink()
    assert run(folder, "sync").code == 0
    thumb.unlink()
    ended = run(folder, "sync")
    assert ended.code == 1
    assert "thumb is missing from the output store again" in ended.err
    assert "; 1 for a person to check." in ended.out
    assert run(folder, "sync", "--json").data["warnings"] == 1
    planned_again = run(folder, "plan", "--exit-code")
    assert (planned_again.code, "Plan: 1 for a person to check;" in planned_again.out) == (1, True)
    assert not thumb.exists()
    assert run(folder, "retry", "a.jpg").code == 0
    assert thumb.exists()


@pytest.mark.parametrize(("verify", "is_made"), [("never", False), ("schedule", True), ("always", True)])
def test_unattended_runs_verify_outputs_as_the_pipeline_file_declares(
    folder: Path, verify: str, is_made: bool
) -> None:
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace("[output]", f'[output]\nverify = "{verify}"'))
    assert run(folder, "sync").code == 0
    thumb = folder / "processed/a.jpg/thumb.jpg"
    thumb.unlink()
    assert run(folder, "sync", "--unattended").code == 0
    assert thumb.exists() == is_made


def test_an_attended_sync_makes_lost_outputs_again_that_an_unattended_sync_does_not_make(
    folder: Path,
) -> None:
    for number in range(10):
        draw(folder / "inbox" / f"{number}.jpg", seed=number)
    assert run(folder, "sync").code == 0
    shutil.rmtree(folder / "processed")
    held = run(folder, "sync", "--unattended")
    assert held.code == 3
    assert "all 24 known outputs are missing from the output store" in held.err
    assert not outputs(folder)
    ended = run(folder, "sync")
    assert ended.code == 0
    assert (
        "All 24 known outputs are missing from the output store, or were changed. This run tried to make "
        "them again." in ended.err
    )
    assert len(outputs(folder)) == 24
