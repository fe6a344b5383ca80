"""GIF files: the check for completeness, and transparency in the palette."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from imaging.pictures import encoded, photo, shown
from renditions.imaging.formats.gif_blocks import check_data, check_end
from renditions.imaging.geometry import Size
from renditions.imaging.probe import Header
from renditions.imaging.render import render
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition

RECIPES = {"thumb": Rendition(width=100, format="png"), "web": Rendition(format="webp")}
HEADER = Header("gif", Size(1, 1), orientation=1, frames=1)


def test_a_gif_with_bytes_after_its_trailer_is_read() -> None:
    assert render(encoded(photo(), "gif") + b"\x00junk", Accept(), RECIPES).rejected is None


def _split_gif(gif: bytes) -> tuple[bytes, bytes]:
    """Return two parts of a GIF.

    The first part is the bytes before the data of the first frame. The second one is that data without
    the sizes of its blocks.
    """
    image = gif.index(b"\x2c", 13 + 3 * 256)
    at = image + 11 + (3 << (gif[image + 9] & 7) + 1 if gif[image + 9] & 0x80 else 0)
    start, data = at, b""
    while gif[at]:
        data += gif[at + 1 : at + 1 + gif[at]]
        at += 1 + gif[at]
    return gif[:start], data


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[:100] + b"\xff" * 40 + data[140:],
        lambda data: data[:100] + bytes(40) + data[140:],
        lambda data: data[:300] + data[310:],
    ],
    ids=["half", "none", "undefined codes", "other codes", "a hole"],
)
def test_a_gif_whose_frame_has_too_few_pixels_is_rejected(spoil: Callable[[bytes], bytes]) -> None:
    """All blocks of the GIF are valid, but their codes give too few pixels."""
    start, data = _split_gif(encoded(photo(), "gif"))

    def joined(data: bytes) -> bytes:
        blocks = (data[at : at + 255] for at in range(0, len(data), 255))
        return start + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0;"

    assert render(joined(data), Accept(), RECIPES).rejected is None
    assert render(joined(spoil(data)), Accept(), RECIPES).rejected


@pytest.mark.parametrize("picture", [photo(40, 30), photo(500, 300).convert("1"), Image.new("RGB", (1, 1))])
def test_valid_gifs_of_many_kinds_are_accepted(picture: Image.Image) -> None:
    options = {"save_all": True, "append_images": [picture.rotate(90), picture.rotate(3)]}
    content = encoded(picture, "gif", **options)
    check_end(content)
    check_data(content, HEADER, 99)
    ours = shown(encoded(picture, "png"), Rendition(format="gif"))
    check_data(encoded(ours, "gif"), HEADER, 1)


def test_the_analysis_finds_a_single_transparent_pixel_of_a_gif() -> None:
    palette = Image.new("P", (900, 900), 3)
    palette.putpixel((5, 5), 7)
    source = encoded(palette, "gif", transparency=7)
    analysis = render(source, Accept(), {}, Analyze(transparency=True)).original.analysis
    assert analysis
    assert analysis.transparency is True
