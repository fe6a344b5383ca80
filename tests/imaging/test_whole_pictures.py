"""Lossless JPEGs, GIFs with small frames, and the number of frames in a record."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaging.pictures import difference, encoded, opened, photo, pixels, png_chunk, rendered, shown
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

PNG = Rendition(format="png")


def lossless_jpeg(picture: Image.Image) -> bytes:
    """Return a grey or RGB picture as a lossless JPEG.

    It uses the first predictor (ITU-T T.81, annex H).
    """
    values = pixels(picture, picture.mode).reshape(picture.height, picture.width, -1).astype(int)
    predicted = np.empty_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 128
    bits = []
    for change in (values - predicted).ravel().tolist():
        size = abs(change).bit_length()
        # Each of the 17 sizes has a code of 5 bits.
        bits.append(f"{size:05b}")
        if size:
            bits.append(f"{change if change > 0 else change + (1 << size) - 1:0{size}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    count = values.shape[2]
    parts = [(number, 0x11, 0) for number in range(1, count + 1)]

    def segment(marker: int, data: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data

    frame = struct.pack(">BHHB", 8, picture.height, picture.width, count) + b"".join(map(bytes, parts))
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])
    scanned = bytes([count, *(each for number, _, _ in parts for each in (number, 0)), 1, 0, 0])
    adobe = segment(0xEE, b"Adobe\0\x64\0\0\0\0\0") if count == 3 else b""
    header = adobe + segment(0xC3, frame) + segment(0xC4, table) + segment(0xDA, scanned)
    return b"\xff\xd8" + header + scan + b"\xff\xd9"


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("width", [20, 40, 80, 320])
def test_renditions_of_a_lossless_jpeg_show_the_whole_picture(mode: str, width: int) -> None:
    picture = photo().convert(mode)
    made = shown(lossless_jpeg(picture), Rendition(format="png", width=width))
    wanted = picture.resize((width, width * 3 // 4), Image.Resampling.LANCZOS)
    assert difference(made, wanted, mode) < 2


def test_a_truncated_lossless_jpeg_is_rejected() -> None:
    source = lossless_jpeg(photo())
    assert render(source[: len(source) // 2], Accept(), {"it": Rendition(width=20)}).rejected


WIDTH, HEIGHT = 8, 6
RED, GREEN, BLUE = 1, 2, 3
_Image = tuple[int, int, int, int, int, int]
"""Left, top, width, height, colour and disposal of a frame."""


def gif(*frames: _Image, transparent: int | None = None) -> bytes:
    """Return a GIF of one-coloured frames whose background colour is red."""
    palette = bytes([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    content = b"GIF89a" + struct.pack("<HHBBB", WIDTH, HEIGHT, 0x81, RED, 0) + palette
    for left, top, width, height, colour, disposal in frames:
        flags = disposal << 2 | (transparent is not None)
        content += b"\x21\xf9\x04" + struct.pack("<BHB", flags, 10, transparent or 0) + b"\0"
        content += b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0)
        # A clear code (4) before each pixel keeps all codes at 3 bits. The end code is 5.
        codes = [code for _ in range(width * height) for code in (4, colour)] + [5]
        data = sum(code << 3 * at for at, code in enumerate(codes)).to_bytes(
            len(codes) * 3 // 8 + 1, "little"
        )
        blocks = [data[at : at + 255] for at in range(0, len(data), 255)]
        content += b"\x02" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    return content + b"\x3b"


def alphas(picture: Image.Image) -> Any:
    return np.asarray(picture.convert("RGBA"))[..., 3]


SMALL: _Image = (2, 1, 4, 3, GREEN, 0)
WHOLE: _Image = (0, 0, WIDTH, HEIGHT, GREEN, 0)
COVERED = np.zeros((HEIGHT, WIDTH), int)
COVERED[1:4, 2:6] = 255


@pytest.mark.parametrize("transparent", [None, BLUE])
def test_the_canvas_outside_of_a_gif_frame_is_transparent(transparent: int | None) -> None:
    made = shown(gif(SMALL, transparent=transparent), PNG)
    assert np.array_equal(alphas(made), COVERED)
    assert made.convert("RGBA").getpixel((3, 2)) == (0, 255, 0, 255)


def test_the_canvas_outside_of_a_gif_frame_has_the_background_that_a_jpeg_declares() -> None:
    made = shown(gif(SMALL), Rendition(background="white"))
    assert np.asarray(made.convert("RGB"))[5, 0].min() > 200


def test_a_gif_whose_frame_covers_the_canvas_stays_opaque() -> None:
    assert shown(gif(WHOLE), PNG).mode == "RGB"
    assert shown(encoded(photo().convert("P"), "gif"), PNG).mode == "RGB"


@pytest.mark.parametrize(
    ("frames", "covered"),
    [
        ([SMALL, (0, 0, 2, 1, BLUE, 0)], [12, 14]),
        ([(*WHOLE[:5], 2), SMALL], [48, 12]),
        ([(*SMALL[:5], 2), (0, 0, 2, 1, BLUE, 0)], [12, 2]),
        ([SMALL, (0, 0, 8, 1, BLUE, 3), (7, 5, 1, 1, BLUE, 0)], [12, 20, 13]),
        ([WHOLE, (2, 1, 4, 3, BLUE, 2), (0, 0, 1, 1, BLUE, 0)], [48, 48, 36]),
        ([(6, 4, 9, 9, GREEN, 0), WHOLE], [81, 125]),
    ],
    ids=["kept", "all cleared", "cleared", "restored", "a part cleared", "a frame enlarges the canvas"],
)
def test_the_frames_of_a_gif_are_combined_by_their_disposal_methods(
    frames: list[_Image], covered: list[int]
) -> None:
    made = opened(rendered(gif(*frames), Rendition(format="webp", animation="keep", lossless=True)).content)
    found = []
    for number in range(len(frames)):
        made.seek(number)
        found.append(int((alphas(made) > 0).sum()))
    assert found == covered


def test_a_gif_that_is_cut_off_within_its_frame_is_rejected() -> None:
    assert render(gif(SMALL)[:-12], Accept(), {"it": PNG}).rejected


FRAMES = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]


@pytest.mark.parametrize("file_format", ["png", "avif", "gif", "webp"])
def test_the_record_of_a_picture_has_the_number_of_its_frames(file_format: str) -> None:
    moving = encoded(FRAMES[0], file_format, save_all=True, append_images=FRAMES[1:], duration=100)
    still = encoded(FRAMES[0], file_format)
    assert render(moving, Accept(), {"it": PNG}).original.frames == 3
    assert render(still, Accept(), {"it": PNG}).original.frames == 1


def test_the_frame_count_of_a_png_includes_only_frames_whose_chunks_exist() -> None:
    source = encoded(FRAMES[0], "png")
    at = source.index(b"IDAT") - 4
    claim = png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    assert render(source[:at] + claim + source[at:], Accept(), {"it": PNG}).original.frames == 1


def test_an_animated_picture_is_rejected_if_animations_are_not_accepted() -> None:
    source = encoded(FRAMES[0], "png", save_all=True, append_images=FRAMES[1:], duration=100)
    rejected = render(source, Accept(animation=False), {"it": PNG}).rejected
    assert "an animation with 3 frames" in str(rejected)


@pytest.mark.parametrize(
    "after",
    [
        encoded(photo(80, 60).convert("L"), "jpeg"),
        encoded(photo(640, 480).rotate(180), "jpeg"),
        b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(400),
    ],
    ids=["gain map", "larger picture", "video"],
)
def test_a_jpeg_that_is_followed_by_another_picture_or_a_video_shows_its_own_pixels(after: bytes) -> None:
    """Ultra HDR pictures and motion photos are such JPEGs.

    The first JPEG in an Ultra HDR file is the picture in SDR.
    """
    base = encoded(photo(), "jpeg", quality=95)
    statement = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'>%s</x:xmpmeta>" % (
        b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description"
        b" xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/' hdrgm:Version='1.0'/></rdf:RDF>"
    )
    parts = (b"\xff\xe1", statement), (b"\xff\xe2", b"MPF\0II*\0" + bytes(40))
    segments = b"".join(marker + struct.pack(">H", len(data) + 2) + data for marker, data in parts)
    source = base[:2] + segments + base[2:] + after
    result = render(source, Accept(), {"it": PNG})
    assert (result.original.frames, result.original.width, result.original.height) == (1, 320, 240)
    assert opened(result.made["it"].content).tobytes() == shown(base, PNG).tobytes()
