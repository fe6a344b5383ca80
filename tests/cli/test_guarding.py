"""Held removals, exit codes and bindings on the command line."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands import RENDITIONS, draw, run, write_pipeline
from renditions.core.binding import amend
from renditions.local.sqlite import SqliteCatalog
from renditions.model.binding import Held

THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{name}"\n'
MANY = 24


def fill(folder: Path, renditions: str = THUMB, more: str = "") -> None:
    """Create a folder with 24 pictures and their renditions."""
    write_pipeline(folder, renditions, more)
    for number in range(MANY):
        draw(folder / "inbox" / f"{number:02}.jpg", 64, 48, seed=number)
    assert run(folder, "sync").code == 0


def count_outputs(folder: Path) -> int:
    return len(list((folder / "processed").glob("*.jpg")))


def empty_source(folder: Path) -> None:
    for path in (folder / "inbox").glob("*.jpg"):
        path.unlink()


def test_sync_holds_removals_from_an_empty_source_until_a_person_allows_them(tmp_path: Path) -> None:
    fill(tmp_path)
    empty_source(tmp_path)
    draw(tmp_path / "inbox" / "note.txt.png")
    (tmp_path / "inbox" / "note.txt.png").unlink()
    planned = run(tmp_path, "plan", "--exit-code")
    assert planned.code == 3
    assert f"{MANY} held back" in planned.out
    assert "would delete 00.jpg" in planned.out
    held = run(tmp_path, "sync")
    assert held.code == 3
    assert "the source has no matching picture, but the catalog has 24 records" in held.err
    assert "renditions sync --allow-removals" in held.err
    assert count_outputs(tmp_path) == MANY
    status = run(tmp_path, "status", "--json").data
    assert status["by_status"]["done"] == MANY
    assert [(each["what"], each["count"]) for each in status["held"]] == [("removals", MANY)]
    assert "held back" in run(tmp_path, "status").out
    allowed = run(tmp_path, "sync", "--allow-removals")
    assert allowed.code == 0
    assert f"Allowed to remove {MANY} missing pictures." in allowed.err
    assert count_outputs(tmp_path) == 0
    assert run(tmp_path, "status", "--json").data["held"] == []


def test_held_removals_keep_their_start_time_until_the_pictures_return(tmp_path: Path) -> None:
    fill(tmp_path)
    shutil.copytree(tmp_path / "inbox", tmp_path / "copy")
    empty_source(tmp_path)
    assert run(tmp_path, "sync").code == 3
    first = run(tmp_path, "status", "--json").data["held"]
    assert run(tmp_path, "sync").code == 3
    assert run(tmp_path, "status", "--json").data["held"][0]["since"] == first[0]["since"]
    shutil.copytree(tmp_path / "copy", tmp_path / "inbox", dirs_exist_ok=True)
    assert run(tmp_path, "sync").code == 0
    assert run(tmp_path, "status", "--json").data["held"] == []
    assert count_outputs(tmp_path) == MANY


def test_sync_holds_all_removals_after_a_typo_in_match_and_finds_nothing_to_do_after_the_correction(
    tmp_path: Path,
) -> None:
    fill(tmp_path)
    file = tmp_path / "renditions.toml"
    valid = file.read_text()
    file.write_text(valid.replace("[source]", '[source]\nmatch = ["*.jgp"]'))
    assert run(tmp_path, "sync").code == 3
    assert count_outputs(tmp_path) == MANY
    file.write_text(valid)
    corrected = run(tmp_path, "sync", "--json")
    assert (corrected.code, corrected.data["processed"]) == (0, {})


def test_the_exit_code_for_a_refusal_overrides_those_for_held_removals_and_rejections(tmp_path: Path) -> None:
    fill(tmp_path)
    empty_source(tmp_path)
    for number in range(2):
        (tmp_path / "inbox" / f"new{number}.jpg").write_text("no picture")
    file = tmp_path / "renditions.toml"
    file.write_text(
        file.read_text().replace("[source]", "[source]\nmax_removals = { pictures = 5, percent = 10 }")
    )
    held = run(tmp_path, "sync", "--json")
    assert (held.code, held.data["processed"]) == (3, {"rejected": 2})
    other = tmp_path / "other.toml"
    other.write_text(file.read_text())
    assert run(tmp_path, "sync", "-p", "other.toml").code == 2


def test_sync_makes_the_renditions_of_a_new_picture_while_removals_are_held(tmp_path: Path) -> None:
    fill(tmp_path, more="")
    file = tmp_path / "renditions.toml"
    file.write_text(
        file.read_text().replace("[source]", "[source]\nmax_removals = { pictures = 5, percent = 10 }")
    )
    for number in range(6):
        (tmp_path / "inbox" / f"{number:02}.jpg").unlink()
    draw(tmp_path / "inbox" / "new.jpg")
    held = run(tmp_path, "sync", "--json")
    assert held.code == 3
    assert held.data["held"][0]["count"] == 6
    assert held.data["processed"]["done"] == 1
    why = "6 of 24 pictures are gone: more than 5, and more than 10 % (the limits of [source] max_removals)"
    assert why in held.err
    assert count_outputs(tmp_path) == MANY + 1


def test_earlier_rejections_fail_a_sync_only_with_the_option_strict(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "good.jpg")
    (tmp_path / "inbox" / "text.jpg").write_text("no picture")
    assert run(tmp_path, "sync").code == 1
    assert run(tmp_path, "sync").code == 0
    assert run(tmp_path, "sync", "--strict").code == 1


def test_sync_names_the_picture_whose_held_removal_blocks_another_picture(tmp_path: Path) -> None:
    fill(tmp_path)
    file = tmp_path / "renditions.toml"
    file.write_text(
        file.read_text().replace("[source]", "[source]\nmax_removals = { pictures = 0, percent = 0 }")
    )
    (tmp_path / "inbox/00.jpg").unlink()
    draw(tmp_path / "inbox/later/00.jpg", seed=99)
    held = run(tmp_path, "sync")
    assert held.code == 3
    waiting = "waiting later/00.jpg: its output 00.jpg still belongs to 00.jpg, which is gone from the source"
    assert held.err.count(waiting) == 1
    allowed = run(tmp_path, "sync", "--allow-removals")
    assert allowed.code == 0
    assert "waiting" not in allowed.err
    assert {record["image_name"] for record in run(tmp_path, "list", "later/", "--json").data} == {
        "later/00.jpg"
    }


def test_plan_with_the_option_exit_code_exits_with_4_if_a_picture_needs_work(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "good.jpg")
    assert run(tmp_path, "plan").code == 0
    assert run(tmp_path, "plan", "--exit-code").code == 4
    assert run(tmp_path, "sync").code == 0
    assert run(tmp_path, "plan", "--exit-code").code == 0


def test_a_second_pipeline_file_for_the_same_catalog_is_refused(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "good.jpg")
    assert run(tmp_path, "sync").code == 0
    text = (tmp_path / "renditions.toml").read_text()
    (tmp_path / "other.toml").write_text(text.replace("width = 40", "width = 50"))
    for command in ("plan", "sync"):
        refused = run(tmp_path, command, "-p", "other.toml")
        assert refused.code == 2
        assert "belongs to the pipeline file 'renditions.toml', not to 'other.toml'" in refused.err
        assert "--rebind" in refused.err
    assert run(tmp_path, "sync", "-p", "other.toml", "--rebind").code == 0
    assert run(tmp_path, "sync").code == 2


def test_an_unattended_sync_refuses_a_changed_pipeline_file_until_a_person_applies_it(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "good.jpg")
    assert run(tmp_path, "sync", "--unattended").code == 0
    write_pipeline(tmp_path, THUMB.replace("40", "50"))
    refused = run(tmp_path, "sync", "--unattended")
    assert refused.code == 2
    assert "uses another version of the pipeline file" in refused.err
    assert run(tmp_path, "sync").code == 0
    assert run(tmp_path, "sync", "--unattended").code == 0
    for option in ("--rebind", "--take-over", "--allow-removals"):
        assert run(tmp_path, "sync", "--unattended", option).code == 2


@pytest.mark.parametrize("command", ["watch", "sync"])
def test_a_watch_or_unattended_sync_with_an_old_pipeline_file_stops_after_a_sync_with_a_new_file(
    tmp_path: Path, command: str
) -> None:
    """Two checkouts of one project share a catalog.

    The older checkout must not undo the work of the newer one.
    """
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, width in ((old, 40), (new, 50)):
        folder.mkdir()
        (folder / "renditions.toml").write_text(
            f'[source]\nstore = "{tmp_path}/inbox"\n[output]\nstore = "{tmp_path}/processed"\n'
            f'[catalog]\nstore = "sqlite:{tmp_path}/shared.db"\n[renditions.thumb]\nwidth = {width}\n'
        )
    (tmp_path / "inbox").mkdir()
    draw(tmp_path / "inbox" / "a.jpg")
    assert run(old, "sync").code == 0
    if command == "sync":
        assert run(new, "sync").code == 0
        assert run(old, "sync", "--unattended").code == 2
        return
    watching = subprocess.Popen(
        [RENDITIONS, "watch", "--json"], cwd=old, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert watching.stdout
        draw(tmp_path / "inbox" / "b.jpg")
        assert json.loads(watching.stdout.readline())["name"] == "b.jpg"
        assert run(new, "sync").code == 0
        draw(tmp_path / "inbox" / "a.jpg", seed=5)
        _, err = watching.communicate(timeout=60)
    finally:
        if watching.poll() is None:
            watching.send_signal(signal.SIGKILL)
            watching.communicate()
    assert watching.returncode == 2
    assert "uses another version of the pipeline file" in err
    time.sleep(1.1)
    assert run(new, "sync").code == 0
    assert run(new, "show", "a.jpg", "--json").data["processed_width"] == 50


def test_status_names_former_output_stores_and_the_command_that_deletes_their_outputs(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB)
    assert "no run has used it yet" in run(tmp_path, "status").out
    draw(tmp_path / "inbox" / "good.jpg")
    assert run(tmp_path, "sync").code == 0
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("./processed", "./elsewhere"))
    assert run(tmp_path, "sync").code == 0
    shown = run(tmp_path, "status").out
    assert "renditions strays --store ./processed --delete /" in shown
    status = run(tmp_path, "status", "--json").data
    assert (status["pipeline_file"], status["output"], status["generation"]) == (
        "renditions.toml", "./elsewhere", 1,
    )  # fmt: skip
    assert status["former_outputs"] == ["./processed"]


@pytest.mark.parametrize("what", ["removals", "renditions", "output", "catalog"])
def test_status_says_how_to_allow_each_kind_of_held_work(tmp_path: Path, what: str) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "good.jpg")
    assert run(tmp_path, "sync").code == 0
    with SqliteCatalog(tmp_path / "renditions.db") as catalog:
        amend(catalog, lambda known: replace(known, held=(Held(what, 60, "too many", datetime.now(UTC)),)))
    shown = run(tmp_path, "status")
    assert shown.code == 0
    assert "60" in shown.out
    assert "renditions sync" in shown.out


def test_plan_says_until_when_replaced_outputs_are_kept(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "a.jpg")
    assert run(tmp_path, "sync").code == 0
    write_pipeline(tmp_path, THUMB.replace("{name}", "small/{name}"))
    assert "deletes a.jpg" in run(tmp_path, "plan").out
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("[output]", '[output]\nkeep_replaced = "7 d"'))
    planned = run(tmp_path, "plan").out
    assert "deletes" not in planned
    assert re.search(r"keeps a\.jpg until \d{4}-\d\d-\d\d", planned)
    (difference,) = run(tmp_path, "plan", "--json").data
    assert difference["delete"] == []
    assert [old["key"] for old in difference["retire"]] == ["a.jpg"]
    assert run(tmp_path, "sync").code == 0
    assert (tmp_path / "processed/a.jpg").exists()
    assert "kept: a.jpg until" in run(tmp_path, "show", "a.jpg").out
