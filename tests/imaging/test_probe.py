"""Detecting a file's format and checking the rules."""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest
from PIL import Image

from imaging.pictures import INPUT_FORMATS, encoded, photo, png_chunk, rgb_png, stored
from renditions.imaging.probe import sniff
from renditions.imaging.render import render
from renditions.model.original import Original
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

RECIPES = {"thumb": Rendition(width=20)}


@pytest.mark.parametrize("source_format", INPUT_FORMATS)
def test_the_formats_that_pillow_writes_are_identified_by_their_content(source_format: str) -> None:
    assert sniff(encoded(photo(20, 10), source_format)) == source_format


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "heic"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "heic"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "avif"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41", "mp4"),
        (b"\xef\xbb\xbf\n<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        (b"<?xml version='1.0'?>\n<!-- a drawing -->\n<svg/>", "svg"),
        (b"%PDF-1.7\n", "pdf"),
        (bytes(128) + b"DICM\x02\x00", "dicom"),
        (b"II*\x00".ljust(128, b"\0") + b"DICM\x02\x00", "dicom"),
        (b"BM\x00\x00", "bmp"),
        (b"\xff\x0a\x00", "jxl"),
        (b"MM\x00*\x00\x00\x00\x08", "tiff"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "camera RAW (CR2)"),
        (b"just words", None),
        (b"<html></html>", None),
        (b"\xff\xd8", None),
        (b"", None),
    ],
)
def test_a_format_is_identified_by_the_first_bytes(content: bytes, name: str | None) -> None:
    assert sniff(content) == name


@pytest.mark.parametrize(
    ("content", "accept", "reason"),
    [
        (b"", Accept(), "the file is empty. Upload it again"),
        (
            b"holiday.jpg in name only",
            Accept(formats=("jpeg", "png")),
            "not a picture in a known format. Upload it in one of these formats: jpeg, png",
        ),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>",
            Accept(formats=("jpeg",)),
            'svg isn\'t accepted. Convert the picture to jpeg, or add "svg" to [accept] formats',
        ),
        (
            encoded(photo(), "png"),
            Accept(formats=("jpeg", "gif")),
            'png isn\'t accepted. Convert the picture to jpeg, gif, or add "png" to [accept] formats',
        ),
        (
            encoded(photo(), "png"),
            Accept(min_width=321),
            (
                "the picture is 320 pixels wide, but [accept] min_width requires at least 321. "
                "Upload a larger picture, or lower the limit"
            ),
        ),
        (
            encoded(photo(), "png"),
            Accept(min_height=241),
            (
                "the picture is 240 pixels high, but [accept] min_height requires at least 241. "
                "Upload a larger picture, or lower the limit"
            ),
        ),
        (
            encoded(photo(), "png"),
            Accept(max_pixels=76_799),
            (
                "the picture has 76,800 pixels (320 by 240), more than the 76,799 that [accept] max_pixels "
                "allows. Upload a smaller picture, or raise the limit"
            ),
        ),
        (
            bytes(2_000),
            Accept(max_bytes=1_999),
            (
                "the file has 2,000 bytes, more than the 1,999 that [accept] max_bytes allows. "
                "Upload a smaller file, or raise the limit"
            ),
        ),
    ],
)
def test_a_picture_that_breaks_a_rule_is_rejected_with_the_reason(
    content: bytes, accept: Accept, reason: str
) -> None:
    assert str(render(content, accept, RECIPES).rejected) == reason
    assert str(render(content, accept, {}).rejected) == reason


