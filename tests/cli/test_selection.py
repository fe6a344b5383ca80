"""Commands that process the named pictures, and no others."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from commands import draw, run, write_pipeline

TWO = "[renditions.thumb]\nwidth = 200\n[renditions.large]\nwidth = 300\n"
NAMES = ("cats/a.jpg", "cats/b.jpg", "dogs/c.jpg", "e.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pipeline(tmp_path, TWO)
    for number, name in enumerate(NAMES):
        draw(tmp_path / "inbox" / name, seed=number)
    return tmp_path


@pytest.fixture
def synced(folder: Path) -> Path:
    assert run(folder, "sync").code == 0
    return folder


def listed(folder: Path, *arguments: str) -> list[str]:
    return sorted(record["image_name"] for record in run(folder, "list", "--json", *arguments).data)


def outputs(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the inode and time of each output, by key.

    A file system may use an inode again, so the time is needed too.
    """
    root = folder / "processed"
    return {
        path.relative_to(root).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.rglob("*.jpg")
        if path.is_file()
    }


def test_plan_sync_and_list_select_pictures_by_names_and_prefixes(folder: Path) -> None:
    assert [item["name"] for item in run(folder, "plan", "--json", "cats/", "e.jpg").data] == [
        "cats/a.jpg", "cats/b.jpg", "e.jpg",
    ]  # fmt: skip
    assert run(folder, "sync", "cats/a.jpg").code == 0
    assert listed(folder) == ["cats/a.jpg"]
    assert run(folder, "sync", "dogs/", "e.jpg").code == 0
    assert listed(folder) == ["cats/a.jpg", "dogs/c.jpg", "e.jpg"]
    assert listed(folder, "cats/") == ["cats/a.jpg"]
    assert listed(folder, "e.jpg", "dogs/") == ["dogs/c.jpg", "e.jpg"]
    assert listed(folder, "e.jpg", "--status", "failed") == []


@pytest.mark.parametrize("command", ["plan", "sync", "retry"])
def test_naming_an_unknown_picture_or_rendition_causes_a_usage_error(synced: Path, command: str) -> None:
    unknown = run(synced, command, "nothing.jpg")
    assert (unknown.code, unknown.out) == (2, "")
    assert "there is no picture 'nothing.jpg'" in unknown.err
    assert "Choose one of thumb, large" in run(synced, command, "e.jpg", "--rendition", "small").err


@pytest.mark.parametrize(
    ("command", "typed", "meant"),
    [
        ("show", "./e.jpg", "'e.jpg'"),
        ("sync", "inbox/cats/a.jpg", "'cats/a.jpg'"),
        ("retry", "{root}/inbox/e.jpg", "'e.jpg'"),
        ("plan", "inbox/cats/", "'cats/'"),
        ("list", "{root}/inbox/cats/", "'cats/'"),
        ("show", "e\u0301.jpg", r"'\xe9.jpg'"),
        ("show", "\u00e8.jpg", r"'e\u0300.jpg'"),
    ],
)
def test_the_error_about_an_unknown_name_suggests_the_name_of_the_typed_path(
    synced: Path, command: str, typed: str, meant: str
) -> None:
    for name in ("\u00e9.jpg", "e\u0300.jpg"):
        draw(synced / "inbox" / name)
    refused = run(synced, command, typed.format(root=synced))
    assert (refused.code, refused.out) == (2, "")
    assert f"Did you mean {meant}?" in " ".join(refused.err.split())


@pytest.mark.parametrize(
    ("command", "typed"),
    [("sync", "cats"), ("list", "cats"), ("manifest", "cats"), ("plan", "inbox/cats"), ("show", "cats")],
)
def test_naming_a_folder_without_its_slash_fails_with_the_name_that_selects_its_pictures(
    synced: Path, command: str, typed: str
) -> None:
    refused = run(synced, command, typed)
    assert (refused.code, refused.out) == (2, "")
    assert "'cats' is a folder. Where several names are allowed, 'cats/' selects its pictures" in " ".join(
        refused.err.split()
    )


def test_the_error_about_an_unknown_name_suggests_nothing_that_does_not_exist(synced: Path) -> None:
    for name in ("./nothing.jpg", "inbox/nothing.jpg", "../renditions.toml", "inbox/nothing/"):
        assert "Did you mean" not in run(synced, "plan", name).err, name


def test_a_prefix_that_matches_nothing_causes_a_usage_error(synced: Path) -> None:
    for command in ("plan", "sync", "retry", "list", "list --unmatched", "list --status done"):
        refused = run(synced, *command.split(), "typo/", "dogs/")
        assert (refused.code, refused.out) == (2, ""), command
        assert "nothing matches 'typo/'" in refused.err
    (synced / "inbox/linked").symlink_to(synced)
    assert "'linked' isn't a picture: it is a link" in run(synced, "sync", "linked/").err
    for prefix in ("cats/typo/", "../", "//"):
        assert run(synced, "plan", prefix).code == 2, prefix


