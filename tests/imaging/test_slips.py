"""Slips of a container that lose no pixel are accepted, and damage beside them is still rejected."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageCms

from imaging.pictures import difference, encoded, opened, photo, rendered, shown
from renditions.imaging.formats.jpeg import tidied
from renditions.imaging.render import render
from renditions.imaging.vips import Image as VipsImage
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

PNG = Rendition(format="png")
SMALL = Rendition(width=40, format="png")
EVERY = Accept(formats=("jpeg", "gif", "png", "webp", "pdf"))
FRAMES = [photo(60, 40), photo(60, 40).rotate(90), photo(60, 40).rotate(180)]


def by_vips(**options: Any) -> bytes:
    """Return the photo as a JPEG by libvips' encoder, which has other tables and scans than Pillow's."""
    pixels = photo()
    image = VipsImage.new_from_memory(pixels.tobytes(), pixels.width, pixels.height, 3, "uchar")
    return bytes(image.copy(interpretation="srgb").jpegsave_buffer(**options))


JPEGS = {
    "baseline": encoded(photo(), "jpeg", quality=92),
    "progressive": encoded(photo(), "jpeg", quality=92, progressive=True),
    "restarts": encoded(photo(), "jpeg", quality=92, restart_marker_blocks=7),
    "grey": encoded(photo().convert("L"), "jpeg", quality=92),
    "cmyk": encoded(photo().convert("CMYK"), "jpeg", quality=92),
    "by libvips": by_vips(Q=92),
    "progressive by libvips": by_vips(Q=92, interlace=True, optimize_scans=True),
}


def scans(jpeg: bytes) -> list[int]:
    """Return the offset of each scan."""
    return [at for at in range(len(jpeg)) if jpeg.startswith(b"\xff\xda", at)]


def with_stray_bytes(jpeg: bytes, before: int) -> bytes:
    return jpeg[:before] + b"\x00\x17\x2a" + jpeg[before:]


def without_version(jpeg: bytes) -> bytes:
    at = jpeg.index(b"JFIF\0") + 5
    return jpeg[:at] + b"\0\0" + jpeg[at + 2 :]


SLIPS: dict[str, Callable[[bytes], bytes]] = {
    "no end mark": lambda jpeg: jpeg[:-2],
    "half an end mark": lambda jpeg: jpeg[:-1],
    "zeros for the end mark": lambda jpeg: jpeg[:-2] + bytes(200),
    "stray bytes before the first scan": lambda jpeg: with_stray_bytes(jpeg, scans(jpeg)[0]),
    "stray bytes before the last scan": lambda jpeg: with_stray_bytes(jpeg, scans(jpeg)[-1]),
    "stray bytes and no end mark": lambda jpeg: with_stray_bytes(jpeg, scans(jpeg)[-1])[:-2],
    "JFIF 0.00": without_version,
    "JFIF 0.00 and no end mark": lambda jpeg: without_version(jpeg)[:-2],
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("slip", SLIPS)
def test_a_jpeg_with_a_slip_is_the_same_picture(kind: str, slip: str) -> None:
    source = JPEGS[kind]
    if "JFIF" in slip and b"JFIF\0" not in source:
        source = encoded(photo().convert("L"), "jpeg", quality=80, progressive=True)
    spoiled = SLIPS[slip](source)
    assert spoiled != source
    for recipe in (PNG, SMALL):
        assert shown(spoiled, recipe).tobytes() == shown(source, recipe).tobytes()


def test_zeros_between_two_scans_are_a_slip() -> None:
    source = JPEGS["progressive"]
    at = source.rindex(b"\xff\xc4", 0, scans(source)[3])
    spoiled = source[:at] + bytes(9) + source[at:]
    assert shown(spoiled, PNG).tobytes() == shown(source, PNG).tobytes()


@pytest.mark.parametrize("kind", ["progressive", "progressive by libvips"])
def test_a_progressive_jpeg_that_ends_between_two_scans_is_rejected(kind: str) -> None:
    """Each scan that it has is whole, but the later ones would have made it sharp."""
    source = JPEGS[kind]
    starts = scans(source)
    for following in starts[1:]:
        end = (
            source.rindex(b"\xff\xc4", 0, following)
            if b"\xff\xc4" in source[starts[0] : following]
            else following
        )
        cut = source[:end]
        assert tidied(cut) == cut
        assert render(cut, EVERY, {"it": SMALL}).rejected


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("missing", [3, 20, 500])
def test_a_jpeg_without_its_last_pixels_and_its_end_mark_is_rejected(kind: str, missing: int) -> None:
    rejected = render(JPEGS[kind][: -2 - missing], EVERY, {"it": PNG}).rejected
    assert rejected
    assert rejected.text.startswith("the picture is damaged: the file ends too early (VipsJpeg: ")


def gif(**options: Any) -> bytes:
    return encoded(FRAMES[0], "gif", **options)


def gif_by_vips() -> bytes:
    pixels = FRAMES[0]
    image = VipsImage.new_from_memory(pixels.tobytes(), pixels.width, pixels.height, 3, "uchar")
    return bytes(image.copy(interpretation="srgb").gifsave_buffer(dither=0))


@pytest.mark.parametrize("source", [gif(), gif(interlace=0), gif_by_vips()])
def test_a_gif_without_a_trailer_is_the_same_picture(source: bytes) -> None:
    assert source.endswith(b"\0;")
    assert shown(source[:-1], PNG).tobytes() == shown(source, PNG).tobytes()


def test_an_animated_gif_without_a_trailer_keeps_every_frame() -> None:
    source = gif(save_all=True, append_images=FRAMES[1:], duration=100)
    made = shown(source[:-1], Rendition(format="webp", animation="keep"))
    assert made.n_frames == len(FRAMES)  # type: ignore[attr-defined] # of an animation alone


@pytest.mark.parametrize("missing", [2, 3, 9, 40])
@pytest.mark.parametrize(
    "source", [gif(), gif(save_all=True, append_images=FRAMES[1:])], ids=["still", "moving"]
)
def test_a_gif_that_ends_inside_a_block_is_rejected(source: bytes, missing: int) -> None:
    assert render(source[:-missing], EVERY, {"it": PNG}).rejected


def test_a_gif_without_a_trailer_and_without_its_last_pixels_is_rejected() -> None:
    """Its blocks are whole, but the last one has too little data."""
    source = gif()
    block = source.index(b"\xff", source.index(b",")) if b"\xff" in source[source.index(b",") :] else 0
    cut = source[: block + 256] + b"\0"
    assert block
    assert render(cut, EVERY, {"it": PNG}).rejected
    assert render(cut + b";", EVERY, {"it": PNG}).rejected


def pdf(body: bytes) -> bytes:
    """Return a PDF of one page of 200 by 100 points. It has no table of its objects: PDFium finds them."""
    page = b"/Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Resources<<>>/Contents 4 0 R"
    parts = (
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<<%s>>" % page,
        b"<</Length %d>>stream\n%s\nendstream" % (len(body), body),
    )  # fmt: skip
    objects = b"".join(b"%d 0 obj%s endobj\n" % (number, part) for number, part in enumerate(parts, 1))
    return b"%PDF-1.4\n" + objects + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF\n"


RED = pdf(b"1 0 0 rg 0 0 100 100 re f")


@pytest.mark.parametrize(
    "before",
    [b"\xef\xbb\xbf", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n", b" " * 1024],
    ids=["BOM", "empty lines", "headers of HTTP", "1,024 bytes"],
)
def test_a_pdf_after_other_bytes_is_drawn(before: bytes) -> None:
    made = opened(rendered(before + RED, PNG, EVERY).content).convert("RGB")
    assert (made.size, made.getpixel((50, 50)), made.getpixel((150, 50))) == (
        (200, 100), (255, 0, 0), (255, 255, 255),
    )  # fmt: skip


def test_a_pdf_after_too_many_bytes_is_rejected() -> None:
    rejected = render(b" " * 1025 + RED, EVERY, {"it": PNG}).rejected
    assert "bytes of no known format" in str(rejected)


def test_a_picture_that_mentions_pdf_is_no_pdf() -> None:
    source = encoded(photo(), "jpeg", comment=b"%PDF-1.4")
    assert render(source, EVERY, {"it": PNG}).original.format == "jpeg"


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILES = {"junk": b"junk" * 500, "cut off": SRGB[:300], "long junk": b"junk" * 20_000}


@pytest.mark.parametrize("profile", ["srgb", "keep"])
@pytest.mark.parametrize("broken", PROFILES)
@pytest.mark.parametrize("file_format", ["jpeg", "webp"])
def test_a_broken_profile_counts_as_none(file_format: Any, broken: str, profile: Any) -> None:
    options: dict[str, Any] = {"quality": 95} if file_format == "jpeg" else {"lossless": True}
    source = encoded(photo(), file_format, icc_profile=PROFILES[broken], **options)
    rendering = render(source, EVERY, {"it": Rendition(format="png", profile=profile)})
    assert [warning.code for warning in rendering.warnings] == ["profile-ignored"]
    made = Image.open(io.BytesIO(rendering.made["it"].content))
    assert "icc_profile" not in made.info
    assert difference(made, opened(source)) < 0.5


def test_a_broken_profile_of_cmyk_counts_as_none() -> None:
    picture = photo().convert("CMYK")
    plain, broken = (
        encoded(picture, "jpeg", quality=95, **more) for more in ({}, {"icc_profile": b"x" * 200})
    )
    assert difference(shown(broken, PNG), shown(plain, PNG)) < 1


def test_a_profile_for_another_colour_space_counts_as_none() -> None:
    source = encoded(photo().convert("L"), "jpeg", quality=95, icc_profile=SRGB)
    picture = encoded(photo().convert("CMYK"), "jpeg", quality=95, icc_profile=SRGB)
    for content in (source, picture):
        (warning,) = render(content, EVERY, {"it": PNG}).warnings
        assert warning.code == "profile-ignored"


def test_a_usable_profile_gives_no_warning() -> None:
    assert render(encoded(photo(), "png", icc_profile=SRGB), EVERY, {"it": PNG}).warnings == ()


def test_a_damaged_jpeg_with_a_broken_profile_is_rejected() -> None:
    """A message about the profile must not hide one about the pixels."""
    source = encoded(photo(), "jpeg", quality=92, icc_profile=b"x" * 200)
    assert render(source, EVERY, {"it": PNG}).rejected is None
    assert render(source[:-30], EVERY, {"it": PNG}).rejected
    assert render(source[:-30] + b"\xff\xd9", EVERY, {"it": PNG}).rejected
