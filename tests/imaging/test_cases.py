"""Small files of kinds that programs have drawn wrongly.

The tables have the picture that each file must give, or the reason why it must be rejected. The expected
values were found with Chromium, Pillow, ImageMagick, ffmpeg and exiftool. ``cases/README.md`` says what is
unusual about each file.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from imaging.pictures import difference, opened, pixels
from renditions.imaging.probe import sniff
from renditions.imaging.render import render
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering

CASES = Path(__file__).with_name("cases")
EVERY = Accept(formats=tuple(SOURCE_FORMATS))
PNG = Rendition(format="png")
Point = tuple[int, int]
Colour = tuple[int, ...]
RED, LIME, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
CORNERS: dict[Point, Colour] = {(20, 20): RED, (300, 20): LIME, (20, 220): BLUE}
"""Three corners of the chart of 320 by 240 pixels that many of the files show."""


@dataclass(frozen=True)
class Right:
    """The expected result of a file."""

    size: Point
    colours: dict[Point, Colour] = field(default_factory=dict)
    """The colours of pixels, red, green and blue, or with alpha."""
    warnings: tuple[str, ...] = ()
    frames: int = 1


MADE = {
    "animated.png": Right((120, 80), {(15, 34): RED, (80, 34): (30, 30, 30)}, frames=6),
    "bom.pdf": Right((200, 100), {(5, 95): RED, (5, 5): WHITE}),
    "broken_icc.jpg": Right((64, 48), {(0, 0): (0, 1, 124), (32, 24): (129, 119, 128)}, ("profile-ignored",)),
    "cjk.jpg": Right((320, 240), CORNERS),
    "css_import.svg": Right((10, 10), {(5, 5): (*RED, 255)}, ("reference-dropped",)),
    "download.jfif": Right((320, 240), CORNERS),
    "embed_gif.svg": Right((80, 80), {(5, 5): (204, 204, 204), (40, 40): (200, 30, 30)}),
    "fax.tif": Right((1728, 2244), {(864, 10): WHITE}),
    "float01_grey.tif": Right((320, 240), {(20, 20): (76,) * 3, (300, 20): (149,) * 3, (20, 220): (29,) * 3}),
    "illustrator.svg": Right((100, 60), {(20, 20): (*BLUE, 255), (80, 30): (0, 0, 0, 0)}),
    "jfif_0_00.jpg": Right((320, 240), CORNERS),
    "line.png": Right((8000, 2)),
    "long_comment.svg": Right((100, 60), {(20, 20): (*BLUE, 255), (80, 30): (0, 0, 0, 0)}),
    "lossless_sof3.jpg": Right((320, 240), CORNERS),
    "mermaid.svg": Right((200, 80), {(100, 40): (236, 236, 255, 255)}, ("html-dropped",)),
    "no_eoi.jpg": Right((320, 240), CORNERS),
    "no_trailer.gif": Right((60, 40), {(5, 5): RED}, frames=2),
    "p3.avif": Right((64, 64), {(32, 32): (200, 100, 50)}),
    "percent_no_viewbox.svg": Right((300, 150), {(100, 75): (0, 128, 0, 255), (250, 75): (0, 0, 0, 0)}),
    "pq.png": Right((64, 64), {(32, 32): (200, 100, 50)}),
    "reduced_page_first.tif": Right((320, 240), CORNERS),
    "rich.jpg": Right((240, 320), {(220, 20): RED, (220, 300): LIME, (20, 20): BLUE}),
    "scan_a4_300dpi.tif": Right((2480, 3508), {(2400, 1700): WHITE}),
    "svg_text.svg": Right((400, 100), {(390, 10): (255, 238, 170)}),
    "width_only.svg": Right((200, 150), {(100, 75): (0, 128, 0, 255), (10, 140): (0, 0, 0, 0)}),
}
REJECTED = {
    "raw.dng": "camera RAW isn't accepted. Convert the picture to jpeg",
    "zero_area_page.pdf": "the page has no area: its size is 0 by 0 points",
}


def read(name: str) -> bytes:
    return (CASES / name).read_bytes()


def made_of(name: str, recipe: Rendition) -> tuple[Image.Image, Rendering]:
    rendering = render(read(name), EVERY, {"it": recipe})
    assert rendering.rejected is None
    return opened(rendering.made["it"].content), rendering


def on_grey(picture: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", picture.size, "grey")
    ground.alpha_composite(picture.convert("RGBA"))
    return ground


def test_each_test_file_has_an_expected_result() -> None:
    assert {path.name for path in CASES.iterdir()} - {"README.md"} == MADE.keys() | REJECTED.keys()


@pytest.mark.parametrize("name", MADE)
def test_each_file_gives_a_picture_of_the_expected_size_with_the_expected_colours_and_warnings(
    name: str,
) -> None:
    right = MADE[name]
    picture, rendering = made_of(name, PNG)
    assert picture.size == right.size
    assert rendering.original.frames == right.frames
    assert tuple(warning.code for warning in rendering.warnings) == right.warnings
    for at, colour in right.colours.items():
        found = pixels(picture, "RGB" if len(colour) == 3 else "RGBA")[at[1], at[0]]
        assert np.abs(found - colour).max() <= 3, (at, found)


@pytest.mark.parametrize("name", [name for name in MADE if name != "line.png"])
def test_a_small_rendition_is_similar_to_the_reduced_full_size_rendition(name: str) -> None:
    whole, _ = made_of(name, PNG)
    small, _ = made_of(name, Rendition(format="png", width=max(whole.width // 4, 5)))
    expected = whole.convert("RGBA").resize(small.size, Image.Resampling.LANCZOS)
    assert difference(on_grey(small), on_grey(expected)) < 4


@pytest.mark.parametrize("name", REJECTED)
def test_each_unusable_file_is_rejected_with_the_expected_reason(name: str) -> None:
    rendering = render(read(name), EVERY, {"it": PNG})
    assert REJECTED[name] in str(rendering.rejected)
    assert rendering.made == {}


@pytest.mark.parametrize("name", [*MADE, *REJECTED])
def test_the_suffix_of_each_file_except_camera_raw_belongs_to_its_format(name: str) -> None:
    content_format = sniff(read(name)) or ""
    facts = SOURCE_FORMATS.get(content_format, SOURCE_FORMATS["tiff"])
    assert Path(name).suffix[1:] in facts.suffixes or content_format == "camera RAW"


def test_the_text_of_a_drawing_is_drawn_as_letters_and_not_as_empty_boxes() -> None:
    """Chromium 156 draws the text in rows 30 to 60 and columns 14 to 273."""
    picture, _ = made_of("svg_text.svg", PNG)
    dark = np.asarray(picture.convert("L")) < 128
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    assert (rows[0], rows[-1] + 1) == pytest.approx((30, 60), abs=1)
    assert (columns[0], columns[-1] + 1) == pytest.approx((14, 273), abs=1)
    # An empty box has two strokes in each of its inner rows. Letters have other numbers of strokes.
    assert len({int(np.diff(row.astype(int)).clip(0).sum()) for row in dark[rows[0] : rows[-1]]}) > 4


@pytest.mark.parametrize("name", ["percent_no_viewbox.svg", "width_only.svg"])
def test_a_drawing_without_a_view_box_is_scaled_to_the_requested_width(name: str) -> None:
    picture, _ = made_of(name, Rendition(format="png", width=2 * MADE[name].size[0]))
    assert picture.size == tuple(2 * side for side in MADE[name].size)
    assert picture.convert("RGBA").getpixel((350, 250)) == (0, 128, 0, 255)


def test_a_picture_with_a_broken_profile_keeps_its_colours() -> None:
    picture, _ = made_of("broken_icc.jpg", PNG)
    assert difference(picture, Image.open(io.BytesIO(read("broken_icc.jpg")))) < 1


def test_a_picture_two_pixels_high_can_be_cropped_and_enlarged() -> None:
    recipe = Rendition(format="png", width=400, height=400, fit="cover", gravity="attention", enlarge=True)
    picture, _ = made_of("line.png", recipe)
    assert picture.size == (400, 400)


def test_a_scan_becomes_a_page_of_its_own_size_or_of_the_declared_size() -> None:
    for recipe, size in (
        (Rendition(format="pdf"), (595, 842)),
        (Rendition(format="pdf", page_size="a5"), (420, 595)),
    ):
        made = render(read("scan_a4_300dpi.tif"), EVERY, {"it": recipe}).made["it"].content
        with pypdfium2.PdfDocument(made) as document:
            page = document[0]
            assert (round(page.get_width()), round(page.get_height())) == size


def test_an_animated_gif_that_lacks_its_trailer_keeps_its_frames() -> None:
    picture, _ = made_of("no_trailer.gif", Rendition(format="webp", animation="keep"))
    assert getattr(picture, "n_frames", 1) == 2


def test_an_animated_png_causes_a_warning_if_the_rendition_keeps_frames() -> None:
    _, rendering = made_of("animated.png", Rendition(format="webp", animation="keep"))
    assert [warning.code for warning in rendering.warnings] == ["animation-dropped"]