@pytest.mark.parametrize(
    ("accept", "reason"),
    [
        (
            Accept(max_width=319),
            (
                "the picture is 320 pixels wide, but [accept] max_width allows at most 319. "
                "Upload a smaller picture, or raise the limit"
            ),
        ),
        (
            Accept(max_height=239),
            (
                "the picture is 240 pixels high, but [accept] max_height allows at most 239. "
                "Upload a smaller picture, or raise the limit"
            ),
        ),
        (
            Accept(min_aspect_ratio=16 / 9),
            (
                "the aspect ratio is 1.333 (320 by 240), but [accept] min_aspect_ratio requires at least "
                "1.778. Crop the picture, or change the limit"
            ),
        ),
        (
            Accept(max_aspect_ratio=1),
            (
                "the aspect ratio is 1.333 (320 by 240), but [accept] max_aspect_ratio allows at most 1. "
                "Crop the picture, or change the limit"
            ),
        ),
    ],
)
def test_a_picture_that_is_too_large_or_has_a_wrong_aspect_ratio_is_rejected(
    accept: Accept, reason: str
) -> None:
    source = encoded(photo(), "png")
    assert str(render(source, accept, RECIPES).rejected) == reason
    assert str(render(source, accept, {"text": Rendition(format="base64")}).rejected) == reason


@pytest.mark.parametrize(
    ("size", "is_accepted"),
    [
        ((1366, 768), True),
        ((1920, 1080), True),
        ((853, 480), True),
        ((854, 480), True),
        ((1920, 1081), False),
        ((1000, 600), False),
        ((1000, 500), False),
    ],
)
def test_an_aspect_ratio_allows_rounding_to_whole_pixels(size: tuple[int, int], *, is_accepted: bool) -> None:
    """Many screens have 1366 by 768 pixels and are called 16:9.

    1366 by 768 is a little wider than 16:9.
    """
    accept = Accept(min_aspect_ratio=16 / 9, max_aspect_ratio=16 / 9)
    assert (render(encoded(Image.new("L", size), "png"), accept, {}).rejected is None) is is_accepted


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_aspect_ratio_is_measured_on_the_displayed_picture(orientation: int) -> None:
    source = stored(photo(200, 100), "jpeg", orientation)
    assert render(source, Accept(min_aspect_ratio=2, max_aspect_ratio=2), {}).rejected is None


@pytest.mark.parametrize(
    ("source_format", "found"),
    [("gif", "3 frames"), ("webp", "3 frames"), ("png", "3 frames"), ("avif", "3 frames")],
)
def test_animated_pictures_are_rejected_unless_they_are_accepted(source_format: str, found: str) -> None:
    frames = [photo(100, 80).rotate(angle) for angle in (0, 90, 180)]
    animated = encoded(frames[0], source_format, save_all=True, append_images=frames[1:])
    refused = render(animated, Accept(animation=False), RECIPES).rejected
    assert str(refused) == (
        f"the picture is an animation with {found}. To accept animations, set [accept] animation = true"
    )
    assert render(animated, Accept(), RECIPES).rejected is None
    assert render(encoded(frames[0], source_format), Accept(animation=False), RECIPES).rejected is None


def test_an_animated_png_of_one_frame_does_not_count_as_an_animation() -> None:
    source = encoded(photo(), "png")
    control = png_chunk(b"acTL", struct.pack(">II", 1, 0))
    one = source[:33] + control + source[33:]
    assert render(one, Accept(animation=False), RECIPES).rejected is None
    kept = {"it": Rendition(format="webp", animation="keep")}
    assert render(one, Accept(), kept).warnings == ()


def test_a_tiff_of_several_pages_does_not_count_as_an_animation() -> None:
    pages = [photo(100, 80), photo(90, 80)]
    source = encoded(pages[0], "tiff", save_all=True, append_images=pages[1:])
    assert render(source, Accept(animation=False), RECIPES).rejected is None


def test_a_picture_exactly_at_the_limits_is_accepted() -> None:
    source = encoded(photo(), "png")
    accept = Accept(max_pixels=76_800, max_bytes=len(source), min_width=320, min_height=240)
    assert render(source, accept, RECIPES).rejected is None


