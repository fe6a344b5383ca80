"""Files that recipes name.

They are read with the pipeline file or from the source, and their content is part of the recipe.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fontpkg_open_sans import ROOT

from commands import Ended, draw, run, write_pipeline
from doubles import MemoryStore
from imaging.fonts import make_collection, make_font
from renditions.core.ports import IfAbsent
from renditions.errors import PipelineError, Problem, UsageError
from renditions.model.pipeline import Pipeline
from renditions.pipeline_file.attachments import attach
from renditions.pipeline_file.reading import parse

HEAD = '[source]\nstore = "./inbox"\n[output]\nstore = "./processed"\n[renditions.one]\nwatermark = '
RENDITIONS = """
[renditions.of-text]
width = 90
watermark = {text = "© Ann"}
[renditions.of-file]
width = 90
watermark = {image = "logo.png"}
[renditions.of-source]
width = 90
watermark = {image = "source:.logo.png"}
"""


def read(watermark: str, directory: Path) -> Pipeline:
    return parse(HEAD + watermark, "p.toml", directory, {}).pipeline


def problem_of(watermark: str, directory: Path) -> Problem:
    with pytest.raises(PipelineError) as caught:
        read(watermark, directory)
    (problem,) = caught.value.problems
    return problem


def made_at(folder: Path) -> dict[str, int]:
    """Return the inode of each output.

    A rewritten output has a new inode.
    """
    root = folder / "processed"
    return {path.relative_to(root).as_posix(): path.stat().st_ino for path in root.glob("*.jpg/*")}


def stale(folder: Path) -> list[str]:
    """Return the renditions that a sync would make of the only picture."""
    (planned,) = run(folder, "plan", "--json").data
    return list(planned["make"])


def sync(folder: Path) -> Ended:
    ended = run(folder, "sync")
    assert ended.code == 0, ended.err
    return ended


def test_a_file_that_a_recipe_names_is_read_with_the_pipeline_file(tmp_path: Path) -> None:
    draw(tmp_path / "marks" / "logo.png", 20, 20)
    watermark = read('{image = "marks/logo.png"}', tmp_path).renditions["one"].watermark
    assert watermark
    assert watermark.image
    assert watermark.image.content == (tmp_path / "marks" / "logo.png").read_bytes()
    assert "PNG" not in repr(watermark)


@pytest.mark.parametrize(
    ("watermark", "place", "expected", "found"),
    [
        ('{image = "none.png"}', "image", "a file that can be read", "'none.png' (No such file"),
        ('{image = "."}', "image", "a file of at most 10,000,000 bytes", "'.', which isn't a file"),
        ('{image = "large"}', "image", "a file of at most 10,000,000 bytes", "'large' of 10,000,001 bytes"),
        ('{image = "text"}', "image", "a picture (jpeg, ", "bytes of no known format"),
        ('{image = "empty"}', "image", "a picture (jpeg, ", "bytes of no known format"),
        ('{text = "a", font = "none"}', "font", "a file that can be read", "'none' (No such file"),
        ('{text = "a", font = "source:a.ttf"}', "font", 'a font file ("source:KEY" is', "'source:a.ttf'"),
        ('{text = "a", font = "text"}', "font", "a TrueType or OpenType font", "'text' (the file isn't a"),
        ('{text = "a", font = "large"}', "font", "a TrueType or OpenType font", "'large' (the file isn't a"),
        ('{text = "a", font = "huge"}', "font", "a file of at most 50,000,000 bytes", "'huge' of 50,000,001"),
        ('{text = "a", font = "it.ttf", face = 1}', "face", "a collection of fonts if", "1 for 'it"),
        ('{text = "a", font = "two.ttc", face = 2}', "face", "a number from 0 to 1", "2 for 'two.ttc'"),
        ('{text = "a", face = 0}', "face", "a font if this field is set", "none"),
        ('{image = "text", font = "it.ttf"}', "font", "a text if this field is set", "none"),
    ],
)  # fmt: skip
def test_the_problem_with_a_file_that_a_recipe_names_has_the_place_of_its_field(
    tmp_path: Path, watermark: str, place: str, expected: str, found: str
) -> None:
    (tmp_path / "text").write_text("no picture")
    (tmp_path / "empty").touch()
    (tmp_path / "it.ttf").write_bytes((ROOT / "files" / "OpenSans-Italic[wdth,wght].ttf").read_bytes())
    (tmp_path / "two.ttc").write_bytes(make_collection(make_font({"a": (9, 9)}), make_font({"日": (9, 9)})))
    for name, size_bytes in (("large", 10_000_001), ("huge", 50_000_001)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size_bytes)
    if place == "font" and "image" in watermark:
        draw(tmp_path / "logo.png", 20, 20)
        watermark = watermark.replace('"text"', '"logo.png"')
    problem = problem_of(watermark, tmp_path)
    assert problem.place == f"renditions.one.watermark.{place}"
    assert problem.expected.startswith(expected)
    assert problem.found.startswith(found)


def test_the_loader_warns_about_characters_that_no_font_has(tmp_path: Path) -> None:
    (tmp_path / "two.ttc").write_bytes(make_collection(make_font({"a": (9, 9)}), make_font({"日": (9, 9)})))
    expected = {
        '{text = "a日"}': "Open Sans lacks '日' (U+65E5)",
        '{text = "日本", font = "two.ttc"}': "neither two.ttc nor Open Sans has '本' (U+672C)",
        '{text = "日", font = "two.ttc", face = 0}': "neither two.ttc nor Open Sans has '日' (U+65E5)",
        '{text = "Zoë 日", font = "two.ttc"}': None,
    }
    for watermark, missing in expected.items():
        warnings = parse(HEAD + watermark, "p.toml", tmp_path, {}).warnings
        place = "line 6: renditions.one.watermark.text"
        text = f"{place}: {missing}, so \ufffd is drawn instead. Name another font"
        assert warnings == ((text,) if missing else ())


def test_attaching_reads_a_watermark_from_the_source_or_raises_an_error(tmp_path: Path) -> None:
    draw(tmp_path / "logo.png", 20, 20)
    store = MemoryStore()
    pipeline = read('{image = "source:.logo.png"}', tmp_path)
    for content, message in (
        (None, "expected the key of an object in the source, found '.logo.png', which isn't there"),
        (b"text", r"expected a picture \(jpeg, .*\), found bytes of no known format"),
    ):
        if content:
            store.put(".logo.png", content, IfAbsent(), "image/png")
        with pytest.raises(UsageError, match=f"renditions.one.watermark.image: {message}"):
            attach(pipeline, store)
    store = MemoryStore()
    store.put(".logo.png", (tmp_path / "logo.png").read_bytes(), IfAbsent(), "image/png")
    of_file = read('{image = "logo.png"}', tmp_path)
    assert (
        attach(pipeline, store).fingerprints()
        == of_file.fingerprints()
        == attach(of_file, store).fingerprints()
    )


def test_a_changed_logo_affects_only_the_renditions_that_show_this_logo(tmp_path: Path) -> None:
    write_pipeline(tmp_path, RENDITIONS)
    file, in_source = tmp_path / "logo.png", tmp_path / "inbox" / ".logo.png"
    draw(file, 20, 20)
    draw(in_source, 20, 20)
    draw(tmp_path / "inbox" / "photo.jpg")
    assert "ontconfig" not in sync(tmp_path).err, "fontconfig writes no warnings to stderr"
    first = made_at(tmp_path)
    assert len(first) == 3

    draw(file, 20, 20, seed=2)
    in_source.touch()  # the same content: the same recipe
    assert stale(tmp_path) == ["of-file"]
    sync(tmp_path)
    again = made_at(tmp_path)
    assert {key for key in first if first[key] != again[key]} == {"photo.jpg/of-file.jpg"}

    draw(in_source, 20, 20, seed=2)
    assert stale(tmp_path) == ["of-source"]


def test_a_missing_logo_stops_the_command_before_it_makes_outputs(tmp_path: Path) -> None:
    write_pipeline(tmp_path, '[renditions.one]\nwatermark = {image = "source:.logo.png"}')
    draw(tmp_path / "inbox" / "photo.jpg")
    for command in ("plan", "sync", "watch"):
        ended = run(tmp_path, command)
        assert (ended.code, ended.out) == (2, "")
        assert "found '.logo.png', which isn't there" in " ".join(ended.err.split())
    assert made_at(tmp_path) == {}
