"""Pictures for the tests, and functions that render and compare pictures."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from renditions.imaging.render import render
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered

INPUT_FORMATS = tuple(each.name for each in SOURCE_FORMATS.values() if each.auto == each.name)
"""The pixel formats that Renditions reads and Pillow can write."""

BEST: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 97, "subsampling": 0},
    "webp": {"lossless": True},
    "avif": {"quality": 97, "subsampling": "4:4:4"},
}
"""Pillow's options for little or no loss."""

STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""Maps each orientation tag to the rotation or flip that a viewer must undo."""

Pixels = NDArray[np.int16]


def photo(width: int = 320, height: int = 240) -> Image.Image:
    """Return an RGB picture of smooth waves. All its corners and edges are different."""
    y, x = np.mgrid[0:height, 0:width]
    bands = (
        127 + 120 * np.sin(x / 29 + y / 71),
        127 + 120 * np.cos(y / 23) * np.sin(x / 37),
        255 * (x + y) / (width + height),
    )
    return Image.fromarray(np.stack(bands, -1).astype("uint8"))


def quarters(width: int = 120, height: int = 80) -> Image.Image:
    """Return a picture of four quarters: red and green above blue and yellow."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("lime", (width // 2, 0, width, height // 2))
    picture.paste("blue", (0, height // 2, width // 2, height))
    picture.paste("yellow", (width // 2, height // 2, width, height))
    return picture


def encoded(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    """Return the picture as a file."""
    target = io.BytesIO()
    picture.save(target, file_format.upper(), **(options or BEST.get(file_format, {})))
    return target.getvalue()


def heic(picture: Image.Image, **options: Any) -> bytes:
    """Return the picture as HEIC, with little loss unless the options say otherwise."""
    target = io.BytesIO()
    pillow_heif.from_pillow(picture).save(target, **({"quality": 95, "chroma": 444} | options))
    return target.getvalue()


def stored(picture: Image.Image, file_format: str, orientation: int) -> bytes:
    """Return the upright picture as a file that is stored in this orientation."""
    how = STORED_AS[orientation]
    exif = Image.Exif()
    exif[0x112] = orientation
    turned = picture if how is None else picture.transpose(how)
    return encoded(turned, file_format, **BEST.get(file_format, {}), exif=exif.tobytes())


def opened(content: bytes) -> Image.Image:
    """Return the file's picture, decoded by Pillow."""
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


def pixels(picture: Image.Image, mode: str = "RGB") -> Pixels:
    """Return the picture's values as signed numbers.

    So they can be subtracted.
    """
    return np.asarray(picture.convert(mode)).astype(np.int16)


def difference(one: Image.Image, other: Image.Image, mode: str = "RGB") -> float:
    """Return the mean absolute difference of two pictures of one size."""
    assert one.size == other.size
    return float(np.abs(pixels(one, mode) - pixels(other, mode)).mean())


def rendered(content: bytes, recipe: Rendition, accept: Accept | None = None) -> Rendered:
    """Return the only rendition; fail with the reason if it wasn't made."""
    result = render(content, accept or Accept(), {"it": recipe})
    assert result.rejected is None, result.rejected
    assert result.errors == {}
    return result.made["it"]


def why_not(content: bytes, recipe: Rendition, accept: Accept | None = None, **options: Any) -> str:
    """Return the reason why the only rendition wasn't made; fail if it was made."""
    result = render(content, accept or Accept(), {"it": recipe}, **options)
    assert result.made == {}
    return str(result.rejected or result.errors["it"])


def shown(content: bytes, recipe: Rendition) -> Image.Image:
    """Return the only rendition, read by Pillow."""
    return opened(rendered(content, recipe).content)


def png_chunk(name: bytes, data: bytes) -> bytes:
    """Return a PNG chunk with a valid checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def rgb_png(width: int, height: int, data: bytes, *, bits: int = 8, interlaced: bool = False) -> bytes:
    """Return an RGB PNG.

    ``data`` are the pixels before compression, with the filter bytes.
    """
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, interlaced)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, data) for name, data in chunks)


_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Left, top, and the steps to the right and down of each pass (PNG's specification, section 8.2)."""


def interlaced_png(picture: Image.Image) -> bytes:
    """Return an RGB picture as an interlaced PNG, which Pillow can't write."""
    values = np.asarray(picture)
    data = b"".join(
        b"\x00" + row.tobytes()
        for left, top, across, down in _ADAM7
        for row in values[top::down, left::across]
    )
    return rgb_png(*picture.size, data, interlaced=True)
