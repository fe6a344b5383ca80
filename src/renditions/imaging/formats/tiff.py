"""TIFF input and output, and the checksums of its data, which its decoder ignores.

Numbers are those of TIFF 6.0 (section 2 and the tags of sections 3 and 15) and of BigTIFF. Deflated data
is a zlib stream (Adobe's TIFF Technical Note 3), which ends in a checksum over what it inflates to (RFC
1950); libtiff stops reading once it has enough pixels, before that checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Literal

from renditions.errors import Undecodable
from renditions.imaging.formats.loaded import load_header, page_option
from renditions.imaging.metadata import kept
from renditions.imaging.probe import Header
from renditions.imaging.vips import load, warnings_of_libraries
from renditions.model.recipe import Rendition

_OFFSETS = (273, 324)
"""StripOffsets and TileOffsets."""
_COUNTS = (279, 325)
"""StripByteCounts and TileByteCounts."""
_COMPRESSION = 259
_DEFLATE = (8, 32946)
_TAGS = (_COMPRESSION, *_OFFSETS, *_COUNTS)
_SIZES = {3: 2, 4: 4, 16: 8}
"""Bytes of a value of the types SHORT, LONG and LONG8."""
_PIECE_BYTES = 16_384
"""How many bytes are inflated at once; they become at most 17 MB."""


_MAX_VALUE_BYTES = 16
"""The most bytes that a value of a pixel has: a complex number of double precision."""


def read_header(content: bytes, page: int) -> Header:
    """Return the page's header, without decoding pixels."""
    return load_header("tiff", content, page)


def decode(content: bytes, header: Header, **options: Any) -> Any:
    """Return the page, whose decoding stops at any of libtiff's warnings: they mean damaged pixels.

    Unless its directory, which is read first, already makes libtiff warn. Many valid files do that; but a
    directory that can't be read to its end may have lost the palette.
    """
    options |= page_option(header.page)
    with warnings_of_libraries() as warnings:
        image = load("tiff", content, **options, fail_on="warning")
    if lost := [warning for warning in warnings if "IO error" in warning]:
        raise Undecodable(f"expected a complete and valid picture, found: {lost[0]}")
    return load("tiff", content, **options, fail_on="error") if warnings else image


def check_data(content: bytes, header: Header, _: int) -> None:
    """Raise ``Undecodable`` if the page's data is deflated and doesn't match its checksums.

    Parts that can't be parsed are left to the decoder.
    """
    fields = _read_directory(content, header.page)
    if fields.get(_COMPRESSION, [0])[0] not in _DEFLATE:
        return
    # No strip or tile can inflate to more.
    most_bytes = _MAX_VALUE_BYTES * header.bands * header.stored.width * header.stored.height
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        for offset, count in zip(fields.get(offsets, []), fields.get(counts, []), strict=False):
            if count:
                _check_stream(content[offset : offset + count], most_bytes)


def encode(image: Any, recipe: Rendition, _: int | None) -> bytes:
    """Return the file of an image, or of the frames or pages in it."""
    return bytes(image.tiffsave_buffer(compression="deflate", predictor="horizontal", keep=kept(recipe)))


def _check_stream(data: bytes, most_bytes: int) -> None:
    stream = zlib.decompressobj()
    inflated = 0
    try:
        for at in range(0, len(data), _PIECE_BYTES):
            inflated += len(stream.decompress(data[at : at + _PIECE_BYTES]))
            if inflated > most_bytes:
                raise Undecodable(f"expected at most {most_bytes:,} bytes in a strip, found more")
    except zlib.error as error:
        raise Undecodable(f"expected valid deflated data, found: {error}") from error
    if not stream.eof:
        raise Undecodable("expected a deflated strip up to its checksum, found a truncated one")


def _read_directory(content: bytes, page: int) -> dict[int, list[int]]:
    """Return this page's compression and the places of its data, if its directory can be parsed."""
    order: Literal["little", "big"] = "little" if content.startswith(b"II") else "big"
    is_big = content[2:4] in (b"+\0", b"\0+")
    entries_size, entry_size, offset_size = (8, 20, 8) if is_big else (2, 12, 4)

    def number(at: int, size: int) -> int:
        return int.from_bytes(content[at : at + size], order)

    def fields(at: int) -> Iterator[tuple[int, list[int]]]:
        for entry in range(at, at + number(at - entries_size, entries_size) * entry_size, entry_size):
            if entry + entry_size > len(content):
                return
            size = _SIZES.get(number(entry + 2, 2))
            count = number(entry + 4, offset_size)
            values = entry + 4 + offset_size
            if size and count * size > offset_size:
                values = number(values, offset_size)
            if number(entry, 2) in _TAGS and size and values + count * size <= len(content):
                yield number(entry, 2), [number(values + size * index, size) for index in range(count)]

    at = number(8 if is_big else 4, offset_size)
    for _ in range(page):
        at = number(at + entries_size + number(at, entries_size) * entry_size, offset_size)
    return dict(fields(at + entries_size))
