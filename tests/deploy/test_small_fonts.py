"""The part of a font that a function's bundle has.

This part draws the same pixels as the whole font.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from fontTools import subset, ttLib

from imaging.fonts import attached, make_collection, make_font
from imaging.pictures import encoded, photo, rendered
from renditions.deploy.bundle import PICTURES, _own_files, find_libraries
from renditions.deploy.fonts import with_small_fonts
from renditions.errors import UsageError
from renditions.imaging.typeface import default_font
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Rendition, Watermark
from renditions.model.source import Source
from renditions.pipeline_file.plain import from_plain

MANY = {chr(code): (300 + code % 600, 200 + code % 500) for code in range(0x4E00, 0x4F00)}
SPACE = {" ": (0, 0)}


def unhinted() -> bytes:
    """Return Open Sans without hinting instructions.

    FreeType hints such a font by itself unless fonts.conf forbids it. A letter's shape then depends on the
    font's other letters, so a part of the font would draw other pixels.
    """
    font = ttLib.TTFont(io.BytesIO(default_font()))
    subsetter = subset.Subsetter(subset.Options(hinting=False, layout_features=["*"]))
    subsetter.populate(unicodes=font.getBestCmap())
    subsetter.subset(font)
    target = io.BytesIO()
    font.save(target)
    return target.getvalue()


def make(**watermarks: Watermark) -> Pipeline:
    return Pipeline(
        source=Source(store="in"),
        output=OutputPlace(store="out"),
        renditions={
            name: Rendition(format="png", watermark=watermark) for name, watermark in watermarks.items()
        },
    )


def bundled(pipeline: Pipeline) -> tuple[Pipeline, int]:
    """Return the pipeline that the function reads from its bundle, and its size.

    The size is that of the pipeline's file, in bytes.
    """
    (plain,) = [file.content for file in _own_files(pipeline, PICTURES) if file.path == "pipeline.json"]
    return from_plain(json.loads(plain)), len(plain)


FONTS = {
    "unhinted": ("AVATAR fi e\u0301 \u2011", unhinted(), None),
    "collection": ("一 丂x", make_collection(make_font(MANY | {"x": (9, 9)}), make_font(MANY)), 1),
    "cff": ("一丂", make_collection(make_font(MANY, is_cff=True)), None),
    "colours": ("© 一丂", make_font(MANY | SPACE, layers={"一": [("丂", (1, 0, 0, 1))]}), None),
}


@pytest.mark.parametrize("kind", FONTS)
def test_a_function_draws_the_same_pixels_although_its_bundle_has_only_a_part_of_the_font(kind: str) -> None:
    text, font, face = FONTS[kind]
    watermarks = {
        str(size): Watermark(text=text, font=attached(font), face=face, size=size) for size in (20.0, 90.0)
    }
    pipeline = make(**watermarks)
    function, size_bytes = bundled(pipeline)
    assert size_bytes < len(font)
    assert function.fingerprints() == pipeline.fingerprints()
    assert function.generation == pipeline.generation
    source = encoded(photo(300, 100), "png")
    for name in watermarks:
        assert rendered(source, function.renditions[name]) == rendered(source, pipeline.renditions[name])


def test_a_font_that_fonttools_cannot_read_is_bundled_whole() -> None:
    """FreeType ignores damaged rules of ligatures. fonttools doesn't."""
    font = bytearray(make_font(MANY, features="feature liga {sub uni4E00 uni4E01 by uni4E02;} liga;"))
    entry = font.index(b"GSUB")
    at = int.from_bytes(font[entry + 8 : entry + 12])
    font[at + 4 : at + 10] = b"\xff" * 6
    pipeline = make(it=Watermark(text="一丂", font=attached(bytes(font))))
    function, size_bytes = bundled(pipeline)
    assert size_bytes > len(font)
    source = encoded(photo(), "png")
    assert rendered(source, function.renditions["it"]) == rendered(source, pipeline.renditions["it"])


def test_a_font_without_glyphs_for_the_text_gives_the_same_picture_in_a_function() -> None:
    pipeline = make(it=Watermark(text="Ann", font=attached(make_font(MANY))))
    function, _ = bundled(pipeline)
    source = encoded(photo(), "png")
    assert rendered(source, function.renditions["it"]) == rendered(source, pipeline.renditions["it"])


def test_a_pipeline_without_a_declared_font_is_bundled_unchanged() -> None:
    pipeline = make(it=Watermark(text="a"))
    assert with_small_fonts(pipeline) is pipeline


def test_a_text_with_a_declared_font_also_needs_the_default_font() -> None:
    pipeline = make(it=Watermark(text="一", font=attached(make_font(MANY))))
    assert "fontpkg-open-sans" in find_libraries(pipeline)


def test_bundling_a_font_without_fonttools_fails_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = make(it=Watermark(text="一", font=attached(make_font(MANY))))
    monkeypatch.setitem(sys.modules, "fontTools", None)
    with pytest.raises(
        UsageError, match=r"fonttools.* isn't installed here. Run: pip install 'renditions\[aws\]'"
    ):
        with_small_fonts(pipeline)


def test_importing_the_modules_that_build_a_bundle_does_not_import_fonttools(tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415

    code = "import sys, renditions.cli, renditions.deploy.bundle; sys.exit('fontTools' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
