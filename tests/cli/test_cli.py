"""The output, messages and exit codes of the commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from commands import RENDITIONS, draw, run, write_pipeline
from renditions.local.sqlite import SqliteCatalog
from renditions.model.record import Record

THUMB = '[renditions.thumb]\nkey = "{dir}thumb_{name}"\nwidth = 200\nheight = 200\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pipeline(tmp_path, THUMB)
    return tmp_path


def outputs(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the inode and time of each output, by key."""
    root = folder / "processed"
    return {
        path.relative_to(root).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file() and ".renditions" not in path.parts
    }


def test_a_sync_with_the_preset_thumbnail_writes_a_thumbnail_and_a_record(tmp_path: Path) -> None:
    """A 1920×1080 JPEG gives thumb_photo.jpg of 200×113.

    The record has the attributes that people query.
    """
    assert run(tmp_path, "init", "--preset", "thumbnail").code == 0
    draw(tmp_path / "inbox" / "photo.jpg", 1920, 1080)
    assert run(tmp_path, "sync").code == 0
    with Image.open(tmp_path / "processed" / "thumb_photo.jpg") as thumb:
        assert (thumb.format, thumb.size) == ("JPEG", (200, 113))
    record = run(tmp_path, "show", "photo.jpg", "--json").data
    assert record["image_name"] == "photo.jpg"
    assert record["status"] == "done"
    assert (record["original_width"], record["original_height"]) == (1920, 1080)
    assert (record["processed_width"], record["processed_height"]) == (200, 113)
    assert record["original_size_bytes"] == (tmp_path / "inbox" / "photo.jpg").stat().st_size
    assert record["processed_size_bytes"] == (tmp_path / "processed" / "thumb_photo.jpg").stat().st_size
    moment = datetime.fromisoformat(record["timestamp"])
    assert moment.utcoffset() is not None
    assert record["timestamp"].endswith("Z")


def test_plan_lists_exactly_what_sync_then_does(tmp_path: Path) -> None:
    """The pictures are new, unchanged, replaced and deleted.

    One rendition has a changed recipe, and one was removed.
    """
    large = '[renditions.large]\nwidth = 300\nformat = "webp"\n'
    write_pipeline(tmp_path, THUMB + large)
    for name in ("one.jpg", "two.jpg"):
        draw(tmp_path / "inbox" / name)

    def plan() -> list[tuple[str, str, list[str], list[str]]]:
        before = sorted(tmp_path.rglob("*"))
        told = run(tmp_path, "plan", "--json")
        assert told.code == 0
        assert sorted(tmp_path.rglob("*")) == before, "plan changes nothing"
        for item in told.data:
            assert all(made.keys() == {"key"} for made in item["make"].values())
        return [(item["name"], item["action"], list(item["make"]), item["delete"]) for item in told.data]

    assert plan() == [
        ("one.jpg", "create", ["thumb", "large"], []),
        ("two.jpg", "create", ["thumb", "large"], []),
    ]
    assert run(tmp_path, "sync").code == 0
    first = outputs(tmp_path)
    assert sorted(first) == ["one.jpg/large.webp", "thumb_one.jpg", "thumb_two.jpg", "two.jpg/large.webp"]

    assert plan() == []
    again = run(tmp_path, "sync")
    assert (again.code, again.out) == (0, "Nothing to do: 2 pictures checked, 2 done.\n")
    assert outputs(tmp_path) == first

    write_pipeline(tmp_path, THUMB + large.replace('"webp"', '"webp"\nquality = 40'))
    assert plan() == [("one.jpg", "update", ["large"], []), ("two.jpg", "update", ["large"], [])]
    assert run(tmp_path, "sync").code == 0
    second = outputs(tmp_path)
    changed = {key for key in first if first[key] != second[key]}
    assert changed == {"one.jpg/large.webp", "two.jpg/large.webp"}

    write_pipeline(tmp_path, THUMB)
    assert plan() == [
        ("one.jpg", "update", [], ["one.jpg/large.webp"]),
        ("two.jpg", "update", [], ["two.jpg/large.webp"]),
    ]
    assert run(tmp_path, "sync").code == 0
    assert sorted(outputs(tmp_path)) == ["thumb_one.jpg", "thumb_two.jpg"]

    (tmp_path / "inbox" / "one.jpg").unlink()
    draw(tmp_path / "inbox" / "two.jpg", seed=2)
    assert plan() == [("two.jpg", "update", ["thumb"], []), ("one.jpg", "remove", [], ["thumb_one.jpg"])]
    assert run(tmp_path, "sync").code == 0
    assert list(outputs(tmp_path)) == ["thumb_two.jpg"]
    assert [record["image_name"] for record in run(tmp_path, "list", "--json").data] == ["two.jpg"]


