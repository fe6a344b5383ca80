"""The advice in reasons and messages works.

Each test reads the advice and follows it.
"""

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
    """Run the command at the end of a text."""
    return run(folder, *shlex.split(text.strip().rpartition("renditions ")[2]))


def reason_of(folder: Path, name: str) -> str:
    return str(run(folder, "show", name, "--json").data["reason"])


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "renditions.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.parametrize("advice", ["Move it away", "set [output] overwrite = true"])
def test_a_picture_is_made_after_moving_away_the_foreign_file_or_allowing_to_overwrite_it(
    folder: Path, advice: str
) -> None:
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
def test_a_picture_whose_key_is_taken_is_made_after_renaming_it_or_changing_the_key(
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
def test_a_damaged_picture_is_made_after_uploading_it_again_or_accepting_damage(
    folder: Path, advice: str
) -> None:
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


def test_an_output_that_is_missing_again_is_made_by_the_command_in_the_message(
    folder: Path,
) -> None:
    for _ in range(2):
        assert run(folder, "sync").code == 0
        (folder / "processed" / NAME).unlink()
    ended = run(folder, "sync")
    assert ended.code == 1
    assert follow(folder, ended.err).code == 0
    assert (folder / "processed" / NAME).exists()


def test_sync_works_after_creating_the_missing_source_folder(folder: Path) -> None:
    (folder / "inbox" / NAME).rename(folder / NAME)
    (folder / "inbox").rmdir()
    ended = run(folder, "sync")
    assert ended.code == 1
    assert "create it, or mount its disk" in ended.err
    (folder / "inbox").mkdir()
    (folder / NAME).rename(folder / "inbox" / NAME)
    assert run(folder, "sync").code == 0


def test_retry_prints_a_repeated_rejection_although_it_sends_no_notice(folder: Path) -> None:
    write_pipeline(folder, THUMB, '[[notify]]\non = ["rejected"]\nto = "log:"\n')
    (folder / "inbox" / "text.jpg").write_text("no picture")
    assert run(folder, "sync").code == 1
    ended = run(folder, "retry", "text.jpg")
    assert ended.code == 1
    assert "rejected text.jpg: " in ended.err


@pytest.mark.parametrize("what", ["removals", "renditions", "output"])
def test_held_work_is_done_after_following_the_command_in_the_status(folder: Path, what: str) -> None:
    assert run(folder, "sync").code == 0
    with SqliteCatalog(folder / "renditions.db") as catalog:
        hold(catalog, [Held(what, 1, "it is unusual", datetime.now(UTC))])
    ended = run(folder, "status")
    (line,) = [line for line in ended.out.splitlines() if line.startswith("held back")]
    assert follow(folder, line).code == 0
    assert run(folder, "status", "--json").data["held"] == []
