"""The field ``damaged`` of ``[accept]``: how damaged pictures are rendered."""

from __future__ import annotations

import io

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from imaging.pictures import difference, encoded, opened, photo
from imaging.test_documents import pdf
from renditions.imaging.formats import pdf as pdf_format
from renditions.imaging.render import render
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition

LENIENT = Accept(damaged="lenient")
RECIPES = {"whole": Rendition(format="png"), "trimmed": Rendition(width=60, trim=10, format="png")}

FILES = {
    "jpeg": encoded(photo(), "jpeg", quality=90),
    "progressive jpeg": encoded(photo(), "jpeg", quality=90, progressive=True),
    "png": encoded(photo(), "png"),
    "gif": encoded(photo(), "gif"),
    "tiff": encoded(photo(), "tiff", compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_with_lost_data_gives_a_picture_with_a_valid_upper_part(kind: str) -> None:
    whole = FILES[kind]
    cut = whole[: len(whole) * 4 // 5]
    if kind == "tiff":  # its directory stands at the end
        at = len(whole) // 2
        cut = whole[:at] + np.random.default_rng(1).bytes(len(whole) // 5) + whole[at + len(whole) // 5 :]
    rejected = render(cut, Accept(), RECIPES).rejected
    assert rejected
    assert 'damaged = "lenient"' in rejected.text
    rendering = render(cut, LENIENT, RECIPES, Analyze(transparency=True))
    assert rendering.rejected is None
    assert {warning.code for warning in rendering.warnings} == {"damaged"}
    assert set(rendering.made) == set(RECIPES)
    made = opened(rendering.made["whole"].content)
    assert made.size == (320, 240)
    upper = (0, 0, 320, 60)
    assert difference(made.convert("RGB").crop(upper), opened(whole).convert("RGB").crop(upper)) < 12


def test_lenient_decoding_gives_no_warning_for_an_undamaged_picture() -> None:
    for content in FILES.values():
        assert render(content, LENIENT, RECIPES).warnings == ()


def test_lenient_decoding_keeps_the_frames_of_a_damaged_animation() -> None:
    frames = [photo(60, 40).rotate(angle) for angle in (0, 90, 180)]
    whole = encoded(frames[0], "gif", save_all=True, append_images=frames[1:], duration=100)
    moving = {"it": Rendition(format="webp", animation="keep")}
    assert render(whole[:-90], Accept(), moving).rejected
    rendering = render(whole[:-90], LENIENT, moving)
    assert [warning.code for warning in rendering.warnings][:1] == ["damaged"]
    with Image.open(io.BytesIO(rendering.made["it"].content)) as made:
        assert made.n_frames == 3  # type: ignore[attr-defined] # of an animation alone


@pytest.mark.parametrize("content", [b"", b"text", FILES["jpeg"][:100], FILES["png"][:20], FILES["gif"][:9]])
def test_lenient_decoding_rejects_a_file_without_a_readable_header(content: bytes) -> None:
    rejected = render(content, LENIENT, RECIPES).rejected
    assert rejected
    assert "lenient" not in rejected.text


def test_lenient_decoding_is_advised_for_a_pdf_without_its_end_mark_but_not_for_a_damaged_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, recipes = pdf("/MediaBox [0 0 200 100]"), {"it": Rendition(format="png")}
    cut = render(source.replace(b"%%EOF", b""), Accept(formats=("pdf",)), recipes).rejected
    assert cut
    assert "%%EOF" in cut.text
    assert 'damaged = "lenient"' in cut.text

    def fail(*_: object) -> None:
        raise pypdfium2.PdfiumError("Failed to load page.")

    monkeypatch.setattr(pdf_format, "find_missing_fonts", fail)
    damaged = render(source, Accept(formats=("pdf",)), recipes).rejected
    assert damaged
    assert "the PDF is damaged (Failed to load page.)" in damaged.text
    assert "lenient" not in damaged.text


def test_lenient_decoding_rejects_a_damaged_picture_that_breaks_another_rule() -> None:
    cut = FILES["jpeg"][:-500]
    assert render(cut, Accept(damaged="lenient", max_width=100), RECIPES).rejected
    assert render(cut, Accept(damaged="lenient", max_pixels=1000), RECIPES).rejected


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_damaged_source_is_not_copied_in_place_of_a_larger_rendition(kind: str) -> None:
    """A copy of the file would be damaged too, and other programs might not read it."""
    recipe = {"it": Rendition(format=kind, quality=100 if kind == "jpeg" else None, skip_if_larger=True)}
    whole = encoded(photo(), kind, quality=40) if kind == "jpeg" else encoded(photo().quantize(16), kind)
    assert len(render(whole, LENIENT, recipe).made["it"].content) <= len(whole)
    at = len(whole) - 60
    damaged = whole[:at] + whole[-2:] if kind == "jpeg" else whole[:at] + b"!" + whole[at + 1 :]
    assert render(damaged, Accept(), recipe).rejected
    rendering = render(damaged, LENIENT, recipe)
    assert [warning.code for warning in rendering.warnings] == ["damaged"]
    assert rendering.made["it"].content != damaged
    assert opened(rendering.made["it"].content).size == (320, 240)
    assert render(rendering.made["it"].content, Accept(), recipe).rejected is None