def test_a_changed_analyze_table_adds_an_analysis_for_show_and_makes_no_rendition_again(
    tmp_path: Path,
) -> None:
    write_pipeline(tmp_path, THUMB)
    exif = Image.Exif()
    exif[0x0110] = "Pinhole [bold]9[/]"
    draw(tmp_path / "inbox" / "photo.jpg", exif=exif)
    draw(tmp_path / "inbox" / "tall.png", 60, 320)
    assert run(tmp_path, "sync").code == 0
    made = outputs(tmp_path)
    more = (
        '[accept]\nmin_aspect_ratio = "1:2"\n[analyze]\nexif = true\ncolours = 2\nplaceholder = "thumbhash"\n'
    )
    write_pipeline(tmp_path, THUMB, f"{more}transparency = true\nsharpness = true\nperceptual_hash = true\n")
    planned = run(tmp_path, "plan", "--json").data
    assert {(item["name"], item["why"], len(item["make"])) for item in planned} == {
        (name, "[accept], [analyze] or [limits] changed", 0) for name in ("photo.jpg", "tall.png")
    }
    assert run(tmp_path, "sync").code == 1
    assert outputs(tmp_path) == {key: made[key] for key in made if "tall" not in key}
    found = run(tmp_path, "show", "photo.jpg", "--json").data["analysis"]
    assert found["exif"] == {"model": "Pinhole [bold]9[/]"}
    assert found["transparency"] is False
    shown = run(tmp_path, "show", "photo.jpg").out
    lines = ("camera Pinhole [bold]9[/]", f"thumbhash {found['thumbhash']}", "transparency no")
    assert all(f"  {line}\n" in shown for line in lines)
    assert all(f"{colour['colour']} {colour['share']:.0%}" in shown for colour in found["colours"])
    refused = run(tmp_path, "show", "tall.png").out
    assert (
        "the aspect ratio is 0.1875 (60 by 320), but [accept] min_aspect_ratio requires at least 0.5"
        in refused
    )


def test_invalid_pictures_are_rejected_with_a_reason_and_do_not_block_other_pictures(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB, '[accept]\nmax_pixels = "1 MP"\n')
    inbox = tmp_path / "inbox"
    (inbox / "empty.jpg").write_bytes(b"")
    (inbox / "text.jpg").write_text("This is no picture.")
    draw(inbox / "good.jpg")
    draw(inbox / "large.png", 1200, 1200)
    (inbox / "half.jpg").write_bytes((inbox / "good.jpg").read_bytes()[:3000])
    frames = [Image.new("P", (64, 48), number) for number in range(4)]
    frames[0].save(inbox / "moving.webp", save_all=True, append_images=frames[1:], duration=50)
    assert run(tmp_path, "sync").code == 1
    records = {record["image_name"]: record for record in run(tmp_path, "list", "--json").data}
    assert {name: record["status"] for name, record in records.items()} == {
        "empty.jpg": "rejected",
        "text.jpg": "rejected",
        "half.jpg": "rejected",
        "large.png": "rejected",
        "good.jpg": "done",
        "moving.webp": "done",
    }
    assert "empty" in records["empty.jpg"]["reason"]
    assert "not a picture in a known format" in records["text.jpg"]["reason"]
    assert "premature end" in records["half.jpg"]["reason"]
    assert "1,000,000" in records["large.png"]["reason"]
    with Image.open(tmp_path / "processed" / "thumb_moving.webp") as one:
        assert one.format == "JPEG"
    assert sorted(outputs(tmp_path)) == ["thumb_good.jpg", "thumb_moving.webp"]
    rejected = run(tmp_path, "list", "--status", "rejected", "--json").data
    assert len(rejected) == 4