def test_a_prefix_may_name_a_folder_without_pictures_or_a_folder_that_only_records_name(synced: Path) -> None:
    (synced / "inbox/empty").mkdir()
    (synced / "inbox/notes").mkdir()
    (synced / "inbox/notes/a.txt").write_text("a note")
    (synced / "inbox/dogs/c.jpg").unlink()
    (synced / "inbox/dogs").rmdir()
    assert run(synced, "plan", "empty/", "notes/", "dogs/", "/").code == 0
    assert run(synced, "list", "--unmatched", "notes/a.txt", "--json").data[0]["name"] == "notes/a.txt"
    assert run(synced, "list", "--unmatched", "notes/b.txt").code == 2


def test_sync_makes_only_the_named_rendition_and_a_later_sync_makes_the_other_renditions(
    folder: Path,
) -> None:
    assert run(folder, "sync", "e.jpg", "--rendition", "thumb").code == 0
    assert list(outputs(folder)) == ["e.jpg/thumb.jpg"]
    assert [list(item["make"]) for item in run(folder, "plan", "--json", "e.jpg").data] == [["large"]]
    assert run(folder, "sync", "e.jpg").code == 0
    assert sorted(outputs(folder)) == ["e.jpg/large.jpg", "e.jpg/thumb.jpg"]


def test_the_option_status_selects_pictures_by_their_recorded_status(synced: Path) -> None:
    (synced / "inbox" / "text.jpg").write_text("no picture")
    assert run(synced, "sync").code == 1
    write_pipeline(synced, TWO.replace("200", "100"))
    planned = run(synced, "plan", "--json", "--status", "rejected").data
    assert [item["name"] for item in planned] == ["text.jpg"]
    assert len(run(synced, "plan", "--json", "--status", "done").data) == len(NAMES)


def test_sync_removes_a_named_missing_picture_without_asking(synced: Path) -> None:
    (synced / "inbox" / "e.jpg").unlink()
    (synced / "inbox" / "dogs" / "c.jpg").unlink()
    assert run(synced, "sync", "e.jpg", "--json").data["processed"] == {"removed": 1}
    assert listed(synced) == ["cats/a.jpg", "cats/b.jpg", "dogs/c.jpg"]


def test_retry_makes_missing_and_wrong_outputs_of_the_named_picture_again(synced: Path) -> None:
    before = outputs(synced)
    for name in ("cats/a.jpg", "cats/b.jpg"):
        (synced / "processed" / name / "thumb.jpg").unlink()
    assert run(synced, "retry", "cats/a.jpg").code == 0
    after = outputs(synced)
    assert before.keys() - after.keys() == {"cats/b.jpg/thumb.jpg"}
    assert {key for key in after if after[key] != before[key]} == {"cats/a.jpg/thumb.jpg"}
    (synced / "processed/e.jpg/thumb.jpg").write_bytes(b"rubbish")
    assert run(synced, "retry", "e.jpg").code == 0
    assert (synced / "processed/e.jpg/thumb.jpg").stat().st_size > 100


def test_retry_with_the_option_force_makes_all_outputs_of_the_named_picture_again(synced: Path) -> None:
    before = outputs(synced)
    assert run(synced, "retry", "e.jpg", "--force").code == 0
    after = outputs(synced)
    assert {key for key in after if after[key] != before[key]} == {"e.jpg/thumb.jpg", "e.jpg/large.jpg"}
    assert run(synced, "retry", "--force").code == 2


def test_retry_without_names_processes_only_failed_pictures(folder: Path) -> None:
    (folder / "inbox" / "text.jpg").write_text("no picture")
    assert run(folder, "sync", "text.jpg").code == 1
    assert run(folder, "retry").code == 0
    assert listed(folder) == ["text.jpg"]
    assert run(folder, "retry", "--status", "rejected").code == 1
    assert listed(folder) == ["text.jpg"]


def test_the_focus_command_processes_only_the_named_picture(folder: Path) -> None:
    write_pipeline(folder, '[renditions.cut]\nwidth = 20\nheight = 20\nfit = "cover"\ngravity = "focus"\n')
    assert run(folder, "sync", "e.jpg").code == 0
    assert run(folder, "focus", "e.jpg", "10", "10").code == 0
    assert listed(folder) == ["e.jpg"]


