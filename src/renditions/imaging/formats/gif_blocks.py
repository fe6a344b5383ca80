"""Follow the blocks of a GIF, and count the pixels in the data of its frames.

GIF has no checksums, and its decoder leaves missing pixels transparent. The blocks and the LZW codes are
described in appendices B and F of the GIF89a specification.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from renditions.errors import Undecodable
from renditions.imaging.probe import Header

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL = 0xF9
"""The label of a graphic control extension, which says how the next frame is shown."""
_SCREEN_BYTES = 13
"""The size of the header and of the logical screen descriptor together."""
_MAX_CODES = 4096
_MAX_CODE_BITS = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """One image block of a GIF, which is one frame."""

    left: int
    top: int
    width: int
    height: int
    disposal: int
    """What happens to the frame before the next one: 2 clears its area, 3 restores what was below it."""
    code_bits: int
    """The number of bits of the codes for single pixels. The clear code and the end code follow them."""
    start: int
    """The offset of the frame's first sub-block in the file."""

    @property
    def pixels(self) -> int:
        """The number of pixels in the frame."""
        return self.width * self.height


def frames_in(content: bytes) -> Iterator[Frame]:
    """Yield each image block.

    Raise ``IndexError`` if the blocks can't be followed up to the trailer.
    """
    disposal = 0
    for start, data in _blocks(content):
        if content[start] == _IMAGE:
            left, top, width, height = struct.unpack_from("<4H", content, start + 1)
            yield Frame(left, top, width, height, disposal, content[data - 1], data)
            disposal = 0
        elif content[start + 1] == _CONTROL:
            disposal = content[start + 3] >> 2 & 7


def completed(content: bytes) -> bytes:
    """Return the file with an end, if its end is missing.

    The added end consists of the end of the last frame's data, and the trailer. libvips rejects a file whose
    last frame isn't closed, even if the data of all of its pixels is there. An incomplete last extension is
    dropped, unless it controls the next frame. The function returns the file unchanged if it has a trailer,
    or if the blocks before the end can't be followed.
    """
    if len(content) < _SCREEN_BYTES:
        return content
    end = _first_block(content)
    try:
        for _, data in _blocks(content):
            end = _end_of(content, data)
    except IndexError:
        return content[:end] + _closed(content[end:])
    return content


def _closed(rest: bytes) -> bytes:
    """Close the incomplete block ``rest``, and add the trailer after it.

    Return only the trailer if ``rest`` is empty, or an extension that isn't a frame's control block. Return
    ``rest`` unchanged if it begins with no known block, or if the block's header is incomplete.
    """
    is_skipped = rest[:1] == bytes([_EXTENSION]) and rest[1:2] != bytes([_CONTROL])
    if not rest or is_skipped:
        return bytes([_TRAILER])
    try:
        at = _data_of(rest, 0)
    except IndexError:
        return rest
    if at > len(rest):
        return rest
    while at < len(rest) and at + rest[at] < len(rest):
        at += 1 + rest[at]
    cut = rest[at + 1 :]
    return b"".join([rest[:at], bytes([len(cut)]) + cut if cut else b"", bytes([0, _TRAILER])])


def check_end(content: bytes) -> None:
    """Raise ``Undecodable`` if the blocks can't be followed up to the trailer.

    Some encoders forget the trailer, and some copies lack the last bytes. Such a file is accepted if its last
    frame has data for all pixels, and if no further frame is announced.
    """
    whole = completed(content)
    try:
        last = deque(frames_in(whole), 1)
        is_sound = whole is content or (
            bool(last) and not _announces_frame(whole) and _count_in(whole, last[0]) >= last[0].pixels
        )
    except IndexError:
        is_sound = False
    if not is_sound:
        raise Undecodable("the GIF is damaged or cut off: its blocks don't lead to its trailer")


def check_data(content: bytes, _: Header, frames: int) -> None:
    """Raise ``Undecodable`` if a frame's data is broken or has too few pixels.

    This function checks the first ``frames`` frames. The end of the last frame's data may be missing. Most
    damage inside the data leaves too few pixels, since it changes the lengths of runs.
    """
    whole = completed(content)
    try:
        for number, frame in enumerate(islice(frames_in(whole), frames), 1):
            found = _count_in(whole, frame)
            if found < frame.pixels:
                raise Undecodable(
                    f"frame {number} of the GIF has data for only {found:,} of its {frame.pixels:,} pixels"
                )
    except IndexError as error:
        raise Undecodable(
            "the GIF is damaged or cut off: its blocks don't lead to all of its frames"
        ) from error


def _announces_frame(content: bytes) -> bool:
    """Return whether the last block says how a further frame is shown."""
    ((start, _),) = deque(_blocks(content), 1)
    return content[start : start + 2] == bytes([_EXTENSION, _CONTROL])


def _blocks(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield the offsets of each block and of its first sub-block.

    Raise ``IndexError`` if the blocks can't be followed up to the trailer.
    """
    at = _first_block(content)
    while content[at] != _TRAILER:
        data = _data_of(content, at)
        end = _end_of(content, data)
        yield at, data
        at = end


def _first_block(content: bytes) -> int:
    return _SCREEN_BYTES + _table_bytes(content[10])


def _data_of(content: bytes, at: int) -> int:
    """Return the offset of the first sub-block of the block at this offset.

    Raise ``IndexError`` if no known block begins there.
    """
    if content[at] == _IMAGE:
        return at + 11 + _table_bytes(content[at + 9])
    if content[at] == _EXTENSION:
        return at + 2
    raise IndexError(at)


def _end_of(content: bytes, at: int) -> int:
    """Return the offset after the sub-blocks that begin at this offset."""
    while content[at]:
        at += 1 + content[at]
    return at + 1


def _join(content: bytes, at: int) -> bytes:
    """Return the joined data of the sub-blocks that begin at this offset."""
    data = bytearray()
    while content[at]:
        data += content[at + 1 : at + 1 + content[at]]
        at += 1 + content[at]
    return bytes(data)


def _count_in(content: bytes, frame: Frame) -> int:
    return _count_pixels(_join(content, frame.start), frame.code_bits, frame.pixels)


def _table_bytes(flags: int) -> int:
    """Return the size in bytes of the colour table that these flags declare."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _count_pixels(data: bytes, code_bits: int, enough: int) -> int:
    """Return how many pixels the codes cover.

    The count stops at the end code, at an undefined code, or as soon as it is at least ``enough``. It is 0 if
    ``code_bits`` is too large for a GIF. Each code, except the first after a clear code, defines a new one:
    the run of the code before it and one more pixel. So it is enough to count the lengths of runs, without
    their pixels.
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
