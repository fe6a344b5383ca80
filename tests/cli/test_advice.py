"""The advice in reasons and messages.

Most tests read the advice and follow it.
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands import Ended, draw, run, write_pipeline
from renditions.cli.advice import complete, spell_selection
from renditions.core.binding import hold
from renditions.core.selection import Selection
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
    """Run the command at the end of a text; return the result."""
    return run(folder, *shlex.split(text.strip().rpartition("renditions ")[2]))


def reason_of(folder: Path, name: str) -> str:
    return str(run(folder, "show", name, "--json").data["reason"])


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "renditions.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.parametrize("advice", ["Move it away", "set [output] overwrite = true"])
def test_a_picture_gets_its_outputs_after_the_foreign_file_was_moved_away_or_overwritten(
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


@pytest.mark.parametrize("advice", ["picture's name", "rendition's key"])
def test_a_picture_whose_key_was_too_long_gets_its_outputs_after_its_name_or_the_key_is_shortened(
    folder: Path, advice: str
) -> None:
    change(folder, "{key}", "{key}.thumb.webp")
    long = folder / "inbox" / f"{'n' * 245}.jpg"
    (folder / "inbox" / NAME).rename(long)
    assert run(folder, "sync").code == 1
    assert "Shorten the picture's name or the rendition's key" in reason_of(folder, long.name)
    if advice == "picture's name":
        long.rename(long.with_name("n.jpg"))
    else:
        change(folder, "{key}.thumb.webp", "{key}")
    assert run(folder, "sync").code == 0


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_a_picture_gets_its_outputs_after_the_file_or_folder_that_blocks_them_is_moved_away(
    folder: Path, kind: str
) -> None:
    draw(folder / "inbox" / "below" / "a.jpg")
    blocked = folder / "processed" / ("below" if kind == "file" else "below/a.jpg")
    blocked.parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        (blocked / "inside").mkdir(parents=True)
    elif kind == "link":
        blocked.symlink_to(folder / "elsewhere")
    else:
        blocked.write_text("theirs")
    assert run(folder, "sync").code == 1
    assert "is in the way. Move it away" in reason_of(folder, "below/a.jpg")
    blocked.rename(folder / "moved")
    assert run(folder, "sync").code == 0
    assert (folder / "processed" / "below" / "a.jpg").is_file()


def test_a_picture_gets_its_outputs_after_one_of_two_equal_keys_is_changed(folder: Path) -> None:
    write_pipeline(
        folder, '[renditions.a]\nwidth = 40\nkey = "x/{name}"\n[renditions.b]\nkey = "{dir}{name}"\n'
    )
    draw(folder / "inbox" / "x" / "a.jpg")
    assert run(folder, "sync").code == 1
    assert "Change the key of one of the two renditions" in reason_of(folder, "x/a.jpg")
    change(folder, "x/{name}", "y/{key}")
    assert run(folder, "sync").code == 0


SHARED = {
    "{stem}.webp": ("a.jpg", "a.png", "Rename one of the two pictures, or put {key} into"),
    "{stem}-{hash}.webp": ("a.jpg", "b/a.jpg", "Rename one of the two pictures, or put {key} into"),
    "{dir}{hash}.webp": (
        "a.jpg",
        "b.jpg",
        "Move one of the two pictures to another folder, or put {key} into",
    ),
    "{hash}.webp": (
        "a.jpg",
        "b.jpg",
        "Put {key} into the rendition's key, or delete one of the two pictures",
    ),
}
"""Maps each template to two pictures that get the same key from it, and to the advice."""


@pytest.mark.parametrize("does_put_key", [True, False], ids=["key", "picture"])
@pytest.mark.parametrize("template", SHARED)
def test_after_the_advised_change_to_a_shared_key_there_are_as_many_outputs_as_pictures(
    tmp_path: Path, template: str, *, does_put_key: bool
) -> None:
    first, second, advice = SHARED[template]
    write_pipeline(tmp_path, STEM.replace("{stem}.webp", template))
    inbox = tmp_path / "inbox"
    draw(inbox / first)
    draw(inbox / second, seed=2 if second.endswith("png") else 1)
    assert run(tmp_path, "sync").code == 1
    assert advice in reason_of(tmp_path, second)
    if does_put_key:
        change(tmp_path, template, "{key}/" + template)
    elif "Rename" in advice:
        (inbox / second).rename((inbox / second).with_stem("other"))
    elif "Move" in advice:
        (inbox / "moved").mkdir()
        (inbox / second).rename(inbox / "moved" / second)
    else:
        (inbox / first).unlink()
    assert run(tmp_path, "sync").code == 0
    pictures = [path for path in inbox.rglob("*.*") if path.suffix in (".jpg", ".png")]
    outputs = [path for path in (tmp_path / "processed").rglob("*.webp") if path.is_file()]
    assert len(outputs) == len(pictures)


@pytest.mark.parametrize(
    ("template", "pair"),
    [
        ("{stem}.webp", "a/photo.jpg and b/photo.jpg"),
        ("{dir}{stem}.webp", "photo.jpg and photo.jpeg"),
        ("{stem}-{hash}.webp", "a/photo.jpg and b/photo.jpg with the same content"),
        ("{dir}{stem}-{version}.webp", "photo.jpg and photo.jpeg with the same content"),
        ("{hash}.webp", "a.jpg and b.jpg with the same content"),
        ("{dir}{etag}.webp", "a.jpg and b.jpg with the same ETag"),
        ("{name}{dir}x.webp", "fa/photo.tif and a/photo.tiff"),
    ],
)
def test_check_names_two_pictures_that_get_the_same_key_from_a_template(
    tmp_path: Path, template: str, pair: str
) -> None:
    """With {hash}, pictures share a key only if their content is the same."""
    write_pipeline(tmp_path, STEM.replace("{stem}.webp", template))
    ended = run(tmp_path, "check")
    assert f"can give two pictures the same key, such as {pair}. The later picture" in ended.err
    assert "put {key} into the template" in ended.err
    if "{etag}" not in template:
        for name in pair.removesuffix(" with the same content").split(" and "):
            draw(tmp_path / "inbox" / name)
        assert run(tmp_path, "sync").code == 1
    change(tmp_path, template, "{key}/" + template)
    assert "warning" not in run(tmp_path, "check").err
    assert run(tmp_path, "sync").code == 0


@pytest.mark.parametrize("advice", ["Upload it again", 'set [accept] damaged = "lenient"'])
def test_a_damaged_picture_gets_its_outputs_after_a_new_upload_or_after_damage_is_accepted(
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


def test_the_command_in_the_message_makes_an_output_that_went_missing_twice(
    folder: Path,
) -> None:
    for _ in range(2):
        assert run(folder, "sync").code == 0
        (folder / "processed" / NAME).unlink()
    ended = run(folder, "sync")
    assert ended.code == 1
    assert follow(folder, ended.err).code == 0
    assert (folder / "processed" / NAME).exists()


def test_an_advised_command_accepts_a_name_that_begins_with_a_dash(folder: Path) -> None:
    (folder / "inbox" / NAME).rename(folder / "inbox" / "-all.jpg")
    for _ in range(2):
        assert run(folder, "sync").code == 0
        (folder / "processed" / "-all.jpg").unlink()
    advised = run(folder, "sync").err
    assert advised.endswith("renditions retry -- -all.jpg\n")
    assert follow(folder, advised).code == 0
    assert (folder / "processed" / "-all.jpg").exists()
    (folder / "inbox" / "-all.jpg").write_bytes(b"")
    assert (
        spell_selection(Selection(names=("-all.jpg",), status="rejected")) == " --status rejected -- -all.jpg"
    )
    refused = run(folder, "retry", "-q.jpg")
    assert refused.code == 2
    assert "put -- before it: renditions retry -- -q.jpg" in " ".join(refused.err.replace("│", " ").split())
    assert "put --" not in run(folder, "init", "--none").err


def test_sync_succeeds_after_the_missing_source_folder_is_created(folder: Path) -> None:
    (folder / "inbox" / NAME).rename(folder / NAME)
    (folder / "inbox").rmdir()
    ended = run(folder, "sync")
    assert ended.code == 1
    assert "create it, or mount its disk" in ended.err
    (folder / "inbox").mkdir()
    (folder / NAME).rename(folder / "inbox" / NAME)
    assert run(folder, "sync").code == 0


def test_retry_prints_a_rejection_that_repeats_an_earlier_one(folder: Path) -> None:
    write_pipeline(folder, THUMB, '[[notify]]\non = ["rejected"]\nto = "log:"\n')
    (folder / "inbox" / "text.jpg").write_text("no picture")
    assert run(folder, "sync").code == 1
    ended = run(folder, "retry", "text.jpg")
    assert ended.code == 1
    assert "rejected text.jpg: " in ended.err


@pytest.mark.parametrize("what", ["removals", "renditions", "output", "catalog"])
def test_the_command_that_status_prints_allows_the_held_work(folder: Path, what: str) -> None:
    assert run(folder, "sync").code == 0
    with SqliteCatalog(folder / "renditions.db") as catalog:
        hold(catalog, [Held(what, 1, "it is unusual", datetime.now(UTC))])
    ended = run(folder, "status")
    (line,) = [line for line in ended.out.splitlines() if line.startswith("held back")]
    assert follow(folder, line).code == 0
    assert run(folder, "status", "--json").data["held"] == []


def test_the_advice_to_allow_removals_repeats_the_pictures_and_the_pipeline_file_of_the_command(
    folder: Path,
) -> None:
    file = "my pipeline.toml"
    (folder / "renditions.toml").rename(folder / file)
    names = ["b.jpg", *(f"my folder/{number}.jpg" for number in range(20))]
    for seed, name in enumerate(names):
        draw(folder / "inbox" / name, 40, 40, seed=seed)
    assert run(folder, "sync", "-p", file).code == 0
    for name in names:
        (folder / "inbox" / name).unlink()
    for command in ("plan", "sync"):
        held = run(folder, command, "my folder/", "-p", file)
        advice = "renditions -p 'my pipeline.toml' sync --allow-removals 'my folder/'"
        (line,) = [line for line in held.err.splitlines() if line.endswith(advice)]
    assert follow(folder, line).code == 0
    assert not list((folder / "processed" / "my folder").glob("*"))
    assert (folder / "processed" / "b.jpg").exists()


def test_a_command_that_an_error_advises_includes_the_pipeline_file(folder: Path) -> None:
    assert run(folder, "sync").code == 0
    (folder / "renditions.toml").rename(folder / "other.toml")
    refused = run(folder, "-p", "other.toml", "sync")
    assert refused.code == 2
    assert "run renditions -p other.toml sync --rebind" in refused.err
    assert run(folder, "-p", "other.toml", "sync", "--rebind").code == 0


@pytest.mark.parametrize("command", ["dlq list", "destroy --pictures", "worker"])
def test_an_advised_command_gets_the_chosen_pipeline_file(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("renditions.cli.advice._chosen", [Path("other.toml")])
    assert complete(f"run renditions {command}") == f"run renditions -p other.toml {command}"


def test_retry_reports_a_rendition_on_demand_that_no_client_has_requested(folder: Path) -> None:
    write_pipeline(folder, THUMB, '[renditions.extra]\nwidth = 20\nkey = "extra/{key}"\non_demand = true')
    assert run(folder, "sync").code == 0
    ended = run(folder, "retry", NAME, "--rendition", "extra")
    assert ended.code == 0
    assert f"{NAME}: extra is made on demand, and no client has requested it" in ended.err
    assert "open /i/extra/my%20photo.jpg" in ended.err
    assert "on demand" not in run(folder, "retry", NAME, "--rendition", "thumb").err


def test_after_a_partial_retry_the_history_gives_the_reason_for_the_next_run(folder: Path) -> None:
    write_pipeline(folder, THUMB, '[renditions.large]\nwidth = 90\nkey = "large/{key}"')
    assert run(folder, "sync").code == 0
    for name in (NAME, f"large/{NAME}"):
        (folder / "processed" / name).unlink()
    assert run(folder, "retry", NAME, "--rendition", "thumb").code == 0
    history = run(folder, "show", NAME).out
    assert "thumb is missing from the output store" in history
    assert "its record must be updated after a run for only some renditions" in history
