"""The command ``try``, which makes renditions and changes nothing else."""

from __future__ import annotations

import hashlib
import io
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import numpy as np
import pytest
import typer
from PIL import Image

from commands import draw, run, write_pipeline
from renditions.cli import trying
from renditions.errors import WorkerDied

RENDITIONS = """
[renditions.thumb]
width = 200
[renditions.best]
width = 200
format = "webp"
quality = "auto"
[renditions.photo]
widths = [160, 640]
formats = ["avif", "jpeg"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write_pipeline(tmp_path, RENDITIONS)
    draw(tmp_path / "inbox" / "a.jpg", 640, 480)
    return tmp_path


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Return the hash and the time of each file and folder."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
    }


def test_try_writes_the_bytes_that_sync_writes(site: Path) -> None:
    assert run(site, "try", "inbox/a.jpg", "-o", "tried").code == 0
    assert run(site, "sync").code == 0
    made = {path.name: path.read_bytes() for path in (site / "processed" / "a.jpg").iterdir()}
    assert {path.name: path.read_bytes() for path in (site / "tried" / "a.jpg").iterdir()} == made
    assert len(made) == 6


def test_try_with_a_changed_recipe_writes_the_bytes_that_sync_writes_after_the_change(site: Path) -> None:
    assert run(site, "sync").code == 0
    tried = run(site, "try", "inbox/a.jpg", "--rendition", "thumb", "--set", "quality=40", "-o", "tried")
    assert tried.code == 0
    write_pipeline(site, RENDITIONS.replace("width = 200", "width = 200\nquality = 40", 1))
    assert run(site, "sync").code == 0
    sync = (site / "processed" / "a.jpg" / "thumb.jpg").read_bytes()
    assert (site / "tried" / "a.jpg" / "thumb.jpg").read_bytes() == sync


def test_try_changes_no_existing_file_and_writes_only_with_the_option_output(site: Path) -> None:
    before = state_of(site)
    assert run(site, "try", "inbox/a.jpg", "--compare", "quality=40,80", "--rendition", "thumb").code == 0
    assert state_of(site) == before
    assert run(site, "try", "inbox/a.jpg", "--rendition", "thumb", "-o", "tried").code == 0
    after = state_of(site)
    assert set(after) - set(before) == {"tried", "tried/a.jpg", "tried/a.jpg/thumb.jpg"}
    assert before.items() <= after.items()


def test_try_needs_no_source_and_no_catalog(site: Path) -> None:
    """Neither the source's folder nor the catalog's folder exists."""
    picture = site / "a.jpg"
    (site / "inbox" / "a.jpg").rename(picture)
    (site / "inbox").rmdir()
    file = site / "renditions.toml"
    file.write_text(file.read_text() + '[catalog]\nstore = "sqlite:/nowhere/at/all.db"\n')
    assert run(site, "try", "a.jpg").code == 0
    assert not (site / "inbox").exists()


def test_try_prints_the_size_quality_score_and_time_of_each_rendition(site: Path) -> None:
    items = run(site, "try", "inbox/a.jpg", "--json").data
    by_name = {item["rendition"]: item for item in items}
    assert list(by_name) == [
        "thumb", "best", "photo-160-avif", "photo-160-jpeg", "photo-640-avif", "photo-640-jpeg",
    ]  # fmt: skip
    thumb = by_name["thumb"]
    assert (thumb["width"], thumb["height"], thumb["format"], thumb["quality"]) == (200, 150, "jpeg", 82)
    assert all(0 < item["score"] <= 100 for item in items)
    assert all(0 <= item["seconds"] < 60 for item in items)
    assert by_name["best"]["score"] >= 80, "the search reached its target"
    assert 1 <= by_name["best"]["quality"] < 100
    table = run(site, "try", "inbox/a.jpg").out
    assert table.splitlines()[0].split() == [
        "picture", "rendition", "format", "dimensions", "size", "quality", "score", "time",
    ]  # fmt: skip
    assert "200×150" in table


def test_try_prints_the_score_that_the_search_for_a_quality_uses(site: Path) -> None:
    """The search ends near the lowest quality with a score of at least the target."""
    tried = run(site, "try", "inbox/a.jpg", "--rendition", "best", "--set", "target=90", "--json").data[0]
    lower = f"quality={tried['quality'] - 4}"
    below = run(site, "try", "inbox/a.jpg", "--rendition", "best", "--set", lower, "--json").data[0]
    assert tried["score"] >= 90 > below["score"]


def test_a_comparison_prints_a_table_and_writes_a_file_for_each_value_and_one_sheet(site: Path) -> None:
    ended = run(
        site, "try", "inbox/a.jpg", "--rendition", "thumb", "--compare", "quality=10,50,90", "-o", "tried"
    )
    assert ended.code == 0
    rows = [line.split() for line in ended.out.splitlines()[1:]]
    assert [row[2] for row in rows] == ["quality=10", "quality=50", "quality=90"]
    assert "tried/a.jpg/thumb.quality.png" in ended.err
    files = {path.name for path in (site / "tried" / "a.jpg").iterdir()}
    assert files == {
        "thumb.quality-10.jpg", "thumb.quality-50.jpg", "thumb.quality-90.jpg", "thumb.quality.png",
    }  # fmt: skip
    with Image.open(site / "tried" / "a.jpg" / "thumb.quality.png") as sheet:
        assert sheet.size[0] > 4 * 200, "the pixels before encoding, and three files"
        own = Image.open(io.BytesIO((site / "tried" / "a.jpg" / "thumb.quality-10.jpg").read_bytes()))
        left = 12 + 200 + 12
        shown = sheet.convert("RGB").crop((left, 12, left + 200, 12 + 150))
        assert np.abs(np.asarray(shown, int) - np.asarray(own.convert("RGB"), int)).max() <= 8


@pytest.mark.parametrize("comparison", ["format=webp,avif,png", "width=100,2000", "effort=0,6"])
def test_try_compares_formats_widths_and_efforts(site: Path, comparison: str) -> None:
    rendition = "best" if "effort" in comparison else "thumb"
    ended = run(
        site, "try", "inbox/a.jpg", "--rendition", rendition, "--compare", comparison, "-o", "tried", "--json"
    )
    assert ended.code == 0, ended.err
    field, _, values = comparison.partition("=")
    assert [item["setting"] for item in ended.data] == [f"{field}={each}" for each in values.split(",")]
    assert (site / "tried" / "a.jpg" / f"{rendition}.{field}.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "quality"], "expected a field and its value, such as --set quality=60, found 'quality'"),
        (["--set", "quality=loud"], "renditions.thumb.quality: expected"),
        (["--set", "qualty=50"], "did you mean 'quality'?"),
        (["--set", "key=x"], "key changes no byte of a rendition"),
        (["--compare", "quality=50"], "expected a field with at least two values"),
        (["--rendition", "big"], "there is no rendition 'big'"),
    ],
)
def test_try_names_the_invalid_option_or_value(site: Path, arguments: list[str], message: str) -> None:
    ended = run(site, "try", "inbox/a.jpg", *arguments)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())


def test_try_refuses_to_write_two_pictures_of_the_same_name_into_one_folder(site: Path) -> None:
    draw(site / "inbox" / "more" / "a.jpg")
    assert run(site, "try", "inbox/a.jpg", "inbox/more/a.jpg").code == 0
    ended = run(site, "try", "inbox/a.jpg", "inbox/more/a.jpg", "-o", "tried")
    assert ended.code == 2
    assert "two pictures are named 'a.jpg'" in ended.err


def test_try_reports_a_rejected_picture_and_makes_the_renditions_of_the_other_pictures(site: Path) -> None:
    (site / "bad.jpg").write_bytes(b"no picture")
    ended = run(site, "try", "bad.jpg", "inbox/a.jpg", "--rendition", "thumb", "--json")
    assert ended.code == 1
    bad, good = ended.data
    assert bad["reason"].startswith("not a picture")
    assert good["width"] == 200
    assert "rejected bad.jpg: not a picture" in run(site, "try", "bad.jpg").err


def test_try_ends_with_a_usage_error_if_a_file_is_missing(site: Path) -> None:
    ended = run(site, "try", "none.jpg")
    assert ended.code == 2
    assert "can't read 'none.jpg': No such file or directory" in ended.err


def test_try_gives_the_reason_why_a_rendition_cannot_be_made(site: Path) -> None:
    ended = run(site, "try", "inbox/a.jpg", "--rendition", "thumb", "--set", "max_bytes=100", "--json")
    assert ended.code == 1
    assert "max_bytes" in ended.data[0]["reason"]


def test_try_calls_a_picture_failed_if_the_worker_process_died(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def render(*_: object) -> NoReturn:
        raise WorkerDied("the worker process was ended by SIGSEGV")

    monkeypatch.chdir(site)
    monkeypatch.setattr(trying, "open_trial", lambda _: nullcontext(render))
    with pytest.raises(typer.Exit):
        trying.try_recipes(SimpleNamespace(obj=None), [Path("inbox/a.jpg")])  # type: ignore[arg-type]
    printed = capsys.readouterr()
    assert "failed a.jpg: the worker process was ended by SIGSEGV" in printed.err
    assert "rejected" not in printed.out + printed.err
