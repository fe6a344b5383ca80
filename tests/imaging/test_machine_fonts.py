"""Drawings and PDFs with fonts of the machine, if the pipeline declares them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from faults.test_disk import can_mount
from imaging.fonts import make_font
from imaging.pictures import encoded, photo
from imaging.test_drawings import svg
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Accept, Fonts, Pipeline
from renditions.model.recipe import Rendition
from renditions.model.source import Source
from renditions.model.wishes import NO_WISHES
from renditions.pipeline_file.backend_checks import find_lambda_problems

RENDER = """
import hashlib, json, sys
from renditions.errors import Failed
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition, Watermark
plain = Rendition(format="png")
recipes = {"plain": plain, "marked": Rendition(format="png", watermark=Watermark(text="Ann"))}
for file, fonts, recipe in json.load(sys.stdin):
    content = open(file, "rb").read()
    try:
        made = render(content, Accept(formats=("svg", "png", "pdf"), fonts=fonts), {"it": recipes[recipe]})
        digest = hashlib.sha256(made.made["it"].content).hexdigest()
        print(json.dumps([digest, [each.text for each in made.warnings]]))
    except Failed as error:
        print(json.dumps([str(error), []]))
"""
TEXT = '<text x="10" y="60" font-size="40" font-family="Boxes, sans-serif">{}</text>'


INSTALL = "mount -t tmpfs x /usr/local/share && cp -r fonts /usr/local/share && "
"""Shell commands that install the folder's fonts, in a mount namespace."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with fonts that can be installed, drawings, a photo and a PDF."""
    if not can_mount():
        pytest.skip("this user can't mount here")
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    (fonts / "boxes.ttf").write_bytes(make_font({"日": (900, 800), "A": (300, 700)}))
    (fonts / "empty.ttf").touch()
    (fonts / "broken.otf").write_text("no font")
    for name, text in (("latin", "A"), ("both", "A日"), ("neither", "A\U0010fffd")):
        (tmp_path / f"{name}.svg").write_bytes(svg(TEXT.format(text), 'width="400" height="100"'))
    (tmp_path / "photo.png").write_bytes(encoded(photo(), "png"))
    (tmp_path / "page.pdf").write_bytes(pdf_naming("Boxes"))
    return tmp_path


def printed(folder: Path, code: str, given: Any = None, before: str = INSTALL) -> list[str]:
    """Return the lines that a Python program prints.

    The shell commands ``before`` run first.
    """
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-euc", before + 'exec "$@"', "sh", sys.executable, "-c", code],
        input=json.dumps(given), capture_output=True, text=True, check=True, cwd=folder,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    return ended.stdout.splitlines()


def rendered_in(folder: Path, *jobs: tuple[str, Fonts, str], before: str = INSTALL) -> list[Any]:
    """Return a hash or an error, and the warnings, of each job in one new process."""
    return [json.loads(line) for line in printed(folder, RENDER, jobs, before)]


@pytest.mark.parametrize("name", ["latin.svg", "page.pdf"])
def test_text_is_drawn_in_fonts_of_the_machine_only_if_the_pipeline_declares_it(
    folder: Path, name: str
) -> None:
    runs: tuple[tuple[Fonts, str], ...] = (("bundled", ""), ("bundled", INSTALL), ("system", INSTALL))
    without, bundled, system = (
        rendered_in(folder, (name, fonts, "plain"), before=before)[0][0] for fonts, before in runs
    )
    assert without == bundled != system


def test_only_characters_that_no_font_of_the_machine_has_are_reported(folder: Path) -> None:
    (_, with_both), (_, with_neither) = rendered_in(
        folder, ("both.svg", "system", "plain"), ("neither.svg", "system", "plain")
    )
    assert with_both == []
    assert with_neither == ["no font has a glyph for these characters of the drawing: \U0010fffd"]
    ((_, bundled),) = rendered_in(folder, ("both.svg", "bundled", "plain"))
    assert bundled == ["no font has a glyph for these characters of the drawing: 日"]