@pytest.mark.parametrize("template", ["{stem}.jpg", "{stem}.{ext}"])
def test_a_later_picture_with_the_output_key_of_an_earlier_picture_is_rejected(
    tmp_path: Path, template: str
) -> None:
    """The reason names the earlier picture.

    With the default template, every picture then gets its own output.
    """
    names = ["a/photo.jpg", "b/photo.jpg", "photo.jpg", "photo.png"]
    for name in names:
        draw(tmp_path / "inbox" / name, seed=len(name))
    write_pipeline(tmp_path, f'[renditions.thumb]\nkey = "{template}"\nwidth = 100\n')
    ended = run(tmp_path, "sync")
    assert ended.code == 1
    assert "warning" in ended.err
    records = {record["image_name"]: record for record in run(tmp_path, "list", "--json").data}
    assert {name: records[name]["status"] for name in names} == {
        "a/photo.jpg": "done", "b/photo.jpg": "rejected", "photo.jpg": "rejected", "photo.png": "rejected",
    }  # fmt: skip
    for name in names[1:]:
        assert "'a/photo.jpg'" in records[name]["reason"]
    assert list(outputs(tmp_path)) == ["photo.jpg"]
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 100\n")
    assert run(tmp_path, "sync").code == 0
    assert sorted(outputs(tmp_path)) == [f"{name}/thumb.jpg" for name in names]


def test_sync_keeps_unusual_names_of_pictures_unchanged(folder: Path) -> None:
    names = ["with space.jpg", "plus+.jpg", "50%.jpg", "#1.jpg", "ü/名.jpg", "a?b&c='d'.JPG", "[x] {y}.jpg"]
    for name in names:
        draw(folder / "inbox" / name)
    assert run(folder, "sync").code == 0
    made = {key.replace("thumb_", "") for key in outputs(folder)}
    assert made == set(names)


