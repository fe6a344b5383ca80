"""Files with small format errors that lose no pixel, which are accepted.

Damage in the same file is still rejected.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageCms

from imaging.pictures import BEST, difference, encoded, heic, opened, photo, png_chunk, rendered, shown
from renditions.imaging.formats.jpeg import tidied
from renditions.imaging.render import render
from renditions.imaging.vips import Image as VipsImage
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from renditions.model.warning import PictureWarning

PNG = Rendition(format="png")
SMALL = Rendition(width=40, format="png")
EVERY = Accept(formats=("jpeg", "png", "webp", "tiff", "avif", "pdf"))


def by_vips(**options: Any) -> bytes:
    """Return the photo as a JPEG made by libvips' encoder.

    Its tables and scans differ from Pillow's.
    """
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
    """Return the offset of each scan of the JPEG."""
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
def test_a_jpeg_with_a_harmless_format_error_gives_the_same_picture(kind: str, slip: str) -> None:
    source = JPEGS[kind]
    if "JFIF" in slip and b"JFIF\0" not in source:
        source = encoded(photo().convert("L"), "jpeg", quality=80, progressive=True)
    spoiled = SLIPS[slip](source)
    assert spoiled != source
    for recipe in (PNG, SMALL):
        assert shown(spoiled, recipe).tobytes() == shown(source, recipe).tobytes()


@pytest.mark.parametrize("code", [2, 3, 255])
@pytest.mark.parametrize(("kind", "usual"), [("baseline", 1), ("progressive", 1), ("cmyk", 2)])
def test_an_unknown_colour_code_in_an_adobe_marker_is_read_as_ycc(kind: str, usual: int, code: int) -> None:
    """With four components it is read as YCCK."""

    def marked(jpeg: bytes, code: int) -> bytes:
        for name in (b"JFIF", b"Adobe"):
            if (at := jpeg.find(name)) > 0:
                jpeg = jpeg[: at - 4] + jpeg[at - 2 + int.from_bytes(jpeg[at - 2 : at], "big") :]
        return jpeg[:2] + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([code]) + jpeg[2:]

    if code != usual:
        for recipe in (PNG, SMALL):
            wanted = shown(marked(JPEGS[kind], usual), recipe)
            assert shown(marked(JPEGS[kind], code), recipe).tobytes() == wanted.tobytes()
    damaged = marked(JPEGS[kind], code)
    damaged = damaged[: len(damaged) * 2 // 3]
    assert render(damaged, EVERY, {"it": PNG}).rejected


def test_a_jpeg_with_zeros_between_two_scans_gives_the_same_picture() -> None:
    source = JPEGS["progressive"]
    at = source.rindex(b"\xff\xc4", 0, scans(source)[3])
    spoiled = source[:at] + bytes(9) + source[at:]
    assert shown(spoiled, PNG).tobytes() == shown(source, PNG).tobytes()


def ends(jpeg: bytes) -> list[int]:
    """Return the offset after the data of each scan of the JPEG."""
    marker = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
    return [marker.search(jpeg, start + 2).start() for start in scans(jpeg)]  # type: ignore[union-attr]


@pytest.mark.parametrize("stray", [b"\x2a", b"\x17\x2a\x05", b"a comment", b"\xa5" * 32], ids=len)
@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_with_stray_bytes_after_a_scan_gives_the_same_picture(kind: str, stray: bytes) -> None:
    source = JPEGS[kind]
    every = source
    for at in reversed(ends(source)):
        every = every[:at] + stray + every[at:]
        assert shown(source[:at] + stray + source[at:], PNG).tobytes() == shown(source, PNG).tobytes()
    assert shown(every, SMALL).tobytes() == shown(source, SMALL).tobytes()


@pytest.mark.parametrize("kind", ["progressive", "progressive by libvips"])
def test_a_progressive_jpeg_with_stray_bytes_and_damage_is_rejected(kind: str) -> None:
    source = JPEGS[kind]
    at = ends(source)[-1]
    for lost in (20, 200):
        assert render(source[: at - lost] + source[at:], EVERY, {"it": PNG}).rejected
        assert render(source[: at - lost] + b"stray" + source[at:], EVERY, {"it": PNG}).rejected
    assert render(source[:at] + b"\xa5" * 200 + source[at:], EVERY, {"it": PNG}).rejected


@pytest.mark.parametrize("kind", ["progressive", "progressive by libvips"])
def test_a_progressive_jpeg_that_ends_between_two_scans_is_rejected(kind: str) -> None:
    """Each scan in the file is whole. The missing scans would refine the picture."""
    source = JPEGS[kind]
    starts = scans(source)
    assert len(starts) > 2
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


def pdf(body: bytes) -> bytes:
    """Return a PDF of one page of 200 by 100 points.

    The file has no table of its objects. PDFium finds the objects without it.
    """
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
def test_a_pdf_that_begins_after_a_few_other_bytes_is_drawn(before: bytes) -> None:
    made = opened(rendered(before + RED, PNG, EVERY).content).convert("RGB")
    assert (made.size, made.getpixel((50, 50)), made.getpixel((150, 50))) == (
        (200, 100), (255, 0, 0), (255, 255, 255),
    )  # fmt: skip


@pytest.mark.parametrize("after", [b"\n" * 3000, b"<script>track()</script>\n" * 200, bytes(5000)])
def test_a_pdf_that_is_followed_by_other_bytes_is_drawn(after: bytes) -> None:
    made = opened(rendered(RED + after, PNG, EVERY).content).convert("RGB")
    assert made.getpixel((50, 50)) == (255, 0, 0)


def test_a_pdf_that_ends_within_its_latest_changes_is_rejected() -> None:
    """The end mark of the first version comes before the objects of the second one."""
    changed = RED + b"9 0 obj<</Length 2000>>stream\n" + b" " * 1500
    assert "the PDF ends before its %%EOF mark" in str(render(changed, EVERY, {"it": PNG}).rejected)


def test_a_pdf_that_begins_after_more_than_1024_other_bytes_is_rejected() -> None:
    rejected = render(b" " * 1025 + RED, EVERY, {"it": PNG}).rejected
    assert "not a picture in a known format" in str(rejected)


def test_a_picture_that_contains_the_signature_of_a_pdf_is_not_read_as_a_pdf() -> None:
    source = encoded(photo(), "jpeg", comment=b"%PDF-1.4")
    assert render(source, EVERY, {"it": PNG}).original.format == "jpeg"


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILES = {"junk": b"junk" * 500, "cut off": SRGB[:300], "long junk": b"junk" * 20_000}


@pytest.mark.parametrize("profile", ["srgb", "keep"])
@pytest.mark.parametrize("broken", PROFILES)
@pytest.mark.parametrize("file_format", ["jpeg", "webp", "png", "tiff", "avif"])
def test_a_broken_profile_is_ignored_with_a_warning(file_format: Any, broken: str, profile: Any) -> None:
    options = BEST.get(file_format, {})
    source = encoded(photo(), file_format, icc_profile=PROFILES[broken], **options)
    rendering = render(source, EVERY, {"it": Rendition(format="png", profile=profile)})
    assert [warning.code for warning in rendering.warnings] == ["profile-ignored"]
    made = Image.open(io.BytesIO(rendering.made["it"].content))
    assert "icc_profile" not in made.info
    assert difference(made, opened(source)) < 0.5


def test_a_broken_profile_of_a_cmyk_picture_is_ignored() -> None:
    picture = photo().convert("CMYK")
    plain, broken = (
        encoded(picture, "jpeg", quality=95, **more) for more in ({}, {"icc_profile": b"x" * 200})
    )
    assert difference(shown(broken, PNG), shown(plain, PNG)) < 1


@pytest.mark.parametrize("profile", ["srgb", "keep"])
@pytest.mark.parametrize("file_format", ["jpeg", "webp", "tiff", "avif", "heic"])
def test_a_profile_for_lab_in_an_rgb_picture_is_ignored_with_a_warning(
    file_format: str, profile: Any
) -> None:
    """Such a profile has as many channels as RGB."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

    def encode(**options: Any) -> bytes:
        if file_format == "heic":
            return heic(photo(), **options)
        return encoded(photo(), file_format, **BEST.get(file_format, {}), **options)

    recipe = Rendition(format="png", profile=profile)
    accept = replace(EVERY, formats=(*EVERY.formats, "heic"))
    source = encode(icc_profile=lab)
    (warning,) = render(source, accept, {"it": recipe}).warnings
    assert warning.code == "profile-ignored"
    made = opened(rendered(source, recipe, accept).content)
    assert "icc_profile" not in made.info
    assert difference(made, shown(encode(), PNG)) < 1


