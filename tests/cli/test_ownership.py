"""The commands for strays, lost catalogs, and pictures to forget."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from commands import draw, run, write_pipeline

THUMB = '[renditions.thumb]\nkey = "{dir}thumb_{name}"\nwidth = 40\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two finished pictures."""
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "one.jpg")
    draw(tmp_path / "inbox" / "two.jpg", seed=2)
    assert run(tmp_path, "sync").code == 0
    return tmp_path


def lose_catalog(folder: Path) -> None:
    """Delete the catalog's files."""
    for path in folder.glob("renditions.db*"):
        if path.is_file():
            path.unlink()


def unmark(path: Path) -> None:
    """Remove an output's mark, as if the file system had no extended attributes."""
    os.removexattr(path, "user.renditions.writer")


def test_the_strays_command_lists_strays_with_their_owner(folder: Path) -> None:
    assert run(folder, "strays", "--json").data == []
    (folder / "processed" / "index.html").write_text("<p>")
    ended = run(folder, "strays", "--json")
    assert ended.data == [{"key": "index.html", "size_bytes": 3, "whose": "unknown"}]
    told = run(folder, "strays")
    assert "index.html" in told.out
    assert "Strays: 1 (0 ours, 1 unknown)" in told.err


def test_strays_with_the_option_delete_deletes_only_strays_of_this_catalog(folder: Path) -> None:
    (folder / "processed" / "a").mkdir()
    (folder / "processed" / "a" / "index.html").write_text("<p>")
    (folder / "processed" / "thumb_one.jpg").rename(folder / "processed" / "a" / "moved.jpg")
    refused = run(folder, "strays", "--delete", "--yes")
    assert refused.code == 2
    unsure = run(folder, "strays", "--delete", "a/")
    assert unsure.code == 1
    assert "Nothing was changed" in unsure.err
    ended = run(folder, "strays", "--delete", "a/", "--yes")
    assert ended.code == 1, "one file of the prefix is left"
    assert [path.name for path in (folder / "processed" / "a").iterdir()] == ["index.html"]
    assert "nothing proves" in ended.out
    assert "1 deleted, 1 left" in ended.err
    assert (folder / "processed" / "thumb_two.jpg").exists()


def test_strays_with_the_option_delete_reports_names_that_are_no_strays(folder: Path) -> None:
    (folder / "processed" / "thumb_one.jpg").rename(folder / "processed" / "moved.jpg")
    ended = run(folder, "strays", "--delete", "moved.jpg", "mvoed.jpg", "--yes")
    assert ended.code == 1
    assert "'mvoed.jpg' isn't a stray" in ended.err
    assert "1 deleted, 0 left" in ended.err
    assert run(folder, "strays", "--delete", "/", "--yes").code == 0, "a prefix may match nothing"


def test_the_strays_command_lists_and_deletes_outputs_in_a_former_store(folder: Path) -> None:
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace("./processed", "./public"))
    assert run(folder, "sync").code == 0
    assert run(folder, "strays", "--json").data == []
    listed = run(folder, "strays", "--json", "--store", "./processed").data
    assert [(each["key"], each["whose"]) for each in listed] == [
        ("thumb_one.jpg", "ours"), ("thumb_two.jpg", "ours"),
    ]  # fmt: skip
    assert run(folder, "strays", "--store", "./elsewhere").code == 2
    arguments = ("strays", "--delete", "thumb_one.jpg", "--yes", "--store", "./processed")
    assert run(folder, *arguments).code == 0
    assert not (folder / "processed" / "thumb_one.jpg").exists()
    assert (folder / "public" / "thumb_one.jpg").exists()


def test_strays_deletes_nothing_in_a_former_store_while_a_record_is_unreadable(folder: Path) -> None:
    """The record says that the former output is still kept."""
    file = folder / "renditions.toml"
    kept = file.read_text().replace('store = "./processed"', 'store = "./processed"\nkeep_replaced = "1 h"')
    file.write_text(kept)
    assert run(folder, "sync").code == 0
    moved = kept.replace("./processed", "./public")
    file.write_text(moved.replace("{dir}thumb_{name}", "x/{name}"))
    assert run(folder, "sync").code == 0
    command = ("strays", "--store", "./processed", "--delete", "thumb_one.jpg", "--yes")
    assert "'thumb_one.jpg' isn't a stray" in run(folder, *command).err
    with closing(sqlite3.connect(folder / "renditions.db")) as db, db:
        ((whole,),) = db.execute("SELECT item FROM records WHERE name = 'one.jpg'").fetchall()
        db.execute("UPDATE records SET item = '{}' WHERE name = 'one.jpg'")
    ended = run(folder, *command)
    assert ended.code == 1
    assert "unreadable one.jpg" in ended.err
    assert "Nothing was deleted" in ended.err
    assert (folder / "processed" / "thumb_one.jpg").exists()
    listed = run(folder, "strays", "--store", "./processed")
    assert (listed.code, "unreadable one.jpg" in listed.err) == (0, True)
    with closing(sqlite3.connect(folder / "renditions.db")) as db, db:
        db.execute("UPDATE records SET item = ? WHERE name = 'one.jpg'", [whole])
    assert "'thumb_one.jpg' isn't a stray" in run(folder, *command).err