def test_commands_report_all_problems_of_an_invalid_pipeline_file_with_exit_code_2(folder: Path) -> None:
    write_pipeline(folder, '[renditions.thumb]\nwidht = 200\nquality = 400\nformat = "jpg"\n')
    for command in ("check", "plan", "sync"):
        ended = run(folder, command)
        assert ended.code == 2
        assert ended.out == ""
        assert ": renditions.thumb.widht: " in ended.err
        assert "did you mean 'width'?" in ended.err
        assert ": renditions.thumb.quality: expected a whole number from 1 to 100" in ended.err
        assert ": renditions.thumb.format: " in ended.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["frobnicate"], "No such command"),
        (["show"], "Missing argument"),
        (["show", "nothing.jpg"], "'nothing.jpg'"),
        (["list", "--status", "odd"], "'odd' is not one of 'processing', 'done'"),
        (["sync", "-p", "none.toml"], "none.toml"),
        (["init"], "it already exists"),
        (["init", "-p", "new.toml", "--preset", "thumbnial"], "did you mean 'thumbnail'?"),
    ],
)
def test_a_command_with_wrong_arguments_exits_with_code_2(
    folder: Path, arguments: list[str], told: str
) -> None:
    ended = run(folder, *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert ended.out == ""


def test_sync_with_a_missing_source_folder_deletes_nothing(folder: Path) -> None:
    draw(folder / "inbox" / "photo.jpg")
    run(folder, "sync")
    (folder / "inbox").rename(folder / "elsewhere")
    ended = run(folder, "sync")
    assert ended.code == 1
    assert "inbox" in ended.err
    assert list(outputs(folder)) == ["thumb_photo.jpg"]


def test_the_pipeline_file_can_be_named_before_or_after_the_command(folder: Path) -> None:
    (folder / "renditions.toml").rename(folder / "other.toml")
    assert run(folder, "-p", "other.toml", "plan").code == 0
    assert run(folder, "plan", "-p", "other.toml").code == 0


def test_the_focus_command_sets_the_point_that_cropping_keeps(folder: Path) -> None:
    """The picture is black above and white below.

    The square rendition shows the part around the focus.
    """
    write_pipeline(folder, '[renditions.cut]\nwidth = 20\nheight = 20\nfit = "cover"\ngravity = "focus"\n')
    picture = Image.new("L", (20, 60), "black")
    picture.paste("white", (0, 30, 20, 60))
    picture.save(folder / "inbox" / "tall.png")
    output = folder / "processed" / "tall.png" / "cut.jpg"

    def sync_and_look(*arguments: str) -> Any:
        assert run(folder, *arguments).code == 0
        with Image.open(output) as made:
            return tuple(int(made.getpixel((10, y)) > 127) for y in (3, 17))  # type: ignore[operator]

    assert sync_and_look("sync") == (0, 1)
    assert sync_and_look("focus", "tall.png", "50", "0") == (0, 0)
    assert sync_and_look("sync") == (0, 0)
    assert sync_and_look("focus", "tall.png", "50", "95") == (1, 1)
    assert run(folder, "show", "tall.png", "--json").data["focus"] == {"x": 50, "y": 95}
    assert sync_and_look("focus", "tall.png", "--clear") == (0, 1)
    for wrong in ([], ["5"], ["5", "5", "--clear"], ["5", "101"]):
        assert run(folder, "focus", "tall.png", *wrong).code == 2


def test_retry_processes_a_named_picture_or_all_rejected_pictures_again(folder: Path) -> None:
    (folder / "inbox" / "text.jpg").write_text("no picture")
    assert run(folder, "sync").code == 1
    before = run(folder, "show", "text.jpg", "--json").data
    assert run(folder, "retry", "text.jpg").code == 1
    after = run(folder, "show", "text.jpg", "--json").data
    assert after["timestamp"] > before["timestamp"]
    assert "pictures to try again: 1" in run(folder, "retry", "--status", "rejected").err
    assert "pictures to try again: 0" in run(folder, "retry").err


def test_sync_logs_a_rejection_once_and_not_again_in_the_next_run(folder: Path) -> None:
    write_pipeline(folder, THUMB, '[[notify]]\non = ["done", "rejected"]\nto = "log:"\n')
    draw(folder / "inbox" / "photo.jpg")
    (folder / "inbox" / "text.jpg").write_text("no picture")
    ended = run(folder, "sync")
    assert "photo.jpg is done: thumb_photo.jpg" in ended.err
    assert ended.err.count("text.jpg") == 1
    assert run(folder, "sync").err == ""


def test_the_schema_command_prints_a_json_schema(folder: Path) -> None:
    assert run(folder, "schema").data["$schema"].startswith("https://json-schema.org/")


def test_check_prints_the_declared_renditions(folder: Path) -> None:
    ended = run(folder, "check")
    assert ended.code == 0
    assert "folder/thumb_photo.jpg" in ended.out
    assert (
        run(folder, "check", "--json").data["renditions"]["thumb"]["example_key"] == "folder/thumb_photo.jpg"
    )


def test_ctrl_c_ends_a_sync_after_the_pictures_in_progress_and_the_next_sync_continues(folder: Path) -> None:
    for number in range(120):
        draw(folder / "inbox" / f"{number:03}.jpg", 1600, 900, seed=number)
    command = subprocess.Popen(
        [RENDITIONS, "sync", "--json"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(list((folder / "processed").glob("*.jpg"))) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(command.pid, signal.SIGINT)  # like a terminal: to the whole group
    out, err = command.communicate(timeout=60)
    assert command.returncode == 130
    summary = json.loads(out)
    assert summary["interrupted"]
    assert 3 <= summary["processed"]["done"] < 120
    assert b"Traceback" not in err
    assert {record["status"] for record in run(folder, "list", "--json").data} == {"done"}
    assert run(folder, "sync").code == 0
    assert len(outputs(folder)) == 120


def test_watch_processes_new_and_deleted_pictures(folder: Path) -> None:
    draw(folder / "inbox" / "first.jpg")
    command = subprocess.Popen(
        [RENDITIONS, "watch", "--json"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stdout
    try:
        assert json.loads(command.stdout.readline())["name"] == "first.jpg"
        draw(folder / "inbox" / "sub" / "second.jpg")
        told = json.loads(command.stdout.readline())
        made = {"thumb": {"key": "sub/thumb_second.jpg"}}
        assert told == {
            "name": "sub/second.jpg",
            "result": "done",
            "reason": None,
            "code": None,
            "renditions": made,
        }
        (folder / "inbox" / "first.jpg").unlink()
        told = json.loads(command.stdout.readline())
        assert (told["name"], told["result"]) == ("first.jpg", "removed")
    finally:
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=60)
    assert command.returncode == 0
    assert "Traceback" not in err
    assert list(outputs(folder)) == ["sub/thumb_second.jpg"]


def test_ctrl_c_leaves_pictures_that_wait_for_a_worker_to_the_next_sync(folder: Path) -> None:
    write_pipeline(folder, '[renditions.slow]\nformat = "avif"\n')
    names = ["a.jpg", "b.jpg", "c.jpg"]
    for name in names:
        draw(folder / "inbox" / name, 3200, 2400)
    command = subprocess.Popen(
        [RENDITIONS, "sync", "--json", "--workers", "1"], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while [record.name for record in read_records(folder)] != names:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(command.pid, signal.SIGINT)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 130
    summary = json.loads(out)
    waiting = 3 - summary["processed"].get("done", 0)
    assert waiting > 0
    assert summary["waiting"] == waiting
    assert b"Traceback" not in err
    assert [record.status for record in read_records(folder)] == ["done"] * (3 - waiting)
    again = run(folder, "sync", "--json")
    assert (again.code, again.data["processed"]) == (0, {"done": waiting})


def read_records(folder: Path) -> list[Record]:
    """Return the records in the catalog's file, if it exists."""
    if not (folder / "renditions.db").exists():
        return []
    with SqliteCatalog(folder / "renditions.db") as catalog:
        return list(catalog.list())


def test_show_prints_warnings_and_list_selects_pictures_by_warning(folder: Path) -> None:
    write_pipeline(folder, '[renditions.moving]\nformat = "webp"\nanimation = "keep"\n')
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime")]
    frames[0].save(folder / "inbox" / "moving.png", save_all=True, append_images=frames[1:])
    draw(folder / "inbox" / "still.png")
    assert run(folder, "sync").code == 0
    shown = run(folder, "show", "moving.png").out
    assert "warning: only the first frame" in shown
    assert "[animation-dropped]" in shown
    assert "animation-dropped" in run(folder, "list").out
    listed = run(folder, "list", "--warning", "animation-dropped", "--json").data
    assert [record["image_name"] for record in listed] == ["moving.png"]
    unknown = run(folder, "list", "--warning", "no-such-code", "--json")
    assert (unknown.code, unknown.data) == (0, [])
    assert "'no-such-code' isn't one of the known codes: animation-dropped, " in " ".join(unknown.err.split())
    assert run(folder, "list", "--warning", "animation-dropped", "--unmatched").code == 2