def test_a_profile_for_another_colour_space_is_ignored_with_a_warning() -> None:
    for mode in ("L", "CMYK"):
        source = encoded(photo().convert(mode), "jpeg", quality=95, icc_profile=SRGB)
        (warning,) = render(source, EVERY, {"it": PNG}).warnings
        assert warning.code == "profile-ignored"
    (same,) = render(encoded(photo().convert("L"), "png", icc_profile=SRGB), EVERY, {"it": PNG}).warnings
    assert same == PictureWarning(
        "profile-ignored", "the colour profile can't be used, so the colours count as sRGB"
    )


def with_chunks(*chunks: bytes) -> bytes:
    """Return the photo as a PNG with these chunks after its header."""
    source = encoded(photo(), "png")
    return source[:33] + b"".join(chunks) + source[33:]


LINEAR = png_chunk(b"gAMA", (100_000).to_bytes(4, "big"))


@pytest.mark.parametrize("data", [b"x\0\0not compressed", b"x\0\0" + zlib.compress(b"junk"), b"x", b""])
def test_the_gamma_of_a_png_is_applied_if_its_profile_can_not_be_read(data: bytes) -> None:
    broken = png_chunk(b"iCCP", data)
    rendering = render(with_chunks(broken, LINEAR), EVERY, {"it": PNG})
    (warning,) = rendering.warnings
    assert warning == PictureWarning(
        "profile-ignored",
        "the colour profile can't be used, so the colours are read as the rest of the file declares them",
    )
    made = rendering.made["it"].content
    assert made == rendered(with_chunks(LINEAR), PNG).content
    assert made != rendered(with_chunks(), PNG).content