def test_forget_removes_every_file_and_record_of_one_picture(folder: Path) -> None:
    ended = run(folder, "forget", "one.jpg", "--yes", "--json")
    assert ended.code == 0, ended.err
    assert [trace["what"] for trace in ended.data["removed"]] == ["picture", "record", "output"]
    assert ended.data["left"] == []
    assert not (folder / "inbox" / "one.jpg").exists()
    assert not (folder / "processed" / "thumb_one.jpg").exists()
    assert (folder / "processed" / "thumb_two.jpg").exists()
    assert run(folder, "sync").out == "Nothing to do: 1 picture checked, 1 done.\n"
    assert run(folder, "forget", "one.jpg", "--yes").code == 2


def test_forget_without_a_confirmation_changes_nothing(folder: Path) -> None:
    ended = run(folder, "forget", "one.jpg")
    assert ended.code == 1
    assert "Nothing was changed" in ended.err
    assert (folder / "inbox" / "one.jpg").exists()


def test_a_command_shows_its_question_after_the_option_quiet(folder: Path) -> None:
    ended = run(folder, "--quiet", "forget", "one.jpg")
    question = "Delete one.jpg, its renditions and its record? This can't be undone. (y/N) "
    assert (ended.code, ended.err) == (1, question)
    assert run(folder, "--quiet", "forget", "one.jpg", "--yes").err == ""


def test_forget_asks_another_question_about_a_name_without_picture_and_record(folder: Path) -> None:
    ended = run(folder, "forget", "nothing.jpg")
    assert ended.code == 1
    assert "There is no picture nothing.jpg, and no record of one." in " ".join(ended.err.split())
    path = run(folder, "forget", "--yes", "inbox/one.jpg")
    assert path.code == 2
    assert "Did you mean 'one.jpg'?" in " ".join(path.err.split())


def test_forget_removes_outputs_in_former_stores_even_if_the_picture_is_gone(folder: Path) -> None:
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace("./processed", "./public"))
    assert run(folder, "sync").code == 0
    (folder / "inbox" / "one.jpg").unlink()
    assert run(folder, "forget", "one.jpg", "--yes").code == 0
    assert not (folder / "processed" / "thumb_one.jpg").exists()
    assert not (folder / "public" / "thumb_one.jpg").exists()
    assert (folder / "processed" / "thumb_two.jpg").exists()


def test_forget_says_that_a_read_only_source_keeps_the_picture(folder: Path) -> None:
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace('"./inbox"', '"./inbox"\nread_only = true'))
    assert run(folder, "sync").code == 0
    ended = run(folder, "forget", "one.jpg", "--yes", "--json")
    assert ended.code == 1
    assert [trace["what"] for trace in ended.data["left"]] == ["picture"]
    assert (folder / "inbox" / "one.jpg").exists()
    assert not (folder / "processed" / "thumb_one.jpg").exists()
    assert [record["image_name"] for record in run(folder, "list", "--json").data] == ["two.jpg"]


def test_sync_changes_no_output_and_adds_no_record_if_the_catalog_was_lost(folder: Path) -> None:
    before = (folder / "processed" / "thumb_one.jpg").stat()
    lose_catalog(folder)
    ended = run(folder, "sync")
    assert ended.code == 3
    assert "sync --adopt" in ended.err
    assert (folder / "processed" / "thumb_one.jpg").stat() == before
    assert run(folder, "list", "--json").data == []


def test_plan_watch_and_unattended_sync_stop_when_the_catalog_was_lost(folder: Path) -> None:
    lose_catalog(folder)
    for command in ("plan", "sync --unattended", "watch"):
        ended = run(folder, *command.split())
        assert (ended.code, ended.out) == (3, ""), command
        assert "sync --adopt" in ended.err
    assert run(folder, "list", "--json").data == []
    assert run(folder, "sync", "--adopt").code == 0


def test_sync_adopt_takes_over_outputs_of_a_lost_catalog(folder: Path) -> None:
    outputs = folder / "processed"
    (outputs / "thumb_two.jpg").unlink()
    (outputs / "thumb_two.jpg").write_text("a website's file")
    lose_catalog(folder)
    assert run(folder, "sync").code == 3
    ended = run(folder, "sync", "--adopt")
    assert ended.code == 1, "one file isn't ours"
    assert "thumb_two.jpg" in ended.err
    records = {record["image_name"]: record["status"] for record in run(folder, "list", "--json").data}
    assert records == {"one.jpg": "done", "two.jpg": "rejected"}
    assert (outputs / "thumb_two.jpg").read_text() == "a website's file"
    assert run(folder, "sync").code == 0


def test_sync_adopt_takes_over_outputs_without_a_mark_if_they_equal_a_fresh_rendering(folder: Path) -> None:
    for name in ("thumb_one.jpg", "thumb_two.jpg"):
        unmark(folder / "processed" / name)
    lose_catalog(folder)
    assert run(folder, "sync", "--adopt").code == 0
    assert run(folder, "strays", "--json").data == []


def test_outputs_of_another_catalog_are_neither_listed_as_strays_nor_adopted(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "inbox").symlink_to(folder / "inbox")
    text = (folder / "renditions.toml").read_text().replace("./processed", str(folder / "processed"))
    (other / "renditions.toml").write_text(text)
    assert run(other, "sync").code == 3
    assert run(other, "sync", "--adopt").code == 1
    assert {record["status"] for record in run(other, "list", "--json").data} == {"rejected"}
    listed = run(other, "strays")
    assert listed.out == ""
    assert "Objects of other catalogs: 2" in listed.err