def test_watermarks_stay_the_same_if_drawings_use_fonts_of_the_machine(folder: Path) -> None:
    bundled, system = (rendered_in(folder, ("photo.png", fonts, "marked")) for fonts in get_args(Fonts))
    assert bundled == system


def test_a_process_that_has_drawn_text_keeps_its_fonts(folder: Path) -> None:
    marked, refused, plain = rendered_in(
        folder,
        ("photo.png", "bundled", "marked"),
        ("latin.svg", "system", "plain"),
        ("photo.png", "system", "plain"),
    )
    assert refused[0] == (
        'this process has drawn text with [accept] fonts = "bundled". Start Renditions again to use "system"'
    )
    assert len(marked[0]) == len(plain[0]) == 64


IN_WORKER = """
import hashlib
from pathlib import Path
from renditions.local.workers.pool import RenderPool
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
accept, recipes = Accept(formats=("svg",), fonts="system"), {"it": Rendition(format="png")}
with RenderPool(1, 60) as pool:
    made = pool(Path("both.svg").read_bytes(), accept, recipes)
print(hashlib.sha256(made.made["it"].content).hexdigest())
"""


def test_a_confined_worker_finds_the_fonts_of_the_machine(folder: Path) -> None:
    ((direct, _),) = rendered_in(folder, ("both.svg", "system", "plain"))
    assert printed(folder, IN_WORKER) == [direct]


def pdf_naming(font: str) -> bytes:
    """Return a PDF with text in a font that it doesn't embed."""
    text = "BT /F 40 Tf 10 20 Td (AAA) Tj ET"
    objects = (
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[4 0 R]/Count 1>>",
        f"<</Length {len(text)}>>stream\n{text}\nendstream",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 80]/Contents 3 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        f"<</Type/Font/Subtype/TrueType/BaseFont/{font}>>",
    )
    numbered = "".join(f"{number} 0 obj{each} endobj\n" for number, each in enumerate(objects, 1))
    return f"%PDF-1.4\n{numbered}trailer<</Root 1 0 R/Size 6>>\n%%EOF\n".encode()


def make(fonts: Fonts, *formats: str) -> Pipeline:
    return Pipeline(
        source=Source(store="in"),
        output=OutputPlace(store="out"),
        accept=Accept(formats=formats, fonts=fonts),
        renditions={"it": Rendition(format="png", key="{version}.png"), "file": Rendition(format="base64")},
    )


def test_a_changed_choice_of_fonts_affects_renditions_of_an_svg_but_not_of_a_png() -> None:
    bundled, system = make("bundled", "svg", "png"), make("system", "svg", "png")
    for source_format, differs in (("svg", True), ("png", False), (None, False)):
        before, after = (each.fingerprints(NO_WISHES, source_format) for each in (bundled, system))
        assert (before["it"] != after["it"]) == differs
        assert before["file"] == after["file"]
    fingerprint = system.fingerprints(NO_WISHES, "svg")["it"]
    assert system.revisions_since(fingerprint, "it", NO_WISHES, "svg") == ()
    assert bundled.revisions_since(fingerprint, "it", NO_WISHES, "svg") is None


def test_a_version_in_a_key_depends_on_the_fonts_if_drawings_are_accepted() -> None:
    def key(fonts: Fonts, *formats: str) -> str:
        return make(fonts, *formats).output_keys("a.svg", "1", sha256="2" * 64)["it"]

    assert key("bundled", "svg") == key("bundled", "png") == key("system", "png") != key("system", "svg")


def test_fonts_of_the_machine_are_reported_as_a_problem_on_lambda() -> None:
    problems = find_lambda_problems(make("system", "svg"), is_built=False)
    assert [str(each) for each in problems] == [
        "accept.fonts: expected 'bundled' on Lambda, where a machine has no fonts, found 'system'"
    ]
    assert list(find_lambda_problems(make("bundled", "svg"), is_built=False)) == []
