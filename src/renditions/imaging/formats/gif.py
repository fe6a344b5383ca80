"""GIF input and output, and a check of its blocks and of each frame's pixels.

GIF has no checksums, and its decoder leaves missing pixels transparent. The blocks and the LZW codes are
described in appendices B and F of the GIF89a specification.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.formats.loaded import load_header
from renditions.imaging.probe import Header
from renditions.model.recipe import Rendition

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_MAX_CODES = 4096
_MAX_CODE_BITS = 8


@dataclass(frozen=True, slots=True)
class _Frame:
    """One image block."""

    pixels: int
    code_bits: int
    """The number of bits of a pixel's own code; the clear code and the end code come after these."""
    start: int
    """The offset of its first sub-block in the file."""


def read_header(content: bytes, page: int) -> Header:
    """Return the header, without decoding pixels."""
    return load_header("gif", content, page)


def check_end(content: bytes) -> None:
    """Raise ``Undecodable`` if the blocks can't be followed up to the trailer.

    Some encoders forget the trailer. So the file may also end after a whole block, if its last frame has data
    for all pixels.
    """
    try:
        deque(_frames(content, needs_trailer=True), 0)
    except IndexError as error:
        if not _has_whole_blocks(content):
            raise Undecodable("the GIF ends before its trailer") from error


def _has_whole_blocks(content: bytes) -> bool:
    try:
        last = deque(_frames(content), 1)
    except IndexError:
        return False
    return all(_count_in(content, frame) == frame.pixels for frame in last) and bool(last)


def check_data(content: bytes, _: Header, frames: int) -> None:
    """Raise ``Undecodable`` if one of the first ``frames`` frames has data for too few pixels.

    Most damage inside the data has this effect, since it changes the lengths of runs.
    """
    try:
        for number, frame in enumerate(islice(_frames(content), frames), 1):
            found = _count_in(content, frame)
            if found < frame.pixels:
                raise Undecodable(f"expected {frame.pixels:,} pixels in frame {number}, found {found:,}")
    except IndexError as error:
        raise Undecodable("the GIF ends inside a block") from error


def encode(image: Any, _: Rendition, __: int | None) -> bytes:
    """Encode an image, or the frames or pages in it, as a file."""
    # The format has no place for metadata.
    return bytes(image.gifsave_buffer(keep="none"))


def _frames(content: bytes, *, needs_trailer: bool = False) -> Iterator[_Frame]:
    """Yield each image block up to the trailer or the end; raise ``IndexError`` if that end cuts a block."""
    at = 13 + _table_bytes(content[10])
    while needs_trailer or at < len(content):
        if content[at] == _TRAILER:
            return
        start = at
        if content[at] == _IMAGE:
            at += 11 + _table_bytes(content[at + 9])
        elif content[at] == _EXTENSION:
            at += 2
        else:
            raise IndexError(at)
        data = at
        while content[at]:
            at += 1 + content[at]
        at += 1
        if content[start] == _IMAGE:
            width, height = content[start + 5 : start + 7], content[start + 7 : start + 9]
            pixels = int.from_bytes(width, "little") * int.from_bytes(height, "little")
            yield _Frame(pixels, content[data - 1], data)


def _join(content: bytes, at: int) -> bytes:
    """Return the joined data of the sub-blocks that begin at this offset."""
    data = bytearray()
    while content[at]:
        data += content[at + 1 : at + 1 + content[at]]
        at += 1 + content[at]
    return bytes(data)


def _count_in(content: bytes, frame: _Frame) -> int:
    return _count_pixels(_join(content, frame.start), frame.code_bits, frame.pixels)


def _table_bytes(flags: int) -> int:
    """Return the size in bytes of the colour table that these flags declare."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _count_pixels(data: bytes, code_bits: int, enough: int) -> int:
    """Return how many pixels the codes cover, up to ``enough``, the end code or an undefined code.

    Each code, except the first after a clear code, defines a new one: the run of the code before it and one
    more pixel. So it is enough to count the lengths of runs, without their pixels.
    """
    if code_bits > _MAX_CODE_BITS:
        return 0
    clear = 1 << code_bits
    lengths = [1] * (clear + 2)
    width, mask = code_bits + 1, 2 * clear - 1
    total = before = gathered = bits = 0
    for byte in data:
        gathered |= byte << bits
        bits += 8
        while bits >= width:
            code = gathered & mask
            gathered >>= width
            bits -= width
            if code == clear:
                del lengths[clear + 2 :]
                width, mask, before = code_bits + 1, 2 * clear - 1, 0
                continue
            if before and len(lengths) < _MAX_CODES:
                lengths.append(before + 1)
                if len(lengths) > mask and len(lengths) < _MAX_CODES:
                    width, mask = width + 1, 2 * mask + 1
            if code == clear + 1 or code >= len(lengths):
                return total
            before = lengths[code]
            total += before
            if total >= enough:
                return total
    return total
