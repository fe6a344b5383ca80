"""Commands in copied, restored and touched projects."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from commands import draw, run, write_pipeline
from imaging.pictures import encoded

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
    return {
        path.relative_to(root).as_posix(): path.stat().st_mtime_ns
        for path in root.rglob("*.jpg")
        if path.is_file()
    }


def assert_nothing_is_rendered(folder: Path) -> None:
    before = times(folder)
    ended = run(folder, "sync", "--json")
    assert (ended.code, ended.data["processed"]) == (0, {"unchanged": 3})
    assert times(folder) == before
    assert run(folder, "plan", "--json").data == []


def test_sync_renders_nothing_in_a_copied_project(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", project, copy], check=True)
    assert_nothing_is_rendered(copy)


def test_sync_renders_nothing_in_a_project_copied_without_file_times(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path / "copy", copy_function=shutil.copyfile)
    assert_nothing_is_rendered(tmp_path / "copy")


def test_sync_does_not_render_touched_pictures(project: Path) -> None:
    for path in (project / "inbox").rglob("*.jpg"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert_nothing_is_rendered(project)


def test_plan_shows_that_sync_updates_only_the_record_of_a_touched_picture(project: Path) -> None:
    (project / "inbox/a.jpg").touch()
    (item,) = run(project, "plan", "--json").data
    assert (item["name"], item["action"], item["make"], item["why"]) == (
        "a.jpg", "settle", {}, "its content is unchanged",
    )  # fmt: skip


def test_show_prints_the_content_hash(project: Path) -> None:
    digest = subprocess.run(
        ["sha256sum", project / "inbox/a.jpg"], check=True, capture_output=True, text=True
    ).stdout.split()[0]
    assert run(project, "show", "a.jpg", "--json").data["sha256"] == digest


def test_renaming_a_folder_of_pictures_keeps_their_focus_and_their_outputs(project: Path) -> None:
    assert run(project, "focus", "sub/b.jpg", "10", "20").code == 0
    before = {name: (project / "processed" / name).read_bytes() for name in times(project)}
    (project / "inbox/sub").rename(project / "inbox/moved")
    planned = run(project, "plan").out
    assert "> moved/b.jpg  it was renamed from sub/b.jpg" in planned
    assert "Plan: 1 renamed; 2 unchanged." in planned
    ended = run(project, "sync", "--json")
    assert (ended.code, ended.data["processed"]) == (0, {"done": 1})
    shown = run(project, "show", "moved/b.jpg", "--json").data
    assert (shown["focus"]["x"], shown["focus"]["y"]) == (10, 20)
    assert run(project, "show", "sub/b.jpg").code != 0
    after = {name: (project / "processed" / name).read_bytes() for name in times(project)}
    assert after == {name.replace("sub/b.jpg", "moved/b.jpg"): content for name, content in before.items()}
    assert run(project, "plan", "--json").data == []


def test_renaming_a_rendition_moves_its_output_unchanged(project: Path) -> None:
    before = (project / "processed/a.jpg/thumb.jpg").read_bytes()
    file = project / "renditions.toml"
    file.write_text(file.read_text().replace("renditions.thumb", "renditions.small"))
    assert run(project, "sync", "--json").data["processed"] == {"done": 3}
    assert (project / "processed/a.jpg/small.jpg").read_bytes() == before
    assert not (project / "processed/a.jpg/thumb.jpg").exists()


def test_touched_and_renamed_files_that_contain_several_images_are_recognised(tmp_path: Path) -> None:
    """The hash is that of the whole file, so the number of images doesn't matter."""
    write_pipeline(tmp_path, TWO)
    images = [Image.new("RGB", (320, 240), colour) for colour in ("red", "lime", "blue")]
    formats = {"moving.gif": "gif", "moving.webp": "webp", "pages.tif": "tiff"}
    for name, image_format in formats.items():
        path = tmp_path / "inbox" / name
        path.write_bytes(encoded(images[0], image_format, save_all=True, append_images=images[1:]))
    burst = pillow_heif.from_pillow(images[0])
    for image in images[1:]:
        burst.add_from_pillow(image)
    burst.save(tmp_path / "inbox" / "burst.heic")
    shutil.copy(tmp_path / "inbox" / "burst.heic", tmp_path / "inbox" / "burst.heics")
    with (tmp_path / "inbox" / "burst.heics").open("ab") as file:
        file.write(b"\0\0\0\x08free")  # an empty box makes it another file with the same images
    assert run(tmp_path, "sync", "--json").data["processed"] == {"done": 5}
    before = {name: (tmp_path / "processed" / name).read_bytes() for name in times(tmp_path)}
    assert len(before) == 10
    for path in (tmp_path / "inbox").iterdir():
        path.touch()
    assert run(tmp_path, "sync", "--json").data["processed"] == {"unchanged": 5}
    (tmp_path / "inbox").rename(tmp_path / "moved")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "moved").rename(tmp_path / "inbox" / "moved")
    assert run(tmp_path, "sync", "--json").data["renamed"] == 5
    after = {name: (tmp_path / "processed" / name).read_bytes() for name in times(tmp_path)}
    assert after == {f"moved/{name}": content for name, content in before.items()}
