"""GIF files: complete ones, ones that end early, and transparency in the palette."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from imaging.pictures import encoded, photo, rendered, shown
from renditions.imaging.formats.gif_blocks import check_data, check_end, frames_in
from renditions.imaging.geometry import Size
from renditions.imaging.probe import Header
from renditions.imaging.render import render
from renditions.imaging.vips import Image as VipsImage
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition

RECIPES = {"thumb": Rendition(width=100, format="png"), "web": Rendition(format="webp")}
PNG = Rendition(format="png")
FRAMES = [photo(60, 40), photo(60, 40).rotate(90), photo(60, 40).rotate(180)]
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


def gif(**options: Any) -> bytes:
    return encoded(FRAMES[0], "gif", **options)


def gif_by_vips() -> bytes:
    pixels = FRAMES[0]
    image = VipsImage.new_from_memory(pixels.tobytes(), pixels.width, pixels.height, 3, "uchar")
    return bytes(image.copy(interpretation="srgb").gifsave_buffer(dither=0))


@pytest.mark.parametrize("source", [gif(), gif(interlace=0), gif_by_vips()])
def test_a_gif_without_a_trailer_gives_the_same_picture(source: bytes) -> None:
    assert source.endswith(b"\0;")
    assert shown(source[:-1], PNG).tobytes() == shown(source, PNG).tobytes()


def test_an_animated_gif_without_a_trailer_keeps_every_frame() -> None:
    source = gif(save_all=True, append_images=FRAMES[1:], duration=100)
    made = shown(source[:-1], Rendition(format="webp", animation="keep"))
    assert made.n_frames == len(FRAMES)  # type: ignore[attr-defined] # of an animation alone


GIFS = {
    "still": gif(),
    "moving": gif(save_all=True, append_images=FRAMES[1:], duration=100),
    "vips": gif_by_vips(),
}
MOVING = Rendition(format="webp", animation="keep")


@pytest.mark.parametrize("kind", GIFS)
def test_a_gif_that_ends_after_its_last_pixel_gives_the_same_picture_as_the_complete_file(kind: str) -> None:
    """The trailer and the end of the frame's blocks are missing.

    The last byte of the data may be missing too.
    """
    source = GIFS[kind]
    for missing in (2, 3):
        made = rendered(source[:-missing], MOVING).content
        assert made == rendered(source, MOVING).content


@pytest.mark.parametrize("missing", [4, 5, 9, 40])
@pytest.mark.parametrize("kind", GIFS)
def test_a_gif_that_ends_before_its_last_pixel_is_rejected(kind: str, missing: int) -> None:
    assert render(GIFS[kind][:-missing], Accept(), {"it": PNG}).rejected


def test_a_gif_that_ends_between_two_blocks_is_rejected_unless_all_its_pixels_are_present() -> None:
    source = encoded(photo(300, 200), "gif")
    data = next(frames_in(source)).start
    sizes = []
    while source[data]:
        sizes.append(data)
        data += 1 + source[data]
    assert len(sizes) > 3
    for at in sizes[1:]:
        for cut in (source[:at], source[: at + 1]):
            assert render(cut, Accept(), {"it": PNG}).rejected
    assert shown(source[:data], PNG).tobytes() == shown(source, PNG).tobytes()


def test_a_gif_without_a_trailer_whose_last_run_is_too_long_shows_all_its_pixels() -> None:
    """Browsers ignore the surplus pixels of a run."""
    # The codes have 3 bits: clear, 1, and the runs 6 and 7, which are two and three more pixels of colour 1.
    codes = sum(code << 3 * at for at, code in enumerate((4, 1, 6, 7)))
    head = b"GIF89a\x05\0\x01\0\xf0\0\0" + b"\0\0\0\xff\0\0"
    whole = head + b",\0\0\0\0\x05\0\x01\0\0\x02\x02" + codes.to_bytes(2, "little") + b"\0"
    for content in (whole + b";", whole, whole[:-1]):
        assert shown(content, PNG).convert("RGB").tobytes() == b"\xff\0\0" * 5


@pytest.mark.parametrize("extension", [b"!\xfe\x20a comment", b"!\xff\x0bXMP DataXMP<x", b"!", b"!\xfe"])
def test_a_gif_that_ends_inside_a_comment_or_metadata_gives_the_same_picture(extension: bytes) -> None:
    source = gif()
    assert shown(source[:-1] + extension, PNG).tobytes() == shown(source, PNG).tobytes()


@pytest.mark.parametrize(
    "end", [b"!\xf9\x04\0\0\0\0\0", b"!\xf9\x04\0", b",\0\0\0\0", b",\0\0\0\0\x3c\0\x28\0\0\x08"]
)
def test_a_gif_that_ends_inside_the_header_of_another_frame_is_rejected(end: bytes) -> None:
    assert render(gif()[:-1] + end, Accept(), {"it": PNG}).rejected


def test_a_gif_without_a_trailer_and_without_its_last_pixels_is_rejected() -> None:
    """The blocks in the file are whole, but later blocks are missing."""
    source = gif()
    block = source.index(b"\xff", source.index(b",")) if b"\xff" in source[source.index(b",") :] else 0
    cut = source[: block + 256] + b"\0"
    assert block
    assert render(cut, Accept(), {"it": PNG}).rejected
    assert render(cut + b";", Accept(), {"it": PNG}).rejected
