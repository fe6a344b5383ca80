"""The advice in reasons and messages works: each test reads it, and follows it."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands import Ended, draw, run, write_pipeline
from renditions.core.binding import hold
from renditions.local.sqlite import SqliteCatalog
from renditions.model.binding import Held

THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n'
STEM = '[renditions.thumb]\nwidth = 40\nformat = "webp"\nkey = "{stem}.webp"\n'
NAME = "my photo.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / NAME)
    return tmp_path


def follow(folder: Path, text: str) -> Ended:
    """Run the command that a text ends with."""
    return run(folder, *shlex.split(text.strip().rpartition("renditions ")[2]))


def reason_of(folder: Path, name: str) -> str:
    return str(run(folder, "show", name, "--json").data["reason"])


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "renditions.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.parametrize("advice", ["Move it away", "set [output] overwrite = true"])
def test_a_foreign_file_is_moved_away_or_overwritten(folder: Path, advice: str) -> None:
    assert run(folder, "sync").code == 0
    draw(folder / "inbox" / "other.jpg", seed=2)
    output = folder / "processed" / "other.jpg"
    output.write_text("theirs")
    assert run(folder, "sync").code == 1
    assert advice in reason_of(folder, "other.jpg")
    if advice == "Move it away":
        output.rename(folder / "elsewhere.jpg")
    else:
        change(folder, "[output]", "[output]\noverwrite = true")
    assert run(folder, "sync").code == 0
    assert output.read_bytes() != b"theirs"


@pytest.mark.parametrize("advice", ["Rename one of the two pictures", "change the rendition's key"])
def test_of_two_pictures_with_one_key_one_is_renamed_or_the_key_is_changed(
    tmp_path: Path, advice: str
) -> None:
    write_pipeline(tmp_path, STEM)
    draw(tmp_path / "inbox" / "a.jpg")
    draw(tmp_path / "inbox" / "a.png", seed=2)
    assert run(tmp_path, "sync").code == 1
    assert advice in reason_of(tmp_path, "a.png")
    if advice.startswith("Rename"):
        (tmp_path / "inbox" / "a.png").rename(tmp_path / "inbox" / "b.png")
    else:
        change(tmp_path, "{stem}.webp", "{name}.webp")
    assert run(tmp_path, "sync").code == 0
    assert len(list((tmp_path / "processed").glob("*.webp"))) == 2


@pytest.mark.parametrize("advice", ["Upload it again", 'set [accept] damaged = "lenient"'])
def test_a_damaged_picture_is_uploaded_again_or_made_leniently(folder: Path, advice: str) -> None:
    picture = folder / "inbox" / NAME
    content = picture.read_bytes()
    picture.write_bytes(content[: len(content) // 2])
    assert run(folder, "sync").code == 1
    assert advice in reason_of(folder, NAME)
    if advice == "Upload it again":
        picture.write_bytes(content)
    else:
        change(folder, "[renditions", '[accept]\ndamaged = "lenient"\n[renditions')
    assert run(folder, "sync").code == 0
    assert (folder / "processed" / NAME).exists()


def test_an_output_that_is_missing_again_is_made_by_the_command_that_the_message_ends_with(
    folder: Path,
) -> None:
    for _ in range(2):
        assert run(folder, "sync").code == 0
        (folder / "processed" / NAME).unlink()
    ended = run(folder, "sync")
    assert ended.code == 1
    assert follow(folder, ended.err).code == 0
    assert (folder / "processed" / NAME).exists()


def test_a_missing_source_folder_is_created(folder: Path) -> None:
    (folder / "inbox" / NAME).rename(folder / NAME)
    (folder / "inbox").rmdir()
    ended = run(folder, "sync")
    assert ended.code == 1
    assert "create it, or mount its disk" in ended.err
    (folder / "inbox").mkdir()
    (folder / NAME).rename(folder / "inbox" / NAME)
    assert run(folder, "sync").code == 0


def test_a_rejection_that_is_repeated_without_a_notice_is_still_printed(folder: Path) -> None:
    write_pipeline(folder, THUMB, '[[notify]]\non = ["rejected"]\nto = "log:"\n')
    (folder / "inbox" / "text.jpg").write_text("no picture")
    assert run(folder, "sync").code == 1
    ended = run(folder, "retry", "text.jpg")
    assert ended.code == 1
    assert "rejected text.jpg: " in ended.err


@pytest.mark.parametrize("what", ["removals", "renditions", "output"])
def test_the_status_says_how_to_allow_held_work(folder: Path, what: str) -> None:
    assert run(folder, "sync").code == 0
    with SqliteCatalog(folder / "renditions.db") as catalog:
        hold(catalog, [Held(what, 1, "it is unusual", datetime.now(UTC))])
    ended = run(folder, "status")
    (line,) = [line for line in ended.out.splitlines() if line.startswith("held back")]
    assert follow(folder, line).code == 0
    assert run(folder, "status", "--json").data["held"] == []
