"""Families of renditions in a real folder, with the commands that show them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from commands import draw, run, write_pipeline

FAMILY = '[renditions.photo]\nwidths = [80, 160, 320]\nformats = ["webp", "jpeg"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a picture that is too small for two of the widths."""
    write_pipeline(tmp_path, FAMILY)
    draw(tmp_path / "inbox/small.jpg", 120, 60)
    assert run(tmp_path, "sync").code == 0
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "processed/small.jpg").iterdir())


def planned(folder: Path) -> list[tuple[str, list[str]]]:
    items: list[dict[str, Any]] = run(folder, "plan", "--json").data
    return [(item["action"], list(item["make"])) for item in items]


SMALL = ["photo-160-jpeg.jpg", "photo-160-webp.webp", "photo-80-jpeg.jpg", "photo-80-webp.webp"]


def test_a_small_picture_has_one_file_for_two_widths_and_needs_no_further_sync(folder: Path) -> None:
    assert files(folder) == SMALL
    assert planned(folder) == []
    assert run(folder, "sync").out.startswith("Nothing to do")
    assert run(folder, "sync", "--verify-content").out.startswith("Nothing to do")
    assert run(folder, "strays").err.startswith("Strays: 0 ")


def test_show_names_the_stand_in_of_a_rendition_in_text_and_in_json(folder: Path) -> None:
    item = run(folder, "show", "small.jpg", "--json").data
    assert item["stand_ins"] == {"photo-320-webp": "photo-160-webp", "photo-320-jpeg": "photo-160-jpeg"}
    assert list(item["renditions"]) == [
        "photo-80-webp", "photo-80-jpeg", "photo-160-webp", "photo-160-jpeg",
    ]  # fmt: skip
    why = "uses the file of photo-160-webp: the picture is too small for a larger width"
    assert re.search(rf"^photo-320-webp +{why}", run(folder, "show", "small.jpg").out, re.MULTILINE)


def test_a_deleted_file_that_serves_several_renditions_is_made_again(folder: Path) -> None:
    (folder / "processed/small.jpg/photo-160-webp.webp").unlink()
    assert planned(folder) == [("update", ["photo-160-webp"])]
    assert run(folder, "sync").code == 0
    assert files(folder) == SMALL
    assert planned(folder) == []


def test_the_files_of_a_touched_picture_are_not_written_again(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "processed/small.jpg").iterdir()}
    os.utime(folder / "inbox/small.jpg", (1, 1))
    assert run(folder, "sync", "--json").data["processed"] == {"unchanged": 1}
    assert {path: path.stat().st_mtime_ns for path in (folder / "processed/small.jpg").iterdir()} == before
    assert planned(folder) == []


def test_a_larger_picture_gets_a_file_for_each_width_and_a_smaller_picture_gets_fewer(folder: Path) -> None:
    draw(folder / "inbox/small.jpg", 400, 200)
    assert run(folder, "sync").code == 0
    assert len(files(folder)) == 6
    assert "stand_ins" not in run(folder, "show", "small.jpg", "--json").data
    draw(folder / "inbox/small.jpg", 70, 35)
    assert run(folder, "sync").code == 0
    assert files(folder) == ["photo-80-jpeg.jpg", "photo-80-webp.webp"]
    assert planned(folder) == []


def test_naming_a_family_selects_all_its_renditions_and_naming_a_rendition_selects_its_stand_in(
    folder: Path,
) -> None:
    shutil.rmtree(folder / "processed/small.jpg")
    assert run(folder, "sync", "--rendition", "photo-80-webp").code == 0
    assert files(folder) == ["photo-80-webp.webp"]
    assert run(folder, "sync", "--rendition", "photo-320-webp").code == 0
    assert files(folder) == ["photo-160-webp.webp", "photo-80-webp.webp"]
    assert run(folder, "sync", "--rendition", "photo").code == 0
    assert files(folder) == SMALL
    refused = run(folder, "sync", "--rendition", "foto")
    assert refused.code == 2
    assert "photo-80-webp" in refused.err


def test_check_lists_every_rendition_of_a_family(folder: Path) -> None:
    out = run(folder, "check").out
    assert [line.split()[0] for line in out.splitlines() if line.startswith("photo-")] == [
        f"photo-{width}-{name}" for width in (80, 160, 320) for name in ("webp", "jpeg")
    ]
    write_pipeline(folder, f"{FAMILY}[renditions.photo-80-webp]\nwidth = 10\n")
    refused = run(folder, "check")
    assert refused.code == 2
    assert "renditions.photo: expected names that renditions.photo-80-webp doesn't have" in (refused.err)


def test_outputs_stay_when_a_family_replaces_separate_tables_for_the_same_renditions(
    folder: Path,
) -> None:
    draw(folder / "inbox/small.jpg", 400, 200)
    tables = "".join(
        f'[renditions.photo-{width}-{name}]\nwidth = {width}\nformat = "{name}"\n'
        for width in (80, 160, 320)
        for name in ("webp", "jpeg")
    )
    write_pipeline(folder, tables)
    assert run(folder, "sync").code == 0
    write_pipeline(folder, FAMILY)
    assert planned(folder) == []