def test_focus_predicts_no_change_only_if_the_catalog_belongs_to_the_pipeline_file(synced: Path) -> None:
    assert "nothing will change" in run(synced, "focus", "e.jpg", "10", "10").err
    (synced / "other.toml").write_text((synced / "renditions.toml").read_text())
    refused = run(synced, "focus", "e.jpg", "20", "20", "-p", "other.toml")
    assert refused.code == 2
    assert "nothing will change" not in refused.err


@pytest.mark.parametrize("name", ["cats/a.jpg", "e.jpg"])
@pytest.mark.parametrize("damage", ["'{}'", """replace(item, '"done"', '"of a newer version"')"""])
def test_commands_report_and_skip_an_unreadable_record(synced: Path, name: str, damage: str) -> None:
    with sqlite3.connect(synced / "renditions.db") as db:
        db.execute(f"UPDATE records SET item = {damage} WHERE name = ?", [name])  # noqa: S608
    ended = run(synced, "list", "--json")
    assert (ended.code, len(ended.data)) == (0, 3)
    assert name in ended.err
    assert run(synced, "list", "dogs/").code == 0
    assert run(synced, "strays").code == 0
    assert (name, "unreadable") in {
        (item["name"], item["action"]) for item in run(synced, "plan", "--json").data
    }
    draw(synced / "inbox" / "new.jpg")
    assert run(synced, "sync").code == 1
    assert "new.jpg" in listed(synced)


def test_a_picture_with_an_unreadable_record_can_be_retried_or_forgotten(synced: Path) -> None:
    for name in ("cats/a.jpg", "cats/b.jpg"):
        with sqlite3.connect(synced / "renditions.db") as db:
            db.execute("UPDATE records SET item = '{' WHERE name = ?", [name])
    named = run(synced, "sync", "cats/a.jpg", "e.jpg")
    assert named.code == 1
    assert "To process the picture again: renditions retry cats/a.jpg" in named.err
    assert run(synced, "plan", "cats/a.jpg", "--json").data[0]["action"] == "unreadable"
    listed_names = run(synced, "list", "cats/a.jpg", "e.jpg", "--json")
    assert [record["image_name"] for record in listed_names.data] == ["e.jpg"]
    assert "unreadable cats/a.jpg" in listed_names.err
    assert "renditions retry cats/a.jpg" in run(synced, "show", "cats/a.jpg").err
    retried = run(synced, "retry", "cats/a.jpg", "--json")
    assert (retried.code, retried.data["processed"]) == (0, {"done": 1})
    assert "cats/a.jpg: its record could not be read" in retried.err
    forgotten = run(synced, "forget", "cats/b.jpg", "--yes", "--json")
    assert (forgotten.code, forgotten.data["left"]) == (0, [])
    assert listed(synced) == ["cats/a.jpg", "dogs/c.jpg", "e.jpg"]
    assert not any(key.startswith("cats/b.jpg") for key in outputs(synced))
    assert run(synced, "status", "--json").data["by_status"]["done"] == 3
    assert run(synced, "sync", "--strict").code == 0


def test_retry_without_names_reports_and_skips_an_unreadable_record(synced: Path) -> None:
    with sqlite3.connect(synced / "renditions.db") as db:
        db.execute("UPDATE records SET status = 'failed', item = '{}' WHERE name = 'cats/a.jpg'")
    ended = run(synced, "retry")
    assert "unreadable cats/a.jpg" in ended.err
    assert "pictures to try again: 0" in ended.err


def test_pictures_that_are_kept_without_their_source_are_shown_and_counted(synced: Path) -> None:
    (synced / "inbox/text.jpg").write_text("no picture")
    assert run(synced, "sync").code == 1
    file = synced / "renditions.toml"
    file.write_text(file.read_text().replace("[source]", '[source]\non_delete = "keep"'))
    for name in ("e.jpg", "text.jpg"):
        (synced / "inbox" / name).unlink()
    assert run(synced, "sync").code == 0
    assert len(outputs(synced)) == 8
    table = " ".join(run(synced, "list", "e.jpg", "text.jpg").out.split())
    assert table.count("source has been missing since") == 2
    assert "heic; source" in table
    assert "Its source has been missing since" in run(synced, "show", "e.jpg").out
    assert "source_missing_since" in run(synced, "show", "e.jpg", "--json").data
    assert "source_missing_since" not in run(synced, "show", "cats/a.jpg", "--json").data
    assert "missing from the source: 2" in run(synced, "status").out
    assert run(synced, "status", "--json").data["source_missing"] == 2
    draw(synced / "inbox/e.jpg", seed=3)
    assert run(synced, "sync").code == 0
    assert run(synced, "status", "--json").data["source_missing"] == 1