def test_the_gamma_of_a_png_is_ignored_if_its_profile_is_usable() -> None:
    source = with_chunks(png_chunk(b"iCCP", b"x\0\0" + zlib.compress(SRGB)), LINEAR)
    assert difference(shown(source, PNG), photo()) < 0.5


def test_a_usable_profile_causes_no_warning() -> None:
    assert render(encoded(photo(), "png", icc_profile=SRGB), EVERY, {"it": PNG}).warnings == ()


def test_a_damaged_jpeg_with_a_broken_profile_is_rejected() -> None:
    """A message about the profile must not hide a message about the pixels."""
    source = encoded(photo(), "jpeg", quality=92, icc_profile=b"x" * 200)
    assert render(source, EVERY, {"it": PNG}).rejected is None
    assert render(source[:-30], EVERY, {"it": PNG}).rejected
    assert render(source[:-30] + b"\xff\xd9", EVERY, {"it": PNG}).rejected


def test_a_jpeg_whose_height_follows_its_pixels_is_not_reported_as_damage() -> None:
    """The marker DNL gives the height (T.81, B.2.5)."""
    jpeg = encoded(photo(), "jpeg")
    at = jpeg.index(b"\xff\xc0") + 5
    end = jpeg.rindex(b"\xff\xd9")
    late = jpeg[:at] + b"\0\0" + jpeg[at + 2 : end] + b"\xff\xdc\0\x04" + jpeg[at : at + 2] + jpeg[end:]
    assert str(render(late, EVERY, {"it": PNG}).rejected).startswith(
        "this way to store pixels isn't supported"
    )
