"""TIFF input and output, and a check of its data's checksums, which its decoder ignores.

The numbers come from TIFF 6.0 (section 2 and the tags of sections 3 and 15) and from BigTIFF. Deflated data
is a zlib stream (Adobe's TIFF Technical Note 3), which ends in a checksum over the inflated data (RFC 1950).
libtiff stops reading as soon as it has enough pixels, before that checksum.
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
"""The number of bytes in a value of the types SHORT, LONG and LONG8."""
_PIECE_BYTES = 16_384
"""How many bytes are inflated at once. They become at most 17 MB."""


_MAX_VALUE_BYTES = 16
"""The most bytes that one value of a pixel can have: those of a complex number in double precision."""


def read_header(content: bytes, page: int) -> Header:
    """Return the page's header, without decoding pixels."""
    return load_header("tiff", content, page)


def decode(content: bytes, header: Header, **options: Any) -> Any:
    """Return a lazy image of the page. Decoding it stops at libtiff's warnings: they mean damaged pixels.

    There is one exception: if libtiff warns while it reads the page's directory, as for many valid files,
    decoding stops only at errors. But a directory that can't be read to its end is rejected, because the
    palette may be lost.
    """
    options |= page_option(header.page)
    with warnings_of_libraries() as warnings:
        image = load("tiff", content, **options, fail_on="warning")
    if lost := [warning for warning in warnings if "IO error" in warning]:
        raise Undecodable(f"the picture is damaged: {lost[0]}")
    return load("tiff", content, **options, fail_on="error") if warnings else image


def check_data(content: bytes, header: Header, _: int) -> None:
    """Raise ``Undecodable`` if the page's data is deflated and doesn't match its checksums.

    If a part can't be parsed, it isn't checked here: the decoder will find the damage.
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
    """Encode an image, or the frames or pages in it, as a file."""
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
        raise Undecodable(f"the deflated data is damaged: {error}") from error
    if not stream.eof:
        raise Undecodable("a deflated strip ends before its checksum")


def _read_directory(content: bytes, page: int) -> dict[int, list[int]]:
    """Return the values of ``_TAGS`` for this page, by tag, as far as its directory can be parsed."""
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
