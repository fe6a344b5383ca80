"""The checksums of a TIFF's data, which its decoder doesn't look at.

Numbers are those of TIFF 6.0 (section 2 and the tags of sections 3 and 15) and of BigTIFF. Deflated data
is a zlib stream (Adobe's TIFF Technical Note 3), which ends in a checksum over what it inflates to (RFC
1950); libtiff stops reading once it has enough pixels, before that checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Literal

from renditions.errors import Undecodable

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
"""What is inflated at once: 17 MB at most come of it."""


def check_checksums(content: bytes, page: int, most_bytes: int) -> None:
    """Raise ``Undecodable`` if this page's data is deflated and doesn't match its checksums.

    ``most_bytes`` is what no strip or tile of it can inflate to more of. What can't be followed is left to
    the decoder.
    """
    fields = _read_directory(content, page)
    if fields.get(_COMPRESSION, [0])[0] not in _DEFLATE:
        return
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        for offset, count in zip(fields.get(offsets, []), fields.get(counts, []), strict=False):
            if count:
                _check_stream(content[offset : offset + count], most_bytes)


def _check_stream(data: bytes, most_bytes: int) -> None:
    stream = zlib.decompressobj()
    inflated = 0
    try:
        for at in range(0, len(data), _PIECE_BYTES):
            inflated += len(stream.decompress(data[at : at + _PIECE_BYTES]))
            if inflated > most_bytes:
                raise Undecodable(f"expected at most {most_bytes:,} bytes in a strip, found more")
    except zlib.error as error:
        raise Undecodable(f"expected sound deflated data, found: {error}") from error
    if not stream.eof:
        raise Undecodable("expected a deflated strip up to its checksum, found a truncated one")


def _read_directory(content: bytes, page: int) -> dict[int, list[int]]:
    """Return this page's compression and where its data is, as far as its directory can be followed."""
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