def test_a_decompression_bomb_is_rejected_by_its_header() -> None:
    """A few bytes claim 2,500 megapixels."""
    bomb = rgb_png(50_000, 50_000, bytes(1_000))
    result = render(bomb, Accept(), RECIPES)
    assert str(result.rejected) == (
        "the picture has 2,500,000,000 pixels (50000 by 50000), more than the 100,000,000 that [accept] "
        "max_pixels allows. Upload a smaller picture, or raise the limit"
    )
    assert result.original == Original(len(bomb), "png", 50_000, 50_000, 1)


def test_the_pixel_limit_counts_all_frames_only_if_they_are_kept() -> None:
    frames = [photo(100, 80).rotate(angle) for angle in (0, 90, 180)]
    source = encoded(frames[0], "webp", save_all=True, append_images=frames[1:])
    accept = Accept(max_pixels=8_000)
    first = render(source, accept, {"a": Rendition(format="webp")})
    assert first.rejected is None
    assert first.original.frames == 3
    for recipe in (Rendition(format="webp", animation="keep"), Rendition(format="auto", animation="keep")):
        kept = render(source, accept, {"a": recipe})
        assert str(kept.rejected) == (
            "the picture has 24,000 pixels (100 by 80 in 3 frames), more than the 8,000 that [accept] "
            "max_pixels allows. Upload a smaller picture, or raise the limit"
        )
    into_jpeg = render(source, accept, {"a": Rendition(animation="keep")})
    assert into_jpeg.rejected is None


def test_rules_apply_to_the_displayed_picture() -> None:
    """The width of a rotated photo is the width of the photo as displayed."""
    exif = Image.Exif()
    exif[0x112] = 6
    source = encoded(photo(200, 100), "jpeg", exif=exif)
    result = render(source, Accept(min_width=150), {})
    assert str(result.rejected).startswith(
        "the picture is 100 pixels wide, but [accept] min_width requires at least 150."
    )
    assert (result.original.width, result.original.height) == (100, 200)


def test_rendering_without_recipes_only_checks_the_rules() -> None:
    source = encoded(photo(), "webp")
    result = render(source, Accept(), {})
    assert (result.made, result.errors, result.rejected) == ({}, {}, None)
    assert result.original == Original(len(source), "webp", 320, 240, 1)


def test_rendering_only_to_base64_loads_no_imaging_library() -> None:
    """A fresh interpreter imports the renderer and renders to Base64.

    It doesn't load libvips or img2pdf.
    """
    program = """
import base64, sys
import renditions.imaging, renditions.imaging.probe
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
for source in (b"\\xff\\xd8\\xff and more", b"MM\\0*\\0\\0\\0\\x08 and more"):
    result = render(source, Accept(), {"text": Rendition(format="base64")})
    assert base64.b64decode(result.made["text"].content) == source
assert not {"pyvips", "img2pdf", "PIL"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_libvips_refuses_loaders_that_are_not_allowed() -> None:
    """The test calls other loaders by name and through format detection."""
    program = """
import pyvips
import renditions.imaging.vips
bitmap = b"P5 2 2 255 0000"
refused = 0
for attempt in (
    lambda: pyvips.Image.svgload("/dev/null"),
    lambda: pyvips.Image.new_from_buffer(bitmap, ""),
    lambda: pyvips.Image.new_from_file("/dev/null"),
    lambda: pyvips.Image.pngload("/dev/null"),
    lambda: pyvips.Image.rawload("/dev/zero", 9, 9, 1),
    lambda: pyvips.Image.matrixload("/dev/null"),
    lambda: pyvips.Image.csvload("/dev/null"),
    lambda: pyvips.Image.vipsload("/dev/null"),
    lambda: pyvips.Image.uhdrload_buffer(bitmap),
):
    try:
        attempt()
    except pyvips.Error as error:
        refused += any(word in str(error) for word in ("blocked", "not a known file", "not in a known"))
assert refused == 9, refused
assert pyvips.concurrency_get() == 1
assert pyvips.cache_get_max() == 0
"""
    subprocess.run([sys.executable, "-c", program], check=True)
