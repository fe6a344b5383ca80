"""Copies of the source in place of larger renditions, if the recipe allows them.

A copy has no metadata, except under the metadata policy ``all``.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from imaging.pictures import encoded, opened, photo, pixels, png_chunk, rendered
from renditions.imaging.formats import jpeg, png
from renditions.model.recipe import Rendition

SECRET = b"52 degrees north"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def talkative_jpeg(**options: Any) -> bytes:
    """Return a small JPEG with a secret in all of its metadata.

    The secret is in EXIF, in XMP, in a comment, and after the end of the JPEG.
    """
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    told = {"exif": exif, "xmp": b"<x>" + SECRET + b"</x>", "comment": SECRET, "quality": 30}
    return encoded(photo(), "jpeg", **{**told, **options}) + b"\xff\xd8" + SECRET


def talkative_png(**options: Any) -> bytes:
    """Return a well-packed PNG with a secret in a text and in EXIF.

    The secret also follows the end of the PNG.
    """
    text, exif = PngImagePlugin.PngInfo(), Image.Exif()
    text.add_text("Comment", SECRET.decode())
    exif[0x010E] = SECRET.decode()
    picture = photo().quantize(4)
    return encoded(picture, "png", pnginfo=text, exif=exif, optimize=True, **options) + SECRET


def copied(content: bytes, output_format: Any, **options: Any) -> bytes:
    """Return a rendition whose recipe allows a copy of the source.

    In formats with a quality, it is 100 by default. So a new encoding would be larger than the source.
    """
    quality = {} if output_format in ("png", "auto") else {"quality": 100}
    recipe = Rendition(key="{key}", format=output_format, skip_if_larger=True, **{**quality, **options})
    return rendered(content, recipe).content


@pytest.mark.parametrize("progressive", [False, True])
def test_a_copied_jpeg_keeps_its_pixels_and_loses_its_metadata(progressive: bool) -> None:
    source = talkative_jpeg(progressive=progressive)
    assert SECRET in source
    copy = copied(source, "jpeg")
    assert len(copy) < len(source)
    assert SECRET not in copy
    assert np.array_equal(pixels(opened(copy)), pixels(opened(source)))


def test_a_copied_png_keeps_its_pixels_and_loses_its_metadata() -> None:
    source = talkative_png()
    assert SECRET in source
    copy = copied(source, "png")
    assert len(copy) < len(source)
    assert SECRET not in copy
    assert np.array_equal(pixels(opened(copy)), pixels(opened(source)))


def test_a_copied_png_keeps_its_transparency() -> None:
    picture = photo().quantize(4)
    source = encoded(picture, "png", transparency=0, optimize=True)
    assert np.array_equal(pixels(opened(copied(source, "png")), "RGBA"), pixels(opened(source), "RGBA"))


def test_only_a_webp_without_metadata_is_copied_unchanged() -> None:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    plain, told = encoded(photo(), "webp", quality=20), encoded(photo(), "webp", quality=20, exif=exif)
    assert copied(plain, "webp") == plain
    assert copied(told, "webp") != told
    assert SECRET not in copied(told, "webp")


def test_a_copied_file_keeps_its_metadata_under_the_metadata_policy_all() -> None:
    copy = copied(talkative_jpeg(), "jpeg", metadata="all")
    assert opened(copy).getexif()[0x010E] == SECRET.decode()
    assert copy.endswith(b"\xff\xd9")


@pytest.mark.parametrize(
    "options",
    [
        {"grayscale": True}, {"rotate": 180}, {"progressive": True}, {"width": 100},
        {"metadata": "copyright"}, {"chroma": "444"}, {"width": 400, "height": 400, "fit": "contain"},
    ],
)  # fmt: skip
def test_a_source_is_not_copied_if_the_copy_would_not_fulfil_the_recipe(options: dict[str, Any]) -> None:
    source = encoded(photo(), "jpeg", quality=10)
    recipe = Rendition(quality=100, **options)
    assert copied(source, "jpeg", **options) == rendered(source, recipe).content


def test_a_source_is_not_copied_if_it_is_stored_sideways_or_has_another_format() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(copied(encoded(photo(), "jpeg", exif=exif, quality=10), "jpeg")).size == (240, 320)
    assert opened(copied(encoded(photo(), "webp", quality=5), "jpeg")).format == "JPEG"


def test_a_copy_follows_the_declared_profile_policy() -> None:
    profiled, cmyk = (
        encoded(photo(), "jpeg", quality=10, icc_profile=SRGB),
        encoded(photo().convert("CMYK"), "jpeg", quality=10),
    )
    assert "icc_profile" not in opened(copied(profiled, "jpeg")).info
    assert opened(copied(profiled, "jpeg", profile="keep")).info["icc_profile"] == SRGB
    assert opened(copied(cmyk, "jpeg")).mode == "RGB"


def test_a_copy_replaces_only_a_larger_rendition_and_only_if_declared() -> None:
    source = encoded(photo(), "jpeg", quality=60)
    assert len(copied(source, "jpeg", quality=20)) < len(source)
    assert len(rendered(source, Rendition(quality=100)).content) > len(source)
    assert copied(source, "auto", quality=100) == copied(source, "jpeg")


def test_a_copy_replaces_a_rendition_that_is_made_on_demand() -> None:
    source = encoded(photo(), "jpeg", quality=10)
    assert copied(source, "jpeg", on_demand=True) == copied(source, "jpeg")
    assert len(copied(source, "jpeg", on_demand=True)) <= len(source)


SOURCES = (
    (talkative_jpeg(), jpeg.copy_without_metadata),
    (talkative_png(), png.copy_without_metadata),
)


@settings(deadline=None, max_examples=100)
@given(at=st.integers(2, 3000), size=st.integers(0, 12), filler=st.binary(max_size=12))
def test_copying_a_damaged_file_ends_and_does_not_make_the_file_larger(
    at: int, size: int, filler: bytes
) -> None:
    for source, copy in SOURCES:
        damaged = source[:at] + filler + source[at + size :]
        found = copy(damaged, keeps_metadata=False, keeps_profile=False)
        assert found is None or len(found) <= len(damaged)


def test_a_copied_jpeg_loses_the_preview_in_its_jfif_segment() -> None:
    """The preview can show parts that were cropped away."""
    source = encoded(photo(), "jpeg", quality=30)
    preview = b"JFIF\0\x01\x02\0\0\x01\0\x01" + bytes([2, 2]) + bytes(12)
    segment = b"\xff\xe0" + (len(preview) + 2).to_bytes(2, "big") + preview
    copy = jpeg.copy_without_metadata(
        source[:2] + segment + source[20:], keeps_metadata=False, keeps_profile=False
    )
    assert copy is not None
    assert preview not in copy
    assert Image.open(io.BytesIO(copy)).size == (320, 240)


def test_a_png_with_a_broken_profile_is_not_copied() -> None:
    """The copy would keep the profile, and some decoders reject such a picture."""
    plain = encoded(photo().quantize(4), "png", optimize=True)
    source = plain[:33] + png_chunk(b"iCCP", b"x\0bbroken") + plain[33:]
    made = copied(source, "png", profile="keep")
    assert b"iCCP" not in made
    assert opened(made).size == (320, 240)
    assert copied(plain, "png", profile="keep") == plain


def test_a_copied_png_loses_metadata_with_a_wrong_checksum() -> None:
    plain = encoded(photo().quantize(4), "png", optimize=True)
    text = png_chunk(b"tEXt", b"Comment\0ours")
    broken = text[:-1] + bytes([text[-1] ^ 1])
    made = copied(plain[:33] + broken + text + plain[33:], "png", metadata="all")
    assert made == plain[:33] + text + plain[33:]
