"""Conversions between formats, compared with Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from imaging.pictures import (
    INPUT_FORMATS,
    difference,
    encoded,
    interlaced_png,
    opened,
    photo,
    pixels,
    rendered,
    rgb_png,
    shown,
)
from renditions.imaging.render import render
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

TOLERANCE = {"jpeg": 2.5, "webp": 2.5, "avif": 2.5, "gif": 9.0, "png": 0.7, "tiff": 0.7}
"""The largest mean absolute difference, out of 255, that each output format's compression may cause."""


@pytest.mark.parametrize("source_format", INPUT_FORMATS)
@pytest.mark.parametrize("output_format", TOLERANCE)
def test_a_picture_is_converted_between_the_formats_that_pillow_writes(
    source_format: Any, output_format: Any
) -> None:
    source = encoded(photo(), source_format)
    made = rendered(source, Rendition(format=output_format, width=120, quality=90))
    picture = opened(made.content)
    assert (picture.format or "").lower() == output_format == made.format
    assert picture.size == (120, 90) == (made.width, made.height)
    wanted = opened(source).convert("RGB").resize((120, 90), Image.Resampling.LANCZOS)
    # Encoders that halve the colours' resolution change GIF's dither.
    loss_of_source = {"gif": 2.0, "jpeg": 1.0, "avif": 1.0}.get(source_format, 0.0)
    assert difference(picture, wanted) < TOLERANCE[output_format] + loss_of_source


@pytest.mark.parametrize("source_format", INPUT_FORMATS)
def test_the_format_auto_keeps_the_format_of_the_picture(source_format: str) -> None:
    made = rendered(encoded(photo(), source_format), Rendition(format="auto", width=50))
    assert made.format == source_format
    assert (opened(made.content).format or "").lower() == source_format


@pytest.mark.parametrize("output_format", ["webp", "avif"])
def test_a_lossless_rendition_keeps_every_pixel(output_format: Any) -> None:
    picture = shown(encoded(photo(), "png"), Rendition(format=output_format, lossless=True))
    assert difference(picture, photo()) == 0


@pytest.mark.parametrize("output_format", ["png", "tiff"])
def test_png_and_tiff_renditions_keep_every_pixel(output_format: Any) -> None:
    assert difference(shown(encoded(photo(), "png"), Rendition(format=output_format)), photo()) == 0


@pytest.mark.parametrize("output_format", ["jpeg", "webp", "avif", "pdf"])
def test_a_higher_quality_gives_a_larger_file(output_format: Any) -> None:
    source = encoded(photo(), "png")
    sizes = [
        len(rendered(source, Rendition(format=output_format, quality=quality)).content)
        for quality in (30, 60, 95)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]


def test_jpeg_chroma_is_halved_in_both_directions() -> None:
    """The chroma is 4:2:0 even with a quality of 95.

    The first component is sampled 2 by 2, the others 1 by 1.
    """
    picture = Image.open(io.BytesIO(rendered(encoded(photo(), "png"), Rendition(quality=95)).content))
    assert [layer[1:3] for layer in picture.layer] == [(2, 2), (1, 1), (1, 1)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_pngs_of_several_kinds_become_pictures_of_8_bits(mode: str) -> None:
    """The kinds are one bit, grey, palette, alpha and 16 bits."""
    if mode == "I;16":
        source = Image.fromarray(np.asarray(photo().convert("L")).astype("uint16") * 257)
        wanted = photo().convert("L")
    else:
        source = photo().convert(mode)
        wanted = source
    made = shown(encoded(source, "png"), Rendition(format="png"))
    assert difference(made, wanted.convert("RGBA"), "RGBA") < 0.6


def test_a_png_of_16_bits_is_reduced_to_its_upper_8_bits() -> None:
    rows = np.broadcast_to((np.arange(256) * 257).astype(">u2")[None, :, None], (4, 256, 3))
    data = b"".join(b"\x00" + row.tobytes() for row in rows)
    found = pixels(shown(rgb_png(256, 4, data, bits=16), Rendition(format="png")))
    assert np.abs(found - np.arange(256)[None, :, None]).max() <= 1


def test_a_palette_picture_keeps_its_transparency() -> None:
    content = encoded(photo(40, 30).quantize(16), "png", transparency=3)
    picture = shown(content, Rendition(format="png"))
    assert difference(picture, opened(content).convert("RGBA"), "RGBA") == 0
    assert picture.getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize(("mode", "bands"), [("L", ("L",)), ("RGB", ("R", "G", "B"))], ids=["grey", "colour"])
def test_a_grey_picture_becomes_a_grey_jpeg_and_a_coloured_picture_becomes_a_coloured_jpeg(
    mode: str, bands: tuple[str, ...]
) -> None:
    """A grey JPEG has one component."""
    picture = shown(encoded(photo().convert(mode), "png"), Rendition(width=100))
    assert picture.getbands() == bands


def test_a_progressive_jpeg_and_an_lzw_tiff_are_read() -> None:
    for content in (
        encoded(photo(), "jpeg", quality=97, progressive=True),
        encoded(photo(), "tiff", compression="tiff_lzw"),
        encoded(photo(), "tiff", compression="tiff_adobe_deflate"),
    ):
        assert difference(shown(content, Rendition(format="png")), photo()) < 1.5


def test_an_interlaced_png_is_read() -> None:
    content = interlaced_png(photo(37, 29))
    assert difference(opened(content), photo(37, 29)) == 0
    assert difference(shown(content, Rendition(format="png")), photo(37, 29)) == 0
    assert (
        difference(
            shown(content, Rendition(format="png", width=12)),
            photo(37, 29).resize((12, 9), Image.Resampling.LANCZOS),
        )
        < 0.7
    )


def test_a_pdf_rendition_has_one_page_that_shows_the_picture() -> None:
    """The source declares no resolution, so a pixel becomes a point.

    PDFium draws the same picture.
    """
    made = rendered(encoded(photo(), "png"), Rendition(format="pdf", width=160, quality=95))
    assert (made.format, made.width, made.height) == ("pdf", 160, 120)
    document = pypdfium2.PdfDocument(made.content)
    assert len(document) == 1
    assert document[0].get_size() == (160, 120)
    page = document[0].render(scale=0.5).to_pil().resize((160, 120))
    document.close()
    assert difference(page, photo().resize((160, 120), Image.Resampling.LANCZOS)) < 3


def test_only_renditions_with_a_side_too_long_for_their_format_fail() -> None:
    source = encoded(Image.new("L", (17_000, 2)), "png")
    result = render(
        source,
        Accept(),
        {"webp": Rendition(format="webp"), "jpeg": Rendition(), "pdf": Rendition(format="pdf")},
    )
    assert result.rejected is None
    assert list(result.made) == ["jpeg"]
    assert str(result.errors["webp"]) == (
        "the rendition would have 17000 by 2 pixels, but webp allows sides of at most 16,383 pixels. "
        "Declare a smaller size or another format"
    )
    assert "14,400" in str(result.errors["pdf"])


@pytest.mark.parametrize(
    "output_format", [name for name, facts in OUTPUT_FORMATS.items() if facts.max_side < 65_535]
)
def test_a_rendition_with_the_longest_side_of_its_format_can_be_made(output_format: Any) -> None:
    longest = OUTPUT_FORMATS[output_format].max_side
    made = rendered(encoded(Image.new("L", (longest, 1), 200), "png"), Rendition(format=output_format))
    assert (made.width, made.height) == (longest, 1)
