"""Pictures of encoders that share at most one library with the decoders here.

avifenc and exiftool run in the tests. ``others/README.md`` says how the other
files were made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from imaging.encoders import by_avifenc, by_exiftool, needs_avifenc, needs_exiftool, read_by_exiftool
from imaging.pictures import difference, encoded, opened, photo, pixels, rendered, shown
from imaging.test_declared_colours import COLOURS, SPACES, coded, found, png
from renditions.imaging.render import render
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Region, Rendition

OTHERS = Path(__file__).with_name("others")
EVERY = Accept(formats=tuple(SOURCE_FORMATS))
PNG = Rendition(format="png")
CHART = ((200, 100, 50), (40, 160, 70), (30, 60, 180), (230, 220, 120))
ANIMATED = Rendition(format="webp", animation="keep", lossless=True)


def read(name: str) -> bytes:
    return (OTHERS / name).read_bytes()


def quarters_of(picture: Image.Image) -> Any:
    """Return the colours in the middle of the four quarters."""
    middles = ((1, 1), (3, 1), (1, 3), (3, 3))
    width, height = picture.size
    return [picture.convert("RGB").getpixel((width * x // 4, height * y // 4)) for x, y in middles]


def is_chart(picture: Image.Image, *, most: float = 3) -> bool:
    return bool(np.abs(np.subtract(quarters_of(picture), CHART)).max() <= most)


def refusal(content: bytes, recipe: Rendition = PNG) -> str:
    rendering = render(content, EVERY, {"it": recipe})
    assert rendering.made == {}
    return str(rendering.rejected)


def warnings_of(content: bytes, recipe: Rendition) -> list[str]:
    return [warning.code for warning in render(content, EVERY, {"it": recipe}).warnings]


# Declared colours


@needs_avifenc
@pytest.mark.parametrize("space", SPACES)
def test_colours_that_avifenc_declares_become_srgb(space: str) -> None:
    primaries, transfer, *_ = SPACES[space]
    made = by_avifenc(png(coded(space)), cicp=f"{primaries}/{transfer}/6", options=("--depth", "10"))
    assert np.abs(found(shown(made, PNG)) - COLOURS).max() <= 4


@needs_avifenc
def test_colours_that_are_stored_in_a_limited_range_become_srgb() -> None:
    options = ("--depth", "10", "--range", "limited")
    made = by_avifenc(png(coded("pq")), cicp="9/16/9", options=options)
    assert np.abs(found(shown(made, PNG)) - COLOURS).max() <= 5


@pytest.mark.parametrize(
    "name",
    [
        "ffmpeg_pq.avif", "ffmpeg_p3.avif", "ffmpeg_linear.png", "tifffile_half.tif", "tifffile_signed.tif",
        "tifffile_32_bits.tif",
    ],
)  # fmt: skip
def test_declared_colours_and_samples_of_other_encoders_become_srgb(name: str) -> None:
    assert is_chart(shown(read(name), PNG))


def test_a_tiff_with_complex_samples_is_rejected() -> None:
    assert "samples" in refusal(read("tifffile_complex.tif"))


@needs_avifenc
@pytest.mark.parametrize("missing", [20, 200])
def test_a_truncated_wide_gamut_avif_is_rejected(missing: int) -> None:
    assert refusal(by_avifenc(encoded(photo(), "png"), cicp="12/13/6")[:-missing])


# Which of a file's pictures is shown


@pytest.mark.parametrize("name", ["tifffile_preview_first.tif", "tifffile_pyramid.tif"])
def test_the_full_size_page_of_a_tiff_with_reduced_pages_is_shown(name: str) -> None:
    rendering = render(read(name), EVERY, {"it": PNG})
    assert rendering.original.frames == 1
    made = opened(rendering.made["it"].content)
    assert made.size == (64, 48)
    assert is_chart(made)


@pytest.mark.parametrize(("name", "frames"), [("ffmpeg_animated.png", 5), ("gifsicle_animated.gif", 2)])
def test_the_record_of_an_animation_has_the_number_of_its_frames(name: str, frames: int) -> None:
    assert render(read(name), EVERY, {"it": PNG}).original.frames == frames


@needs_avifenc
def test_the_frames_of_an_avif_sequence_are_counted_and_the_first_frame_is_shown() -> None:
    frames = [encoded(Image.new("RGB", (64, 48), colour), "png") for colour in CHART[:3]]
    rendering = render(by_avifenc(*frames), EVERY, {"it": ANIMATED})
    assert rendering.original.frames == 3
    assert [warning.code for warning in rendering.warnings] == ["animation-dropped"]
    shows = np.asarray(opened(rendering.made["it"].content).convert("RGB"))[20, 20]
    assert np.abs(shows - np.array(CHART[0])).max() <= 3


def test_the_tiles_of_an_avif_form_one_picture() -> None:
    made = shown(read("avifenc_grid.avif"), PNG)
    assert made.size == (128, 64)
    assert is_chart(made)
    assert refusal(read("avifenc_grid.avif")[:-60])


def test_the_reason_for_rejecting_a_camera_raw_of_another_program_names_camera_raw() -> None:
    assert "camera RAW isn't accepted" in refusal(read("tifffile_raw.tif"))


# Bands and pixels


def test_a_spot_colour_in_a_cmyk_tiff_is_not_read_as_alpha() -> None:
    inks = np.zeros((2, 2, 4), "uint8")
    inks[..., :3] = 255 - np.array(CHART).reshape(2, 2, 3)
    whole = Image.fromarray(inks.repeat(24, 0).repeat(32, 1), "CMYK")
    made = shown(read("tifffile_inks.tif"), PNG)
    assert made.mode == "RGB"
    assert difference(made, shown(encoded(whole, "tiff"), PNG)) < 1


def test_a_tiff_with_wide_pixels_gives_a_picture_with_square_pixels() -> None:
    made = shown(read("tifffile_wide_pixels.tif"), PNG)
    assert made.size == (128, 96)
    assert is_chart(made)


def test_the_canvas_around_a_small_gif_frame_is_transparent() -> None:
    alpha = pixels(shown(read("gifsicle_offset.gif"), PNG), "RGBA")[..., 3]
    assert (alpha[5:25, 10:30] == 255).all()
    assert alpha.sum() == 255 * 20 * 20


def test_a_small_rendition_of_a_lossless_jpeg_shows_the_whole_picture() -> None:
    made = shown(read("liblj92_lossless.jpg"), Rendition(format="png", width=16))
    assert np.abs(np.subtract(quarters_of(made), [[colour[1]] * 3 for colour in CHART])).max() <= 3


def test_a_lossless_jpeg_of_nine_bits_is_rejected() -> None:
    assert "precision 9" in refusal(read("ffmpeg_lossless.jpg"))


# Drawings


@pytest.mark.parametrize(
    ("name", "size", "ground"),
    [("graphviz.svg", (108, 175), (255, 238, 170)), ("gnuplot.svg", (300, 200), None)],
)
def test_drawings_from_other_programs_are_drawn_with_their_texts(
    name: str, size: tuple[int, int], ground: Any
) -> None:
    made = shown_with(read(name), PNG)
    assert made.size == size
    assert ground is None or made.convert("RGB").getpixel((20, 20)) == ground
    without_text = re.sub(rb"<text.*?</text>", b"", read(name), flags=re.DOTALL)
    plain = shown_with(without_text, PNG)
    assert difference(made, plain, "RGBA") > 0.5
    assert warnings_of(read(name), PNG) == []


def shown_with(content: bytes, recipe: Rendition) -> Image.Image:
    return opened(rendered(content, recipe, EVERY).content)


def test_a_drawing_from_another_program_is_rejected_if_it_contains_scripts() -> None:
    assert "the drawing contains a script" in refusal(read("gnuplot_mouse.svg"))


# Metadata

NAMES = ("Иванов & Müller", "山田太郎")
WRITTEN = (
    "-codedcharacterset=utf8", "-charset", "exif=utf8", "-EXIF:GPSLatitude=52", "-EXIF:GPSLatitudeRef=N",
    "-EXIF:Orientation#=6", "-XMP-tiff:Orientation#=6", "-XMP-exif:GPSLatitude=52",
    f"-EXIF:Artist={NAMES[0]}", f"-EXIF:Copyright={NAMES[1]}", f"-XMP-dc:Creator={NAMES[0]}",
    f"-XMP-dc:Rights={NAMES[1]}",
)  # fmt: skip
IPTC = (f"-IPTC:By-line={NAMES[0]}", f"-IPTC:CopyrightNotice={NAMES[1]}")
PREVIEW = encoded(photo(80, 60), "jpeg")
HOLDERS: dict[str, tuple[str, ...]] = {
    "jpg": (*WRITTEN, *IPTC, "-IFD1:ThumbnailImage<=preview", "-Photoshop:PhotoshopThumbnail<=preview"),
    "png": WRITTEN,
    "webp": WRITTEN,
    "tif": (*WRITTEN, *IPTC),
}
FORMATS = {"jpg": "jpeg", "png": "png", "webp": "webp", "tif": "tiff"}


@needs_exiftool
@pytest.mark.parametrize("suffix", HOLDERS)
@pytest.mark.parametrize("policy", ["none", "copyright", "all"])
def test_names_that_exiftool_wrote_follow_the_metadata_policy_and_previews_are_removed(
    suffix: str, policy: Any
) -> None:
    plain = encoded(photo(), FORMATS[suffix])
    source = by_exiftool(plain, suffix, *HOLDERS[suffix], preview=PREVIEW)
    names = (
        "EXIF:Artist",
        "EXIF:Copyright",
        "XMP:Creator",
        "XMP:Rights",
        "IPTC:By-line",
        "IPTC:CopyrightNotice",
    )
    written = read_by_exiftool(source, *names)
    assert set(written) == set(NAMES)
    recipe = Rendition(format="jpeg", metadata=policy, crop=Region(width=50, height=50))
    made = rendered(source, recipe).content
    assert read_by_exiftool(made, *names) == (written if policy != "none" else [])
    assert read_by_exiftool(made, "ThumbnailImage", "PhotoshopThumbnail") == []
    assert set(read_by_exiftool(made, "Orientation")) <= {"Horizontal (normal)"}
    assert bool(read_by_exiftool(made, "GPSLatitude")) == (policy == "all")


@needs_exiftool
def test_a_jpeg_that_ends_within_its_metadata_is_rejected() -> None:
    source = by_exiftool(encoded(photo(), "jpeg"), "jpg", *HOLDERS["jpg"], preview=PREVIEW)
    assert refusal(source[: source.index(b"Photoshop 3.0")])


# Tolerance


def with_stray_bytes(jpeg: bytes) -> bytes:
    at = jpeg.rindex(b"\xff\xda")
    return jpeg[:at] + b"\x12\x34" + jpeg[at:]


SLIPS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "cjpeg without an end mark": ("cjpeg.jpg", lambda jpeg: jpeg[:-2]),
    "cjpeg with stray bytes": ("cjpeg_progressive.jpg", with_stray_bytes),
    "cjpeg with stray bytes and zeros for the end mark": (
        "cjpeg_progressive.jpg",
        lambda jpeg: with_stray_bytes(jpeg)[:-2] + bytes(9),
    ),
    "cjpeg with 13 scans and no end mark": ("cjpeg_13_scans.jpg", lambda jpeg: jpeg[:-2]),
    "ffmpeg without an end mark": ("ffmpeg.jpg", lambda jpeg: jpeg[:-2]),
    "gifsicle without a trailer": ("gifsicle_animated.gif", lambda gif: gif.removesuffix(b";")),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_file_with_a_format_error_that_loses_no_pixel_gives_the_same_picture(slip: str) -> None:
    name, spoil = SLIPS[slip]
    spoiled = spoil(read(name))
    assert spoiled != read(name)
    assert shown(spoiled, PNG).tobytes() == shown(read(name), PNG).tobytes()


@pytest.mark.parametrize("name", ["cjpeg.jpg", "cjpeg_progressive.jpg", "cjpeg_13_scans.jpg", "ffmpeg.jpg"])
def test_a_jpeg_that_lost_pixels_is_rejected(name: str) -> None:
    assert "the file ends too early" in refusal(read(name)[:-20])


# Limits


def test_a_picture_two_pixels_high_can_be_enlarged_and_cropped() -> None:
    recipe = Rendition(format="png", width=300, height=300, fit="cover", gravity="attention", enlarge=True)
    assert shown(read("ffmpeg_line.png"), recipe).size == (300, 300)


def test_a_jpeg_of_97_scans_is_read_and_a_jpeg_of_more_than_100_scans_is_rejected() -> None:
    source = read("cjpeg_97_scans.jpg")
    assert is_chart(shown(source, PNG))
    last = source[source.rindex(b"\xff\xda") : -2]
    assert "more than the 100 that are allowed" in refusal(source[:-2] + 4 * last + b"\xff\xd9")


# Warnings, and the size of pages


def test_a_warning_is_given_if_frames_of_an_animation_are_left_out() -> None:
    assert warnings_of(read("ffmpeg_animated.png"), ANIMATED) == ["animation-dropped"]
    assert warnings_of(read("gifsicle_animated.gif"), ANIMATED) == []


def test_a_warning_is_given_for_characters_that_the_font_lacks() -> None:
    drawing = read("graphviz.svg").replace(b">weiter<", ">山<".encode())
    assert warnings_of(drawing, PNG) == ["glyph-missing"]


@pytest.mark.parametrize("name", ["ffmpeg_page.tif", "tiffcp_fax.tif"])
def test_a_pdf_page_has_the_size_on_paper_of_its_source(name: str) -> None:
    made = rendered(read(name), Rendition(format="pdf")).content
    assert (b"CCITTFaxDecode" in made) == (name == "tiffcp_fax.tif")
    with pypdfium2.PdfDocument(made) as document:
        page = document[0]
        assert (round(page.get_width()), round(page.get_height())) == (595, 842)


def test_a_page_without_an_area_is_rejected() -> None:
    made = rendered(read("tiffcp_fax.tif"), Rendition(format="pdf")).content
    spoiled = re.sub(rb"/MediaBox", b"/CropBox [900 900 999 999] /MediaBox", made)
    assert spoiled != made
    assert "the page has no area" in refusal(spoiled)
